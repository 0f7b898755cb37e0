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

/// How much of a call is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// Which calls of the host there were, and how they went.
    #[default]
    Outline,
    /// Their arguments, results and statements too.
    Full,
    /// And where in the guest's source they were called.
    Source,
}

/// A line that the guest wrote to the log.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// How much it weighs.
    pub level: LogLevel,
    /// The text, without control characters.
    pub message: String,
    /// More, as a JSON object; null if there is none.
    pub fields: Value,
}

/// A call of the host API.
#[derive(Debug, Clone, Serialize)]
pub struct HostCall {
    /// Such as `db.insert`.
    pub function: HostFunction,
    /// The entity, key or name that it was about.
    pub subject: String,
    /// The code of the error that it gave; none where it succeeded.
    pub error: Option<String>,
    /// Fuel that was burned before it, from the beginning of the call.
    pub fuel: u64,
    /// Rows that it gave.
    pub rows: u64,
    /// What it was called with. Null in an outline.
    pub arguments: Value,
    /// What it gave; its error as `{code, message, retryable, details}`. Null in an outline.
    pub result: Value,
    /// Statements that it made the database execute, without their values. Empty in an outline.
    pub sql: Vec<String>,
    /// Functions, files and lines of the guest, the innermost first. Empty without
    /// [`Detail::Source`] and without debug information.
    pub frames: Vec<String>,
}

/// A call of the host that was denied: the manifest does not grant it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denial {
    /// Such as `kv.get`.
    pub function: HostFunction,
    /// What it was about.
    pub subject: String,
    /// Why.
    pub message: String,
}

/// An event that the guest told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmittedEvent {
    /// UUID, as in the outbox of the storage.
    #[serde(skip)]
    pub id: String,
    /// Words joined by dots.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// JSON.
    pub payload: Value,
}

/// What happened in a call.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Calls of the host API, in order.
    pub host_calls: Vec<HostCall>,
    /// Those among them that were denied, each reason once.
    pub denials: Vec<Denial>,
    /// Times and random values that the guest was given, in order. Empty in an outline.
    pub entropy: Vec<Value>,
    /// Bytes of arguments, results and random values that were left out, since a trace keeps no more: the call cannot be
    /// replayed then.
    pub omitted_bytes: u64,
    /// What the guest wrote to the log.
    pub logs: Vec<LogRecord>,
    /// Log records that were over the bound.
    pub suppressed_logs: u32,
    /// Events that were told; none where the call failed.
    pub events: Vec<EmittedEvent>,
    /// Rows that changed; none where the call failed.
    pub changes: Vec<Arc<RowChange>>,
    /// Fuel that was burned. After a trap that is not about fuel, what was burned until the last host call.
    pub fuel: u64,
    /// The most linear memory that was in use, in bytes.
    pub memory: u64,
    /// Defects of the platform that the call met: imitated where that is asked for, only noted otherwise.
    pub quirks: Vec<Quirk>,
    /// How long the call took, in nanoseconds of this machine's clock.
    pub nanoseconds: u64,
}

/// Denials that a trace keeps.
const MAX_DENIALS: usize = 100;

impl Trace {
    /// Keeps a denial, unless it is known or there are many: a guest may try again as long as it likes.
    pub(super) fn deny(&mut self, denial: Denial) {
        if self.denials.len() < MAX_DENIALS && !self.denials.contains(&denial) {
            self.denials.push(denial);
        }
    }

    /// Whether something was asked of the world outside, which no rollback takes back.
    pub fn has_left_the_host(&self) -> bool {
        self.host_calls.iter().any(|call| call.function == HostFunction::HttpSend)
    }
}
