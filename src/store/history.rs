//! The history of a row, from the audit table.

use erp_storage::{EntityRef, Scope, StoreError};
use serde::Serialize;

use super::lookup::RowReader;
use super::sql::SqlValue;

/// One change of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// When it happened; RFC 3339, UTC.
    pub at: String,
    /// The id of the user; absent if no user called.
    pub user: Option<String>,
    /// `insert`, `update`, `delete` or `restore`.
    pub action: String,
    /// The version of the row after the change.
    pub version: u32,
}

impl RowReader<'_> {
    /// The changes of a row, the newest first, at most a thousand.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn history(&self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Vec<HistoryEntry>, StoreError> {
        self.database.rows(
            "read the history of a row",
            "select at, user_id, action, version from erp_audit where tenant_id = ? and entity = ? and row_id = ? order by seq desc limit 1000",
            [SqlValue::text(scope.tenant.as_str()), SqlValue::Text(entity.qualified_name()), SqlValue::text(id)],
            |row| Ok(HistoryEntry { at: row.get(0)?, user: row.get(1)?, action: row.get(2)?, version: row.get(3)? }),
        )
    }
}
