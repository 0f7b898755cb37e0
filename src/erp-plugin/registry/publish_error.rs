//! Why an upload failed.

use std::time::Duration;

use erp_manifest::codes::ErrorCode;
use thiserror::Error;

/// Why an upload failed.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The address cannot be used, or a setting of the connection is invalid.
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
    /// The server was reached, but cannot accept the package now.
    #[error("{address} cannot take it now: {reason}")]
    Unavailable {
        /// The server.
        address: String,
        /// The server's reason.
        reason: String,
        /// How long the server asks to wait; none if it does not say.
        retry_after: Option<Duration>,
    },
    /// The server's certificate is not trusted here.
    #[error("{address} has no certificate that is trusted here: {reason}")]
    Certificate {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The package was sent, and it is unknown whether the server has it.
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
        /// The platform's message.
        message: String,
        /// Further problems, one a line.
        problems: Vec<String>,
        /// How long the server asks to wait; none if it does not say.
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
        /// What was sent: the id, the version or the SHA-256.
        expected: String,
        /// What the receipt names instead.
        found: String,
    },
}
