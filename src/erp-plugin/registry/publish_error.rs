//! Why an upload failed.

use std::time::Duration;

use erp_manifest::codes::ErrorCode;
use thiserror::Error;

/// Why nothing was uploaded.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The address is none that a token may be sent to.
    #[error("{0}")]
    BadAddress(String),
    /// The client could not be set up.
    #[error("the HTTP client cannot start: {0}")]
    Client(String),
    /// The server could not be reached.
    #[error("cannot reach {address}: {reason}")]
    Unreachable {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The server was reached and cannot take it now.
    #[error("{address} cannot take it now: {reason}")]
    Unavailable {
        /// The server.
        address: String,
        /// What it said.
        reason: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The server is not who it says it is, as far as anyone can tell.
    #[error("{address} has no certificate that is trusted here: {reason}")]
    Certificate {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// It was sent, and nobody knows what became of it.
    #[error("it is not known whether {address} has the package: {reason}")]
    Unknown {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The server refused the package.
    #[error("the platform refused the package ({status} {code}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The platform's code.
        code: ErrorCode,
        /// Its text.
        message: String,
        /// Further problems, one a line.
        problems: Vec<String>,
        /// When the server wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The server did not answer as a platform does.
    #[error("{address} does not answer as a platform does: {reason}")]
    NotAPlatform {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The receipt is for another file.
    #[error("the platform's receipt is for another file ({found}, not {expected})")]
    WrongReceipt {
        /// What was sent.
        expected: String,
        /// What the receipt names.
        found: String,
    },
}
