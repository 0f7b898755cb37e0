//! One row at a time: insert, update, replace, restore.

use erp_manifest::{BaseType, Field, FieldType, restore_stored};
use erp_storage::{
    EntityRef, FieldProblem, IdSource, Row, RowChange, RowChangeKind, Scope, StoreError, default_value, normalize,
};
use serde_json::{Map, Value};

use super::sql::{Cell, ColumnShape, Dialect, Failure, RowLock, SqlError, SqlRow, SqlValue};
use super::{Database, definition};
use crate::error::failure_of;

/// How many columns [`row_columns`] names.
pub(super) const ROW_COLUMNS: usize = 8;

/// The columns that [`read_row`] reads, for a `select`.
pub(super) fn row_columns(dialect: Dialect) -> [String; ROW_COLUMNS] {
    let moment = |column| dialect.shown(column, ColumnShape::Moment);
    [
        "id".to_owned(),
        "data".to_owned(),
        moment("created_at"),
        "created_by".to_owned(),
        moment("updated_at"),
        "updated_by".to_owned(),
        moment("deleted_at"),
        "version".to_owned(),
    ]
}

/// The maximum memory of the rows of one result, in bytes.
const MAX_ANSWER: u64 = 16 << 20;

/// The estimated memory of a row's standard columns, in bytes.
const STANDARD_BYTES: u64 = 512;

/// Counts the memory of rows before they are read.
#[derive(Debug, Default)]
pub(super) struct MemoryBudget(u64);

impl MemoryBudget {
    /// Adds a row whose columns are [`row_columns`]: of those, only `data` may be large.
    pub(super) fn add(&mut self, row: &SqlRow<'_>) -> Result<(), SqlError> {
        self.add_bytes(STANDARD_BYTES + row.weight_of(1))
    }

    /// Adds bytes; fails beyond the maximum.
    pub(super) fn add_bytes(&mut self, bytes: u64) -> Result<(), SqlError> {
        self.0 += bytes;
        if self.0 > MAX_ANSWER { Err(SqlError::TooMuch(MAX_ANSWER)) } else { Ok(()) }
    }
}

/// Reads a row whose columns are [`row_columns`]. Its fields come in the order of the manifest; fields that the
/// manifest no longer has come after them.
pub(super) fn read_row(entity: &EntityRef, row: &SqlRow<'_>) -> Result<Row, SqlError> {
    let data = match row.cell(1)? {
        Cell::Text(text) => serde_json::from_str(text).unwrap_or_default(),
        // The column has a check; any other value was written from outside.
        _ => Map::new(),
    };
    Ok(Row {
        id: row.get(0)?,
        data: in_order(entity, data),
        created_at: row.get(2)?,
        created_by: row.get(3)?,
        updated_at: row.get(4)?,
        updated_by: row.get(5)?,
        deleted_at: row.get(6)?,
        version: row.get(7)?,
    })
}

/// Whether the fields are in order already, as in all rows from SQLite: this check runs for every row that is read.
fn is_in_order(entity: &EntityRef, data: &Map<String, Value>) -> bool {
    let mut fields = entity.fields.iter();
    data.iter().all(|(name, value)| {
        let field = fields.find(|field| field.name.as_str() == name.as_str());
        field.is_some_and(|field| field.field_type.base() != BaseType::Float || value.is_f64())
    })
}

/// A row's fields in the order of the manifest.
pub(super) fn in_order(entity: &EntityRef, mut data: Map<String, Value>) -> Map<String, Value> {
    if is_in_order(entity, &data) {
        return data;
    }
    let mut ordered = Map::with_capacity(data.len());
    for field in &entity.fields {
        if let Some(value) = data.remove(field.name.as_str()) {
            ordered.insert(field.name.as_str().to_owned(), restore_stored(field, value));
        }
    }
    let mut rest: Vec<(String, Value)> = data.into_iter().collect();
    rest.sort_by(|left, right| left.0.cmp(&right.0));
    ordered.extend(rest);
    ordered
}

/// Writes rows, and checks each against the manifest.
#[derive(Debug)]
pub struct RowWriter<'d> {
    pub(crate) database: &'d mut Database,
}

impl RowWriter<'_> {
    /// Inserts a row.
    ///
    /// # Errors
    /// [`StoreError::Validation`], [`StoreError::RefMissing`], [`StoreError::Unique`], [`StoreError::OutOfReach`] and
    /// [`StoreError::Database`].
    pub fn insert(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        new_id: IdSource<'_>,
    ) -> Result<Row, StoreError> {
        let is_summed = RowWriter::is_rolled_up(entity);
        if is_summed || entity.fields.iter().any(|field| field.numbering.is_some()) {
            // A rejected row gives its number back, and is in no sum.
            self.database.atomically(|database| database.writer().insert_row(entity, scope, data, new_id))
        } else {
            self.insert_row(entity, scope, data, new_id)
        }
    }

    /// Inserts one of many rows: if it is rejected, nothing of it is kept, and the unit of work goes on.
    ///
    /// # Errors
    /// As [`RowWriter::insert`].
    pub fn insert_alone(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        new_id: IdSource<'_>,
    ) -> Result<Row, StoreError> {
        self.database.atomically(|database| database.writer().insert_row(entity, scope, data, new_id))
    }

    fn insert_row(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        new_id: IdSource<'_>,
    ) -> Result<Row, StoreError> {
        let mut data = data.clone();
        for field in &entity.fields {
            let name = field.name.as_str();
            if data.get(name).is_some_and(|value| !value.is_null()) {
                continue;
            }
            if let Some(rule) = &field.numbering {
                let number = self.database.numbers().next_number(entity.manifest(), rule, scope)?;
                data.insert(name.to_owned(), Value::String(number));
            } else if let Some(default) = &field.default {
                data.insert(name.to_owned(), default_value(default, scope, &mut *new_id));
            }
        }
        let mut data = normalize(entity, &data, true)?;
        self.check_references(entity, scope, &data)?;
        self.settle(entity, scope, None, &mut data)?;
        within_reach(entity, scope, scope.user.as_deref(), &data)?;
        let now = scope.now.to_string();
        let row = Row {
            id: new_id(),
            data: in_order(entity, data.into_iter().filter(|(_, value)| !value.is_null()).collect()),
            created_at: now.clone(),
            created_by: scope.user.clone(),
            updated_at: now,
            updated_by: scope.user.clone(),
            deleted_at: None,
            version: 1,
        };
        let sql = format!(
            "insert into \"{}\" (id, data, created_at, created_by, updated_at, updated_by, deleted_at, version, tenant_id) \
             values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            entity.table()
        );
        let mut parameters = row_parameters(&row);
        parameters.push(SqlValue::Text(scope.tenant.as_str().to_owned()));
        self.write_guarded("insert a row", (entity, scope, &row), &sql, parameters)?;
        let parents = RowWriter::parents(entity, &[&row.data]);
        self.refresh(entity, scope, parents)?;
        self.database.note_written(entity, &row);
        self.record(RowChangeKind::Insert, entity, scope, (None, &row))?;
        Ok(row)
    }

    /// Reads a row that will be changed or deleted: no other unit of work changes it until this one ends. If the row
    /// differs from what this unit has read before, it fails with [`StoreError::Conflict`].
    fn get_to_write(&self, entity: &EntityRef, scope: &Scope, id: &str, lock: RowLock) -> Result<Row, StoreError> {
        let row = self.database.reader().read_locked(entity, scope, id, lock)?;
        self.database.check_unchanged(entity, &row)?;
        Ok(row)
    }

    /// Merges `patch` into a row; null removes a value.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::VersionConflict`], and those of [`RowWriter::insert`].
    pub fn update(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        patch: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, StoreError> {
        let mut row = self.get_version(entity, scope, id, expected_version, RowLock::Change)?;
        let before = row.data.clone();
        let patch = normalize(entity, patch, false)?;
        self.check_references(entity, scope, &patch)?;
        row.data.extend(patch);
        self.settle(entity, scope, Some(id), &mut row.data)?;
        within_reach(entity, scope, row.created_by.as_deref(), &row.data)?;
        row.data.retain(|_, value| !value.is_null());
        self.write(RowChangeKind::Update, entity, scope, (before, row))
    }

    /// Replaces all fields of a row with `data`. Fields that only the host and the plugin set keep their values if
    /// `data` does not name them.
    ///
    /// # Errors
    /// As [`RowWriter::update`].
    pub fn replace(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        data: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, StoreError> {
        let mut row = self.get_version(entity, scope, id, expected_version, RowLock::Change)?;
        let mut data = data.clone();
        for field in entity.fields.iter().filter(|field| field.read_only && field.computed.is_none()) {
            if let (false, Some(value)) = (data.contains_key(field.name.as_str()), row.data.get(field.name.as_str())) {
                data.insert(field.name.as_str().to_owned(), value.clone());
            }
        }
        let mut data = normalize(entity, &data, true)?;
        self.check_references(entity, scope, &data)?;
        self.settle(entity, scope, Some(id), &mut data)?;
        within_reach(entity, scope, row.created_by.as_deref(), &data)?;
        let data = data.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let before = std::mem::replace(&mut row.data, data);
        self.write(RowChangeKind::Update, entity, scope, (before, row))
    }

    /// Restores a deleted row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it never existed or is not deleted, [`StoreError::Unique`] if a newer row has its
    /// key, and those of [`RowWriter::insert`].
    pub fn restore(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        let mut row = self.get_to_write(entity, scope, id, RowLock::Change)?;
        if row.deleted_at.take().is_none() {
            return Err(not_found(entity, id));
        }
        let before = row.data.clone();
        // Referenced rows may have been deleted, and rules may have changed, since the row was deleted.
        self.check_references(entity, scope, &row.data)?;
        self.settle(entity, scope, Some(id), &mut row.data)?;
        row.data.retain(|_, value| !value.is_null());
        self.write(RowChangeKind::Restore, entity, scope, (before, row))
    }

    pub(super) fn get_version(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        expected: Option<u32>,
        lock: RowLock,
    ) -> Result<Row, StoreError> {
        let row = self.get_to_write(entity, scope, id, lock)?;
        if row.deleted_at.is_some() {
            return Err(not_found(entity, id));
        }
        match expected {
            Some(expected) if expected != row.version => Err(StoreError::VersionConflict {
                entity: entity.name.to_string(),
                id: id.to_owned(),
                expected,
                actual: row.version,
            }),
            _ => Ok(row),
        }
    }

    pub(super) fn write(
        &mut self,
        kind: RowChangeKind,
        entity: &EntityRef,
        scope: &Scope,
        (before, mut row): (Map<String, Value>, Row),
    ) -> Result<Row, StoreError> {
        row.data = in_order(entity, row.data);
        row.updated_at = scope.now.to_string();
        row.updated_by.clone_from(&scope.user);
        row.version += 1;
        let sql = format!(
            "update \"{}\" set id = ?, data = ?, created_at = ?, created_by = ?, updated_at = ?, updated_by = ?, deleted_at = ?, \
             version = ? where tenant_id = ? and id = ?",
            entity.table()
        );
        let mut parameters = row_parameters(&row);
        parameters.push(SqlValue::Text(scope.tenant.as_str().to_owned()));
        parameters.push(SqlValue::Text(row.id.clone()));
        let parents = RowWriter::parents(entity, &[&before, &row.data]);
        if parents.is_empty() {
            self.write_guarded("change a row", (entity, scope, &row), &sql, parameters)?;
        } else {
            self.database.atomically(|database| {
                database.writer().write_guarded("change a row", (entity, scope, &row), &sql, parameters)?;
                database.writer().refresh(entity, scope, parents)
            })?;
        }
        self.database.note_written(entity, &row);
        self.record(kind, entity, scope, (Some(before), &row))?;
        Ok(row)
    }

    /// Executes a write that an index may reject; the unit of work goes on anyway.
    pub(super) fn write_guarded(
        &self,
        attempt: &'static str,
        (entity, scope, row): (&EntityRef, &Scope, &Row),
        sql: &str,
        parameters: Vec<SqlValue>,
    ) -> Result<(), StoreError> {
        let can_fail = entity.fields.iter().any(Field::is_ordered) || !entity.indexes.is_empty();
        let write = || self.database.execute(attempt, sql, parameters).map(|_| ());
        let Err(error) = (if can_fail { self.database.guarded(write) } else { write() }) else { return Ok(()) };
        match failure_of(&error) {
            Failure::Unique => {
                let fields = self.taken_key(entity, scope, row)?;
                Err(StoreError::Unique { entity: entity.name.to_string(), fields })
            }
            Failure::TooLong => {
                let message = "has values that are too long together for an index over them".to_owned();
                let problems = vec![FieldProblem { field: "row".to_owned(), message }];
                Err(StoreError::Validation { entity: entity.name.to_string(), problems })
            }
            _ => Err(error),
        }
    }

    /// The fields whose values another live row has; of several such keys, the first in the manifest: the databases
    /// check their indexes in different orders.
    fn taken_key(&self, entity: &EntityRef, scope: &Scope, row: &Row) -> Result<Vec<String>, StoreError> {
        for key in definition::unique_keys(entity) {
            let mut sql =
                format!("select 1 from \"{}\" where tenant_id = ? and id <> ? and deleted_at is null", entity.table());
            let mut parameters = vec![SqlValue::text(scope.tenant.as_str()), SqlValue::text(&row.id)];
            for field in &key {
                sql.push_str(&format!(" and {} = ?", definition::field_value(self.database.dialect(), entity, field)));
                parameters.push(SqlValue::of_json(row.data.get(*field).unwrap_or(&Value::Null)));
            }
            if !self.database.rows("look for the other row", &sql, parameters, |_| Ok(()))?.is_empty() {
                return Ok(key.into_iter().map(str::to_owned).collect());
            }
        }
        Ok(vec!["key".to_owned()])
    }

    /// Records a change: for the caller of the unit of work, and permanently in the audit table.
    fn record(
        &mut self,
        kind: RowChangeKind,
        entity: &EntityRef,
        scope: &Scope,
        (before, row): (Option<Map<String, Value>>, &Row),
    ) -> Result<(), StoreError> {
        let action = match kind {
            RowChangeKind::Insert => "insert",
            RowChangeKind::Update => "update",
            RowChangeKind::Delete => "delete",
            RowChangeKind::Restore => "restore",
        };
        self.database.execute(
            "write the audit row",
            "insert into erp_audit (at, tenant_id, user_id, entity, row_id, action, version) values (?, ?, ?, ?, ?, ?, ?)",
            [
                SqlValue::Text(scope.now.to_string()),
                SqlValue::Text(scope.tenant.as_str().to_owned()),
                SqlValue::text_or_null(scope.user.as_deref()),
                SqlValue::Text(entity.qualified_name()),
                SqlValue::Text(row.id.clone()),
                SqlValue::Text(action.to_owned()),
                SqlValue::Integer(row.version.into()),
            ],
        )?;
        self.database.record_change(RowChange {
            kind,
            entity: entity.qualified_name(),
            tenant: scope.tenant.clone(),
            before,
            row: row.clone(),
        })
    }

    fn check_references(&self, entity: &EntityRef, scope: &Scope, data: &Map<String, Value>) -> Result<(), StoreError> {
        let all_rows = scope.of_all_rows();
        for field in entity.fields.iter().filter(|field| field.field_type.is_reference()) {
            let Some(value) = data.get(field.name.as_str()) else { continue };
            // A plugin that is not installed is no reason to reject a row: the reference's label has a fallback.
            let Some(target) = self.database.catalog().referable(entity.plugin(), field) else { continue };
            let ids: Vec<&str> = match (*field.field_type, value) {
                (FieldType::RefMany, Value::Array(ids)) => ids.iter().filter_map(Value::as_str).collect(),
                (_, Value::String(id)) => vec![id],
                _ => Vec::new(),
            };
            for id in ids {
                // The lock keeps the row until this unit of work has ended.
                match self.database.reader().read_locked(&target, &all_rows, id, RowLock::Reference) {
                    Ok(row) if row.deleted_at.is_none() => {}
                    Ok(_) | Err(StoreError::NotFound { .. }) => {
                        return Err(StoreError::RefMissing {
                            field: field.name.to_string(),
                            target: target.name.to_string(),
                            id: id.to_owned(),
                        });
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

/// The values of the standard columns and of `data`.
fn row_parameters(row: &Row) -> Vec<SqlValue> {
    vec![
        SqlValue::Text(row.id.clone()),
        SqlValue::Text(Value::Object(row.data.clone()).to_string()),
        SqlValue::Text(row.created_at.clone()),
        SqlValue::text_or_null(row.created_by.as_deref()),
        SqlValue::Text(row.updated_at.clone()),
        SqlValue::text_or_null(row.updated_by.as_deref()),
        SqlValue::text_or_null(row.deleted_at.as_deref()),
        SqlValue::Integer(row.version.into()),
    ]
}

/// Rejects a row that the caller could not see after the write.
fn within_reach(
    entity: &EntityRef,
    scope: &Scope,
    created_by: Option<&str>,
    data: &Map<String, Value>,
) -> Result<(), StoreError> {
    if scope.reach.admits(entity, created_by, data) {
        Ok(())
    } else {
        Err(StoreError::OutOfReach { entity: entity.name.to_string() })
    }
}

pub(super) fn not_found(entity: &EntityRef, id: &str) -> StoreError {
    StoreError::NotFound { entity: entity.name.to_string(), id: id.to_owned() }
}
