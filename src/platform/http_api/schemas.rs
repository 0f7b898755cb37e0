//! JSON Schemas of the named shapes.

use serde_json::{Map, Value, json};

/// Schemas with their names.
type Schemas = Vec<(&'static str, Value)>;

/// Returns the schemas that [`BodyShape::Named`](super::BodyShape::Named) refers to, by name.
pub fn schemas() -> Map<String, Value> {
    let all = [of_rows(), of_plugins(), of_people_and_nodes(), of_the_dev_host()].into_iter().flatten();
    all.map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// Returns a reference to a named schema.
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn of_rows() -> Schemas {
    let error = object(
        &["code", "message"],
        json!({
            "code": described(text(), "Stable; see `erp-plugin explain CODE`"),
            "message": text(), "details": {}, "retryable": flag(),
        }),
    );
    let error_of_row = json!({ "allOf": [reference("Error"), {
        "type": "object", "required": ["row"], "properties": { "row": { "type": "integer", "minimum": 1 } },
    }] });
    vec![
        ("Error", error),
        (
            "Row",
            object(
                &["id", "data", "created_at", "updated_at", "version"],
                json!({
                    "id": id(), "data": any(), "created_at": moment(), "updated_at": moment(),
                    "version": { "type": "integer", "minimum": 1 },
                }),
            ),
        ),
        (
            "Page",
            object(
                &["items", "page", "page_size"],
                json!({
                    "items": list(json!({})), "total": { "type": ["integer", "null"] }, "page": whole(), "page_size": whole(),
                    "next_cursor": maybe_text(),
                }),
            ),
        ),
        (
            "Import",
            object(
                &["imported", "accepted", "refused", "dry_run", "ids", "errors"],
                json!({
                    "imported": whole(), "accepted": whole(), "refused": whole(), "dry_run": flag(), "ids": list(id()),
                    "errors": list(error_of_row),
                }),
            ),
        ),
        ("Count", object(&["count"], json!({ "count": whole() }))),
        ("Period", object(&["period", "value"], json!({ "period": maybe_text(), "value": {} }))),
        (
            "References",
            object(
                &["fields"],
                json!({
                    "fields": { "type": "object", "additionalProperties": texts() },
                }),
            ),
        ),
        ("Labels", json!({ "type": "object", "additionalProperties": { "type": "object" } })),
        ("Form", object(&["data"], json!({ "data": any(), "is_new": flag() }))),
        (
            "FormPreview",
            object(
                &["data", "hidden", "required", "problems"],
                json!({
                    "data": any(), "hidden": texts(), "required": texts(),
                    "problems": list(object(&["field", "message"], json!({ "field": text(), "message": text() }))),
                }),
            ),
        ),
        ("RowIds", object(&["ids"], json!({ "ids": texts() }))),
        (
            "ActionsOfRows",
            json!({ "type": "object", "additionalProperties": { "type": "array", "items": { "type": "string" } } }),
        ),
    ]
}

fn of_plugins() -> Schemas {
    vec![
        (
            "Health",
            object(
                &["status", "version"],
                json!({
                    "status": described(text(), "`ok`, or `degraded` where a plugin is in error"), "version": text(),
                    "plugins_in_error": list(text()),
                }),
            ),
        ),
        (
            "Plugin",
            object(
                &["id", "version", "status"],
                json!({
                    "id": text(), "version": text(), "status": text(), "error": maybe_text(),
                }),
            ),
        ),
        (
            "PluginDetail",
            object(
                &["id", "name", "version", "status"],
                json!({
                    "id": text(), "name": text(), "version": text(), "status": text(), "error": maybe_text(),
                    "schema_version": whole(), "entities": texts(), "permissions": texts(), "pages": texts(),
                    "settings": list(any()), "subscriptions": texts(),
                }),
            ),
        ),
        (
            "PluginState",
            object(&["id", "version", "status"], json!({ "id": text(), "version": text(), "status": text() })),
        ),
        (
            "PluginHealth",
            object(
                &["status", "plugin_id"],
                json!({
                    "status": { "type": "string", "enum": ["healthy", "unhealthy", "error"] }, "plugin_id": text(),
                    "error": maybe_text(), "state": maybe_text(),
                }),
            ),
        ),
        (
            "Receipt",
            object(
                &["id", "version", "sha256", "content_id", "accepted_at", "signed_by"],
                json!({
                    "id": text(), "version": text(), "sha256": text(), "content_id": text(), "accepted_at": moment(),
                    "signed_by": texts(), "envelope": {},
                }),
            ),
        ),
        ("Rollback", object(&[], json!({ "discard_changes": flag() }))),
        (
            "RollbackResult",
            object(
                &["id", "version"],
                json!({
                    "id": text(), "version": text(), "restored": whole(), "discarded": whole(),
                }),
            ),
        ),
        ("DemoRows", object(&["id", "rows"], json!({ "id": text(), "rows": whole() }))),
        ("Secrets", json!({ "type": "object", "additionalProperties": { "type": "string" } })),
        (
            "Revocations",
            object(
                &[],
                json!({
                    "keys": list(object(&["keyid", "reason"], json!({ "keyid": text(), "reason": text() }))),
                    "packages": list(object(&["sha256", "reason"], json!({ "sha256": text(), "reason": text() }))),
                }),
            ),
        ),
        (
            "PageLink",
            object(
                &["name", "type", "label"],
                json!({
                    "name": text(), "type": text(), "icon": maybe_text(), "label": text(), "menu_group": maybe_text(),
                    "order": { "type": ["integer", "null"] }, "hidden": flag(), "entity": maybe_text(),
                }),
            ),
        ),
    ]
}

fn of_people_and_nodes() -> Schemas {
    vec![
        (
            "User",
            object(
                &["id", "name", "tenant", "permissions"],
                json!({
                    "id": text(), "name": text(), "tenant": text(), "permissions": texts(), "department_id": maybe_text(),
                }),
            ),
        ),
        ("Users", object(&["items"], json!({ "items": list(reference("User")) }))),
        (
            "Departments",
            object(
                &["items"],
                json!({ "items": list(object(&["id", "name"], json!({
            "id": text(), "name": text(), "parent_id": maybe_text(), "users": whole(),
        }))) }),
            ),
        ),
        (
            "Roles",
            object(
                &["items"],
                json!({ "items": list(object(&["role", "permissions"], json!({
            "role": text(), "permissions": texts(),
        }))) }),
            ),
        ),
        ("NodeSettings", object(&[], json!({ "version": text(), "parameters": any(), "place": any() }))),
        ("NodeInput", object(&[], json!({ "version": text(), "parameters": any(), "place": any(), "input": {} }))),
        (
            "NodeQuestion",
            object(
                &["property"],
                json!({ "version": text(), "parameters": any(), "place": any(), "property": text() }),
            ),
        ),
        (
            "NodeResult",
            object(
                &["kind", "version"],
                json!({
                    "kind": text(), "version": text(), "plugin": maybe_text(), "outputs": {}, "supplied": {}, "options": {},
                    "error": reference("Error"),
                }),
            ),
        ),
    ]
}

fn of_the_dev_host() -> Schemas {
    vec![
        ("Calls", object(&["items"], json!({ "items": list(any()) }))),
        ("Replay", object(&[], json!({ "generation": whole() }))),
        (
            "ScenarioOfCalls",
            object(
                &["calls"],
                json!({
                    "calls": list(whole()), "name": text(), "write": flag(),
                }),
            ),
        ),
        ("ScenarioText", object(&["text"], json!({ "text": text(), "file": maybe_text() }))),
        ("Canary", object(&["percent"], json!({ "percent": { "type": "integer", "minimum": 0, "maximum": 100 } }))),
        (
            "Token",
            object(
                &["user", "token", "tenant", "permissions"],
                json!({
                    "user": text(), "token": text(), "tenant": text(), "permissions": texts(), "department": maybe_text(),
                }),
            ),
        ),
        ("UserChange", object(&[], json!({ "tenant": text(), "permissions": texts(), "department": text() }))),
        ("FrameRequest", object(&["plugin"], json!({ "plugin": text() }))),
        ("Frame", object(&["base"], json!({ "base": text() }))),
        ("Names", texts()),
        ("NewTenant", object(&["tenant"], json!({ "tenant": text() }))),
        (
            "NewEvent",
            object(
                &["type"],
                json!({
                    "type": text(), "payload": any(), "tenant": text(),
                    "heard": described(whole(), "0 sends an event that no running plugin subscribes to"),
                }),
            ),
        ),
        ("Deliveries", object(&["delivered"], json!({ "delivered": list(any()) }))),
        (
            "Fault",
            object(
                &["at"],
                json!({
                    "at": described(text(), "A call of the host such as `db.insert`, or `*`, or `commit`"),
                    "subject": text(), "nth": { "type": "integer", "minimum": 1 }, "always": flag(), "error": text(),
                    "delay": described(text(), "A time such as `250ms`"), "fuel": whole(),
                }),
            ),
        ),
        ("Faults", object(&["faults", "places"], json!({ "faults": list(any()), "places": list(text()) }))),
        ("Clock", object(&["now", "ahead_ms"], json!({ "now": moment(), "ahead_ms": whole() }))),
        ("ClockChange", object(&[], json!({ "advance": text(), "set": moment(), "reset": flag() }))),
        ("Quirks", object(&[], json!({ "imitate": flag(), "double_events": flag() }))),
        ("SqlQuery", object(&["sql"], json!({ "sql": text(), "plugin": text() }))),
        ("SqlResult", object(&["columns", "rows"], json!({ "columns": texts(), "rows": list(list(json!({}))) }))),
        ("InvocationResult", object(&["result"], json!({ "result": {} }))),
        (
            "Invocation",
            object(
                &["plugin"],
                json!({
                    "plugin": text(), "function": text(), "arguments": any(), "call": text(),
                }),
            ),
        ),
    ]
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn maybe_text() -> Value {
    json!({ "type": ["string", "null"] })
}

fn texts() -> Value {
    list(text())
}

fn any() -> Value {
    json!({ "type": "object" })
}

fn whole() -> Value {
    json!({ "type": "integer" })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn list(items: Value) -> Value {
    [("type".to_owned(), json!("array")), ("items".to_owned(), items)].into_iter().collect()
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), properties);
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    Value::Object(schema)
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}
