//! How serious a finding is.

use serde::Serialize;

/// How serious a finding is. Errors make a command fail; the others never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The platform would refuse this, or it would do something else than it says.
    Error,
    /// It works, but probably not as meant.
    Warning,
    /// It works; there is something better.
    Hint,
}

impl Severity {
    /// The name in output and settings.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        }
    }
}
