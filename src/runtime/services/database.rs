//! Host functions on rows of entities.

use erp_manifest::codes::errors;
use erp_manifest::contract::HostFunction;
use erp_storage::{AggregateQuery, BatchStep, EntityRef, ListQuery, Row, Scope, StoreError, Unit};
use serde_json::{Map, Value, json};

use super::super::capabilities;
use super::super::error::ServiceError;
use super::super::quirks::Quirk;
use super::shown::{FlatPage, Json};
use super::{Services, denied};

impl Services {
    /// Finds an entity that the plugin may read.
    fn readable(&self, entity: &str) -> Result<EntityRef, ServiceError> {
        let found = self.unit.catalog().entity(&self.manifest.metadata.id, entity)?;
        if capabilities::may_read_entity(&self.manifest, found.plugin().as_str(), found.name.as_str(), found.is_public)
        {
            Ok(found)
        } else {
            Err(denied(format!(
                "`{}` is not granted: name it in `read_entities` of [capabilities]",
                found.qualified_name()
            )))
        }
    }

    /// Finds an entity that the plugin may write: one of its own.
    fn writable(&self, entity: &str) -> Result<EntityRef, ServiceError> {
        let found = self.unit.catalog().entity(&self.manifest.metadata.id, entity)?;
        if found.plugin() == &*self.manifest.metadata.id {
            Ok(found)
        } else {
            Err(denied(format!("`{}` belongs to another plugin: it can only be read", found.qualified_name())))
        }
    }

    /// Returns the scope in which the call's user may read or write rows of an entity.
    fn scope_of(&self, entity: &EntityRef, action: &str) -> Scope {
        self.scope().within(self.reach(entity.name.as_str(), action))
    }

    fn reading<T>(
        &mut self,
        entity: &EntityRef,
        work: impl FnOnce(&mut dyn Unit, &Scope) -> Result<T, StoreError>,
    ) -> Result<T, ServiceError> {
        self.with_scope(&self.scope_of(entity, "list"), |unit, scope, _| work(unit, scope))
    }

    fn writing<T>(
        &mut self,
        entity: &EntityRef,
        work: impl FnOnce(&mut dyn Unit, &Scope, &mut dyn FnMut() -> String) -> Result<T, StoreError>,
    ) -> Result<T, ServiceError> {
        self.with_scope(&self.scope_of(entity, "manage"), work)
    }

    pub(super) fn db_insert(&mut self, entity: &str, row: &Map<String, Value>) -> Result<Json, ServiceError> {
        let shown = || arguments([("row", Value::Object(row.clone()))]);
        self.call(HostFunction::DbInsert, entity, shown, |services| {
            let entity = services.writable(entity)?;
            services.usage.take_writes(1)?;
            services.writing(&entity, |unit, scope, new_id| unit.insert(&entity, scope, row, new_id)).map(flat)
        })
    }

    pub(super) fn db_get(&mut self, entity: &str, id: &str) -> Result<Option<Json>, ServiceError> {
        let arguments = || json!({ "id": id });
        self.call(HostFunction::DbGet, entity, arguments, |services| {
            let entity = services.readable(entity)?;
            services.usage.take_rows(1)?;
            match services.reading(&entity, |unit, scope| unit.get(&entity, scope, id)) {
                Ok(row) => Ok(Some(flat(row))),
                Err(error) if error.code == errors::DB_NOT_FOUND => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    pub(super) fn db_query(&mut self, entity: &str, query: &Map<String, Value>) -> Result<FlatPage, ServiceError> {
        let shown = || arguments([("query", Value::Object(query.clone()))]);
        self.call(HostFunction::DbQuery, entity, shown, |services| {
            let query = list_query(query)?;
            let entity = services.readable(entity)?;
            let page = services.reading(&entity, |unit, scope| unit.list(&entity, scope, &query))?;
            services.usage.take_rows(page.rows.len())?;
            let rows = page.rows.into_iter().map(flat).collect();
            Ok(FlatPage { rows, next_cursor: page.next_cursor, total: page.total })
        })
    }

    pub(super) fn db_count(&mut self, entity: &str, filter: Value) -> Result<u64, ServiceError> {
        let shown = filter.clone();
        self.call(
            HostFunction::DbCount,
            entity,
            || json!({ "filter": shown }),
            |services| {
                let entity = services.readable(entity)?;
                let query = ListQuery { filter, by_plugin: true, ..ListQuery::default() };
                services.reading(&entity, |unit, scope| unit.count(&entity, scope, &query))
            },
        )
    }

    pub(super) fn db_update(
        &mut self,
        entity: &str,
        id: &str,
        patch: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Json, ServiceError> {
        let shown = || {
            arguments([
                ("id", Value::from(id)),
                ("patch", Value::Object(patch.clone())),
                ("expected-version", Value::from(expected_version)),
            ])
        };
        self.call(HostFunction::DbUpdate, entity, shown, |services| {
            let entity = services.writable(entity)?;
            services.usage.take_writes(1)?;
            let update = |unit: &mut dyn Unit, scope: &Scope, _: &mut dyn FnMut() -> String| {
                unit.update(&entity, scope, id, patch, expected_version)
            };
            match services.writing(&entity, update) {
                Err(error) if error.code == errors::DB_VERSION_CONFLICT && services.meets(Quirk::StaleVersionsPass) => {
                    services.reading(&entity, |unit, scope| unit.get(&entity, scope, id)).map(flat)
                }
                Err(error) if error.code == errors::DB_NOT_FOUND && services.meets(Quirk::MissingRowsPass) => {
                    Ok(Json::from(Value::Object(patch.clone())))
                }
                updated => updated.map(flat),
            }
        })
    }

    pub(super) fn db_delete(
        &mut self,
        entity: &str,
        id: &str,
        expected_version: Option<u32>,
    ) -> Result<(), ServiceError> {
        let arguments = || json!({ "id": id, "expected-version": expected_version });
        self.call(HostFunction::DbDelete, entity, arguments, |services| {
            let entity = services.writable(entity)?;
            let delete = |unit: &mut dyn Unit, scope: &Scope, _: &mut dyn FnMut() -> String| {
                unit.delete(&entity, scope, id, expected_version)
            };
            match services.writing(&entity, delete) {
                Err(error) if error.code == errors::DB_VERSION_CONFLICT && services.meets(Quirk::StaleVersionsPass) => {
                    Ok(())
                }
                Err(error) if error.code == errors::DB_NOT_FOUND && services.meets(Quirk::MissingRowsPass) => Ok(()),
                deleted => services.usage.take_writes(deleted?),
            }
        })
    }

    pub(super) fn db_restore(&mut self, entity: &str, id: &str) -> Result<Json, ServiceError> {
        let arguments = || json!({ "id": id });
        self.call(HostFunction::DbRestore, entity, arguments, |services| {
            let entity = services.writable(entity)?;
            services.usage.take_writes(1)?;
            services.writing(&entity, |unit, scope, _| unit.restore(&entity, scope, id)).map(flat)
        })
    }

    pub(super) fn db_aggregate(&mut self, entity: &str, query: &Value) -> Result<Json, ServiceError> {
        let shown = || arguments([("query", query.clone())]);
        self.call(HostFunction::DbAggregate, entity, shown, |services| {
            let entity = services.readable(entity)?;
            let query = AggregateQuery::from_json(query, true)?;
            let groups = services.reading(&entity, |unit, scope| unit.aggregate(&entity, scope, &query))?;
            services.usage.take_rows(groups.len())?;
            Ok(Json::from(Value::Array(groups)))
        })
    }

    pub(super) fn db_batch(&mut self, steps: &[BatchStep]) -> Result<Vec<Json>, ServiceError> {
        let named = |step: &BatchStep| format!("{} {}", step.kind.word(), step.entity);
        let subject = steps.iter().map(named).collect::<Vec<_>>().join(", ");
        let arguments = || {
            let one = |step: &BatchStep| json!({ "kind": step.kind.word(), "entity": step.entity, "id": step.id, "data": step.data });
            json!({ "ops": steps.iter().map(one).collect::<Vec<_>>() })
        };
        self.call(HostFunction::DbBatch, &subject, arguments, |services| {
            let mut scopes = Vec::with_capacity(steps.len());
            for step in steps {
                let entity = services.writable(&step.entity)?;
                scopes.push(services.scope_of(&entity, "manage").reach);
            }
            services.usage.take_writes(steps.len())?;
            let own = (*services.manifest.metadata.id).clone();
            let (rows, touched) =
                services.in_unit(|unit, scope, new_id| unit.batch(&own, scope, &scopes, steps, new_id))?;
            // Rows that are deleted along with a deleted row count too.
            services.usage.take_writes(touched.saturating_sub(steps.len()))?;
            Ok(rows.into_iter().map(Json::from).collect())
        })
    }

    pub(super) fn db_labels(&mut self, entity: &str, ids: &[String]) -> Result<Json, ServiceError> {
        let arguments = || json!({ "ids": ids });
        self.call(HostFunction::DbResolveLabels, entity, arguments, |services| {
            let entity = services.readable(entity)?;
            services.usage.take_rows(ids.len())?;
            let labels = services.reading(&entity, |unit, scope| unit.labels(&entity, scope, ids))?;
            Ok(Json::from(Value::Object(labels)))
        })
    }
}

/// Builds the arguments that a trace shows, without cloning each value as `json!` does.
fn arguments<const N: usize>(named: [(&str, Value); N]) -> Value {
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Converts a row to the JSON that guests see.
fn flat(row: Row) -> Json {
    Json::from(row.into_flat())
}

/// Reads `{"filter", "search", "sort", "limit", "offset", "cursor", "with_total", "include_deleted"}`.
fn list_query(query: &Map<String, Value>) -> Result<ListQuery, ServiceError> {
    let known = ["filter", "search", "sort", "limit", "offset", "cursor", "with_total", "include_deleted"];
    if let Some(key) = query.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(ServiceError::new(
            errors::DB_BAD_QUERY,
            format!("unknown key `{key}` in the query; known: {}", known.join(", ")),
        ));
    }
    let wrong = |key: &str, wanted: &str| {
        ServiceError::new(errors::DB_BAD_QUERY, format!("`{key}` of the query takes {wanted}, not {}", query[key]))
    };
    let given = |key: &str| query.get(key).filter(|value| !value.is_null());
    let text = |key: &str| match given(key) {
        None => Ok(None),
        Some(value) => value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| wrong(key, "text")),
    };
    let flag = |key: &str| match given(key) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| wrong(key, "true or false")),
    };
    let number = |key: &str| match given(key) {
        None => Ok(None),
        Some(value) => value.as_u64().map(Some).ok_or_else(|| wrong(key, "a whole number from 0")),
    };
    let sort = match given("sort") {
        None => Vec::new(),
        Some(Value::String(field)) => vec![field.clone()],
        Some(Value::Array(fields)) => {
            let names = fields.iter().map(|field| field.as_str().map(str::to_owned)).collect::<Option<_>>();
            names.ok_or_else(|| wrong("sort", "names of fields"))?
        }
        Some(_) => return Err(wrong("sort", "a field or an array of fields")),
    };
    Ok(ListQuery {
        filter: query.get("filter").cloned().unwrap_or(Value::Null),
        search: text("search")?,
        sort,
        limit: number("limit")?,
        offset: number("offset")?.unwrap_or(0),
        cursor: text("cursor")?,
        with_total: flag("with_total")?,
        include_deleted: flag("include_deleted")?,
        by_plugin: true,
    })
}
