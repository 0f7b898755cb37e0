//! How many rows a page has, for guests and for clients of the HTTP API.

/// Rows of a page if no number is given.
pub const PAGE_ROWS: u64 = 20;
/// Rows of a page at the most.
pub const MAX_PAGE_ROWS: u64 = 200;
