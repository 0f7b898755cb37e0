//! Generates OpenAPI 3.1 from the routes. The routes of entities appear once for each entity of a manifest.

use erp_manifest::Manifest;
use serde_json::{Map, Value, json};

use super::{
    Access, ApiEntity, ApiField, BodyShape, Exists, QueryKey, QueryValue, ROUTES, RequestBody, Route, ValueKind,
    reference, schemas as shared_schemas,
};

/// Returns the document for all routes, including those of the manifests' entities. It depends only on the arguments.
pub fn openapi<'m>(manifests: impl IntoIterator<Item = &'m Manifest>, server: &str) -> Value {
    let (mut paths, mut schemas, mut tags) = (Map::new(), shared_schemas(), Vec::new());
    for route in ROUTES.iter().filter(|route| !route.is_of_entity()) {
        let tag = route.id.split('.').next().unwrap_or_default();
        let described = json!({ "name": tag });
        if !tags.contains(&described) {
            tags.push(described);
        }
        put(&mut paths, &RouteContext { route, tag, id: route.id.to_owned(), entity: None, action: None });
    }
    for manifest in manifests {
        for entity in ApiEntity::all(manifest) {
            let tag = key(&entity);
            tags.push(json!({ "name": tag, "description": entity.entity.display_name }));
            for route in ROUTES.iter().filter(|route| route.is_of_entity()) {
                rows(&mut paths, route, &entity, &tag);
            }
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

/// Returns the name of an entity in the document: `<plugin>.<entity>`.
fn key(entity: &ApiEntity<'_>) -> String {
    format!("{}.{}", *entity.manifest.metadata.id, *entity.entity.name)
}

fn rows(paths: &mut Map<String, Value>, route: &'static Route, entity: &ApiEntity<'_>, tag: &str) {
    let of = |id: String, action| RouteContext { route, tag, id, entity: Some(entity), action };
    match route.exists {
        Exists::Importable if !entity.entity.importable => {}
        Exists::Exportable if !entity.entity.exportable => {}
        Exists::Always | Exists::Importable | Exists::Exportable => {
            put(paths, &of(format!("{tag}.{}", route.id), None));
        }
        Exists::PerAction => {
            for action in entity.actions() {
                let name = action.name.as_str();
                put(paths, &of(format!("{tag}.{}_{name}", route.id), Some((name, action.label.as_str()))));
            }
        }
    }
}

/// A route with the entity and the action that its description depends on.
struct RouteContext<'a> {
    route: &'static Route,
    tag: &'a str,
    id: String,
    entity: Option<&'a ApiEntity<'a>>,
    /// The name and the label of an action.
    action: Option<(&'a str, &'a str)>,
}

fn put(paths: &mut Map<String, Value>, described: &RouteContext<'_>) {
    let path = described.path();
    let methods = paths.entry(path).or_insert_with(|| json!({}));
    methods[described.route.method.key()] = described.operation();
}

impl RouteContext<'_> {
    /// Returns the path, with the known values in place of parameters.
    fn path(&self) -> String {
        let mut path = self.route.path.replace("...}", "}");
        if let Some(entity) = self.entity {
            path =
                path.replace("{plugin}/{entity}", &format!("{}/{}", *entity.manifest.metadata.id, *entity.entity.name));
        }
        match self.action {
            Some((name, _)) => path.replace("{action}", name),
            None => path,
        }
    }

    fn operation(&self) -> Value {
        let route = self.route;
        let summary = match (self.action, self.entity) {
            (Some((_, label)), _) => label.to_owned(),
            (None, Some(entity)) => format!("{}: {}", route.summary, entity.entity.display_name),
            (None, None) => route.summary.to_owned(),
        };
        let mut success = json!({ "description": "Done" });
        if let Some(content) = self.content(route.answer) {
            success["content"] = content;
        }
        let mut responses = Map::new();
        for status in [Some(route.status), route.also].into_iter().flatten() {
            responses.insert(status.to_string(), success.clone());
        }
        responses.insert("default".to_owned(), json!({ "$ref": "#/components/responses/Error" }));
        let mut operation =
            json!({ "operationId": self.id, "tags": [self.tag], "summary": summary, "responses": responses });
        if !route.about.is_empty() {
            operation["description"] = json!(route.about);
        }
        if route.access == Access::Public {
            operation["security"] = json!([]);
        }
        let parameters: Vec<Value> =
            self.path_parameters().chain(route.query.iter().map(|key| self.query_parameter(key))).collect();
        if !parameters.is_empty() {
            operation["parameters"] = json!(parameters);
        }
        if let Some(body) = self.request_body() {
            operation["requestBody"] = body;
        }
        operation
    }

    fn path_parameters(&self) -> impl Iterator<Item = Value> + '_ {
        let known = |name: &str| {
            (self.entity.is_some() && matches!(name, "plugin" | "entity"))
                || (self.action.is_some() && name == "action")
        };
        self.route.parameters().filter(move |name| !known(name)).map(|name| {
            let is_row = self.entity.is_some() && name == "id";
            let schema =
                if is_row { json!({ "type": "string", "format": "uuid" }) } else { json!({ "type": "string" }) };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
    }

    fn query_parameter(&self, key: &QueryKey) -> Value {
        let mut schema = match key.value {
            QueryValue::Text | QueryValue::RequiredText => json!({ "type": "string" }),
            QueryValue::Number(least) => json!({ "type": "integer", "minimum": least }),
            QueryValue::NumberBetween(least, most, default) => {
                json!({ "type": "integer", "minimum": least, "maximum": most, "default": default })
            }
            QueryValue::OneOf(words) => {
                let words: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
                json!({ "type": "string", "enum": words })
            }
            QueryValue::Flag => json!({ "type": "boolean" }),
        };
        if let (Some(entity), "sort_by") = (self.entity, key.name) {
            let sortable = entity.fields.iter().filter(|field| field.field.sortable);
            let sortable = sortable.map(|field| field.field.name.to_string());
            let all: Vec<String> = sortable.chain(["created_at".to_owned(), "updated_at".to_owned()]).collect();
            schema["enum"] = json!(all);
        }
        let required = key.value == QueryValue::RequiredText;
        json!({ "name": key.name, "in": "query", "required": required, "schema": schema, "description": key.about })
    }

    fn request_body(&self) -> Option<Value> {
        let json_of = |shape| json!({ "application/json": { "schema": self.schema(shape) } });
        let bytes = || json!({ "type": "string", "format": "binary" });
        let (required, content) = match self.route.request {
            RequestBody::Nothing => return None,
            RequestBody::Json(shape) => (true, json_of(shape)),
            RequestBody::MayBeJson(shape) => (false, json_of(shape)),
            RequestBody::Package => {
                let parts = json!({
                    "type": "object", "description": "`package` alone; or `wasm` and `manifest`, and files by their paths",
                    "properties": { "package": bytes(), "wasm": bytes(), "manifest": bytes() },
                });
                let content = json!({
                    "application/octet-stream": { "schema": bytes() }, "multipart/form-data": { "schema": parts },
                });
                (true, content)
            }
            RequestBody::Bytes => (true, json!({ "application/octet-stream": { "schema": bytes() } })),
            RequestBody::Rows => {
                let rows = json!({
                    "type": "object", "required": ["rows"], "properties": {
                        "rows": { "type": "array", "items": self.own("Fields") },
                        "dry_run": { "type": "boolean", "default": false },
                    },
                });
                // The route also accepts CSV, as its description says, but client generators do not support it.
                (true, json!({ "application/json": { "schema": rows } }))
            }
        };
        Some(json!({ "required": required, "content": content }))
    }

    /// Returns the content of a response, by media type; `None` if it is empty.
    fn content(&self, shape: BodyShape) -> Option<Value> {
        let text = || json!({ "schema": { "type": "string" } });
        Some(match shape {
            BodyShape::Nothing => return None,
            BodyShape::Bytes => {
                json!({ "application/octet-stream": { "schema": { "type": "string", "format": "binary" } } })
            }
            BodyShape::Stream => json!({ "text/event-stream": text(), "application/x-ndjson": text() }),
            BodyShape::File => {
                let rows = json!({ "type": "array", "items": self.own("Data") });
                json!({ "application/json": { "schema": rows }, "text/csv": text() })
            }
            shape => json!({ "application/json": { "schema": self.schema(shape) } }),
        })
    }

    fn schema(&self, shape: BodyShape) -> Value {
        match shape {
            BodyShape::Row => self.own("Row"),
            BodyShape::Page => self.own("Page"),
            BodyShape::File => self.own("Data"),
            BodyShape::Create => self.own("Create"),
            BodyShape::Replace => self.own("Replace"),
            BodyShape::Update => self.own("Update"),
            BodyShape::Named(name) => reference(name),
            BodyShape::ListOf(name) => json!({ "type": "array", "items": reference(name) }),
            BodyShape::Any => json!({}),
            BodyShape::Objects => json!({ "type": "array", "items": { "type": "object" } }),
            BodyShape::Object | BodyShape::Nothing | BodyShape::Bytes | BodyShape::Stream => {
                json!({ "type": "object" })
            }
        }
    }

    /// Returns a reference to a schema of the entity; any object without an entity.
    fn own(&self, name: &str) -> Value {
        match self.entity {
            Some(entity) => reference(&format!("{}.{name}", key(entity))),
            None => json!({ "type": "object" }),
        }
    }
}

fn row_schemas(schemas: &mut Map<String, Value>, entity: &ApiEntity<'_>) {
    let tag = key(entity);
    let properties = |wanted: &dyn Fn(&ApiField<'_>) -> bool, nullable: bool| -> Map<String, Value> {
        let fields = entity.fields.iter().filter(|field| wanted(field));
        fields.map(|field| (field.field.name.to_string(), schema_of(field, nullable))).collect()
    };
    let must: Vec<&str> = entity
        .fields
        .iter()
        .filter(|field| field.is_required_on_create())
        .map(|field| field.field.name.as_str())
        .collect();
    let open = |nullable| json!({ "type": "object", "additionalProperties": false, "properties": properties(&|field| field.is_writable(), nullable) });
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
    if !field.is_writable() {
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
