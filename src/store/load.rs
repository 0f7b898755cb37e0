//! Loads many generated rows at once: checked like any other row, but without an audit row, and not reported as
//! changes.

use erp_manifest::Moment;
use erp_storage::{EntityRef, RollUps, Scope, StoreError, compute_and_check, normalize};
use serde_json::{Map, Value};

use super::Database;
use super::records::{RowWriter, in_order};
use super::sql::SqlValue;

/// The maximum number of rows that one statement writes.
const BATCH: usize = 200;

/// A row to load.
#[derive(Debug, Clone)]
pub struct LoadedRow {
    /// The id.
    pub id: String,
    /// When it was created.
    pub made_at: Moment,
    /// The user who created it, if any.
    pub made_by: Option<String>,
    /// The fields.
    pub data: Map<String, Value>,
}

/// Returns a row as it would be stored: with normal values and computed fields.
///
/// # Errors
/// [`StoreError::Validation`] if the row breaks a rule of the manifest.
pub fn settled(entity: &EntityRef, scope: &Scope, data: &Map<String, Value>) -> Result<Map<String, Value>, StoreError> {
    let mut data = normalize(entity, data, true)?;
    let problems = compute_and_check(entity, scope, &mut data, Some(&RollUps::of_no_children(entity)));
    if !problems.is_empty() {
        return Err(StoreError::Validation { entity: entity.name.to_string(), problems });
    }
    data.retain(|_, value| !value.is_null());
    Ok(in_order(entity, data))
}

/// Loads many rows at once.
#[derive(Debug)]
pub struct Loader<'d> {
    pub(crate) database: &'d mut Database,
}

impl Loader<'_> {
    /// Writes rows that were [`settled`], as part of the unit of work. The caller guarantees that the rows exist to
    /// which they refer.
    ///
    /// # Errors
    /// [`StoreError::Unique`] and [`StoreError::Database`].
    pub fn load(&mut self, entity: &EntityRef, scope: &Scope, rows: &[LoadedRow]) -> Result<(), StoreError> {
        for batch in rows.chunks(BATCH) {
            let marks = vec!["(?, ?, ?, ?, ?, ?, ?)"; batch.len()].join(", ");
            let sql = format!(
                "insert into \"{}\" (id, tenant_id, data, created_at, created_by, updated_at, updated_by) values {marks}",
                entity.table()
            );
            let mut parameters = Vec::with_capacity(batch.len() * 7);
            for row in batch {
                let (moment, user) = (row.made_at.to_string(), SqlValue::text_or_null(row.made_by.as_deref()));
                parameters.extend([
                    SqlValue::text(&row.id),
                    SqlValue::text(scope.tenant.as_str()),
                    SqlValue::Text(serde_json::to_string(&row.data).unwrap_or_default()),
                    SqlValue::text(&moment),
                    user.clone(),
                    SqlValue::Text(moment),
                    user,
                ]);
            }
            self.database.execute("load rows", &sql, parameters)?;
            self.database.count_written(batch.len() as u64);
        }
        let states: Vec<_> = rows.iter().map(|row| &row.data).collect();
        let parents = RowWriter::parents(entity, &states);
        self.database.writer().refresh(entity, scope, parents)
    }

    /// Raises the next number of a rule's sequence to at least `next`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn raise_number(
        &mut self,
        plugin: &str,
        rule: &str,
        period: &str,
        scope: &Scope,
        next: u64,
    ) -> Result<(), StoreError> {
        let texts = [plugin, scope.tenant.as_str(), rule, period].map(SqlValue::text);
        let mut parameters = texts.to_vec();
        parameters.push(SqlValue::Integer(next.cast_signed()));
        self.database.execute("raise a number", super::numbering::TAKE_NUMBER, parameters).map(|_| ())
    }
}
