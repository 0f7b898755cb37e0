//! List queries and their results.

use serde_json::Value;

use super::Row;

/// A query for a page of rows.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// The filter; null for none.
    pub filter: Value,
    /// Text to look for in the searchable fields.
    pub search: Option<String>,
    /// Fields to sort by, the most important first; a leading `-` sorts a field in descending order.
    pub sort: Vec<String>,
    /// The number of rows on the page; 20 if absent.
    pub limit: Option<u64>,
    /// Rows to skip; not together with a cursor.
    pub offset: u64,
    /// The cursor that the previous page returned.
    pub cursor: Option<String>,
    /// True to count all matching rows.
    pub with_total: bool,
    /// True to include deleted rows.
    pub include_deleted: bool,
    /// True if the plugin's own code asks: it may use fields that the manifest does not open to users.
    pub by_plugin: bool,
}

/// A page of rows.
#[derive(Debug, Clone)]
pub struct ListedRows {
    /// The rows.
    pub rows: Vec<Row>,
    /// The cursor of the next page; absent on the last page.
    pub next_cursor: Option<String>,
    /// The number of all matching rows, if they were counted.
    pub total: Option<u64>,
}
