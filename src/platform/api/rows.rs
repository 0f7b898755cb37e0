//! `/api/v1/plugins/{plugin}/{entity}`: rows.

use std::sync::Arc;

use erp_manifest::codes::errors;
use erp_manifest::contract::{MAX_PAGE_ROWS, PAGE_ROWS};
use erp_manifest::document::did_you_mean;
use erp_manifest::{LIST, MANAGE, PermissionCode};
use erp_runtime::{Invocation, Trigger, lock};
use erp_storage::{
    AggregateQuery, EntityRef, FieldProblem, ListQuery, ListedRows, Row, RowReach, Scope, StoreError, condition_holds,
};
use erp_store::{Database, PluginStatus};
use serde_json::{Map, Value, json};

use super::import::open_fields;
use super::{Answer, Request, Response, RowPage};
use crate::call::Occasion;
use crate::http_api::{Access, Match};
use crate::{Origin, Platform, PlatformError};

impl Platform {
    /// Returns the rows of the entity in the path, after checking the permission that the route needs.
    pub(super) fn rows_of(&mut self, request: &Request, found: &Match<'_>) -> Result<Rows<'_>, PlatformError> {
        let entity = self.running_entity(found.value("plugin"), found.value("entity"))?;
        let verb = match found.route.access {
            Access::ListEntity => LIST,
            Access::ManageEntity => MANAGE,
            // Every route of rows needs a permission of the entity.
            Access::Public | Access::User | Access::Permission(_) | Access::Declared => return Err(request.no_route()),
        };
        let permission = PermissionCode::of(&entity.name, verb);
        request.require(&permission)?;
        Ok(Rows { platform: self, entity, permission })
    }

    fn running_entity(&self, plugin: &str, entity: &str) -> Result<EntityRef, PlatformError> {
        let installed = self.installed(plugin)?;
        if installed.status != PluginStatus::Running {
            let message = format!("the plugin `{plugin}` is {}: enable it first", installed.status.word());
            return Err(PlatformError::new(errors::PLUGIN_INVALID_STATE, message));
        }
        Ok(self.database.lock().catalog().entity(&installed.manifest.metadata.id, entity)?)
    }

    pub(super) fn scope(&self, request: &Request) -> Result<Scope, PlatformError> {
        let identity = request.user()?;
        Ok(Scope::of_tenant(&identity.tenant, self.now()).by(&identity.caller.id))
    }

    /// Returns the scope of the rows that the user reaches with a permission.
    pub(super) fn scope_for(&self, request: &Request, permission: &PermissionCode) -> Result<Scope, PlatformError> {
        let reach = request.require(permission)?.caller.reach(permission);
        Ok(self.scope(request)?.within(reach))
    }

    /// Runs an action of `[[ui.actions]]`, which needs its own permission.
    pub(super) fn invoke_action(&mut self, request: &Request, found: &Match<'_>) -> Answer {
        let (plugin, id, name) = (found.value("plugin"), found.value("id"), found.value("action"));
        let entity = &self.running_entity(plugin, found.value("entity"))?;
        let manifest = Arc::clone(entity.manifest());
        let action =
            manifest.ui.actions.iter().find(|action| action.name.as_str() == name && *action.entity == *entity.name);
        let Some(action) = action else {
            request.user()?;
            let known = manifest.ui.actions.iter().filter(|action| *action.entity == *entity.name);
            let help = did_you_mean(name, known.map(|action| action.name.as_str()));
            let help = help.map_or_else(String::new, |help| format!("; {help}"));
            let message = format!("`{}` has no button `{name}`{help}", entity.qualified_name());
            return Err(PlatformError::new(errors::HTTP_NO_ROUTE, message));
        };
        let identity = request.require(&action.permission)?;
        let mut input = request.object_or_empty()?;
        // The row must be in the reach of the action's permission. If the user may list rows, it must also be in the
        // reach of that permission. A user who may not list rows only learns that the row exists.
        let listing = PermissionCode::list(&entity.name);
        if identity.caller.may(&listing) {
            self.database.lock().reader().get(entity, &self.scope_for(request, &listing)?, id)?;
        }
        let scope = self.scope_for(request, &action.permission)?;
        let row = self.database.lock().reader().get(entity, &scope, id)?;
        if action.when.as_ref().is_some_and(|when| !condition_holds(when, entity, &scope, &row.data)) {
            let message = format!("`{name}` cannot be done with this {} as it is now", *entity.name);
            return Err(PlatformError::new(errors::ACTION_UNAVAILABLE, message));
        }
        input.insert("id".to_owned(), json!(id));
        let input = Value::Object(input);
        let invocation = Invocation::Action { name: name.to_owned(), input };
        let occasion = Occasion::of(&identity.tenant, Trigger::Action).by(&identity.caller);
        let occasion = occasion.caused_by(&Origin::of(request));
        let result = self.call(plugin, &occasion, &invocation, |_| Ok(()))?;
        Ok(Response::json(200, result))
    }
}

/// Rows of an entity, and the permission by which a user reaches them.
pub(super) struct Rows<'p> {
    pub(super) platform: &'p mut Platform,
    pub(super) entity: EntityRef,
    pub(super) permission: PermissionCode,
}

impl Rows<'_> {
    pub(super) fn list(self, request: &Request) -> Answer {
        let Rows { platform, entity, permission } = self;
        let (entity, permission) = (&entity, &permission);
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
        let found =
            platform.database.lock().reader().list(entity, &platform.scope_for(request, permission)?, &query)?;
        let ListedRows { rows, next_cursor, total } = found;
        Ok(Response::rows(RowPage { rows, total, page, page_size: size, next_cursor }))
    }

    pub(super) fn aggregate(self, request: &Request) -> Answer {
        let Rows { platform, entity, permission } = self;
        let (entity, permission) = (&entity, &permission);
        let query = if request.method == "POST" {
            Value::Object(request.object()?)
        } else {
            let group_by: Vec<&str> =
                request.query("group_by").map(|fields| fields.split(',').collect()).unwrap_or_default();
            json!({ "group_by": group_by, "filter": filter(request)? })
        };
        let query = AggregateQuery::from_json(&query, false)?;
        let groups =
            platform.database.lock().reader().aggregate(entity, &platform.scope_for(request, permission)?, &query)?;
        Ok(Response::json(200, Value::Array(groups)))
    }

    /// Returns a value for each period that has rows: `?field=ordered_on&per=month&func=sum&of=total`.
    pub(super) fn timeseries(self, request: &Request) -> Answer {
        let Rows { platform, entity, permission } = self;
        let (entity, permission) = (&entity, &permission);
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
        let groups =
            platform.database.lock().reader().aggregate(entity, &platform.scope_for(request, permission)?, &query)?;
        let series = groups.into_iter().map(|group| json!({ "period": group[field], "value": group["value"] }));
        Ok(Response::json(200, series.collect()))
    }

    /// Takes `{"fields": {"<ref field>": ["<id>", …]}}`. Returns the labels of the rows with these ids.
    pub(super) fn resolve_labels(self, request: &Request) -> Answer {
        let Rows { platform, entity, .. } = self;
        let scope = platform.scope(request)?;
        let database = platform.database.lock();
        let body = request.object()?;
        let Some(wanted) = body.get("fields").and_then(Value::as_object).cloned() else {
            return Err(bad_query("the body is {\"fields\": {\"<reference>\": [\"<id>\", …]}}"));
        };
        let mut labels = Map::new();
        let mut asked = 0;
        for (name, ids) in wanted {
            let Some((field, target)) = entity.field(&name).and_then(|field| Some((field, field.ref_entity.as_ref()?)))
            else {
                return Err(PlatformError::new(errors::DB_UNKNOWN_FIELD, format!("`{name}` is no reference")));
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
            let code = PermissionCode::list(target);
            let caller = &request.user()?.caller;
            // Rows of this plugin that the user may not list stay hidden; other plugins' referable entities are public.
            let is_hidden = field.ref_plugin.is_none() && !caller.may(&code);
            let reach = if caller.may(&code) { caller.reach(&code) } else { RowReach::All };
            let referable = database.catalog().referable(entity.plugin(), field).filter(|_| !is_hidden);
            let resolved = match referable {
                Some(target) => database.reader().labels(
                    &target,
                    &scope.clone().within(reach),
                    &ids,
                    field.ref_label_field.as_deref().map(erp_manifest::FieldName::as_str),
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

    pub(super) fn count(self, request: &Request) -> Answer {
        let query = ListQuery { filter: filter(request)?, search: search(request), ..ListQuery::default() };
        let scope = self.platform.scope_for(request, &self.permission)?;
        let count = self.platform.database.lock().reader().count(&self.entity, &scope, &query)?;
        Ok(Response::json(200, json!({ "count": count })))
    }

    pub(super) fn show(self, request: &Request, id: &str) -> Answer {
        let scope = self.platform.scope_for(request, &self.permission)?;
        let row = self.platform.database.lock().reader().get(&self.entity, &scope, id)?;
        Ok(Response::row(200, row))
    }

    /// Returns the changes of a row, newest first.
    pub(super) fn history(self, request: &Request, id: &str) -> Answer {
        let scope = self.platform.scope_for(request, &self.permission)?;
        let database = self.platform.database.lock();
        database.reader().get(&self.entity, &scope, id)?;
        Ok(Response::json(200, json!(database.reader().history(&self.entity, &scope, id)?)))
    }

    pub(super) fn create(self, request: &Request) -> Answer {
        let Record { data, version } = record(request, &self.entity)?;
        if version.is_some() {
            return Err(problem(&self.entity, "version", "is set by the host"));
        }
        let scope = self.platform.scope_for(request, &self.permission)?;
        let row = self.platform.unit::<_, StoreError>(|database, surroundings| {
            database.writer().insert(&self.entity, &scope, &data, &mut || lock(surroundings).uuid())
        })?;
        Ok(Response::row(201, row))
    }

    pub(super) fn replace(self, request: &Request, id: &str) -> Answer {
        self.write(request, |database, entity, scope, data, version| {
            database.writer().replace(entity, scope, id, data, Some(version))
        })
    }

    pub(super) fn update(self, request: &Request, id: &str) -> Answer {
        self.write(request, |database, entity, scope, data, version| {
            database.writer().update(entity, scope, id, data, Some(version))
        })
    }

    /// Changes a row, if its version is still the one that the client has seen.
    fn write(
        self,
        request: &Request,
        write: impl Fn(&mut Database, &EntityRef, &Scope, &Map<String, Value>, u32) -> Result<Row, StoreError>,
    ) -> Answer {
        let Record { data, version } = record(request, &self.entity)?;
        let version = version.ok_or_else(|| {
            let message = "the body needs `version`: the version of the row that you changed";
            PlatformError::new(errors::HTTP_MISSING_VERSION, message)
        })?;
        let scope = self.platform.scope_for(request, &self.permission)?;
        let row =
            self.platform.unit::<_, StoreError>(|database, _| write(database, &self.entity, &scope, &data, version))?;
        Ok(Response::row(200, row))
    }

    pub(super) fn delete(self, request: &Request, id: &str) -> Answer {
        let version = request.number("version")?;
        let scope = self.platform.scope_for(request, &self.permission)?;
        self.platform
            .unit::<_, StoreError>(|database, _| database.writer().delete(&self.entity, &scope, id, version))?;
        Ok(Response::empty(204))
    }
}

/// The fields and the version in a request body.
struct Record {
    data: Map<String, Value>,
    /// The version of the row that the client saw.
    version: Option<u32>,
}

/// Reads a body: `{"data": {…}, "version": 1}`, or the fields themselves next to `version`.
fn record(request: &Request, entity: &EntityRef) -> Result<Record, PlatformError> {
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
    open_fields(entity, &data)?;
    Ok(Record { data, version })
}

fn problem(entity: &EntityRef, field: &str, message: &str) -> PlatformError {
    let problems = vec![FieldProblem { field: field.to_owned(), message: message.to_owned() }];
    StoreError::Validation { entity: entity.name.to_string(), problems }.into()
}

pub(super) fn bad_query(message: impl Into<String>) -> PlatformError {
    PlatformError::new(errors::HTTP_BAD_QUERY, message)
}

pub(super) fn filter(request: &Request) -> Result<Value, PlatformError> {
    match request.query("filter").filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) => serde_json::from_str(text)
            .map_err(|error| PlatformError::new(errors::HTTP_BAD_QUERY, format!("`filter` is not JSON: {error}"))),
    }
}

pub(super) fn search(request: &Request) -> Option<String> {
    request.query("search").map(str::to_owned)
}
