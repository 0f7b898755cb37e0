//! Several writes at once.

use erp_manifest::document::words;
use serde_json::{Map, Value};

words! {
    /// What a step of a batch does.
    pub enum BatchKind {
        /// A new row.
        Insert = "insert",
        /// Values of a row change.
        Update = "update",
        /// The row with these keys changes, or comes.
        Upsert = "upsert",
        /// A row goes.
        Delete = "delete",
        /// Numbers of a row grow.
        Increment = "increment",
        /// Values of a row must be these.
        Assert = "assert",
    }
}

/// One step of a batch.
#[derive(Debug, Clone)]
pub struct BatchStep {
    /// What it does.
    pub kind: BatchKind,
    /// The entity, as the plugin calls it.
    pub entity: String,
    /// The row, or `$ref:<name>`.
    pub id: Option<String>,
    /// What the kind takes.
    pub data: Map<String, Value>,
    /// The version that the row must have.
    pub expected_version: Option<u32>,
    /// A name for `$ref:`.
    pub name: Option<String>,
}
