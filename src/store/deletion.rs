//! Deletes rows and their dependents.

use erp_manifest::OnDelete;
use erp_storage::{Dependent, EntityRef, RowChangeKind, Scope, StoreError};
use serde_json::{Map, Value};

use super::definition;
use super::records::RowWriter;
use super::sql::{Dialect, RowLock, SqlValue};

/// The maximum number of rows that one deletion deletes or changes, including the row itself.
const MAX_CASCADE: usize = 10_000;

impl RowWriter<'_> {
    /// Deletes a row softly, with its dependents; returns the number of changed rows. A dependent row with `restrict`
    /// prevents the deletion only if it is not deleted too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::VersionConflict`], [`StoreError::RefRestrict`],
    /// [`StoreError::CascadeTooLarge`] and [`StoreError::Database`].
    pub fn delete(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        expected_version: Option<u32>,
    ) -> Result<usize, StoreError> {
        let row = self.get_version(entity, scope, id, expected_version, RowLock::Delete)?;
        let all_rows = scope.of_all_rows();
        self.database.atomically(|database| database.writer().delete_with_dependents(entity, &all_rows, row.id))
    }

    fn delete_with_dependents(&mut self, entity: &EntityRef, scope: &Scope, id: String) -> Result<usize, StoreError> {
        let mut waiting = vec![(entity.clone(), id)];
        let mut restricting: Vec<(EntityRef, String, Dependent)> = Vec::new();
        let mut touched = 0;
        let mut touch = |entity: &EntityRef, rows: usize| {
            touched += rows;
            if touched > MAX_CASCADE {
                return Err(StoreError::CascadeTooLarge { entity: entity.name.to_string(), most: MAX_CASCADE });
            }
            Ok(touched)
        };
        let mut total = 0;
        while let Some((entity, id)) = waiting.pop() {
            // It may have been deleted through another relation since it was found.
            let mut row = match self.get_version(&entity, scope, &id, None, RowLock::Delete) {
                Ok(row) => row,
                Err(StoreError::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            total = touch(&entity, 1)?;
            row.deleted_at = Some(scope.now.to_string());
            let before = row.data.clone();
            self.write(RowChangeKind::Delete, &entity, scope, (before, row))?;
            let mut going = Vec::new();
            for dependent in self.database.catalog().dependents(&entity) {
                match dependent.on_delete {
                    OnDelete::Restrict => restricting.push((entity.clone(), id.clone(), dependent)),
                    OnDelete::Cascade => {
                        let rows = self.hanging_rows(&dependent, scope, &id)?;
                        going.extend(rows.into_iter().map(|id| (dependent.entity.clone(), id)));
                    }
                    OnDelete::Nullify => {
                        let patch = Map::from_iter([(dependent.foreign_key.clone(), Value::Null)]);
                        let rows = self.hanging_rows(&dependent, scope, &id)?;
                        total = touch(&dependent.entity, rows.len())?;
                        for id in rows {
                            self.update(&dependent.entity, scope, &id, &patch, None)?;
                        }
                    }
                }
            }
            // Reversed, so that the stack returns them in their own order.
            waiting.extend(going.into_iter().rev());
        }
        for (entity, id, dependent) in restricting {
            let count = self.hanging_count(&dependent, scope, &id)?;
            if count > 0 {
                let (entity, dependent) = (entity.name.to_string(), dependent.entity.name.to_string());
                return Err(StoreError::RefRestrict { entity, id, dependent, count });
            }
        }
        Ok(total)
    }

    fn hanging_count(&self, dependent: &Dependent, scope: &Scope, id: &str) -> Result<u64, StoreError> {
        let sql = format!("select count(*) from {}", hanging(self.database.dialect(), dependent));
        let counts = self.database.rows("count dependent rows", &sql, place(scope, id), |row| row.get::<i64>(0))?;
        Ok(counts.first().map_or(0, |count| count.unsigned_abs()))
    }

    /// The ids of dependent rows: at most one more than a deletion may touch, so that a table of millions is not read.
    fn hanging_rows(&self, dependent: &Dependent, scope: &Scope, id: &str) -> Result<Vec<String>, StoreError> {
        // Locked by the query itself: a row that another unit moves away meanwhile is no longer found.
        let (hanging, lock) =
            (hanging(self.database.dialect(), dependent), self.database.dialect().row_lock(RowLock::Delete));
        let sql = format!("select id from {hanging} order by id limit {}{lock}", MAX_CASCADE + 1);
        self.database.rows("find dependent rows", &sql, place(scope, id), |row| row.get(0))
    }
}

/// SQL for the live rows of a tenant that refer to a row.
fn hanging(dialect: Dialect, dependent: &Dependent) -> String {
    format!(
        "\"{}\" where tenant_id = ? and deleted_at is null and {} = ?",
        dependent.entity.table(),
        definition::field_value(dialect, &dependent.entity, &dependent.foreign_key)
    )
}

fn place(scope: &Scope, id: &str) -> [SqlValue; 2] {
    [SqlValue::Text(scope.tenant.as_str().to_owned()), SqlValue::Text(id.to_owned())]
}
