//! Entities and pages as data for user interfaces: labels in the user's language, and the user's permissions.

use erp_manifest::codes::errors;
use erp_manifest::expression::Expression;
use erp_manifest::{Entity, Field, PermissionCode};
use serde_json::{Value, json};

use super::{Answer, Request, Response};
use crate::dependencies::DependencyStage;
use crate::http_api::openapi;
use crate::state::Installed;
use crate::{Identity, Platform, PlatformError};

/// The routes that describe entities, pages, files and the API itself.
#[derive(Debug)]
pub struct ModelRoutes<'p> {
    pub(crate) platform: &'p Platform,
}

impl ModelRoutes<'_> {
    /// Returns the entities of all installed plugins that the user may list or refer to.
    pub(super) fn entities(&self, request: &Request) -> Answer {
        let identity = request.user()?;
        let wanted = request.query("plugin");
        let mut entities = Vec::new();
        let installed =
            self.platform.plugins.iter().filter(|(_, plugin)| DependencyStage::Installed.is_reached_by(plugin.status));
        for (_, installed) in installed.filter(|(id, _)| wanted.is_none_or(|wanted| wanted == id.as_str())) {
            for entity in &installed.manifest.schema.entities {
                if entity.is_public || identity.caller.may(&PermissionCode::list(&entity.name)) {
                    entities.push(entity_model(installed, request, identity, entity));
                }
            }
        }
        Ok(Response::json(200, Value::Array(entities)))
    }

    /// Returns the pages that the user may open, for a menu.
    pub(super) fn pages(&self, request: &Request, plugin: &str) -> Answer {
        let identity = request.user()?;
        let installed = self.platform.installed(plugin)?;
        let may = |page: &&erp_manifest::Page| super::permission_of(page).is_none_or(|code| identity.caller.may(&code));
        let pages = installed.manifest.ui.pages.iter().filter(may).map(|page| {
            json!({
                "name": page.route(), "type": page.r#type.word(), "icon": page.icon,
                "label": installed.label(request, &format!("page.{}", page.route()), &page.label),
                "menu_group": page.menu_group, "order": page.order, "hidden": page.hidden,
                "entity": page.entity.as_ref().map(|entity| entity.as_str()),
            })
        });
        Ok(Response::json(200, pages.collect()))
    }

    /// Returns the OpenAPI 3.1 document for the installed plugins.
    pub(super) fn openapi(&self) -> Response {
        let installed =
            self.platform.plugins.values().filter(|plugin| DependencyStage::Installed.is_reached_by(plugin.status));
        Response::json(200, openapi(installed.map(|plugin| &*plugin.manifest), "/"))
    }

    /// Returns a file of a plugin that its users see.
    pub(super) fn plugin_file(&self, request: &Request, plugin: &str, path: &str) -> Answer {
        let file = self.shown_file(plugin, path).ok_or_else(|| request.no_route())?;
        Ok(Response::bytes(200, media_type(path).to_owned(), file))
    }

    /// Returns the bytes of a file of a plugin that its users see.
    pub fn shown_file(&self, plugin: &str, path: &str) -> Option<Vec<u8>> {
        self.platform.plugins.get(plugin)?.files.get(path).cloned()
    }
}

fn entity_model(installed: &Installed, request: &Request, identity: &Identity, entity: &Entity) -> Value {
    let manifest = &installed.manifest;
    let name = entity.name.as_str();
    let may = |verb: &str| identity.caller.may(&PermissionCode::of(&entity.name, verb));
    let actions = manifest.ui.actions.iter().filter(|action| *action.entity == *entity.name);
    let actions = actions.filter(|action| identity.caller.may(&action.permission)).map(|action| {
        let label = installed.label(request, &format!("action.{}", *action.name), &action.label);
        json!({ "name": *action.name, "label": label, "has_condition": action.when.is_some() })
    });
    let fields = entity.fields.iter().map(|field| field_model(installed, request, name, field));
    json!({
        "plugin": *manifest.metadata.id, "entity": name,
        "display_name": installed.label(request, &format!("entity.{name}"), &entity.display_name),
        "description": entity.description, "title_field": entity.title_field.as_ref().map(|field| field.as_str()),
        "is_public": entity.is_public, "importable": entity.importable, "exportable": entity.exportable,
        "tree_parent": entity.tree_parent.as_ref().map(|field| field.as_str()),
        "child_of": entity.child_of.as_ref().map(|parent| parent.as_str()),
        "can": { "list": may("list"), "manage": may("manage") },
        "actions": actions.collect::<Vec<_>>(), "fields": fields.collect::<Vec<_>>(),
    })
}

fn field_model(installed: &Installed, request: &Request, entity: &str, field: &Field) -> Value {
    let key = format!("entity.{entity}.{}", *field.name);
    let options = field.options.iter().map(|option| {
        let label = installed.label(request, &format!("{key}.{}", option.value), &option.label);
        json!({ "value": option.value, "label": label, "color": option.color })
    });
    let mut model = json!({
        "name": *field.name, "field_type": field.field_type.word(), "base_type": field.field_type.base().word(),
        "input": field.field_type.input().word(), "display": field.field_type.display().word(),
        "is_number": field.field_type.shape().is_number(),
        "display_name": installed.label(request, &key, field.label()), "description": field.description,
        "required": field.required, "unique": field.unique,
        "read_only": field.read_only || field.computed.is_some(), "computed": field.computed.is_some(),
        "has_conditions": field.visible_when.is_some() || field.required_when.is_some(),
        "visible_when": field.visible_when.as_ref().map(Expression::as_str),
        "ui_widget": field.ui_widget.as_ref().map(|widget| widget.word()),
        "searchable": field.searchable, "filterable": field.is_filterable(), "sortable": field.sortable,
        "options": options.collect::<Vec<_>>(), "scale": field.kept_scale(),
    });
    if let Some(validation) = &field.validation {
        model["validation"] = json!({
            "pattern": validation.pattern.as_ref().map(|pattern| pattern.as_str()), "message": validation.message,
            "min": validation.min.as_deref(), "max": validation.max.as_deref(),
            "min_length": validation.min_length, "max_length": validation.max_length,
        });
    }
    if let Some(target) = &field.ref_entity {
        let own = &*installed.manifest.metadata.id;
        model["ref"] = json!({
            "plugin": field.ref_plugin.as_deref().unwrap_or(own), "entity": target.as_str(),
            "label_field": field.ref_label_field.as_ref().map(|field| field.as_str()),
            "cascade_from": field.cascade_from.as_ref().map(|field| field.as_str()),
            "cascade_filter": field.cascade_filter.as_ref().map(|field| field.as_str()),
        });
    }
    model
}

impl PlatformError {
    pub(crate) fn no_page(plugin: &str, name: &str) -> PlatformError {
        PlatformError::new(errors::HTTP_NO_ROUTE, format!("the plugin `{plugin}` has no page `{name}`"))
    }
}

/// Returns the media type for a file's extension; `application/octet-stream` for an unknown one.
pub fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" | "md" | "toml" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
