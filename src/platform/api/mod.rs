//! The HTTP API as a function: a request in, a response out. Paths and bodies are the platform's;
//! `/_dev` is what only a dev host has.

mod admin;
mod dev;
mod nodes;
mod registry;
mod request;
mod rows;

pub use request::{Body, Request, Response};

use serde_json::{Value, json};

use super::dependencies::Stage;
use super::pages::permission_of;
use super::permission::PLUGIN_ADMIN;
use super::{Identity, Platform, PlatformError};
use crate::document::parse_strict_json;
use crate::expression::Expression;

type Answer = Result<Response, PlatformError>;

impl Platform {
    /// Answers a request.
    pub fn handle(&mut self, request: &Request) -> Response {
        let answer = self.route(request).unwrap_or_else(|error| Response::json(error.status, error.to_json()));
        // What the request told is delivered before the client hears of it, so that a client that
        // asks next sees the effects. A failing delivery is in the activity and in the database.
        match self.deliver_events() {
            Ok(()) => answer,
            Err(error) => {
                let error = PlatformError::from(error);
                Response::json(error.status, error.to_json())
            }
        }
    }

    fn route(&mut self, request: &Request) -> Answer {
        let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let is_get = request.method == "GET";
        match path.as_slice() {
            ["health"] if is_get => {
                Ok(Response::json(200, json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })))
            }
            ["api", "v1", "admin", "plugins", rest @ ..] => {
                require(request, PLUGIN_ADMIN)?;
                self.admin(request, rest)
            }
            ["api", "v1", "registry", rest @ ..] => self.registry_route(request, rest),
            ["api", "v1", "plugin-registry", "entities"] if is_get => self.registry(request),
            ["api", "v1", "nodes", rest @ ..] => self.nodes_route(request, rest),
            ["api", "v1", "processors", rest @ ..] => self.processors_route(request, rest),
            ["api", "v1", "plugins", plugin, "pages"] if is_get => self.pages(request, plugin),
            ["api", "v1", "plugins", plugin, "pages", page] if is_get => {
                Ok(Response::json(200, self.page(identity(request)?, plugin, page)?))
            }
            ["api", "v1", "plugins", plugin, entity, rest @ ..] => self.rows(request, plugin, entity, rest),
            ["_dev", rest @ ..] => {
                require(request, PLUGIN_ADMIN)?;
                self.dev(request, rest)
            }
            _ => Err(no_route(request)),
        }
    }

    /// The entities of all installed plugins, with labels in the language of the request.
    fn registry(&self, request: &Request) -> Answer {
        let identity = identity(request)?;
        let mut entities = Vec::new();
        for installed in self.plugins.values().filter(|plugin| Stage::Installed.is_reached_by(plugin.status)) {
            let manifest = &installed.manifest;
            for entity in &manifest.schema.entities {
                let code = format!("{}.list", *entity.name);
                if !entity.is_public && !identity.caller.may(&code) {
                    continue;
                }
                let fields: Vec<Value> = entity
                    .fields
                    .iter()
                    .map(|field| {
                        let key = format!("entity.{}.{}", *entity.name, *field.name);
                        json!({
                            "name": *field.name, "field_type": field.field_type.word(), "base_type": field.field_type.base().word(),
                            "display_name": installed.label(request, &key, field.label()), "required": field.required,
                            "read_only": field.read_only || field.computed.is_some(),
                            "visible_when": field.visible_when.as_ref().map(Expression::as_str),
                            "ui_widget": field.ui_widget.as_ref().map(|widget| widget.word()),
                        })
                    })
                    .collect();
                entities.push(json!({
                    "plugin": *manifest.metadata.id, "entity": *entity.name,
                    "display_name": installed.label(request, &format!("entity.{}", *entity.name), &entity.display_name),
                    "is_public": entity.is_public, "fields": fields,
                }));
            }
        }
        Ok(Response::json(200, Value::Array(entities)))
    }

    /// The pages that the user may open.
    fn pages(&self, request: &Request, plugin: &str) -> Answer {
        let identity = identity(request)?;
        let installed = self.installed(plugin)?;
        let manifest = &installed.manifest;
        let pages: Vec<Value> = manifest
            .ui
            .pages
            .iter()
            .filter(|page| permission_of(page).is_none_or(|code| identity.caller.may(&code)))
            .map(|page| {
                json!({
                    "name": page.route(), "type": page.r#type.word(), "label": installed.label(request, &format!("page.{}", page.route()), &page.label), "menu_group": page.menu_group,
                    "entity": page.entity.as_ref().map(|entity| entity.as_str()),
                })
            })
            .collect();
        Ok(Response::json(200, Value::Array(pages)))
    }
}

fn identity(request: &Request) -> Result<&Identity, PlatformError> {
    request.identity.as_ref().ok_or_else(|| {
        if request.has_token {
            PlatformError::new(401, "auth.invalid", "nobody here has this bearer token")
        } else {
            PlatformError::new(401, "auth.missing", "this needs a bearer token: `authorization: Bearer …`")
        }
    })
}

fn require<'r>(request: &'r Request, permission: &str) -> Result<&'r Identity, PlatformError> {
    let identity = identity(request)?;
    if identity.caller.may(permission) { Ok(identity) } else { Err(PlatformError::denied(permission)) }
}

fn no_route(request: &Request) -> PlatformError {
    PlatformError::new(404, "http.no_route", format!("there is nothing at {} {}", request.method, request.path))
}

/// The body as a JSON object.
fn object(request: &Request) -> Result<serde_json::Map<String, Value>, PlatformError> {
    let bad = |why: String| PlatformError::new(400, "http.bad_json", format!("the body is not a JSON object: {why}"));
    match parse_strict_json(&request.body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(bad("it is another value".to_owned())),
        Err(error) => Err(bad(error)),
    }
}
