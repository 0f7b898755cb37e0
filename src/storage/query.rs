//! What is listed, grouped and summed.

use serde_json::Value;

use super::Row;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// A filter; null for none.
    pub filter: Value,
    /// Text to look for in the searchable fields.
    pub search: Option<String>,
    /// Fields, the most important first; `-` in front of a name turns its order.
    pub sort: Vec<String>,
    /// Rows of the page; 20 if it is absent.
    pub limit: Option<u64>,
    /// Rows to skip; not together with a cursor.
    pub offset: u64,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// True where all matching rows are to be counted.
    pub with_total: bool,
    /// True where deleted rows are wanted too.
    pub include_deleted: bool,
    /// True where the plugin's own code asks: it may use fields that the manifest does not open to users.
    pub by_plugin: bool,
}

/// A page of rows.
#[derive(Debug, Clone)]
pub struct ListedRows {
    /// The rows.
    pub rows: Vec<Row>,
    /// Where it ended, if there are more.
    pub next_cursor: Option<String>,
    /// All matching rows, where they were counted.
    pub total: Option<u64>,
}
