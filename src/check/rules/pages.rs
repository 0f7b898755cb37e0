//! Pages and actions.

use std::collections::BTreeSet;

use super::super::{Findings, Subject};
use super::schema::known_field;
use crate::archive::name_problem;
use crate::diagnostics::codes;
use crate::manifest::{Entity, Page, PageType};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let mut routes = BTreeSet::new();
    for page in &manifest.ui.pages {
        if !routes.insert(page.route()) {
            let message = format!("two pages are called `{}`", page.route());
            let help = "give one of them a `name` of its own".to_owned();
            findings.add(codes::DUPLICATE, page.span.clone(), message, "again", Some(help));
        }
        match *page.r#type {
            PageType::Crud => crud(subject, page, findings),
            PageType::Custom => custom(subject, page, findings),
        }
    }
    let mut names = BTreeSet::new();
    for action in &manifest.ui.actions {
        if !names.insert(action.name.as_str()) {
            findings.add(
                codes::DUPLICATE,
                action.name.span(),
                format!("the action `{}` is there twice", *action.name),
                "again",
                None,
            );
        }
        if manifest.entity(action.entity.as_str()).is_none() {
            super::relations::unknown_entity(manifest, action.entity.as_str(), action.entity.span(), findings);
        }
    }
}

fn crud(subject: &Subject<'_>, page: &Page, findings: &mut Findings<'_>) {
    let Some(name) = &page.entity else {
        let help = "add `entity = \"…\"`".to_owned();
        findings.add(codes::BAD_PAGE, page.r#type.span(), "a crud page needs an entity", "no entity", Some(help));
        return;
    };
    let Some(entity) = subject.manifest.entity(name.as_str()) else {
        super::relations::unknown_entity(subject.manifest, name.as_str(), name.span(), findings);
        return;
    };
    for column in &page.columns {
        known_field(entity, column.as_str(), column.span(), findings);
    }
    filters(entity, page, findings);
    if let Some(search) = page.enable_search.as_ref().filter(|search| ***search)
        && !entity.fields.iter().any(|field| field.searchable)
    {
        let message = format!("the page has a search box, but `{}` has no searchable field", *entity.name);
        let help = "write `searchable = true` for a field, or take the box away".to_owned();
        findings.add(codes::BAD_PAGE, search.span(), message, "finds nothing", Some(help));
    }
}

fn filters(entity: &Entity, page: &Page, findings: &mut Findings<'_>) {
    for filter in &page.filters {
        let is_known = known_field(entity, filter.as_str(), filter.span(), findings);
        let opens = entity
            .field(filter.as_str())
            .is_some_and(|field| field.filterable || field.unique || field.field_type.is_reference());
        if is_known && !opens {
            let message = format!("the page filters by `{}`, which is not filterable", **filter);
            let help = format!("write `filterable = true` for the field `{}`", **filter);
            findings.add(codes::BAD_PAGE, filter.span(), message, "not filterable", Some(help));
        }
    }
}

fn custom(subject: &Subject<'_>, page: &Page, findings: &mut Findings<'_>) {
    let Some(file) = &page.file else {
        let help = "add `file = \"pages/….html\"`".to_owned();
        findings.add(codes::BAD_PAGE, page.r#type.span(), "a custom page needs a file", "no file", Some(help));
        return;
    };
    if let Some(problem) = name_problem(file) {
        findings.add(
            codes::MISSING_FILE,
            file.span(),
            format!("`{file}` cannot be packed: {problem}"),
            "bad path",
            None,
        );
    } else if (subject.file)(file).is_none() {
        findings.add(codes::MISSING_FILE, file.span(), format!("`{file}` is not there"), "no such file", None);
    }
}
