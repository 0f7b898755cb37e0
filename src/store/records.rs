//! One row at a time: insert, read, change, delete, restore, and several of them as a batch.

use std::collections::BTreeMap;

use rusqlite::types::Value as SqlValue;
use serde_json::{Map, Value, json};

use super::catalog::Dependent;
use super::database::text_or_null;
use super::{Change, ChangeKind, Database, EntityRef, IdSource, ListQuery, Row, Scope, StoreError, schema, values};
use crate::manifest::{FieldType, OnDelete, PluginId};

/// How many rows go with one that is deleted, at the most, that one included.
const MAX_CASCADE: usize = 10_000;

pub(super) const ROW_COLUMNS: [&str; 8] =
    ["id", "data", "created_at", "created_by", "updated_at", "updated_by", "deleted_at", "version"];

/// Reads a row whose columns are [`ROW_COLUMNS`].
pub(super) fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let data: String = row.get(1)?;
    let data = match serde_json::from_str(&data) {
        Ok(Value::Object(fields)) => fields,
        // The column has a check; anything else was written from outside.
        _ => Map::new(),
    };
    Ok(Row {
        id: row.get(0)?,
        data,
        created_at: row.get(2)?,
        created_by: row.get(3)?,
        updated_at: row.get(4)?,
        updated_by: row.get(5)?,
        deleted_at: row.get(6)?,
        version: row.get(7)?,
    })
}

/// One step of a batch.
#[derive(Debug, Clone)]
pub struct BatchStep {
    /// `insert`, `update`, `upsert`, `delete`, `increment` or `assert`.
    pub kind: String,
    /// The entity, as the plugin calls it.
    pub entity: String,
    /// The row, or `$ref:<name>`.
    pub id: Option<String>,
    /// What the kind takes.
    pub data: Map<String, Value>,
    /// The version that the row must have.
    pub expected_version: Option<u32>,
    /// A name for `$ref:`.
    pub name: Option<String>,
}

impl Database {
    /// Inserts a row.
    ///
    /// # Errors
    /// [`StoreError::Validation`], [`StoreError::RefMissing`], [`StoreError::Unique`] and
    /// [`StoreError::Sqlite`].
    pub fn insert(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        new_id: IdSource<'_>,
    ) -> Result<Row, StoreError> {
        if entity.fields.iter().any(|field| field.numbering.is_some()) {
            // A row that is refused gives its number back.
            self.atomically(|database| database.insert_row(entity, scope, data, new_id))
        } else {
            self.insert_row(entity, scope, data, new_id)
        }
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
                let number = self.next_number(entity.manifest(), rule, scope)?;
                data.insert(name.to_owned(), Value::String(number));
            } else if let Some(default) = &field.default {
                data.insert(name.to_owned(), values::default_value(default, scope, &mut *new_id));
            }
        }
        let mut data = values::normalize(entity, &data, true)?;
        self.check_references(entity, scope, &data)?;
        self.settle(entity, scope, None, &mut data)?;
        let now = scope.now.to_string();
        let row = Row {
            id: new_id(),
            data: data.into_iter().filter(|(_, value)| !value.is_null()).collect(),
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
        self.execute("insert a row", &sql, parameters).map_err(|error| unique_violation(entity, error))?;
        self.record(ChangeKind::Insert, entity, scope, &row)?;
        Ok(row)
    }

    /// A live row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and [`StoreError::Sqlite`].
    pub fn get(&self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        let row = self.get_any(entity, scope, id)?;
        if row.deleted_at.is_some() { Err(not_found(entity, id)) } else { Ok(row) }
    }

    fn get_any(&self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        let sql =
            format!("select {} from \"{}\" where tenant_id = ? and id = ?", ROW_COLUMNS.join(", "), entity.table());
        let parameters = [SqlValue::Text(scope.tenant.as_str().to_owned()), SqlValue::Text(id.to_owned())];
        self.rows("read a row", &sql, parameters, read_row)?.pop().ok_or_else(|| not_found(entity, id))
    }

    /// Merges `patch` into a row; null takes a value away.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::VersionConflict`], and those of [`Database::insert`].
    pub fn update(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        patch: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, StoreError> {
        let mut row = self.get_version(entity, scope, id, expected_version)?;
        let patch = values::normalize(entity, patch, false)?;
        self.check_references(entity, scope, &patch)?;
        row.data.extend(patch);
        self.settle(entity, scope, Some(id), &mut row.data)?;
        row.data.retain(|_, value| !value.is_null());
        self.write(ChangeKind::Update, entity, scope, row)
    }

    /// Puts `data` in the place of all fields of a row. Fields that only the host and the plugin set
    /// keep their values where `data` does not name them.
    ///
    /// # Errors
    /// As [`Database::update`].
    pub fn replace(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        data: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, StoreError> {
        let mut row = self.get_version(entity, scope, id, expected_version)?;
        let mut data = data.clone();
        for field in entity.fields.iter().filter(|field| field.read_only && field.computed.is_none()) {
            if let (false, Some(value)) = (data.contains_key(field.name.as_str()), row.data.get(field.name.as_str())) {
                data.insert(field.name.as_str().to_owned(), value.clone());
            }
        }
        let mut data = values::normalize(entity, &data, true)?;
        self.check_references(entity, scope, &data)?;
        self.settle(entity, scope, Some(id), &mut data)?;
        row.data = data.into_iter().filter(|(_, value)| !value.is_null()).collect();
        self.write(ChangeKind::Update, entity, scope, row)
    }

    /// Deletes a row softly, with the rows that go with it. A row that restricts hinders only where it
    /// does not go too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::VersionConflict`], [`StoreError::RefRestrict`],
    /// [`StoreError::CascadeTooLarge`] and [`StoreError::Sqlite`].
    pub fn delete(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        expected_version: Option<u32>,
    ) -> Result<(), StoreError> {
        let row = self.get_version(entity, scope, id, expected_version)?;
        self.atomically(|database| database.delete_with_dependents(entity, scope, row))
    }

    fn delete_with_dependents(&mut self, entity: &EntityRef, scope: &Scope, row: Row) -> Result<(), StoreError> {
        let mut waiting = vec![(entity.clone(), row)];
        let mut restricting: Vec<(EntityRef, String, Dependent)> = Vec::new();
        let mut deleted = 0;
        while let Some((entity, row)) = waiting.pop() {
            let id = row.id;
            // It may have gone by another way since it was found.
            let Ok(mut row) = self.get(&entity, scope, &id) else { continue };
            deleted += 1;
            if deleted > MAX_CASCADE {
                return Err(StoreError::CascadeTooLarge { entity: entity.name.to_string(), most: MAX_CASCADE });
            }
            row.deleted_at = Some(scope.now.to_string());
            self.write(ChangeKind::Delete, &entity, scope, row)?;
            let mut going = Vec::new();
            for dependent in self.catalog().dependents(&entity) {
                match dependent.on_delete {
                    OnDelete::Restrict => restricting.push((entity.clone(), id.clone(), dependent)),
                    OnDelete::Cascade => {
                        let rows = self.hanging_rows(&dependent, scope, &id)?;
                        going.extend(rows.into_iter().map(|row| (dependent.entity.clone(), row)));
                    }
                    OnDelete::Nullify => {
                        let patch = Map::from_iter([(dependent.foreign_key.clone(), Value::Null)]);
                        for row in self.hanging_rows(&dependent, scope, &id)? {
                            self.update(&dependent.entity, scope, &row.id, &patch, None)?;
                        }
                    }
                }
            }
            // The stack gives them back in their own order.
            waiting.extend(going.into_iter().rev());
        }
        for (entity, id, dependent) in restricting {
            let count = self.hanging_rows(&dependent, scope, &id)?.len() as u64;
            if count > 0 {
                let (entity, dependent) = (entity.name.to_string(), dependent.entity.name.to_string());
                return Err(StoreError::RefRestrict { entity, id, dependent, count });
            }
        }
        Ok(())
    }

    /// Brings a deleted row back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where it was never there or is not deleted, [`StoreError::Unique`]
    /// where a newer row took its place, [`StoreError::Sqlite`].
    pub fn restore(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        let mut row = self.get_any(entity, scope, id)?;
        if row.deleted_at.take().is_none() {
            return Err(not_found(entity, id));
        }
        self.write(ChangeKind::Restore, entity, scope, row)
    }

    /// Does all steps or none; gives the rows in the order of the steps.
    ///
    /// # Errors
    /// [`StoreError::Batch`], which names the step.
    pub fn batch(
        &mut self,
        own: &PluginId,
        scope: &Scope,
        steps: &[BatchStep],
        new_id: IdSource<'_>,
    ) -> Result<Vec<Value>, StoreError> {
        self.atomically(|database| {
            let mut named: BTreeMap<String, String> = BTreeMap::new();
            let mut rows = Vec::with_capacity(steps.len());
            for (index, step) in steps.iter().enumerate() {
                let row = database.batch_step(own, scope, step, &named, &mut *new_id).map_err(|error| {
                    StoreError::Batch { step: index + 1, message: error.to_string(), code: error.code() }
                })?;
                if let (Some(name), Some(id)) = (&step.name, row["id"].as_str()) {
                    named.insert(name.clone(), id.to_owned());
                }
                rows.push(row);
            }
            Ok(rows)
        })
    }

    fn batch_step(
        &mut self,
        own: &PluginId,
        scope: &Scope,
        step: &BatchStep,
        named: &BTreeMap<String, String>,
        new_id: IdSource<'_>,
    ) -> Result<Value, StoreError> {
        let entity = self.catalog().entity(own, &step.entity)?;
        let resolve = |text: &str| match text.strip_prefix("$ref:") {
            Some(name) => named
                .get(name)
                .cloned()
                .ok_or_else(|| StoreError::BadQuery(format!("no earlier step is named `{name}`"))),
            None => Ok(text.to_owned()),
        };
        let mut data = step.data.clone();
        for value in data.values_mut() {
            if let Some(text) = value.as_str().filter(|text| text.starts_with("$ref:")) {
                *value = Value::String(resolve(text)?);
            }
        }
        let id = || {
            let id = step.id.as_deref().ok_or_else(|| StoreError::BadQuery(format!("`{}` needs an id", step.kind)))?;
            resolve(id)
        };
        let row = match step.kind.as_str() {
            "insert" => self.insert(&entity, scope, &data, new_id)?,
            "update" => self.update(&entity, scope, &id()?, &data, step.expected_version)?,
            "upsert" => self.upsert(&entity, scope, &data, new_id)?,
            "increment" => self.increment(&entity, scope, &id()?, &data, step.expected_version)?,
            "assert" => {
                let row = self.get_version(&entity, scope, &id()?, step.expected_version)?;
                if let Some((key, value)) =
                    data.iter().find(|(key, value)| row.data.get(*key).unwrap_or(&Value::Null) != *value)
                {
                    let actual = row.data.get(key).unwrap_or(&Value::Null);
                    return Err(StoreError::BadQuery(format!("`{key}` is {actual}, not {value}")));
                }
                row
            }
            "delete" => {
                let id = id()?;
                self.delete(&entity, scope, &id, step.expected_version)?;
                return Ok(json!({ "id": id }));
            }
            other => return Err(StoreError::BadQuery(format!("unknown kind of step `{other}`"))),
        };
        Ok(row.to_flat())
    }

    fn upsert(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        new_id: IdSource<'_>,
    ) -> Result<Row, StoreError> {
        let bad = || StoreError::BadQuery("an upsert takes {\"key\": [fields], \"row\": {…}}".to_owned());
        let row = data.get("row").and_then(Value::as_object).ok_or_else(bad)?;
        let keys = data.get("key").and_then(Value::as_array).filter(|keys| !keys.is_empty()).ok_or_else(bad)?;
        let mut filter = Map::new();
        for key in keys {
            let key = key.as_str().ok_or_else(bad)?;
            filter.insert(key.to_owned(), row.get(key).cloned().unwrap_or(Value::Null));
        }
        let query =
            ListQuery { filter: Value::Object(filter), limit: Some(1), by_plugin: true, ..ListQuery::default() };
        match self.list(entity, scope, &query)?.rows.pop() {
            Some(found) => self.update(entity, scope, &found.id, row, None),
            None => self.insert(entity, scope, row, new_id),
        }
    }

    /// Adds exact amounts to number fields.
    fn increment(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        amounts: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, StoreError> {
        let row = self.get_version(entity, scope, id, expected_version)?;
        let mut patch = Map::new();
        for (name, amount) in amounts {
            let number = |value: &Value| {
                values::decimal_of(value)
                    .ok_or_else(|| StoreError::BadQuery(format!("`{name}` is incremented by a number")))
            };
            let old = row.data.get(name).map_or(Ok(rust_decimal::Decimal::ZERO), number)?;
            let new = old
                .checked_add(number(amount)?)
                .ok_or_else(|| StoreError::BadQuery(format!("`{name}` would have more than 28 digits")))?;
            let is_integer =
                entity.field(name).is_some_and(|field| field.field_type.base() == crate::manifest::BaseType::Integer);
            let value = match i64::try_from(new) {
                Ok(integer) if is_integer && new.is_integer() => Value::from(integer),
                _ => Value::String(new.to_string()),
            };
            patch.insert(name.clone(), value);
        }
        self.update(entity, scope, id, &patch, None)
    }

    /// `{id: label}` of the rows that exist.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
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
        let mut labels = Map::new();
        for id in ids {
            match self.get(entity, scope, id) {
                Ok(row) => {
                    let label = field.as_ref().and_then(|field| row.data.get(field)).cloned();
                    labels.insert(id.clone(), label.unwrap_or_else(|| Value::String(id.clone())));
                }
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(labels)
    }

    fn get_version(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        expected: Option<u32>,
    ) -> Result<Row, StoreError> {
        let row = self.get(entity, scope, id)?;
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

    fn write(&mut self, kind: ChangeKind, entity: &EntityRef, scope: &Scope, mut row: Row) -> Result<Row, StoreError> {
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
        self.execute("change a row", &sql, parameters).map_err(|error| unique_violation(entity, error))?;
        self.record(kind, entity, scope, &row)?;
        Ok(row)
    }

    /// Keeps what happened: for the unit of work's caller, and for good in the audit table.
    fn record(&mut self, kind: ChangeKind, entity: &EntityRef, scope: &Scope, row: &Row) -> Result<(), StoreError> {
        let action = match kind {
            ChangeKind::Insert => "insert",
            ChangeKind::Update => "update",
            ChangeKind::Delete => "delete",
            ChangeKind::Restore => "restore",
        };
        self.execute(
            "write the audit row",
            "insert into erp_audit (at, tenant_id, user_id, entity, row_id, action, version) values (?, ?, ?, ?, ?, ?, ?)",
            [
                SqlValue::Text(scope.now.to_string()),
                SqlValue::Text(scope.tenant.as_str().to_owned()),
                text_or_null(scope.user.as_deref()),
                SqlValue::Text(entity.qualified_name()),
                SqlValue::Text(row.id.clone()),
                SqlValue::Text(action.to_owned()),
                SqlValue::Integer(row.version.into()),
            ],
        )?;
        self.record_change(Change {
            kind,
            entity: entity.qualified_name(),
            tenant: scope.tenant.clone(),
            row: row.clone(),
        });
        Ok(())
    }

    fn hanging_rows(&self, dependent: &Dependent, scope: &Scope, id: &str) -> Result<Vec<Row>, StoreError> {
        let sql = format!(
            "select {} from \"{}\" where tenant_id = ? and deleted_at is null and {} = ? order by id",
            ROW_COLUMNS.join(", "),
            dependent.entity.table(),
            schema::field_value(&dependent.entity, &dependent.foreign_key)
        );
        let parameters = [SqlValue::Text(scope.tenant.as_str().to_owned()), SqlValue::Text(id.to_owned())];
        self.rows("find dependent rows", &sql, parameters, read_row)
    }

    fn check_references(&self, entity: &EntityRef, scope: &Scope, data: &Map<String, Value>) -> Result<(), StoreError> {
        for field in entity.fields.iter().filter(|field| field.field_type.is_reference()) {
            let Some(value) = data.get(field.name.as_str()) else { continue };
            // A plugin that is not installed is no reason to refuse: its label has a fallback.
            let Some(target) = self.catalog().referable(entity.plugin(), field) else { continue };
            let ids: Vec<&str> = match (*field.field_type, value) {
                (FieldType::RefMany, Value::Array(ids)) => ids.iter().filter_map(Value::as_str).collect(),
                (_, Value::String(id)) => vec![id],
                _ => Vec::new(),
            };
            for id in ids {
                match self.get(&target, scope, id) {
                    Ok(_) => {}
                    Err(StoreError::NotFound { .. }) => {
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

/// The values of [`ROW_COLUMNS`].
fn row_parameters(row: &Row) -> Vec<SqlValue> {
    vec![
        SqlValue::Text(row.id.clone()),
        SqlValue::Text(Value::Object(row.data.clone()).to_string()),
        SqlValue::Text(row.created_at.clone()),
        text_or_null(row.created_by.as_deref()),
        SqlValue::Text(row.updated_at.clone()),
        text_or_null(row.updated_by.as_deref()),
        text_or_null(row.deleted_at.as_deref()),
        SqlValue::Integer(row.version.into()),
    ]
}

fn not_found(entity: &EntityRef, id: &str) -> StoreError {
    StoreError::NotFound { entity: entity.name.to_string(), id: id.to_owned() }
}

/// Names the fields of a unique index that a write violated. SQLite says which columns they are.
fn unique_violation(entity: &EntityRef, error: StoreError) -> StoreError {
    let StoreError::Sqlite { source: rusqlite::Error::SqliteFailure(failure, Some(message)), .. } = &error else {
        return error;
    };
    if failure.extended_code != rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE {
        return error;
    }
    let fields: Vec<String> = message
        .split([' ', ','])
        .filter_map(|word| word.rsplit('.').next()?.strip_prefix("_f_"))
        .map(str::to_owned)
        .collect();
    let fields = if fields.is_empty() { vec!["key".to_owned()] } else { fields };
    StoreError::Unique { entity: entity.name.to_string(), fields }
}
