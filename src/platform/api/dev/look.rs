//! `/_dev/rows`, `/_dev/history`, `/_dev/sql`, `/_dev/exports`, `/_dev/invoke`: reads of stored data, and any call.

use erp_manifest::codes::errors;
use erp_manifest::{TenantId, table_name};
use serde_json::{Map, Value, json};

use super::super::rows::bad_query;
use super::super::{Answer, Request, Response};
use super::DevRoutes;
use crate::{Origin, PlatformError};

/// Maximum number of rows in a response.
const MAX_ROWS: usize = 500;

impl DevRoutes<'_> {
    pub(in crate::api) fn inspect_history(&self, request: &Request, plugin: &str, entity: &str, id: &str) -> Answer {
        let entity = self
            .platform
            .database
            .lock()
            .catalog()
            .entity(&self.platform.installed(plugin)?.manifest.metadata.id, entity)?;
        let tenant = match tenant_of(request)? {
            Some(tenant) => tenant,
            None => request.user()?.tenant.clone(),
        };
        let scope = erp_storage::Scope::of_tenant(&tenant, self.platform.now());
        let history = self.platform.database.lock().reader().history(&entity, &scope, id)?;
        Ok(Response::json(200, json!(history)))
    }

    /// Runs the read-only statement in `{"sql", "plugin"}`.
    pub(in crate::api) fn query_sql(&self, request: &Request) -> Answer {
        let body = request.object()?;
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let sql = text("sql").ok_or_else(|| bad_query("the body is {\"sql\": \"select …\", \"plugin\": \"…\"}"))?;
        let (columns, rows) = self.platform.inspect(text("plugin"), None, sql, MAX_ROWS)?;
        Ok(Response::json(200, json!({ "columns": columns, "rows": rows })))
    }

    pub(in crate::api) fn list_exports(&self, plugin: &str) -> Answer {
        let loaded = self.platform.loaded(plugin).ok_or_else(|| not_running(plugin))?;
        Ok(Response::json(200, json!(loaded.exported_functions())))
    }

    /// Returns rows of all tenants or of `?tenant=`, newest first; with `?deleted=true`, also deleted rows.
    pub(in crate::api) fn inspect_rows(&self, request: &Request, plugin: &str, entity: &str) -> Answer {
        let manifest = std::sync::Arc::clone(&self.platform.installed(plugin)?.manifest);
        let entity = manifest.entity(entity).ok_or_else(|| request.no_route())?;
        let table = table_name(&manifest.metadata.id, &entity.name);
        // The names are safe in SQL: the rules for names in manifests and for `TenantId` allow no quotes.
        let tenant = tenant_of(request)?.map(|tenant| format!("tenant_id = '{tenant}'"));
        let live = (request.query("deleted") != Some("true")).then(|| "deleted_at is null".to_owned());
        let conditions: Vec<String> = tenant.into_iter().chain(live).collect();
        let only = if conditions.is_empty() { String::new() } else { format!("where {}", conditions.join(" and ")) };
        let sql = format!(
            "select id, tenant_id, data, version, created_at, created_by, updated_at, updated_by, deleted_at \
             from \"{table}\" {only} order by id desc limit {MAX_ROWS}"
        );
        let (names, rows) = self.platform.inspect(None, None, &sql, MAX_ROWS)?;
        let shown = rows.into_iter().map(|row| {
            let mut row: Map<String, Value> = names.iter().cloned().zip(row).collect();
            if let Some(data) = row.get("data").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok())
            {
                row.insert("data".to_owned(), data);
            }
            Value::Object(row)
        });
        Ok(Response::json(200, shown.collect()))
    }

    /// Calls `{"plugin", "call": "<WAVE>"}` or `{"plugin", "function", "arguments"}` for the user of the request.
    pub(in crate::api) fn invoke_any(&mut self, request: &Request) -> Answer {
        let body = request.object()?;
        let own = request.user()?.clone();
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let plugin = text("plugin").ok_or_else(|| bad_query("the body needs `plugin`"))?.to_owned();
        if self.platform.loaded(&plugin).is_none() {
            return Err(not_running(&plugin));
        }
        let mut exports = self.platform.exports().on_behalf_of(Origin::of(request));
        let given = match (text("call"), text("function")) {
            (Some(call), None) => exports.call_wave(&plugin, &own, call.trim()),
            (None, Some(function)) => {
                let arguments = match body.get("arguments") {
                    None | Some(Value::Null) => Map::new(),
                    Some(Value::Object(arguments)) => arguments.clone(),
                    Some(other) => return Err(bad_query(format!("`arguments` is an object of names, not {other}"))),
                };
                exports.call(&plugin, &own, function.trim(), &arguments)
            }
            _ => return Err(bad_query("the body needs `call` (WAVE), or `function` with `arguments` (JSON)")),
        };
        Ok(Response::json(200, json!({ "result": given? })))
    }
}

fn not_running(plugin: &str) -> PlatformError {
    PlatformError::new(errors::PLUGIN_INVALID_STATE, format!("the plugin `{plugin}` is not running"))
}

fn tenant_of(request: &Request) -> Result<Option<TenantId>, PlatformError> {
    let Some(name) = request.query("tenant").filter(|name| !name.is_empty()) else { return Ok(None) };
    TenantId::named(name).map(Some).map_err(bad_query)
}
