//! What the user who calls may do.

use super::error::{Result, refuse};
use super::host::host_context;

/// A permission of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission(pub(super) &'static str);

impl Permission {
    /// Its code.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// Whether the user has it. Nobody calls where an event does: then it is false.
    pub fn is_granted(self) -> bool {
        host_context::check_permission(self.0)
    }

    /// Goes on only where the user has it.
    ///
    /// # Errors
    /// `plugin.denied`.
    pub fn require(self) -> Result<()> {
        if self.is_granted() { Ok(()) } else { Err(refuse("plugin.denied", format!("this needs `{}`", self.0))) }
    }
}
