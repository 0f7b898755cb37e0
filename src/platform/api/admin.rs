//! `/api/v1/admin/plugins`: the lifecycle of plugins, their settings and secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use erp_manifest::codes::errors;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, Request, Response};
use crate::{Origin, Platform, PlatformError};

/// The routes of plugins: their lifecycle, settings and secrets.
#[derive(Debug)]
pub(crate) struct PluginRoutes<'p> {
    pub(crate) platform: &'p mut Platform,
}

impl PluginRoutes<'_> {
    pub(super) fn upload_package(&mut self, request: &Request) -> Answer {
        check_digest(request)?;
        let receipt = match &request.admitted {
            Some(admitted) => {
                self.platform.lifecycle().on_behalf_of(Origin::of(request)).upload_admitted(&request.body, admitted)?
            }
            None => self.platform.lifecycle().on_behalf_of(Origin::of(request)).upload(&request.body)?,
        };
        Ok(Response::json(201, json!(receipt)))
    }

    pub(super) fn roll_back_plugin(&mut self, request: &Request, id: &str) -> Answer {
        let body = request.object_or_empty()?;
        let discards = body.get("discard_changes").and_then(Value::as_bool).unwrap_or(false);
        let reversal = self.platform.lifecycle().on_behalf_of(Origin::of(request)).roll_back(id, discards)?;
        let version = self.platform.installed(id)?.manifest.metadata.version.to_string();
        let (restored, discarded) = (reversal.restored, reversal.discarded);
        Ok(Response::json(200, json!({ "id": id, "version": version, "restored": restored, "discarded": discarded })))
    }

    pub(super) fn upgrades_of(&self, id: &str) -> Answer {
        let plugin = self.platform.installed(id)?.manifest.metadata.id.clone();
        Ok(Response::json(200, json!(self.platform.database.lock().upgrades().all(&plugin)?)))
    }

    pub(super) fn insert_demo_rows(&mut self, request: &Request, id: &str) -> Answer {
        let tenant = request.user()?.tenant.clone();
        let rows = self.platform.lifecycle().on_behalf_of(Origin::of(request)).bring_demo(id, &tenant)?;
        Ok(Response::json(200, json!({ "id": id, "rows": rows })))
    }

    pub(super) fn settings(&self, request: &Request, id: &str) -> Answer {
        let scope = self.platform.scope(request)?;
        let settings =
            self.platform.database.lock().configuration().settings(&self.platform.installed(id)?.manifest, &scope)?;
        Ok(Response::json(200, Value::Object(settings)))
    }

    pub(super) fn change_settings(&mut self, request: &Request, id: &str) -> Answer {
        let scope = self.platform.scope(request)?;
        let values = request.object()?;
        let manifest = self.platform.installed(id)?.manifest.clone();
        let settings = self.platform.unit::<_, PlatformError>(|database, _| {
            database.configuration().set_settings(&manifest, &scope, &values)?;
            Ok(database.configuration().settings(&manifest, &scope)?)
        })?;
        Ok(Response::json(200, Value::Object(settings)))
    }

    /// Sets secrets, `{"<key>": "<value>"}`, for the tenant of the request. No route returns them.
    pub(super) fn change_secrets(&mut self, request: &Request, id: &str) -> Answer {
        let scope = self.platform.scope(request)?;
        let values = request.object()?;
        let manifest = self.platform.installed(id)?.manifest.clone();
        for (key, value) in &values {
            let is_known = manifest.capabilities.secrets.iter().any(|secret| **secret == *key);
            if !is_known || !value.is_string() {
                let why = if is_known { "takes text" } else { "is not among the `secrets` of [capabilities]" };
                return Err(PlatformError::new(errors::CONFIG_BAD_SECRET, format!("`{key}` {why}")));
            }
        }
        self.platform.unit::<_, PlatformError>(|database, _| {
            for (key, value) in &values {
                database.secrets().set_secret(
                    &manifest.metadata.id,
                    &scope,
                    key,
                    value.as_str().unwrap_or_default(),
                )?;
            }
            Ok(())
        })?;
        Ok(Response::empty(204))
    }

    pub(super) fn state_of(&self, id: &str) -> Answer {
        let installed = self.platform.installed(id)?;
        Ok(Response::json(
            200,
            json!({ "id": id, "version": *installed.manifest.metadata.version, "status": installed.status }),
        ))
    }

    pub(super) fn detail(&self, id: &str) -> Answer {
        let installed = self.platform.installed(id)?;
        let manifest = &installed.manifest;
        Ok(Response::json(
            200,
            json!({
                "id": id,
                "name": *manifest.metadata.name,
                "version": *manifest.metadata.version,
                "status": installed.status,
                "error": installed.error,
                "schema_version": manifest.schema.schema_version,
                "entities": manifest.schema.entities.iter().map(|entity| entity.name.as_str()).collect::<Vec<_>>(),
                "permissions": manifest.permissions.iter().map(|permission| permission.code.as_str()).collect::<Vec<_>>(),
                "pages": manifest.ui.pages.iter().map(erp_manifest::Page::route).collect::<Vec<_>>(),
                "settings": manifest.settings.fields.iter().map(|field| json!({
                    "key": *field.key, "setting_type": field.setting_type.word(), "label": field.label,
                    "description": field.description, "group": field.group.as_ref().map(|group| group.as_str()),
                    "default": field.default.as_deref(),
                    "options": field.options.iter().map(|option| json!({ "value": option.value, "label": option.label })).collect::<Vec<_>>(),
                })).collect::<Vec<_>>(),
                "subscriptions": manifest.events.subscribe.iter().map(|pattern| pattern.as_str()).collect::<Vec<_>>(),
            }),
        ))
    }

    pub(super) fn health(&self, id: &str) -> Answer {
        let installed = self.platform.installed(id)?;
        let body = match (&installed.loaded, &installed.error) {
            (Some(_), _) => json!({ "status": "healthy", "plugin_id": id }),
            (None, Some(error)) => json!({ "status": "error", "plugin_id": id, "error": error }),
            (None, None) => json!({ "status": "unhealthy", "plugin_id": id, "state": installed.status }),
        };
        Ok(Response::json(200, body))
    }
}

/// Compares the body with the `content-digest` header (RFC 9530), if present.
fn check_digest(request: &Request) -> Result<(), PlatformError> {
    let Some(header) = &request.content_digest else { return Ok(()) };
    let expected = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&request.body)));
    if header.trim() == expected {
        Ok(())
    } else {
        Err(PlatformError::new(
            errors::HTTP_DIGEST_MISMATCH,
            "the body is not what `content-digest` says: it was changed on the way",
        ))
    }
}
