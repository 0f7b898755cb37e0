//! Rows that block an upgrade.

use serde::Serialize;

/// A row that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct StakeRow {
    /// Whose row it is.
    pub tenant: String,
    /// The row.
    pub id: String,
    /// The value, as JSON text.
    pub value: String,
    /// Why it does not fit.
    pub problem: String,
}
