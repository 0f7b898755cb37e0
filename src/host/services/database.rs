//! Tables.

use serde_json::{Map, Value};

use super::super::capabilities;
use super::super::error::ServiceError;
use super::Services;
use crate::store::{AggregateQuery, BatchStep, EntityRef, ListQuery, Row};

/// A page of rows as a guest gets it.
pub(super) struct FlatPage {
    pub(super) rows: Vec<Value>,
    pub(super) next_cursor: Option<String>,
    pub(super) total: Option<u64>,
}

impl Services {
    /// An entity that the plugin may read.
    fn readable(&self, entity: &str) -> Result<EntityRef, ServiceError> {
        let found = super::lock(&self.database).catalog().entity(&self.manifest.metadata.id, entity)?;
        if capabilities::may_read_entity(&self.manifest, found.plugin().as_str(), found.name.as_str(), found.is_public)
        {
            Ok(found)
        } else {
            Err(ServiceError::new(
                "cap.denied",
                format!("`{}` is not granted: name it in `read_entities` of [capabilities]", found.qualified_name()),
            ))
        }
    }

    /// An entity that the plugin may write: one of its own.
    fn writable(&self, entity: &str) -> Result<EntityRef, ServiceError> {
        let found = super::lock(&self.database).catalog().entity(&self.manifest.metadata.id, entity)?;
        if found.plugin() == &*self.manifest.metadata.id {
            Ok(found)
        } else {
            Err(ServiceError::new(
                "cap.denied",
                format!("`{}` belongs to another plugin: it can only be read", found.qualified_name()),
            ))
        }
    }

    pub(super) fn db_insert(&mut self, entity: &str, row: &Map<String, Value>) -> Result<Row, ServiceError> {
        self.call("db.insert", entity, |services| {
            let entity = services.writable(entity)?;
            services.take_writes(1)?;
            services.with_database(|database, scope, new_id| database.insert(&entity, scope, row, new_id))
        })
    }

    pub(super) fn db_get(&mut self, entity: &str, id: &str) -> Result<Option<Row>, ServiceError> {
        self.call("db.get", entity, |services| {
            let entity = services.readable(entity)?;
            services.take_rows(1)?;
            match services.with_database(|database, scope, _| database.get(&entity, scope, id)) {
                Ok(row) => Ok(Some(row)),
                Err(error) if error.code == "db.not_found" => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    pub(super) fn db_query(&mut self, entity: &str, query: &ListQuery) -> Result<FlatPage, ServiceError> {
        self.call("db.query", entity, |services| {
            let entity = services.readable(entity)?;
            let page = services.with_database(|database, scope, _| database.list(&entity, scope, query))?;
            services.take_rows(page.rows.len())?;
            Ok(FlatPage {
                rows: page.rows.iter().map(Row::to_flat).collect(),
                next_cursor: page.next_cursor,
                total: page.total,
            })
        })
    }

    pub(super) fn db_count(&mut self, entity: &str, filter: Value) -> Result<u64, ServiceError> {
        self.call("db.count", entity, |services| {
            let entity = services.readable(entity)?;
            let query = ListQuery { filter, by_plugin: true, ..ListQuery::default() };
            services.with_database(|database, scope, _| database.count(&entity, scope, &query))
        })
    }

    pub(super) fn db_update(
        &mut self,
        entity: &str,
        id: &str,
        patch: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, ServiceError> {
        self.call("db.update", entity, |services| {
            let entity = services.writable(entity)?;
            services.take_writes(1)?;
            services.with_database(|database, scope, _| database.update(&entity, scope, id, patch, expected_version))
        })
    }

    pub(super) fn db_delete(
        &mut self,
        entity: &str,
        id: &str,
        expected_version: Option<u32>,
    ) -> Result<(), ServiceError> {
        self.call("db.delete", entity, |services| {
            let entity = services.writable(entity)?;
            services.take_writes(1)?;
            services.with_database(|database, scope, _| database.delete(&entity, scope, id, expected_version))
        })
    }

    pub(super) fn db_restore(&mut self, entity: &str, id: &str) -> Result<Row, ServiceError> {
        self.call("db.restore", entity, |services| {
            let entity = services.writable(entity)?;
            services.take_writes(1)?;
            services.with_database(|database, scope, _| database.restore(&entity, scope, id))
        })
    }

    pub(super) fn db_aggregate(&mut self, entity: &str, query: &Value) -> Result<Value, ServiceError> {
        self.call("db.aggregate", entity, |services| {
            let entity = services.readable(entity)?;
            let query = AggregateQuery::from_json(query, true)?;
            let groups = services.with_database(|database, scope, _| database.aggregate(&entity, scope, &query))?;
            services.take_rows(groups.len())?;
            Ok(Value::Array(groups))
        })
    }

    pub(super) fn db_batch(&mut self, steps: &[BatchStep]) -> Result<Vec<Value>, ServiceError> {
        let subject = steps.iter().map(|step| format!("{} {}", step.kind, step.entity)).collect::<Vec<_>>().join(", ");
        self.call("db.batch", &subject, |services| {
            for step in steps {
                services.writable(&step.entity)?;
            }
            services.take_writes(steps.len())?;
            let own = (*services.manifest.metadata.id).clone();
            services.with_database(|database, scope, new_id| database.batch(&own, scope, steps, new_id))
        })
    }

    pub(super) fn db_labels(&mut self, entity: &str, ids: &[String]) -> Result<Value, ServiceError> {
        self.call("db.resolve-labels", entity, |services| {
            let entity = services.readable(entity)?;
            services.take_rows(ids.len())?;
            services.with_database(|database, scope, _| database.labels(&entity, scope, ids, None)).map(Value::Object)
        })
    }
}

/// `{"filter", "search", "sort", "limit", "offset", "cursor", "with_total", "include_deleted"}`.
pub(super) fn list_query(query: &Map<String, Value>) -> Result<ListQuery, ServiceError> {
    let known = ["filter", "search", "sort", "limit", "offset", "cursor", "with_total", "include_deleted"];
    if let Some(key) = query.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(ServiceError::new(
            "db.bad_query",
            format!("unknown key `{key}` in the query; known: {}", known.join(", ")),
        ));
    }
    let wrong = |key: &str, wanted: &str| {
        ServiceError::new("db.bad_query", format!("`{key}` of the query takes {wanted}, not {}", query[key]))
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
