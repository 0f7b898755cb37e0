//! Errors of the platform, with their HTTP status.

use erp_manifest::PermissionCode;
use erp_manifest::codes::{Code, ErrorCode, errors};
use erp_runtime::{CallError, ServiceError, shorten};
use erp_storage::StoreError;
use serde_json::{Value, json};
use thiserror::Error;

use super::Response;

/// Maximum size of a message, in bytes.
const MAX_MESSAGE: usize = 4 << 10;

/// A refused request, or a failure of the platform.
#[derive(Debug, Clone, Error)]
#[error("{message}")]
pub struct PlatformError {
    /// The stable code; it decides the HTTP status.
    pub code: ErrorCode,
    /// What is wrong.
    pub message: String,
    /// Further data, whose shape depends on the code; null if there is none.
    pub details: Value,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl PlatformError {
    /// Creates an error with a code. Messages over 4 KiB are cut.
    pub fn new(code: impl Into<ErrorCode>, message: impl Into<String>) -> PlatformError {
        let mut message = message.into();
        // The message may contain text that a client sent, and refused requests are kept for a while.
        shorten(&mut message, MAX_MESSAGE);
        let code = code.into();
        let retryable = code.declared().is_some_and(Code::is_retryable);
        PlatformError { code, message, details: Value::Null, retryable }
    }

    pub(super) fn with_details(mut self, details: Value) -> PlatformError {
        self.details = details;
        self
    }

    pub(super) fn denied(permission: &PermissionCode) -> PlatformError {
        PlatformError::new(errors::AUTH_DENIED, format!("this needs the permission `{permission}`"))
            .with_details(json!({ "permission": permission }))
    }

    /// Returns the HTTP status of the response.
    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// Returns the HTTP response; a status of 503 adds `retry-after: 1`.
    pub fn response(&self) -> Response {
        let response = Response::json(self.status(), self.to_json());
        if self.status() == 503 { response.header("retry-after", "1") } else { response }
    }

    /// Returns the body of the response.
    pub fn to_json(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message });
        if self.retryable {
            body["retryable"] = Value::Bool(true);
        }
        if !self.details.is_null() {
            body["details"] = self.details.clone();
        }
        body
    }
}

impl From<StoreError> for PlatformError {
    fn from(error: StoreError) -> PlatformError {
        let retryable = error.code().is_retryable();
        PlatformError { retryable, ..PlatformError::from(ServiceError::from(error)) }
    }
}

impl From<ServiceError> for PlatformError {
    fn from(error: ServiceError) -> PlatformError {
        PlatformError { code: error.code, message: error.message, details: error.details, retryable: error.retryable }
    }
}

impl From<CallError> for PlatformError {
    fn from(error: CallError) -> PlatformError {
        match error {
            CallError::Guest(error) | CallError::Host(error) => PlatformError::from(error),
            other => PlatformError::new(other.code(), other.to_string()),
        }
    }
}
