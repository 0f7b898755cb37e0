//! Pages for one user: the visible content, and the permitted actions.

use erp_manifest::diagnostics::Spanned;
use erp_manifest::{Action, DashboardWidget, Entity, FieldName, Page, PageType, PermissionCode, Section};
use erp_storage::{ListQuery, Scope};
use serde_json::{Value, json};

use super::state::Installed;
use super::{Identity, Platform, PlatformError};

/// The user and the language that a page is drawn for.
struct Viewer<'v> {
    identity: &'v Identity,
    /// The `accept-language` header of the request, if present.
    language: Option<&'v str>,
}

/// Draws pages for users.
#[derive(Debug)]
pub struct Pages<'p> {
    pub(crate) platform: &'p Platform,
}

impl Pages<'_> {
    /// Returns a page for a user: `{name, type, label, entity, columns, filters, form, actions, search, rows}`. The
    /// page type adds more: `pages` of tabs, `sections` of a detail, `widgets` of a dashboard, the fields of a tree,
    /// a board or a graph, or the `file` of a custom page.
    ///
    /// # Errors
    /// 404 if the page does not exist, 403 if the user may not open it.
    pub fn page(
        &self,
        identity: &Identity,
        language: Option<&str>,
        plugin: &str,
        name: &str,
    ) -> Result<Value, PlatformError> {
        let installed = self.platform.installed(plugin)?;
        let page = installed.manifest.page(name).ok_or_else(|| PlatformError::no_page(plugin, name))?;
        self.drawn(installed, &Viewer { identity, language }, page)
    }

    fn drawn(&self, installed: &Installed, viewer: &Viewer<'_>, page: &Page) -> Result<Value, PlatformError> {
        let (manifest, identity) = (&installed.manifest, viewer.identity);
        if let Some(code) = permission_of(page).filter(|code| !identity.caller.may(code)) {
            return Err(PlatformError::denied(&code));
        }
        let label = installed.text(viewer.language, &format!("page.{}", page.route()), &page.label);
        let mut shown = json!({ "name": page.route(), "type": page.r#type.word(), "label": label, "icon": page.icon });
        match *page.r#type {
            PageType::Tabs => {
                // Tabs that the user may not open are left out.
                let tabs = page.pages.iter().filter_map(|tab| self.drawn(installed, viewer, &tab.0).ok());
                shown["pages"] = tabs.collect();
            }
            PageType::Dashboard => {
                let may = |widget: &&DashboardWidget| identity.caller.may(&PermissionCode::list(&widget.entity));
                shown["widgets"] = page.widgets.iter().filter(may).map(widget).collect();
            }
            PageType::Custom => shown["file"] = json!(page.file.as_deref()),
            PageType::Tree => {
                shown["tree"] = json!({ "parent_field": name_of(page.parent_field.as_ref()), "label_field": name_of(page.label_field.as_ref()) });
            }
            PageType::Kanban => {
                shown["kanban"] = json!({
                    "lane_field": name_of(page.lane_field.as_ref()), "title_field": name_of(page.card_title_field.as_ref()),
                    "fields": names(&page.card_fields),
                });
            }
            PageType::Graph => {
                shown["graph"] = json!({
                    "label_field": name_of(page.label_field.as_ref()), "source_field": name_of(page.source_field.as_ref()),
                    "target_field": name_of(page.target_field.as_ref()),
                });
            }
            PageType::Detail => {
                let may = |section: &&Section| {
                    section.entity.as_ref().is_none_or(|entity| identity.caller.may(&PermissionCode::list(entity)))
                };
                shown["sections"] = page.sections.iter().filter(may).map(section).collect();
            }
            PageType::Crud => {}
        }
        let entity = page.entity.as_ref().and_then(|entity| manifest.entity(entity.as_str()));
        let Some(entity) = entity else { return Ok(shown) };
        let all = || entity.fields.iter().map(|field| field.name.to_string()).collect();
        let columns: Vec<String> = if page.columns.is_empty() { all() } else { names(&page.columns) };
        let open = entity.fields.iter().filter(|field| !field.read_only && field.computed.is_none());
        let form: Vec<String> = open.map(|field| field.name.to_string()).collect();
        let own = manifest.ui.actions.iter().filter(|action| *action.entity == *entity.name);
        let reach = identity.caller.reach(&PermissionCode::list(&entity.name));
        let scope = Scope::of_tenant(&identity.tenant, self.platform.now()).by(&identity.caller.id).within(reach);
        let rows = {
            let database = self.platform.database.lock();
            let found = database.catalog().entity(&manifest.metadata.id, entity.name.as_str())?;
            database.reader().count(&found, &scope, &ListQuery::default())?
        };
        let search = page.enable_search.as_ref().map_or_else(|| entity.fields.iter().any(|f| f.searchable), |on| **on);
        // The detail page of the entity opens a row.
        let mut details = manifest.ui.pages.iter().filter(|other| *other.r#type == PageType::Detail);
        let detail = details.find(|other| other.entity.as_deref() == Some(&*entity.name)).map(Page::route);
        shown["entity"] = json!(entity.name.as_str());
        shown["columns"] = json!(columns);
        shown["filters"] = json!(names(&page.filters));
        shown["form"] = json!(form);
        shown["actions"] = json!(actions(identity, entity, own));
        shown["search"] = json!(search);
        shown["rows"] = json!(rows);
        shown["views"] = page.enable_views.iter().map(|view| view.word()).collect();
        shown["detail"] = json!(detail);
        shown["children"] = children(installed, identity, entity);
        Ok(shown)
    }
}

fn names(fields: &[Spanned<FieldName>]) -> Vec<String> {
    fields.iter().map(ToString::to_string).collect()
}

fn name_of(field: Option<&Spanned<FieldName>>) -> Option<&str> {
    field.map(|field| field.as_str())
}

fn widget(widget: &DashboardWidget) -> Value {
    json!({
        "type": widget.r#type.word(), "label": widget.label, "entity": widget.entity.as_str(), "func": widget.func.word(),
        "field": name_of(widget.field.as_ref()), "group_by": name_of(widget.group_by.as_ref()), "time_field": name_of(widget.time_field.as_ref()),
    })
}

fn section(section: &Section) -> Value {
    json!({
        "type": section.r#type.word(), "label": section.label, "fields": names(&section.fields),
        "entity": section.entity.as_ref().map(|entity| entity.as_str()), "filter_field": name_of(section.filter_field.as_ref()),
    })
}

/// Returns the child entities whose rows belong to a row of this entity and are edited with it.
fn children(installed: &Installed, identity: &Identity, entity: &Entity) -> Value {
    let of = installed.manifest.schema.entities.iter().filter(|child| child.child_of.as_deref() == Some(&*entity.name));
    let of = of.filter(|child| identity.caller.may(&PermissionCode::list(&child.name)));
    let keyed = of.filter_map(|child| {
        let refers = |field: &&erp_manifest::Field| {
            field.ref_entity.as_deref() == Some(&*entity.name) && field.ref_plugin.is_none()
        };
        Some((child, child.fields.iter().find(refers)?))
    });
    keyed.map(|(child, key)| json!({ "entity": *child.name, "key": *key.name })).collect()
}

/// Returns the permission that a page needs: its own, otherwise to list its entity; `None` without both.
pub(super) fn permission_of(page: &Page) -> Option<PermissionCode> {
    match (&page.permission, &page.entity) {
        (Some(permission), _) => Some((**permission).clone()),
        (None, Some(entity)) => Some(PermissionCode::list(entity)),
        (None, None) => None,
    }
}

/// Returns the actions on an entity's rows that the user has permission for; the page shows no other buttons.
fn actions<'m>(identity: &Identity, entity: &Entity, own: impl Iterator<Item = &'m Action>) -> Vec<String> {
    let mut actions: Vec<String> = Vec::new();
    let manages = identity.caller.may(&PermissionCode::manage(&entity.name));
    if manages {
        actions.extend(["create", "edit", "delete"].map(str::to_owned));
    }
    actions.extend(own.filter(|action| identity.caller.may(&action.permission)).map(|action| action.name.to_string()));
    if entity.importable && manages {
        actions.push("import".to_owned());
    }
    if entity.exportable {
        actions.push("export".to_owned());
    }
    actions
}
