//! Errors of calls and of host functions.

use std::fmt;

use erp_manifest::codes::{Code, ErrorCode, errors};
use erp_manifest::document::{weight, words};
use erp_storage::StoreError;
use serde_json::{Value, json};
use thiserror::Error;

use super::services::Services;

/// The most bytes of the code, the message and the details of an error that are kept.
const MAX_CODE_BYTES: usize = 200;
const MAX_MESSAGE_BYTES: usize = 4 << 10;
const MAX_DETAILS_BYTES: u64 = 64 << 10;
/// The most frames of a trap that are kept, including inlined functions, and the most bytes of each.
const MAX_FRAMES: usize = 64;
const MAX_FRAME_BYTES: usize = 500;

/// Why a host function refused or failed, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{message}")]
pub struct ServiceError {
    /// The stable code.
    pub code: ErrorCode,
    /// The message, for developers.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// Additional data, depending on the code; null if there is none.
    pub details: Value,
}

impl ServiceError {
    /// Returns `{code, message, retryable, details}`.
    pub(super) fn to_json(&self) -> Value {
        json!({ "code": self.code, "message": self.message, "retryable": self.retryable, "details": self.details })
    }

    /// Reads an error that [`ServiceError::to_json`] wrote.
    pub(super) fn from_json(value: &Value) -> ServiceError {
        ServiceError {
            code: ErrorCode::of_text(value["code"].as_str().unwrap_or_default()),
            message: value["message"].as_str().unwrap_or_default().to_owned(),
            retryable: value["retryable"].as_bool().unwrap_or(false),
            details: value["details"].clone(),
        }
    }

    /// Creates an error of the host; its code determines whether it is retryable.
    pub fn new(code: Code, message: impl Into<String>) -> ServiceError {
        ServiceError {
            code: code.into(),
            message: message.into(),
            retryable: code.is_retryable(),
            details: Value::Null,
        }
        .bounded()
    }

    /// Shortens the code and message, and drops too large details: a guest's names and values may have megabytes.
    pub(super) fn bounded(mut self) -> ServiceError {
        if let ErrorCode::Foreign(code) = &mut self.code {
            let mut text = std::mem::take(code).into_string();
            shorten(&mut text, MAX_CODE_BYTES);
            *code = text.into();
        }
        shorten(&mut self.message, MAX_MESSAGE_BYTES);
        if weight(&self.details) > MAX_DETAILS_BYTES {
            self.details = Value::Null;
        }
        self
    }
}

/// Cuts a text to `most` bytes, and appends `…` if it was cut.
pub fn shorten(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
        text.shrink_to_fit();
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> ServiceError {
        ServiceError {
            code: error.code().into(),
            message: error.to_string(),
            retryable: error.is_retryable(),
            details: error.details(),
        }
        .bounded()
    }
}

words! {
    /// Why a guest was ended.
    pub enum TrapKind {
        /// The guest executed `unreachable`: a panic, an abort.
        Unreachable = "unreachable",
        /// The fuel is spent.
        OutOfFuel = "out-of-fuel",
        /// The time is over.
        Timeout = "timeout",
        /// The memory limit was reached, and the guest gave up.
        MemoryLimit = "memory-limit",
        /// The stack is exhausted.
        StackOverflow = "stack-overflow",
        /// An access outside the guest's memory, a division by zero, an indirect call of a wrong type.
        Fault = "fault",
        /// The limit of table elements was reached.
        TableLimit = "table-limit",
        /// The guest passed too many bytes to the host at once.
        BorderLimit = "border-limit",
        /// The caller no longer waits, or the host is shutting down.
        Interrupted = "interrupted",
        /// Invalid data crossed the border: bad UTF-8, a pointer out of bounds.
        Border = "border",
    }
}

/// Why a call failed. The call was rolled back, unless an imitated quirk keeps its writes.
#[derive(Debug, Clone, Error)]
pub enum CallError {
    /// The guest returned an error.
    #[error("{0}")]
    Guest(ServiceError),
    /// The guest was ended.
    #[error("the plugin trapped ({kind}): {message}")]
    Trap {
        /// The kind of the trap.
        kind: TrapKind,
        /// A description of the cause.
        message: String,
        /// Functions of the guest with file and line, the innermost first.
        frames: Vec<String>,
    },
    /// The component has no such export, or the arguments or the result do not fit.
    #[error("{0}")]
    BadCall(String),
    /// The host failed, for example the commit or the database.
    #[error("{0}")]
    Host(ServiceError),
}

impl CallError {
    /// Creates the error of a call whose caller no longer waits, or whose host is shutting down.
    pub(super) fn interrupted() -> CallError {
        let message = "nobody waits for the call any more".to_owned();
        CallError::Trap { kind: TrapKind::Interrupted, message, frames: Vec::new() }
    }

    /// Redacts the secrets that the guest has received, since it may have written them into its message.
    pub(super) fn without_secrets(self, services: &Services) -> CallError {
        let clean = |error: ServiceError| ServiceError { message: services.without_secrets(error.message), ..error };
        match self {
            CallError::Guest(error) => CallError::Guest(clean(error)),
            CallError::Trap { kind, message, frames } => {
                CallError::Trap { kind, message: services.without_secrets(message), frames }
            }
            other => other,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, CallError::Guest(error) | CallError::Host(error) if error.retryable)
    }

    /// Whether the call was ended because it is no longer needed, and not because of an error.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, CallError::Trap { kind: TrapKind::Interrupted, .. })
    }

    /// Returns the stable code that HTTP clients see.
    pub fn code(&self) -> ErrorCode {
        match self {
            CallError::Guest(error) | CallError::Host(error) => error.code.clone(),
            CallError::Trap { kind: TrapKind::OutOfFuel, .. } => errors::LIMIT_FUEL.into(),
            CallError::Trap { kind: TrapKind::Timeout, .. } => errors::LIMIT_TIME.into(),
            CallError::Trap { kind: TrapKind::MemoryLimit, .. } => errors::LIMIT_MEMORY.into(),
            CallError::Trap { kind: TrapKind::TableLimit, .. } => errors::LIMIT_TABLES.into(),
            CallError::Trap { kind: TrapKind::BorderLimit, .. } => errors::LIMIT_BORDER_BYTES.into(),
            CallError::Trap { kind: TrapKind::StackOverflow, .. } => errors::GUEST_STACK_OVERFLOW.into(),
            CallError::Trap { kind: TrapKind::Fault, .. } => errors::GUEST_FAULT.into(),
            CallError::Trap { kind: TrapKind::Interrupted, .. } => errors::CALL_INTERRUPTED.into(),
            CallError::Trap { kind: TrapKind::Border, .. } => errors::GUEST_BORDER.into(),
            CallError::Trap { kind: TrapKind::Unreachable, .. } => errors::GUEST_PANIC.into(),
            CallError::BadCall(_) => errors::HOST_UNSUPPORTED.into(),
        }
    }
}

/// Formats the frames of a trap as lines.
pub(super) struct TrapFrames<'a>(pub(super) &'a wasmtime::WasmBacktrace);

impl TrapFrames<'_> {
    pub(super) fn lines(&self) -> Vec<String> {
        self.0
            .frames()
            .iter()
            .flat_map(|frame| {
                let symbols = frame.symbols();
                if symbols.is_empty() {
                    vec![frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), demangled)]
                } else {
                    symbols.iter().map(|symbol| Symbol(symbol, frame.func_name()).to_string()).collect()
                }
            })
            .map(|mut line| {
                // The names come from the guest and may be long.
                shorten(&mut line, MAX_FRAME_BYTES);
                line
            })
            .take(MAX_FRAMES)
            .collect()
    }
}

/// A location in the source, and the name of the compiled function as a fallback for locations without a name.
struct Symbol<'a>(&'a wasmtime::FrameSymbol, Option<&'a str>);

impl fmt::Display for Symbol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name().or(self.1).map_or_else(|| "?".to_owned(), demangled))?;
        if let (Some(file), Some(line)) = (self.0.file(), self.0.line()) {
            write!(f, " at {file}:{line}")?;
        }
        Ok(())
    }
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
