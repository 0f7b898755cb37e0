//! `/api/v1/plugins/{plugin}/{entity}`: rows.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Answer, Request, Response, RowPage};
use crate::contract::{MAX_PAGE_ROWS, PAGE_ROWS};
use crate::host::{Invocation, Trigger, lock};
use crate::platform::call::Occasion;
use crate::platform::{Platform, PlatformError};
use crate::store::{
    AggregateQuery, EntityRef, FieldProblem, ListQuery, Page, PluginStatus, RowReach, Scope, StoreError,
    condition_holds,
};

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
                request.require(&reads)?;
                request.only(&["filter", "search"])?;
                let query = ListQuery { filter: filter(request)?, search: search(request), ..ListQuery::default() };
                let count = lock(&self.database).count(&entity, &self.scope_for(request, &reads)?, &query)?;
                Ok(Response::json(200, json!({ "count": count })))
            }
            ("GET" | "POST", ["aggregate"]) => self.aggregate(request, &entity, &reads),
            ("GET", ["timeseries"]) => self.timeseries(request, &entity, &reads),
            ("POST", ["resolve-labels"]) => self.resolve_labels(request, &entity, &reads),
            ("GET", ["export"]) => self.export(request, &entity, &reads),
            ("POST", ["import"]) => self.import(request, &entity, &writes),
            ("POST", ["preview"]) => self.preview(request, &entity, &reads),
            ("POST", ["available-actions"]) => self.available_actions(request, &entity, &reads),
            ("GET", [id, "history"]) => self.history(request, &entity, id, &reads),
            ("POST", []) => {
                request.require(&writes)?;
                let Record { data, version } = record(request, &entity)?;
                if version.is_some() {
                    return Err(problem(&entity, "version", "is set by the host"));
                }
                let scope = self.scope_for(request, &writes)?;
                let row = self.unit::<_, StoreError>(|database, surroundings| {
                    database.insert(&entity, &scope, &data, &mut || lock(surroundings).uuid())
                })?;
                Ok(Response::row(201, row))
            }
            ("GET", [id]) => {
                request.require(&reads)?;
                let row = lock(&self.database).get(&entity, &self.scope_for(request, &reads)?, id)?;
                Ok(Response::row(200, row))
            }
            ("PUT" | "PATCH", [id]) => {
                request.require(&writes)?;
                let Record { data, version } = record(request, &entity)?;
                let version = version.ok_or_else(|| {
                    PlatformError::new(
                        400,
                        "http.missing_version",
                        "the body needs `version`: the version of the row that you changed",
                    )
                })?;
                let scope = self.scope_for(request, &writes)?;
                let replaces = request.method == "PUT";
                let row = self.unit::<_, StoreError>(|database, _| {
                    if replaces {
                        database.replace(&entity, &scope, id, &data, Some(version))
                    } else {
                        database.update(&entity, &scope, id, &data, Some(version))
                    }
                })?;
                Ok(Response::row(200, row))
            }
            ("DELETE", [id]) => {
                request.require(&writes)?;
                request.only(&["version"])?;
                let version = request.number("version")?;
                let scope = self.scope_for(request, &writes)?;
                self.unit::<_, StoreError>(|database, _| database.delete(&entity, &scope, id, version))?;
                Ok(Response::empty(204))
            }
            ("POST", [id, "actions", action]) => self.invoke(request, plugin, &entity, id, action),
            _ => Err(request.no_route()),
        }
    }

    /// Whose rows the user reaches by a permission.
    pub(super) fn scope_for(&self, request: &Request, permission: &str) -> Result<Scope, PlatformError> {
        let reach = request.require(permission)?.caller.reach(permission);
        Ok(self.scope(request)?.within(reach))
    }

    fn list(&self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        request.require(permission)?;
        request.only(&["page", "page_size", "search", "filter", "sort_by", "sort_order", "cursor"])?;
        let size = request.number("page_size")?.map_or(PAGE_ROWS, u64::from);
        if size > MAX_PAGE_ROWS {
            return Err(bad_query(format!("a page has at most {MAX_PAGE_ROWS} rows, not {size}")));
        }
        let page = request.number("page")?.map_or(1, u64::from);
        let cursor = request.query("cursor").filter(|cursor| !cursor.is_empty());
        if cursor.is_some() && request.query("page").is_some() {
            return Err(bad_query("`page` and `cursor` are two ways to go on: take one"));
        }
        let descending = match request.query("sort_order") {
            None => false,
            Some(order) if order.eq_ignore_ascii_case("asc") => false,
            Some(order) if order.eq_ignore_ascii_case("desc") => true,
            Some(order) => return Err(bad_query(format!("`sort_order` must be asc or desc, not `{order}`"))),
        };
        let sort =
            request.query("sort_by").map(|field| if descending { format!("-{field}") } else { field.to_owned() });
        let query = ListQuery {
            filter: filter(request)?,
            search: search(request),
            sort: sort.into_iter().collect(),
            limit: Some(size),
            offset: (page - 1).saturating_mul(size),
            cursor: cursor.map(str::to_owned),
            with_total: true,
            ..ListQuery::default()
        };
        let found = lock(&self.database).list(entity, &self.scope_for(request, permission)?, &query)?;
        let Page { rows, next_cursor, total } = found;
        Ok(Response::rows(RowPage { rows, total, page, page_size: size, next_cursor }))
    }

    fn aggregate(&self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        request.require(permission)?;
        let query = if request.method == "POST" {
            request.only(&[])?;
            Value::Object(request.object()?)
        } else {
            request.only(&["group_by", "filter"])?;
            let group_by: Vec<&str> =
                request.query("group_by").map(|fields| fields.split(',').collect()).unwrap_or_default();
            json!({ "group_by": group_by, "filter": filter(request)? })
        };
        let query = AggregateQuery::from_json(&query, false)?;
        let groups = lock(&self.database).aggregate(entity, &self.scope_for(request, permission)?, &query)?;
        Ok(Response::json(200, Value::Array(groups)))
    }

    /// `?field=ordered_on&per=month&func=sum&of=total`: a number for each stretch of time that has rows.
    fn timeseries(&self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        request.require(permission)?;
        request.only(&["field", "per", "func", "of", "filter"])?;
        let field =
            request.query("field").ok_or_else(|| bad_query("`field` names the day or the moment to count by"))?;
        let per = request.query("per").unwrap_or("day");
        let function = request.query("func").unwrap_or("count");
        let mut metric = json!({ "func": function, "as": "value" });
        if let Some(of) = request.query("of") {
            metric["field"] = json!(of);
        }
        let query =
            json!({ "group_by": [{ "field": field, "per": per }], "metrics": [metric], "filter": filter(request)? });
        let query = AggregateQuery::from_json(&query, false)?;
        let groups = lock(&self.database).aggregate(entity, &self.scope_for(request, permission)?, &query)?;
        let series = groups.into_iter().map(|group| json!({ "period": group[field], "value": group["value"] }));
        Ok(Response::json(200, series.collect()))
    }

    /// `{"fields": {"<ref field>": ["<id>", …]}}` → the labels of the rows that they name.
    fn resolve_labels(&self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        request.require(permission)?;
        let scope = self.scope(request)?;
        let database = lock(&self.database);
        let body = request.object()?;
        let Some(wanted) = body.get("fields").and_then(Value::as_object).cloned() else {
            return Err(bad_query("the body is {\"fields\": {\"<reference>\": [\"<id>\", …]}}"));
        };
        let mut labels = Map::new();
        let mut asked = 0;
        for (name, ids) in wanted {
            let Some((field, target)) = entity.field(&name).and_then(|field| Some((field, field.ref_entity.as_ref()?)))
            else {
                return Err(PlatformError::new(400, "db.unknown_field", format!("`{name}` is no reference")));
            };
            let texts = ids.as_array().and_then(|ids| ids.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
            let Some(texts) = texts else {
                return Err(bad_query(format!("`{name}` takes an array of ids, not {ids}")));
            };
            let ids: Vec<String> = texts.into_iter().map(str::to_owned).collect();
            asked += ids.len() as u64;
            if asked > MAX_PAGE_ROWS {
                return Err(bad_query(format!("labels of at most {MAX_PAGE_ROWS} rows can be asked for at once")));
            }
            let code = format!("{}.list", *target);
            let caller = &request.user()?.caller;
            // Whose rows the user may not list at all is told nothing of them; other plugins' entities are public.
            let is_hidden = field.ref_plugin.is_none() && !caller.may(&code);
            let reach = if caller.may(&code) { caller.reach(&code) } else { RowReach::All };
            let referable = database.catalog().referable(entity.plugin(), field).filter(|_| !is_hidden);
            let resolved = match referable {
                Some(target) => database.labels(
                    &target,
                    &scope.clone().within(reach),
                    &ids,
                    field.ref_label_field.as_deref().map(crate::manifest::FieldName::as_str),
                )?,
                None => {
                    let fallback = field.ref_fallback_label.clone().unwrap_or_else(|| target.to_string());
                    ids.into_iter().map(|id| (id, Value::String(fallback.clone()))).collect()
                }
            };
            labels.insert(name, Value::Object(resolved));
        }
        Ok(Response::json(200, Value::Object(labels)))
    }

    /// What happened to a row, the newest first.
    fn history(&self, request: &Request, entity: &EntityRef, id: &str, permission: &str) -> Answer {
        request.require(permission)?;
        request.only(&[])?;
        let scope = self.scope_for(request, permission)?;
        let database = lock(&self.database);
        database.get(entity, &scope, id)?;
        Ok(Response::json(200, json!(database.history(entity, &scope, id)?)))
    }

    fn invoke(&mut self, request: &Request, plugin: &str, entity: &EntityRef, id: &str, name: &str) -> Answer {
        let manifest = Arc::clone(entity.manifest());
        let action =
            manifest.ui.actions.iter().find(|action| action.name.as_str() == name && *action.entity == *entity.name);
        let action = action.ok_or_else(|| request.no_route())?;
        let identity = request.require(&action.permission)?;
        request.only(&[])?;
        let mut input = request.object_or_empty()?;
        // The row must be one that the permission of the button reaches, and one that the user can see; who may only act
        // is told no more than that it is there.
        let listing = format!("{}.list", *entity.name);
        if identity.caller.may(&listing) {
            lock(&self.database).get(entity, &self.scope_for(request, &listing)?, id)?;
        }
        let scope = self.scope_for(request, &action.permission)?;
        let row = lock(&self.database).get(entity, &scope, id)?;
        if action.when.as_ref().is_some_and(|when| !condition_holds(when, entity, &scope, &row.data)) {
            let message = format!("`{name}` cannot be done with this {} as it is now", *entity.name);
            return Err(PlatformError::new(409, "action.unavailable", message));
        }
        input.insert("id".to_owned(), json!(id));
        let input = Value::Object(input);
        let invocation = Invocation::Action { name, input: &input };
        let occasion = Occasion::of(&identity.tenant, Trigger::Action).by(&identity.caller);
        let result = self.call(plugin, &occasion, &invocation, |_| Ok(()))?;
        Ok(Response::json(200, result))
    }
}

/// What a body brings for a row.
struct Record {
    data: Map<String, Value>,
    /// The version of the row that the client saw.
    version: Option<u32>,
}

/// The body is `{"data": {…}, "version": 1}`, or the fields themselves with `version` beside them.
fn record(request: &Request, entity: &EntityRef) -> Result<Record, PlatformError> {
    request.only(&[])?;
    let mut body = request.object()?;
    let version = match body.remove("version") {
        None | Some(Value::Null) => None,
        Some(version) => {
            let number = version.as_u64().and_then(|version| u32::try_from(version).ok());
            Some(number.ok_or_else(|| problem(entity, "version", &format!("must be a whole number, not {version}")))?)
        }
    };
    let data = match body.get("data") {
        Some(Value::Object(data)) if body.len() == 1 => data.clone(),
        _ => body,
    };
    Platform::open_fields(entity, &data)?;
    Ok(Record { data, version })
}

fn problem(entity: &EntityRef, field: &str, message: &str) -> PlatformError {
    let problems = vec![FieldProblem { field: field.to_owned(), message: message.to_owned() }];
    StoreError::Validation { entity: entity.name.to_string(), problems }.into()
}

pub(super) fn bad_query(message: impl Into<String>) -> PlatformError {
    PlatformError::new(400, "http.bad_query", message)
}

pub(super) fn filter(request: &Request) -> Result<Value, PlatformError> {
    match request.query("filter").filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| PlatformError::new(400, "http.bad_query", format!("`filter` is not JSON: {error}"))),
    }
}

pub(super) fn search(request: &Request) -> Option<String> {
    request.query("search").map(str::to_owned)
}
