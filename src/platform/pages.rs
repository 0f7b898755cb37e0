//! A page as it is for one user: what is shown, and what may be done.

use serde_json::{Value, json};

use super::{Identity, Platform, PlatformError};
use crate::host::lock;
use crate::manifest::{Action, Entity, Page};
use crate::store::{ListQuery, Scope};

impl Platform {
    /// A page of a plugin as a user sees it: `{name, type, label, entity, columns, filters, form, actions, search, rows}`.
    ///
    /// # Errors
    /// 404 where there is no such page, 403 where the user may not open it.
    pub fn page(&self, identity: &Identity, plugin: &str, name: &str) -> Result<Value, PlatformError> {
        let installed = self.installed(plugin)?;
        let manifest = &installed.manifest;
        let page = manifest.ui.pages.iter().find(|page| page.route() == name);
        let page = page.ok_or_else(|| {
            PlatformError::new(404, "http.no_route", format!("the plugin `{plugin}` has no page `{name}`"))
        })?;
        if let Some(code) = permission_of(page).filter(|code| !identity.caller.may(code)) {
            return Err(PlatformError::denied(&code));
        }
        let mut shown = json!({ "name": page.route(), "type": page.r#type.word(), "label": page.label });
        let entity = page.entity.as_ref().and_then(|entity| manifest.entity(entity.as_str()));
        let Some(entity) = entity else { return Ok(shown) };
        let names = |fields: &[crate::diagnostics::Spanned<crate::manifest::FieldName>]| -> Vec<String> {
            fields.iter().map(ToString::to_string).collect()
        };
        let all = || entity.fields.iter().map(|field| field.name.to_string()).collect();
        let columns: Vec<String> = if page.columns.is_empty() { all() } else { names(&page.columns) };
        let open = entity.fields.iter().filter(|field| !field.read_only && field.computed.is_none());
        let form: Vec<String> = open.map(|field| field.name.to_string()).collect();
        let own = manifest.ui.actions.iter().filter(|action| *action.entity == *entity.name);
        let reach = identity.caller.reach(&format!("{}.list", *entity.name));
        let scope = Scope::of_tenant(&identity.tenant, self.now()).by(&identity.caller.id).within(reach);
        let rows = {
            let database = lock(&self.database);
            let found = database.catalog().entity(&manifest.metadata.id, entity.name.as_str())?;
            database.count(&found, &scope, &ListQuery::default())?
        };
        let search = page.enable_search.as_ref().map_or_else(|| entity.fields.iter().any(|f| f.searchable), |on| **on);
        shown["entity"] = json!(entity.name.as_str());
        shown["columns"] = json!(columns);
        shown["filters"] = json!(names(&page.filters));
        shown["form"] = json!(form);
        shown["actions"] = json!(actions(identity, entity, own));
        shown["search"] = json!(search);
        shown["rows"] = json!(rows);
        Ok(shown)
    }
}

/// The permission that a page needs.
pub(super) fn permission_of(page: &Page) -> Option<String> {
    match (&page.permission, &page.entity) {
        (Some(permission), _) => Some(permission.to_string()),
        (None, Some(entity)) => Some(format!("{}.list", **entity)),
        (None, None) => None,
    }
}

/// What the user may do on a page of the entity's rows: a button that is shown is a button that works.
fn actions<'m>(identity: &Identity, entity: &Entity, own: impl Iterator<Item = &'m Action>) -> Vec<String> {
    let mut actions: Vec<String> = Vec::new();
    if identity.caller.may(&format!("{}.manage", *entity.name)) {
        actions.extend(["create", "edit", "delete"].map(str::to_owned));
    }
    actions.extend(own.filter(|action| identity.caller.may(&action.permission)).map(|action| action.name.to_string()));
    actions
}
