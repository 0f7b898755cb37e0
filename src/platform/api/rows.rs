//! `/api/v1/plugins/{plugin}/{entity}`: rows.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Answer, Request, Response, no_route, object, require};
use crate::host::{Invocation, Trigger, lock};
use crate::platform::state::Occasion;
use crate::platform::{Platform, PlatformError};
use crate::store::{AggregateQuery, EntityRef, FieldProblem, ListQuery, MAX_PAGE_ROWS, PluginStatus, Row, StoreError};

/// Rows of a page where the client says nothing.
const PAGE_SIZE: u64 = 20;

impl Platform {
    pub(super) fn rows(&mut self, request: &Request, plugin: &str, entity: &str, path: &[&str]) -> Answer {
        let installed = self.installed(plugin)?;
        if installed.status != PluginStatus::Running {
            let message = format!("the plugin `{plugin}` is {}: enable it first", installed.status.word());
            return Err(PlatformError::new(409, "plugin.invalid_state", message));
        }
        let entity = lock(&self.database).catalog().entity(&installed.manifest.metadata.id, entity)?;
        let reads = format!("{}.list", *entity.name);
        let writes = format!("{}.manage", *entity.name);
        match (request.method.as_str(), path) {
            ("GET", []) => self.list(request, &entity, &reads),
            ("GET", ["count"]) => {
                require(request, &reads)?;
                let query = ListQuery { filter: filter(request)?, search: search(request), ..ListQuery::default() };
                let count = lock(&self.database).count(&entity, &self.scope(request)?, &query)?;
                Ok(Response::json(200, json!({ "count": count })))
            }
            ("GET" | "POST", ["aggregate"]) => self.aggregate(request, &entity, &reads),
            ("POST", ["resolve-labels"]) => self.resolve_labels(request, &entity, &reads),
            ("POST", []) => {
                require(request, &writes)?;
                let (data, _) = record(request, &entity)?;
                let scope = self.scope(request)?;
                let row = self.unit::<_, StoreError>(|database, surroundings| {
                    database.insert(&entity, &scope, &data, &mut || lock(surroundings).uuid())
                })?;
                Ok(Response::json(201, row.to_api()))
            }
            ("GET", [id]) => {
                require(request, &reads)?;
                let row = lock(&self.database).get(&entity, &self.scope(request)?, id)?;
                Ok(Response::json(200, row.to_api()))
            }
            ("PUT" | "PATCH", [id]) => {
                require(request, &writes)?;
                let (data, version) = record(request, &entity)?;
                let version = version.ok_or_else(|| {
                    PlatformError::new(
                        400,
                        "http.missing_version",
                        "the body needs `version`: the version of the row that you changed",
                    )
                })?;
                let scope = self.scope(request)?;
                let replaces = request.method == "PUT";
                let row = self.unit::<_, StoreError>(|database, _| {
                    if replaces {
                        database.replace(&entity, &scope, id, &data, Some(version))
                    } else {
                        database.update(&entity, &scope, id, &data, Some(version))
                    }
                })?;
                Ok(Response::json(200, row.to_api()))
            }
            ("DELETE", [id]) => {
                require(request, &writes)?;
                let version = request.query("version").and_then(|version| version.parse().ok());
                let scope = self.scope(request)?;
                self.unit::<_, StoreError>(|database, _| database.delete(&entity, &scope, id, version))?;
                Ok(Response::empty(204))
            }
            ("POST", [id, "actions", action]) => self.invoke(request, plugin, &entity, id, action),
            _ => Err(no_route(request)),
        }
    }

    fn list(&self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        require(request, permission)?;
        let number = |key: &str| match request.query(key) {
            None => Ok(None),
            Some(text) => match text.parse::<u64>() {
                Ok(number) if number > 0 => Ok(Some(number)),
                _ => Err(PlatformError::new(
                    400,
                    "http.bad_query",
                    format!("`{key}` must be a number from 1, not `{text}`"),
                )),
            },
        };
        let size = number("page_size")?.unwrap_or(PAGE_SIZE);
        if size > MAX_PAGE_ROWS {
            let message = format!("a page has at most {MAX_PAGE_ROWS} rows, not {size}");
            return Err(PlatformError::new(400, "http.bad_query", message));
        }
        let page = number("page")?.unwrap_or(1);
        let descending = request.query("sort_order").is_some_and(|order| order.eq_ignore_ascii_case("desc"));
        let sort =
            request.query("sort_by").map(|field| if descending { format!("-{field}") } else { field.to_owned() });
        let query = ListQuery {
            filter: filter(request)?,
            search: search(request),
            sort: sort.into_iter().collect(),
            limit: Some(size),
            offset: if request.query("cursor").is_some() { 0 } else { (page - 1).saturating_mul(size) },
            cursor: request.query("cursor").map(str::to_owned),
            with_total: true,
            ..ListQuery::default()
        };
        let found = lock(&self.database).list(entity, &self.scope(request)?, &query)?;
        let items: Vec<Value> = found.rows.iter().map(Row::to_api).collect();
        let body = json!({ "items": items, "total": found.total, "page": page, "page_size": size, "next_cursor": found.next_cursor });
        Ok(Response::json(200, body))
    }

    fn aggregate(&self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        require(request, permission)?;
        let query = if request.method == "POST" {
            Value::Object(object(request)?)
        } else {
            let group_by: Vec<&str> =
                request.query("group_by").map(|fields| fields.split(',').collect()).unwrap_or_default();
            json!({ "group_by": group_by, "filter": filter(request)? })
        };
        let query = AggregateQuery::from_json(&query, false)?;
        let groups = lock(&self.database).aggregate(entity, &self.scope(request)?, &query)?;
        Ok(Response::json(200, Value::Array(groups)))
    }

    /// `{"fields": {"<ref field>": ["<id>", …]}}` → the labels of the rows that they name.
    fn resolve_labels(&self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        require(request, permission)?;
        let scope = self.scope(request)?;
        let database = lock(&self.database);
        let body = object(request)?;
        let wanted = body.get("fields").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut labels = Map::new();
        for (name, ids) in wanted {
            let field = entity.field(&name).filter(|field| field.ref_entity.is_some());
            let Some((field, target)) = field.and_then(|field| Some((field, field.ref_entity.as_ref()?))) else {
                return Err(PlatformError::new(400, "db.unknown_field", format!("`{name}` is no reference")));
            };
            let ids: Vec<String> =
                ids.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            let plugin = field.ref_plugin.as_deref().unwrap_or(entity.plugin());
            let resolved = match database.catalog().entity(plugin, target.as_str()) {
                Ok(target) => database.labels(
                    &target,
                    &scope,
                    &ids,
                    field.ref_label_field.as_deref().map(crate::manifest::FieldName::as_str),
                )?,
                Err(_) => {
                    let fallback = field.ref_fallback_label.clone().unwrap_or_else(|| target.to_string());
                    ids.into_iter().map(|id| (id, Value::String(fallback.clone()))).collect()
                }
            };
            labels.insert(name, Value::Object(resolved));
        }
        Ok(Response::json(200, Value::Object(labels)))
    }

    fn invoke(&mut self, request: &Request, plugin: &str, entity: &EntityRef, id: &str, name: &str) -> Answer {
        let manifest = Arc::clone(entity.manifest());
        let action =
            manifest.ui.actions.iter().find(|action| action.name.as_str() == name && *action.entity == *entity.name);
        let action = action.ok_or_else(|| no_route(request))?;
        let identity = require(request, &action.permission)?;
        let mut input = if request.body.is_empty() { Map::new() } else { object(request)? };
        // The row must be one that the user's tenant has.
        lock(&self.database).get(entity, &self.scope(request)?, id)?;
        input.insert("id".to_owned(), json!(id));
        let input = Value::Object(input);
        let invocation = Invocation::Action { name, input: &input };
        let occasion = Occasion::of(&identity.tenant, Trigger::Action).by(&identity.caller);
        let result = self.call(plugin, occasion, invocation, |_| Ok(()))?;
        Ok(Response::json(200, result))
    }
}

/// The fields and the version of a body: `{"data": {…}, "version": 1}`, or the fields themselves
/// with `version` beside them.
fn record(request: &Request, entity: &EntityRef) -> Result<(Map<String, Value>, Option<u32>), PlatformError> {
    let mut body = object(request)?;
    let version =
        body.remove("version").and_then(|version| version.as_u64()).and_then(|version| u32::try_from(version).ok());
    let data = match body.get("data") {
        Some(Value::Object(data)) if body.len() == 1 => data.clone(),
        _ => body,
    };
    let problems: Vec<FieldProblem> = data
        .keys()
        .filter(|name| entity.field(name).is_some_and(|field| field.read_only))
        .map(|name| FieldProblem { field: name.clone(), message: "is read-only".to_owned() })
        .collect();
    if problems.is_empty() {
        Ok((data, version))
    } else {
        Err(StoreError::Validation { entity: entity.name.to_string(), problems }.into())
    }
}

fn filter(request: &Request) -> Result<Value, PlatformError> {
    match request.query("filter").filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| PlatformError::new(400, "http.bad_query", format!("`filter` is not JSON: {error}"))),
    }
}

fn search(request: &Request) -> Option<String> {
    request.query("search").map(str::to_owned)
}
