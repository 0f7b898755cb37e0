//! Why the platform refuses, with the status that an HTTP client gets.

use serde_json::{Value, json};
use thiserror::Error;

use super::Response;
use crate::host::{CallError, ErrorCode, ServiceError, shorten};
use crate::store::StoreError;

/// The code of a request whose statements read for longer than it may.
pub const TOO_SLOW: &str = "db.too_slow";

/// Bytes of a message at the most.
const MAX_MESSAGE: usize = 4 << 10;

/// A refusal or a failure.
#[derive(Debug, Clone, Error)]
#[error("{message}")]
pub struct PlatformError {
    /// HTTP status.
    pub status: u16,
    /// Stable dotted code.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What the code says more about; null where there is nothing.
    pub details: Value,
}

impl PlatformError {
    /// An error with a status and a code.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> PlatformError {
        let mut message = message.into();
        // What a client sent may be in it, and what was refused is kept for a while.
        shorten(&mut message, MAX_MESSAGE);
        PlatformError { status, code: code.to_owned(), message, details: Value::Null }
    }

    pub(super) fn with_details(mut self, details: Value) -> PlatformError {
        self.details = details;
        self
    }

    pub(super) fn denied(permission: &str) -> PlatformError {
        PlatformError::new(403, "auth.denied", format!("this needs the permission `{permission}`"))
            .with_details(json!({ "permission": permission }))
    }

    /// The answer: where it will be another one soon, it says so.
    pub fn response(&self) -> Response {
        let response = Response::json(self.status, self.to_json());
        if self.status == 503 { response.header("retry-after", "1") } else { response }
    }

    /// The body of the answer.
    pub fn to_json(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message });
        if self.status == 503 {
            body["retryable"] = Value::Bool(true);
        }
        if !self.details.is_null() {
            body["details"] = self.details.clone();
        }
        body
    }
}

/// The status of a code; a plugin's own codes are refusals of what was asked.
fn status_of(code: &str) -> u16 {
    ErrorCode::find(code).map_or(422, |code| code.status)
}

impl From<StoreError> for PlatformError {
    fn from(error: StoreError) -> PlatformError {
        PlatformError::from(ServiceError::from(error))
    }
}

impl From<ServiceError> for PlatformError {
    fn from(error: ServiceError) -> PlatformError {
        PlatformError {
            status: status_of(&error.code),
            code: error.code,
            message: error.message,
            details: error.details,
        }
    }
}

impl From<CallError> for PlatformError {
    fn from(error: CallError) -> PlatformError {
        match error {
            CallError::Guest(error) | CallError::Host(error) => PlatformError::from(error),
            other => PlatformError::new(status_of(&other.code()), &other.code(), other.to_string()),
        }
    }
}
