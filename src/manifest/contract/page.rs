//! The number of rows in a page, for guests and for clients of the HTTP API.

/// The default number of rows in a page.
pub const PAGE_ROWS: u64 = 20;
/// The maximum number of rows in a page.
pub const MAX_PAGE_ROWS: u64 = 200;
