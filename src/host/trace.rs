//! What happened in a call, as data.

use serde::Serialize;
use serde_json::Value;

use super::ServiceError;
use crate::document::words;
use crate::store::Change;

words! {
    /// How much a log record weighs.
    pub enum LogLevel {
        /// Every step.
        Trace = "trace",
        /// For developers.
        Debug = "debug",
        /// Worth knowing.
        Info = "info",
        /// Something is not as it should be.
        Warn = "warn",
        /// Something failed.
        Error = "error",
    }
}

/// A line that the guest wrote to the log.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// How much it weighs.
    pub level: LogLevel,
    /// The text, without control characters.
    pub message: String,
    /// More, as a JSON object; null where there is none.
    pub fields: Value,
}

/// A call of the host API.
#[derive(Debug, Clone, Serialize)]
pub struct HostCall {
    /// Such as `db.insert`.
    pub function: &'static str,
    /// The entity, key or name that it was about.
    pub subject: String,
    /// The code of the error that it gave; none where it succeeded.
    pub error: Option<String>,
}

/// An event that the guest told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedEvent {
    /// Words joined by dots.
    #[serde(rename = "type")]
    pub event_type: String,
    /// JSON.
    pub payload: Value,
}

/// What happened in a call.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Calls of the host API, in order.
    pub host_calls: Vec<HostCall>,
    /// What the guest wrote to the log.
    pub logs: Vec<LogRecord>,
    /// Log records that were over the bound.
    pub suppressed_logs: u32,
    /// Events that were told; none where the call failed.
    pub events: Vec<PublishedEvent>,
    /// Rows that changed; none where the call failed.
    pub changes: Vec<Change>,
    /// Fuel that was burned. After a trap that is not about fuel, what was burned until the last host call.
    pub fuel: u64,
    /// The most linear memory that was in use, in bytes.
    pub memory: u64,
}

impl Trace {
    pub(super) fn record(&mut self, function: &'static str, subject: &str, error: Option<&ServiceError>) {
        self.host_calls.push(HostCall {
            function,
            subject: subject.to_owned(),
            error: error.map(|error| error.code.clone()),
        });
    }
}
