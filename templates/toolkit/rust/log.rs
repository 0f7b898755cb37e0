//! The host's log.

use super::host::host_log::{self, Level};

/// What may help to understand a run afterwards.
pub fn debug(message: &str) {
    host_log::log(Level::Debug, message, None);
}

/// Something happened.
pub fn info(message: &str) {
    host_log::log(Level::Info, message, None);
}

/// Something is odd, and the plugin goes on.
pub fn warn(message: &str) {
    host_log::log(Level::Warn, message, None);
}

/// Something failed.
pub fn error(message: &str) {
    host_log::log(Level::Error, message, None);
}

/// Lets a panic tell its place and its reason in one record of the log, before the call ends.
pub(super) fn panics() {
    std::panic::set_hook(Box::new(|panic| error(&panic.to_string())));
}
