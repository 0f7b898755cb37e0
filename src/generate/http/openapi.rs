//! OpenAPI 3.1.

use serde_json::{Map, Value, json};

use super::model::{ApiEntity, ApiField, ValueKind};
use crate::contract::{MAX_PAGE_ROWS, PAGE_ROWS};
use crate::manifest::Manifest;

/// The document for the entities of plugins and the plugins' own life. The same manifests give the same document.
pub fn openapi<'m>(manifests: impl IntoIterator<Item = &'m Manifest>, server: &str) -> Value {
    let (mut paths, mut schemas, mut tags) = (Map::new(), shared_schemas(), Vec::new());
    tags.push(json!({ "name": "plugins", "description": "The life of plugins" }));
    life(&mut paths);
    for manifest in manifests {
        for entity in ApiEntity::all(manifest) {
            let tag = key(&entity);
            tags.push(json!({ "name": tag, "description": entity.entity.display_name }));
            rows(&mut paths, &entity);
            row_schemas(&mut schemas, &entity);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ERP platform: plugins and their rows", "version": env!("CARGO_PKG_VERSION"),
            "description": "Made from the manifests that are loaded.",
        },
        "servers": [{ "url": server }],
        "security": [{ "token": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Error": {
                "description": "Refused: the code says why",
                "content": { "application/json": { "schema": reference("Error") } },
            } },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// What an entity is called among the schemas.
fn key(entity: &ApiEntity<'_>) -> String {
    format!("{}.{}", *entity.manifest.metadata.id, *entity.entity.name)
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn body(schema: &Value) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": schema } } })
}

fn parameter(name: &str, place: &str, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": place, "required": place == "path", "schema": schema, "description": description })
}

fn query(name: &str, schema: &Value, description: &str) -> Value {
    parameter(name, "query", schema, description)
}

/// An operation: its name, the tag, what it does, what it gives.
struct Operation<'a> {
    id: String,
    tag: &'a str,
    summary: String,
    status: u16,
    gives: Option<Value>,
}

impl Operation<'_> {
    fn json(self, more: Value) -> Value {
        let mut success = json!({ "description": "Done" });
        if let Some(schema) = self.gives {
            success["content"] = json!({ "application/json": { "schema": schema } });
        }
        let mut responses = Map::new();
        responses.insert(self.status.to_string(), success);
        responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Error" }));
        let mut operation = json!({
            "operationId": self.id, "tags": [self.tag], "summary": self.summary, "responses": responses,
        });
        if let (Some(operation), Value::Object(more)) = (operation.as_object_mut(), more) {
            operation.extend(more);
        }
        operation
    }
}

fn life(paths: &mut Map<String, Value>) {
    let operation = |id: &str, summary: &str, status: u16, gives: Option<Value>| Operation {
        id: format!("plugins.{id}"),
        tag: "plugins",
        summary: summary.to_owned(),
        status,
        gives,
    };
    let object = || Some(json!({ "type": "object" }));
    let list = || Some(json!({ "type": "array", "items": { "type": "object" } }));
    let id = parameter("id", "path", &json!({ "type": "string" }), "The plugin");
    let base = "/api/v1/admin/plugins";
    let put = |paths: &mut Map<String, Value>, path: String, methods: Value| paths.insert(path, methods);
    put(paths, base.to_owned(), json!({ "get": operation("list", "All plugins", 200, list()).json(json!({})) }));
    let package = json!({ "requestBody": { "required": true, "content": { "application/octet-stream": {} } } });
    put(
        paths,
        format!("{base}/upload"),
        json!({ "post": operation("upload", "Brings a package", 201, object()).json(package) }),
    );
    put(
        paths,
        format!("{base}/{{id}}"),
        json!({
            "parameters": [id],
            "get": operation("get", "A plugin", 200, object()).json(json!({})),
            "delete": operation("uninstall", "Uninstalls; the data stay", 200, object()).json(json!({})),
        }),
    );
    for (verb, summary) in [
        ("install", "Makes its tables"),
        ("enable", "Starts it"),
        ("disable", "Stops it"),
        ("purge", "Deletes its tables with all rows"),
    ] {
        let gives = if verb == "purge" { None } else { object() };
        let status = if verb == "purge" { 204 } else { 200 };
        let done = operation(verb, summary, status, gives).json(json!({}));
        put(paths, format!("{base}/{{id}}/{verb}"), json!({ "parameters": [id], "post": done }));
    }
    let health = operation("health", "How it is", 200, object()).json(json!({}));
    put(paths, format!("{base}/{{id}}/health"), json!({ "parameters": [id], "get": health }));
    let settings = json!({
        "parameters": [id],
        "get": operation("settings", "Its settings for the caller's tenant", 200, object()).json(json!({})),
        "put": operation("set_settings", "Changes settings", 200, object())
            .json(json!({ "requestBody": body(&json!({ "type": "object" })) })),
    });
    put(paths, format!("{base}/{{id}}/config"), settings);
    let registry = operation("entities", "The entities that the user may see", 200, list()).json(json!({}));
    put(paths, "/api/v1/plugin-registry/entities".to_owned(), json!({ "get": registry }));
    let mut alive = operation("alive", "Whether the platform answers", 200, object()).json(json!({}));
    alive["security"] = json!([]);
    put(paths, "/health".to_owned(), json!({ "get": alive }));
}

fn rows(paths: &mut Map<String, Value>, entity: &ApiEntity<'_>) {
    let tag = key(entity);
    let operation = |verb: &str, summary: &str, status: u16, gives: Option<Value>| Operation {
        id: format!("{tag}.{verb}"),
        tag: &tag,
        summary: format!("{summary}: {}", entity.entity.display_name),
        status,
        gives,
    };
    let row = || Some(reference(&format!("{tag}.Row")));
    let base = entity.path();
    let id = parameter("id", "path", &json!({ "type": "string", "format": "uuid" }), "The row");
    let text = || json!({ "type": "string" });
    let number = || json!({ "type": "integer", "minimum": 1 });
    let filter = query("filter", &text(), "JSON, such as {\"status\":\"open\"}");
    let search = query("search", &text(), "Text to look for in the searchable fields");
    let sortable = entity.fields.iter().filter(|field| field.field.sortable).map(|field| field.field.name.to_string());
    let sortable: Vec<String> = sortable.chain(["created_at".to_owned(), "updated_at".to_owned()]).collect();
    let list = json!({ "parameters": [
        query("page", &number(), "From 1; not together with cursor"),
        query("page_size", &json!({ "type": "integer", "minimum": 1, "maximum": MAX_PAGE_ROWS, "default": PAGE_ROWS }), "Rows of a page"),
        query("cursor", &text(), "Where the page before ended"),
        search, filter,
        query("sort_by", &json!({ "type": "string", "enum": sortable }), "The field that orders"),
        query("sort_order", &json!({ "type": "string", "enum": ["asc", "desc"] }), "Its direction"),
    ] });
    let write = |schema: &str| json!({ "requestBody": body(&reference(&format!("{tag}.{schema}"))) });
    paths.insert(
        base.clone(),
        json!({
            "get": operation("list", "Lists rows", 200, Some(reference(&format!("{tag}.Page")))).json(list),
            "post": operation("create", "Makes a row", 201, row()).json(write("Create")),
        }),
    );
    let version = query("version", &number(), "The version that the client saw");
    paths.insert(
        format!("{base}/{{id}}"),
        json!({
            "parameters": [id],
            "get": operation("get", "Reads a row", 200, row()).json(json!({})),
            "put": operation("replace", "Replaces a row", 200, row()).json(write("Replace")),
            "patch": operation("update", "Changes fields of a row", 200, row()).json(write("Update")),
            "delete": operation("delete", "Deletes a row", 204, None).json(json!({ "parameters": [version] })),
        }),
    );
    let object = || json!({ "type": "object" });
    let objects = || json!({ "type": "array", "items": { "type": "object" } });
    let mut put = |path: &str, method: &str, operation: Value| {
        paths.insert(format!("{base}/{path}"), json!({ method: operation }));
    };
    let count = json!({ "type": "object", "required": ["count"], "properties": { "count": { "type": "integer" } } });
    put(
        "count",
        "get",
        operation("count", "Counts rows", 200, Some(count)).json(json!({ "parameters": [filter, search] })),
    );
    let groups = operation("aggregate", "Computes over groups of rows", 200, Some(objects()));
    put("aggregate", "post", groups.json(json!({ "requestBody": body(&object()) })));
    let series = json!({ "parameters": [
        parameter("field", "query", &text(), "A day or a moment"),
        query("per", &json!({ "type": "string", "enum": ["year", "month", "day", "hour"] }), "The length of a stretch"),
        query("func", &json!({ "type": "string", "enum": ["count", "sum", "avg", "min", "max"] }), "What is computed"),
        query("of", &text(), "The field that is computed over"), filter,
    ] });
    put(
        "timeseries",
        "get",
        operation("timeseries", "A number for each stretch of time", 200, Some(objects())).json(series),
    );
    let labels = json!({ "requestBody": body(&json!({
        "type": "object", "required": ["fields"],
        "properties": { "fields": { "type": "object", "additionalProperties": { "type": "array", "items": { "type": "string" } } } },
    })) });
    put("resolve-labels", "post", operation("labels", "Labels of referenced rows", 200, Some(object())).json(labels));
    if entity.entity.importable {
        let rows = json!({ "requestBody": { "required": true, "content": {
            "application/json": { "schema": {
                "type": "object", "required": ["rows"], "properties": {
                    "rows": { "type": "array", "items": reference(&format!("{tag}.Fields")) },
                    "dry_run": { "type": "boolean", "default": false },
                },
            } },
            "text/csv": { "schema": { "type": "string" } },
        } } });
        put("import", "post", operation("import", "Brings many rows", 200, Some(reference("Import"))).json(rows));
    }
    if entity.entity.exportable {
        let format =
            query("format", &json!({ "type": "string", "enum": ["csv", "json"], "default": "csv" }), "Of the file");
        let mut export = operation("export", "All rows as a file", 200, Some(objects()))
            .json(json!({ "parameters": [format, filter, search] }));
        export["responses"]["200"]["content"]["text/csv"] = json!({ "schema": { "type": "string" } });
        put("export", "get", export);
    }
    for action in entity.actions() {
        let name = action.name.as_str();
        let mut act = operation(&format!("action_{name}"), &action.label, 200, Some(json!({})));
        act.summary.clone_from(&action.label);
        let act = act.json(json!({ "requestBody": { "content": { "application/json": { "schema": object() } } } }));
        paths.insert(format!("{base}/{{id}}/actions/{name}"), json!({ "parameters": [id], "post": act }));
    }
}

fn row_schemas(schemas: &mut Map<String, Value>, entity: &ApiEntity<'_>) {
    let tag = key(entity);
    let properties = |wanted: &dyn Fn(&ApiField<'_>) -> bool, nullable: bool| -> Map<String, Value> {
        let fields = entity.fields.iter().filter(|field| wanted(field));
        fields.map(|field| (field.field.name.to_string(), schema_of(field, nullable))).collect()
    };
    let must: Vec<&str> =
        entity.fields.iter().filter(|field| field.must_come()).map(|field| field.field.name.as_str()).collect();
    let open = |nullable| json!({ "type": "object", "additionalProperties": false, "properties": properties(&|field| field.is_open(), nullable) });
    let mut fields = open(true);
    fields["required"] = json!(must);
    let data = json!({ "type": "object", "description": entity.entity.description, "properties": properties(&|_| true, false) });
    let version = json!({ "type": "integer", "minimum": 1, "description": "The version that the client saw" });
    schemas.insert(format!("{tag}.Data"), without_nulls(data));
    schemas.insert(format!("{tag}.Fields"), fields);
    schemas.insert(
        format!("{tag}.Row"),
        json!({ "allOf": [reference("Row"), {
        "type": "object", "required": ["data"], "properties": { "data": reference(&format!("{tag}.Data")) },
    }] }),
    );
    schemas.insert(
        format!("{tag}.Page"),
        json!({ "allOf": [reference("Page"), {
        "type": "object", "required": ["items"],
        "properties": { "items": { "type": "array", "items": reference(&format!("{tag}.Row")) } },
    }] }),
    );
    schemas.insert(
        format!("{tag}.Create"),
        json!({
            "type": "object", "required": ["data"], "properties": { "data": reference(&format!("{tag}.Fields")) },
        }),
    );
    schemas.insert(
        format!("{tag}.Replace"),
        json!({
            "type": "object", "required": ["data", "version"],
            "properties": { "data": reference(&format!("{tag}.Fields")), "version": version },
        }),
    );
    schemas.insert(
        format!("{tag}.Update"),
        json!({
            "type": "object", "required": ["data", "version"], "properties": { "data": open(true), "version": version },
        }),
    );
}

fn without_nulls(mut schema: Value) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.retain(|_, value| !value.is_null());
    }
    schema
}

fn schema_of(field: &ApiField<'_>, nullable: bool) -> Value {
    let mut schema = kind_schema(&field.kind);
    if nullable && !field.field.required {
        match schema.get("type").and_then(Value::as_str).map(str::to_owned) {
            Some(kind) => schema["type"] = json!([kind, "null"]),
            None => return schema,
        }
        if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
    }
    schema["title"] = json!(field.field.label());
    if let Some(description) = &field.field.description {
        schema["description"] = json!(description);
    }
    if !field.is_open() {
        schema["readOnly"] = json!(true);
    }
    schema
}

fn kind_schema(kind: &ValueKind) -> Value {
    match kind {
        ValueKind::Text(None) => json!({ "type": "string" }),
        ValueKind::Text(Some(format)) => json!({ "type": "string", "format": format }),
        ValueKind::Decimal => json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" }),
        ValueKind::Integer => json!({ "type": "integer", "format": "int64" }),
        ValueKind::Float => json!({ "type": "number" }),
        ValueKind::Boolean => json!({ "type": "boolean" }),
        ValueKind::Choice(values) => json!({ "type": "string", "enum": values }),
        ValueKind::List(item) => json!({ "type": "array", "items": kind_schema(item) }),
        ValueKind::Place => json!({
            "type": "object", "required": ["lat", "lng"],
            "properties": { "lat": { "type": "number" }, "lng": { "type": "number" } },
        }),
        ValueKind::Json => json!({}),
    }
}

fn shared_schemas() -> Map<String, Value> {
    let error = json!({
        "type": "object", "required": ["code", "message"],
        "properties": {
            "code": { "type": "string", "description": "Stable; `erp-plugin explain` knows it" },
            "message": { "type": "string" }, "details": {},
        },
    });
    let row = json!({
        "type": "object", "required": ["id", "data", "created_at", "updated_at", "version"],
        "properties": {
            "id": { "type": "string", "format": "uuid" }, "data": { "type": "object" },
            "created_at": { "type": "string", "format": "date-time" },
            "updated_at": { "type": "string", "format": "date-time" },
            "version": { "type": "integer", "minimum": 1 },
        },
    });
    let page = json!({
        "type": "object", "required": ["items", "page", "page_size"],
        "properties": {
            "items": { "type": "array" }, "total": { "type": ["integer", "null"] }, "page": { "type": "integer" },
            "page_size": { "type": "integer" }, "next_cursor": { "type": ["string", "null"] },
        },
    });
    let import = json!({
        "type": "object", "required": ["imported", "accepted", "refused", "dry_run", "ids", "errors"],
        "properties": {
            "imported": { "type": "integer" }, "accepted": { "type": "integer" }, "refused": { "type": "integer" },
            "dry_run": { "type": "boolean" }, "ids": { "type": "array", "items": { "type": "string", "format": "uuid" } },
            "errors": { "type": "array", "items": { "allOf": [reference("Error"), {
                "type": "object", "required": ["row"], "properties": { "row": { "type": "integer", "minimum": 1 } },
            }] } },
        },
    });
    [("Error", error), ("Row", row), ("Page", page), ("Import", import)]
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}
