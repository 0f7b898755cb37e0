//! Errors as the host takes them.

pub use super::bindings::erp::plugin::types::Error;

/// What a plugin's functions give.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this plugin: a stable dotted code of your own, such as `inventory.not_a_draft`, and a sentence for
/// developers. Nothing of the call is kept.
pub fn refuse(code: &str, message: impl Into<String>) -> Error {
    Error { code: code.to_owned(), message: message.into(), retryable: false, details: None }
}

/// An error that may be gone when the same is tried again.
pub fn try_later(code: &str, message: impl Into<String>) -> Error {
    Error { retryable: true, ..refuse(code, message) }
}
