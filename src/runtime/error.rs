//! What goes wrong in a call.

use std::fmt;

use erp_manifest::codes::{Code, ErrorCode, errors};
use erp_manifest::document::{weight, words};
use erp_storage::StoreError;
use serde_json::{Value, json};
use thiserror::Error;

use super::services::Services;

/// Bytes of a code, a message and details that are kept of an error.
const MAX_CODE_BYTES: usize = 200;
const MAX_MESSAGE_BYTES: usize = 4 << 10;
const MAX_DETAILS_BYTES: u64 = 64 << 10;
/// Frames of a trap that are kept, inlined functions counted, and the bytes of each.
const MAX_FRAMES: usize = 64;
const MAX_FRAME_BYTES: usize = 500;

/// Why a host function refused or failed, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{message}")]
pub struct ServiceError {
    /// The stable code.
    pub code: ErrorCode,
    /// For developers.
    pub message: String,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// What the code says more about; null if there is nothing.
    pub details: Value,
}

impl ServiceError {
    /// `{code, message, retryable, details}`.
    pub(super) fn to_json(&self) -> Value {
        json!({ "code": self.code, "message": self.message, "retryable": self.retryable, "details": self.details })
    }

    /// The error that [`ServiceError::to_json`] wrote.
    pub(super) fn from_json(value: &Value) -> ServiceError {
        ServiceError {
            code: ErrorCode::of_text(value["code"].as_str().unwrap_or_default()),
            message: value["message"].as_str().unwrap_or_default().to_owned(),
            retryable: value["retryable"].as_bool().unwrap_or(false),
            details: value["details"].clone(),
        }
    }

    /// An error of the host, retryable where its code is.
    pub fn new(code: Code, message: impl Into<String>) -> ServiceError {
        ServiceError {
            code: code.into(),
            message: message.into(),
            retryable: code.is_retryable(),
            details: Value::Null,
        }
        .bounded()
    }

    /// The same with texts of a length that can be kept: names and values of a guest may have megabytes.
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

/// Cuts a text that is kept, and says that it was cut.
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
    /// What ended a call from outside.
    pub enum TrapKind {
        /// The guest executed `unreachable`: a panic, an abort.
        Unreachable = "unreachable",
        /// The fuel is spent.
        OutOfFuel = "out-of-fuel",
        /// The time is over.
        Timeout = "timeout",
        /// The memory bound was reached, and the guest gave up.
        MemoryLimit = "memory-limit",
        /// The stack is exhausted.
        StackOverflow = "stack-overflow",
        /// Memory outside the guest's own, a division by zero, an indirect call of a wrong type.
        Fault = "fault",
        /// The bound of tables was reached.
        TableLimit = "table-limit",
        /// The guest handed over too much at once.
        BorderLimit = "border-limit",
        /// Whoever asked has left, or the host ends.
        Interrupted = "interrupted",
        /// Something crossed the border that may not: bad UTF-8, a pointer out of bounds.
        Border = "border",
    }
}

/// Why a call failed. Whatever it was, nothing of the call was kept.
#[derive(Debug, Clone, Error)]
pub enum CallError {
    /// The guest returned an error.
    #[error("{0}")]
    Guest(ServiceError),
    /// The guest was ended.
    #[error("the plugin trapped ({kind}): {message}")]
    Trap {
        /// What ended it.
        kind: TrapKind,
        /// In words.
        message: String,
        /// Function, file and line of the guest, the innermost first.
        frames: Vec<String>,
    },
    /// The component has no such export, or the arguments do not fit.
    #[error("{0}")]
    BadCall(String),
    /// The host failed: the commit, the database.
    #[error("{0}")]
    Host(ServiceError),
}

impl CallError {
    /// Whoever asked has left, or the host ends.
    pub(super) fn interrupted() -> CallError {
        let message = "nobody waits for the call any more".to_owned();
        CallError::Trap { kind: TrapKind::Interrupted, message, frames: Vec::new() }
    }

    /// The error without the secrets that the guest was given: it may have written them into its message.
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

    /// Whether it was ended since it is not needed: nothing is wrong with it.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, CallError::Trap { kind: TrapKind::Interrupted, .. })
    }

    /// The stable code that HTTP clients see.
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

/// Frames of a trap as lines.
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
                // The names are the guest's.
                shorten(&mut line, MAX_FRAME_BYTES);
                line
            })
            .take(MAX_FRAMES)
            .collect()
    }
}

/// A place in the source, and the name of the function that the code became part of, for places that name none.
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
