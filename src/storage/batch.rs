//! Batches: several writes in one call.

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
    /// The kind of write.
    pub kind: BatchKind,
    /// The entity: `item`, or `other-plugin.item` for an entity of another plugin.
    pub entity: String,
    /// The id of the row, or `$ref:<name>` of an earlier step; not used by insert and upsert.
    pub id: Option<String>,
    /// Values to write, amounts to add or values to compare; for an upsert, `{"key": [fields], "row": {…}}`.
    pub data: Map<String, Value>,
    /// The version that the row must have.
    pub expected_version: Option<u32>,
    /// The name by which later steps refer to this row, as `$ref:<name>`.
    pub name: Option<String>,
}
