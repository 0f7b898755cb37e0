//! What happened to a row: the audit table, read.

use erp_storage::{EntityRef, Scope, StoreError};
use serde::Serialize;

use super::lookup::RowReader;
use super::sql::SqlValue;

/// One change of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// When; RFC 3339, UTC.
    pub at: String,
    /// The id of the user, where one called.
    pub user: Option<String>,
    /// `insert`, `update`, `delete` or `restore`.
    pub action: String,
    /// The version that the row has had since.
    pub version: u32,
}

impl RowReader<'_> {
    /// What happened to a row of the tenant, the newest first, a thousand at the most.
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
