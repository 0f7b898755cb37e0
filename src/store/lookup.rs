//! Single rows and their labels.

use erp_manifest::document::weight;
use erp_storage::{EntityRef, Row, Scope, StoreError};
use serde_json::{Map, Value};

use super::Database;
use super::records::{MemoryBudget, not_found, read_row, row_columns};
use super::sql::{RowLock, SqlValue};
use crate::error::failed;

/// Reads rows.
#[derive(Debug)]
pub struct RowReader<'d> {
    pub(crate) database: &'d Database,
}

impl RowReader<'_> {
    /// Returns a row that is not deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and [`StoreError::Database`].
    pub fn get(&self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        let row = self.get_any(entity, scope, id)?;
        if row.deleted_at.is_some() { Err(not_found(entity, id)) } else { Ok(row) }
    }

    fn get_any(&self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        let row = self.read_locked(entity, scope, id, RowLock::None)?;
        self.database.note_seen(entity, &row);
        Ok(row)
    }

    /// Reads a row, and locks it if the database locks rows.
    pub(super) fn read_locked(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        lock: RowLock,
    ) -> Result<Row, StoreError> {
        let sql = format!(
            "select {} from \"{}\" where tenant_id = ? and id = ?{}",
            row_columns(self.database.dialect()).join(", "),
            entity.table(),
            self.database.dialect().row_lock(lock)
        );
        let parameters = [SqlValue::Text(scope.tenant.as_str().to_owned()), SqlValue::Text(id.to_owned())];
        let row = self.database.rows("read a row", &sql, parameters, |row| read_row(entity, row))?.pop();
        // A row out of reach is reported as missing: its existence stays unknown.
        row.filter(|row| scope.reach.admits(entity, row.created_by.as_deref(), &row.data))
            .ok_or_else(|| not_found(entity, id))
    }

    /// `{id: label}` of the rows that exist.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn labels(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        ids: &[String],
        label_field: Option<&str>,
    ) -> Result<Map<String, Value>, StoreError> {
        let field = label_field
            .map(str::to_owned)
            .or_else(|| entity.title_field.as_ref().map(|field| field.as_str().to_owned()))
            .or_else(|| entity.fields.first().map(|field| field.name.as_str().to_owned()));
        let (mut labels, mut held) = (Map::new(), MemoryBudget::default());
        for id in ids {
            match self.get(entity, scope, id) {
                Ok(row) => {
                    let label = field.as_ref().and_then(|field| row.data.get(field)).cloned();
                    let label = label.unwrap_or_else(|| Value::String(id.clone()));
                    held.add_bytes(weight(&label)).map_err(failed("read labels"))?;
                    labels.insert(id.clone(), label);
                }
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(labels)
    }
}
