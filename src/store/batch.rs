//! Batches: several writes in one call, all of them or none.

use std::collections::BTreeMap;

use erp_manifest::{PluginId, comparable, decimal_of};
use erp_storage::{BatchKind, BatchStep, EntityRef, IdSource, ListQuery, Row, RowReach, Scope, StoreError};
use serde_json::{Map, Value, json};

use super::records::RowWriter;
use crate::sql::RowLock;

impl RowWriter<'_> {
    /// Executes all steps or none, each within its own reach; returns the rows in the order of the steps, and the
    /// number of changed rows.
    ///
    /// # Errors
    /// [`StoreError::Batch`], which names the step.
    pub fn batch(
        &mut self,
        own: &PluginId,
        scope: &Scope,
        reaches: &[RowReach],
        steps: &[BatchStep],
        new_id: IdSource<'_>,
    ) -> Result<(Vec<Value>, usize), StoreError> {
        let mark = self.database.changes().len();
        let rows = self.database.atomically(|database| {
            let mut named: BTreeMap<String, String> = BTreeMap::new();
            let mut rows = Vec::with_capacity(steps.len());
            for (index, (step, reach)) in steps.iter().zip(reaches).enumerate() {
                let scope = scope.clone().within(reach.clone());
                let row = database.writer().batch_step(own, &scope, step, &named, &mut *new_id).map_err(|error| {
                    StoreError::Batch { step: index + 1, message: error.to_string(), code: error.code() }
                })?;
                if let (Some(name), Some(id)) = (&step.name, row["id"].as_str()) {
                    named.insert(name.clone(), id.to_owned());
                }
                rows.push(row);
            }
            Ok(rows)
        })?;
        Ok((rows, self.database.changes().len() - mark))
    }

    fn batch_step(
        &mut self,
        own: &PluginId,
        scope: &Scope,
        step: &BatchStep,
        named: &BTreeMap<String, String>,
        new_id: IdSource<'_>,
    ) -> Result<Value, StoreError> {
        let entity = self.database.catalog().entity(own, &step.entity)?;
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
            let id = step
                .id
                .as_deref()
                .ok_or_else(|| StoreError::BadQuery(format!("`{}` needs an id", step.kind.word())))?;
            resolve(id)
        };
        let row = match step.kind {
            BatchKind::Insert => self.insert(&entity, scope, &data, new_id)?,
            BatchKind::Update => self.update(&entity, scope, &id()?, &data, step.expected_version)?,
            BatchKind::Upsert => self.upsert(&entity, scope, &data, step.expected_version, new_id)?,
            BatchKind::Increment => self.increment(&entity, scope, &id()?, &data, step.expected_version)?,
            BatchKind::Assert => {
                let row = self.get_version(&entity, scope, &id()?, step.expected_version, RowLock::Change)?;
                for (key, value) in &data {
                    let actual = row.data.get(key).unwrap_or(&Value::Null);
                    // By value, as filters compare: 3 is the decimal 3.00.
                    let is_equal = match entity.field(key) {
                        Some(field) if !value.is_null() && !actual.is_null() => {
                            comparable(field, value).ok() == comparable(field, actual).ok()
                        }
                        _ => actual == value,
                    };
                    if !is_equal {
                        return Err(StoreError::BadQuery(format!("`{key}` is {actual}, not {value}")));
                    }
                }
                row
            }
            BatchKind::Delete => {
                let id = id()?;
                self.delete(&entity, scope, &id, step.expected_version)?;
                return Ok(json!({ "id": id }));
            }
        };
        Ok(row.to_flat())
    }

    fn upsert(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        expected_version: Option<u32>,
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
        // If no row is found, no other unit of work may insert it at the same time.
        let mut meant: Vec<String> = filter
            .iter()
            .map(|(key, value)| {
                let value = entity.field(key).and_then(|field| comparable(field, value).ok());
                format!("{key}={}", value.unwrap_or(Value::Null))
            })
            .collect();
        meant.sort();
        self.database.lock_alone(&["upsert", &entity.table(), scope.tenant.as_str(), &meant.join("\u{1f}")])?;
        let filter = Value::Object(filter);
        let query = ListQuery { filter, limit: Some(1), by_plugin: true, ..ListQuery::default() };
        match self.database.reader().list(entity, scope, &query)?.rows.pop() {
            Some(found) => self.update(entity, scope, &found.id, row, expected_version),
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
        let row = self.get_version(entity, scope, id, expected_version, RowLock::Change)?;
        let mut patch = Map::new();
        for (name, amount) in amounts {
            let number = |value: &Value| {
                decimal_of(value).ok_or_else(|| StoreError::BadQuery(format!("`{name}` is incremented by a number")))
            };
            let old = row.data.get(name).map_or(Ok(rust_decimal::Decimal::ZERO), number)?;
            let new = old
                .checked_add(number(amount)?)
                .ok_or_else(|| StoreError::BadQuery(format!("`{name}` would have more than 28 digits")))?;
            let is_integer =
                entity.field(name).is_some_and(|field| field.field_type.base() == erp_manifest::BaseType::Integer);
            let value = match i64::try_from(new) {
                Ok(integer) if is_integer && new.is_integer() => Value::from(integer),
                _ => Value::String(new.to_string()),
            };
            patch.insert(name.clone(), value);
        }
        self.update(entity, scope, id, &patch, None)
    }
}
