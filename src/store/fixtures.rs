//! Fixtures: rows that come with a plugin.

use erp_manifest::digest::sha256_hex;
use erp_manifest::{Field, FieldType, Fixture, FixtureMode, Manifest, converted};
use erp_storage::{EntityRef, FieldProblem, IdSource, ListQuery, Row, Scope, StoreError};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Database;
use super::sql::SqlValue;

/// Fixtures: rows that come with a plugin.
#[derive(Debug)]
pub struct Fixtures<'d> {
    pub(crate) database: &'d mut Database,
}

impl Fixtures<'_> {
    /// Applies the rows of fixtures to a tenant, within the unit of work; returns the number of created, changed and
    /// deleted rows. A reference may name its row by that row's title.
    ///
    /// # Errors
    /// [`StoreError::Validation`] and those of [`crate::RowWriter::insert`].
    pub fn apply_fixtures(
        &mut self,
        manifest: &Manifest,
        fixtures: &[Fixture],
        scope: &Scope,
        new_id: IdSource<'_>,
    ) -> Result<usize, StoreError> {
        let mark = self.database.changes().len();
        for fixture in fixtures {
            let entity = self.database.catalog().entity(&manifest.metadata.id, fixture.entity.as_str())?;
            let mut present = Vec::new();
            for row in fixture.tables() {
                // From the values as written: a field's new type or name does not make it another row.
                let written = Value::Array(key_of(fixture, &entity, row).into_iter().map(Value::String).collect());
                let own = format!("{}:{}", *entity.name, &sha256_hex(written.to_string().as_bytes())[..32]);
                let row = self.fixture_row(&entity, scope, row)?;
                if fixture.mode == FixtureMode::Once {
                    if self.has_had(&entity, scope, &own)? {
                        continue;
                    }
                    self.note_fixture(&entity, scope, &own)?;
                }
                let known = self.same_row(&entity, scope, fixture, &row)?;
                let id = match (known, fixture.mode) {
                    (None, _) => self.database.writer().insert(&entity, scope, &row, &mut *new_id)?.id,
                    (Some(known), FixtureMode::Once | FixtureMode::InsertIgnore) => known.id,
                    (Some(known), FixtureMode::Upsert | FixtureMode::Overwrite) => {
                        if row.iter().any(|(name, value)| known.data.get(name) != Some(value)) {
                            self.database.writer().update(&entity, scope, &known.id, &row, None)?;
                        }
                        known.id
                    }
                };
                present.push(id);
            }
            if fixture.mode == FixtureMode::Overwrite {
                self.delete_others(&entity, scope, &present)?;
            }
        }
        Ok(self.database.changes().len() - mark)
    }

    /// Converts the values of a fixture's row to the stored form of their fields.
    fn fixture_row(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        row: &Map<String, Value>,
    ) -> Result<Map<String, Value>, StoreError> {
        let mut problems = Vec::new();
        let mut normal = Map::new();
        for (name, value) in row {
            let refused = |message: String| FieldProblem { field: name.clone(), message };
            let Some(field) = entity.field(name) else {
                problems.push(refused("is not a field".to_owned()));
                continue;
            };
            let title =
                value.as_str().filter(|text| *field.field_type == FieldType::Ref && Uuid::parse_str(text).is_err());
            match title {
                Some(title) => match self.by_title(entity, scope, field, title)? {
                    Some(id) => drop(normal.insert(name.clone(), Value::from(id))),
                    None => problems.push(refused(format!("names no row: none is called `{title}`"))),
                },
                None => match converted(field, value) {
                    Ok(value) => drop(normal.insert(name.clone(), value)),
                    Err(why) => problems.push(refused(why)),
                },
            }
        }
        if problems.is_empty() {
            Ok(normal)
        } else {
            Err(StoreError::Validation { entity: entity.name.to_string(), problems })
        }
    }

    fn by_title(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        field: &Field,
        title: &str,
    ) -> Result<Option<String>, StoreError> {
        let Some(target) = self.database.catalog().referable(entity.plugin(), field) else { return Ok(None) };
        let named = field.ref_label_field.as_ref().or(target.title_field.as_ref());
        let Some(name) = named
            .map(|name| name.as_str().to_owned())
            .or_else(|| target.fields.first().map(|field| field.name.as_str().to_owned()))
        else {
            return Ok(None);
        };
        let filter = Value::Object(Map::from_iter([(name, Value::from(title))]));
        let query = ListQuery { filter, limit: Some(1), by_plugin: true, ..ListQuery::default() };
        Ok(self.database.reader().list(&target, scope, &query)?.rows.pop().map(|row| row.id))
    }

    /// The live row with the same key; `None` if the fixture has no key.
    fn same_row(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        fixture: &Fixture,
        row: &Map<String, Value>,
    ) -> Result<Option<Row>, StoreError> {
        let identity = identity(fixture, entity, row);
        if identity.is_empty() {
            return Ok(None);
        }
        let query =
            ListQuery { filter: Value::Object(identity), limit: Some(1), by_plugin: true, ..ListQuery::default() };
        Ok(self.database.reader().list(entity, scope, &query)?.rows.pop())
    }

    fn delete_others(&mut self, entity: &EntityRef, scope: &Scope, present: &[String]) -> Result<(), StoreError> {
        let query = ListQuery { by_plugin: true, ..ListQuery::default() };
        let rows = self.database.reader().list_all(entity, scope, query, usize::MAX)?;
        let others: Vec<String> = rows.into_iter().map(|row| row.id).filter(|id| !present.contains(id)).collect();
        for id in others {
            match self.database.writer().delete(entity, scope, &id, None) {
                // It was deleted with another row.
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn has_had(&self, entity: &EntityRef, scope: &Scope, fixture: &str) -> Result<bool, StoreError> {
        let place = [entity.plugin().as_str(), scope.tenant.as_str(), fixture].map(SqlValue::text);
        let sql = "select 1 from erp_fixtures where plugin_id = ? and tenant_id = ? and fixture = ?";
        Ok(!self.database.rows("look for a fixture", sql, place, |_| Ok(()))?.is_empty())
    }

    fn note_fixture(&self, entity: &EntityRef, scope: &Scope, fixture: &str) -> Result<(), StoreError> {
        let place = [entity.plugin().as_str(), scope.tenant.as_str(), fixture].map(SqlValue::text);
        let mut parameters = place.to_vec();
        parameters.push(
            self.database
                .upgrade_under_way()
                .map_or(SqlValue::Null, |upgrade| SqlValue::Integer(upgrade.cast_signed())),
        );
        let sql = "insert into erp_fixtures (plugin_id, tenant_id, fixture, upgrade) values (?, ?, ?, ?)";
        self.database.execute("note a fixture", sql, parameters).map(|_| ())
    }
}

/// The fields that identify a row: those of `key`, else the first unique one that the row has a value for.
fn key_fields<'f>(fixture: &'f Fixture, entity: &'f EntityRef, row: &Map<String, Value>) -> Vec<&'f str> {
    if !fixture.key.is_empty() {
        return fixture.key.iter().map(|name| name.as_str()).collect();
    }
    let unique = entity.fields.iter().filter(|field| field.unique).map(|field| field.name.as_str());
    unique.into_iter().find(|name| row.get(*name).is_some_and(|value| !value.is_null())).into_iter().collect()
}

/// The values of the key as they are written in the fixture; all values of the row if it has no key.
fn key_of(fixture: &Fixture, entity: &EntityRef, row: &Map<String, Value>) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = key_fields(fixture, entity, row);
    if fields.is_empty() {
        row.values().map(text).collect()
    } else {
        fields.into_iter().map(|name| row.get(name).map(text).unwrap_or_default()).collect()
    }
}

/// The values by which an existing row is looked up.
fn identity(fixture: &Fixture, entity: &EntityRef, row: &Map<String, Value>) -> Map<String, Value> {
    let own = |name: &str| (name.to_owned(), row.get(name).cloned().unwrap_or(Value::Null));
    key_fields(fixture, entity, row).into_iter().map(own).collect()
}
