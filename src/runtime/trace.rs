//! What happened in a call, as data.

use std::sync::Arc;

use erp_manifest::EventType;
use erp_manifest::contract::HostFunction;
use erp_manifest::document::words;
use erp_storage::RowChange;
use serde::Serialize;
use serde_json::Value;

use super::quirks::Quirk;

words! {
    /// The severity of a log record.
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

/// How much detail a trace keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// The host calls, and whether they succeeded.
    #[default]
    Outline,
    /// Also arguments, results, SQL statements, times and random values.
    Full,
    /// Also the place in the guest's source of each host call.
    Source,
}

/// A line that the guest wrote to the log.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// The severity.
    pub level: LogLevel,
    /// The text; control characters except line breaks and tabs are escaped.
    pub message: String,
    /// Additional data as JSON, normally an object; null if there is none.
    pub fields: Value,
}

/// A call of the host API.
#[derive(Debug, Clone, Serialize)]
pub struct HostCall {
    /// The host function, such as `db.insert`.
    pub function: HostFunction,
    /// The entity, key or name that the call concerns.
    pub subject: String,
    /// The code of the error that it returned; none if it succeeded.
    pub error: Option<String>,
    /// Fuel that was burned from the beginning of the plugin call until this host call.
    pub fuel: u64,
    /// The number of rows that it read.
    pub rows: u64,
    /// The arguments. Null in an outline.
    pub arguments: Value,
    /// The result, or the error as `{code, message, retryable, details}`. Null in an outline.
    pub result: Value,
    /// The SQL statements that it executed, without their values. Empty in an outline.
    pub sql: Vec<String>,
    /// Functions of the guest with file and line, the innermost first. Empty without [`Detail::Source`]; without debug
    /// information only names or indexes of functions.
    pub frames: Vec<String>,
}

/// A host call that was denied because the manifest does not grant it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// The host function, such as `kv.get`.
    pub function: HostFunction,
    /// The entity, key or name that the call concerns.
    pub subject: String,
    /// Why it was denied.
    pub message: String,
}

/// An event that the guest published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmittedEvent {
    /// The UUID of the event in the storage's outbox.
    #[serde(skip)]
    pub id: String,
    /// The type: words joined by dots.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// The payload as JSON, with secrets redacted.
    pub payload: Value,
}

/// What happened in a call.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Calls of the host API, in order.
    pub host_calls: Vec<HostCall>,
    /// The host calls that were denied, each different denial once, at most 100.
    pub denials: Vec<Denial>,
    /// Times and random values that the guest received, in order. Empty in an outline.
    pub entropy: Vec<Value>,
    /// Bytes of arguments, results and random values that were omitted because the trace was full. If this is not 0,
    /// the call cannot be replayed.
    pub omitted_bytes: u64,
    /// The log records of the guest.
    pub logs: Vec<LogRecord>,
    /// The number of log records that were dropped because of the log's limits.
    pub suppressed_logs: u32,
    /// Published events; empty if the call failed.
    pub events: Vec<EmittedEvent>,
    /// Changed rows; empty if the call failed, unless [`Quirk::FailedWritesStay`] is imitated.
    pub changes: Vec<Arc<RowChange>>,
    /// Burned fuel. After a trap other than out-of-fuel, the fuel that was burned until the last host call.
    pub fuel: u64,
    /// The peak of linear memory in use, in bytes.
    pub memory: u64,
    /// Known defects of the platform that the call encountered. They are imitated if the surroundings say so, and only
    /// recorded otherwise.
    pub quirks: Vec<Quirk>,
    /// How long the call took, in nanoseconds of this machine's clock.
    pub nanoseconds: u64,
}

/// The most denials that a trace keeps.
const MAX_DENIALS: usize = 100;

impl Trace {
    /// Records a denial, unless it is a duplicate or the limit is reached: a guest may repeat a denied call many times.
    pub(super) fn deny(&mut self, denial: Denial) {
        if self.denials.len() < MAX_DENIALS && !self.denials.contains(&denial) {
            self.denials.push(denial);
        }
    }

    /// Whether the guest called `http.send`, whose effect no rollback can undo.
    pub fn has_left_the_host(&self) -> bool {
        self.host_calls.iter().any(|call| call.function == HostFunction::HttpSend)
    }
}
