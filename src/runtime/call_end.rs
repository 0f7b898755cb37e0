//! Why a call must end although its guest would go on, and what must not be kept of it.

use wasmtime::Trap;

use super::error::ServiceError;

/// What the host decided about the end of a call.
#[derive(Debug, Default)]
pub(super) struct CallEnd {
    /// Ends the guest as soon as the present host call returns.
    pub(super) trap: Option<Trap>,
    /// A limit that was exceeded after the call had already written: nothing of the call is kept, even where the guest
    /// ignores the error.
    pub(super) spoiled: Option<ServiceError>,
    /// The last message that the guest logged as an error, also where the log was full.
    pub(super) last_error_line: String,
}

impl CallEnd {
    /// Lets nothing of the call be kept. The first reason counts.
    pub(super) fn spoil(&mut self, error: &ServiceError) {
        self.spoiled.get_or_insert_with(|| error.clone());
    }
}
