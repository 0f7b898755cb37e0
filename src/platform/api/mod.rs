//! The HTTP API as a function: a request in, a response out. Paths and bodies are the platform's;
//! `/_dev` is what only a dev host has.

mod admin;
mod base;
mod dev;
mod export;
mod form;
mod import;
mod models;
mod nodes;
mod registry;
mod request;
mod rows;

pub use base::BASE_EVENTS;
pub use request::{Body, Request, Response, RowPage};

use serde_json::json;

use super::pages::permission_of;
use super::permission::PLUGIN_ADMIN;
use super::{Platform, PlatformError};
use crate::manifest::TenantId;

type Answer = Result<Response, PlatformError>;

impl Platform {
    /// Answers a request.
    pub fn handle(&mut self, request: &Request) -> Response {
        let answer = self.answer(request);
        self.request_id.clone_from(&request.request_id);
        // What the request told is delivered before the client hears of it, so that a client that
        // asks next sees the effects. A failing delivery is in the activity and in the database.
        // Of a group, what was told is delivered when the group is kept.
        let delivered = if self.in_group { Ok(()) } else { self.deliver_events() };
        self.request_id = None;
        match delivered {
            Ok(()) => answer,
            Err(error) => {
                let error = PlatformError::from(error);
                Response::json(error.status, error.to_json())
            }
        }
    }

    /// Answers a request. What it told is on its way, and somebody must deliver it: [`Platform::deliver_events_of`] the
    /// tenants whose events the activity names.
    pub fn answer(&mut self, request: &Request) -> Response {
        self.request_id.clone_from(&request.request_id);
        let answer = self.route(request);
        self.request_id = None;
        answer.unwrap_or_else(|error| error.response())
    }

    /// Delivers what a request told, in its name.
    ///
    /// # Errors
    /// As [`Platform::deliver_events_of`].
    pub fn deliver_for(&mut self, request_id: Option<&str>, tenant: &TenantId) -> Result<(), PlatformError> {
        self.request_id = request_id.map(str::to_owned);
        let delivered = self.deliver_events_of(tenant);
        self.request_id = None;
        delivered.map_err(PlatformError::from)
    }

    fn route(&mut self, request: &Request) -> Answer {
        let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let is_get = request.method == "GET";
        match path.as_slice() {
            ["health"] if is_get => {
                Ok(Response::json(200, json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })))
            }
            ["api", "v1", "admin", "plugins", rest @ ..] => {
                request.require(PLUGIN_ADMIN)?;
                self.admin(request, rest)
            }
            ["api", "v1", "registry", rest @ ..] => self.registry_route(request, rest),
            ["api", "v1", "plugin-registry", "entities"] if is_get => self.registry(request),
            ["api", "v1", "users" | "departments" | "roles", ..] => self.base(request, &path[2..]),
            ["api", "v1", "plugin-files", plugin, path @ ..] if is_get => {
                self.plugin_file(request, plugin, &path.join("/"))
            }
            ["api", "v1", "openapi.json"] if is_get => self.openapi(request),
            ["api", "v1", "nodes", rest @ ..] => self.nodes_route(request, rest),
            ["api", "v1", "processors", rest @ ..] => self.processors_route(request, rest),
            ["api", "v1", "plugins", plugin, "pages"] if is_get => self.pages(request, plugin),
            ["api", "v1", "plugins", plugin, "pages", page] if is_get => {
                Ok(Response::json(200, self.page(request.user()?, request.accept_language.as_deref(), plugin, page)?))
            }
            ["api", "v1", "plugins", plugin, entity, rest @ ..] => self.rows(request, plugin, entity, rest),
            ["_dev", rest @ ..] => {
                request.require(PLUGIN_ADMIN)?;
                self.dev(request, rest)
            }
            _ => Err(request.no_route()),
        }
    }
}
