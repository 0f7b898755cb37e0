//! Pages, their files, and actions.

use erp_manifest::codes::codes;
use erp_manifest::diagnostics::{Fix, Span, Spanned};
use erp_manifest::{
    AggregateFunction, BaseType, DashboardWidget, Entity, FieldName, FieldType, Page, PageType, Section, SectionType,
    WidgetType, name_problem,
};

use super::super::{CheckSubject, Findings};
use super::relations::{known_entity, refers_to};
use super::schema::known_field;

codes! {
    BAD_PAGE = "manifest/bad-page", finding(Error), "A page without what its type needs, or with what it cannot use.",
        why: "The platform could not show it.",
        fix: "A `crud` page needs `entity`; a `custom` page needs `file`; filters must be `filterable` fields, and a search box needs a `searchable` one.";
    MISSING_FILE = "manifest/missing-file", finding(Error), "A file that the manifest names is not there.",
        why: "The package would be refused, or a page would stay empty.",
        fix: "Add the file, or mend its path; paths are relative to the manifest and stay inside the project.";
}

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let mut routes: Vec<(&str, Span)> = Vec::new();
    for page in &manifest.ui.pages {
        routes.push((page.route(), page.span.clone()));
        one_page(subject, page, findings);
        for tab in &page.pages {
            one_page(subject, &tab.0, findings);
            if *tab.0.r#type == PageType::Tabs {
                let help = "put its pages beside this one".to_owned();
                bad(findings, tab.0.r#type.span(), "tabs inside of tabs", Some(help));
            }
        }
    }
    findings.unique("page", routes.into_iter());
    findings.unique("action", manifest.ui.actions.iter().map(|action| (action.name.as_str(), action.name.span())));
    for action in &manifest.ui.actions {
        known_entity(manifest, &action.entity, findings);
    }
}

fn bad(findings: &mut Findings<'_>, span: Span, message: impl Into<String>, help: Option<String>) {
    findings.add(BAD_PAGE, span, message, "here", help);
}

fn one_page(subject: &CheckSubject<'_>, page: &Page, findings: &mut Findings<'_>) {
    let entity = page.entity.as_ref().and_then(|name| known_entity(subject.manifest, name, findings));
    let kind = *page.r#type;
    let shows_rows = !matches!(kind, PageType::Tabs | PageType::Dashboard | PageType::Custom);
    if shows_rows && page.entity.is_none() {
        bad(
            findings,
            page.r#type.span(),
            format!("a {kind} page needs an entity"),
            Some("add `entity = \"…\"`".to_owned()),
        );
    }
    if let Some(entity) = entity {
        for name in page.columns.iter().chain(&page.card_fields).chain(&page.label_field).chain(&page.card_title_field)
        {
            known_field(entity, name, findings);
        }
        filters(subject, entity, page, findings);
        search(subject, entity, page, findings);
    }
    let missing =
        |key: &str, help: &str| (format!("a {kind} page needs `{key}`"), Some(format!("add `{key} = {help}`")));
    let mut needs = |absent: bool, key: &str, help: &str| {
        if absent {
            let (message, help) = missing(key, help);
            bad(findings, page.r#type.span(), message, help);
        }
    };
    match kind {
        PageType::Crud => {}
        PageType::Tree => needs(page.parent_field.is_none(), "parent_field", "\"…\", its ref to its own entity"),
        PageType::Detail => {
            needs(page.sections.is_empty(), "sections", "[{ type = \"fields\", label = \"…\", fields = […] }]");
        }
        PageType::Tabs => needs(page.pages.is_empty(), "pages", "[{ type = \"crud\", … }]"),
        PageType::Kanban => needs(page.lane_field.is_none(), "lane_field", "\"…\", a select field"),
        PageType::Dashboard => {
            // The platform's first version had dashboards before it had widgets.
            let is_absent = page.widgets.is_empty() && !subject.manifest.is_legacy();
            needs(is_absent, "widgets", "[{ type = \"stat\", label = \"…\", entity = \"…\" }]");
        }
        PageType::Graph => {
            needs(page.source_field.is_none(), "source_field", "\"…\", the ref where an edge begins");
            needs(page.target_field.is_none(), "target_field", "\"…\", the ref where an edge ends");
        }
        PageType::Custom => needs(page.file.is_none(), "file", "\"pages/….html\""),
    }
    if let Some(entity) = entity {
        for key in page.parent_field.iter().chain(&page.source_field).chain(&page.target_field) {
            let is_parent = page.parent_field.as_ref().is_some_and(|parent| parent.span() == key.span());
            of_type(entity, key, findings, "a ref", |kind| kind == FieldType::Ref);
            let field = entity.field(key.as_str());
            if is_parent && field.is_some_and(|field| *field.field_type == FieldType::Ref && !refers_to(field, entity))
            {
                let message = format!("`{}` names no row of `{}`: it makes no tree", **key, *entity.name);
                bad(findings, key.span(), message, None);
            }
        }
        if let Some(lane) = &page.lane_field {
            of_type(entity, lane, findings, "a select", |kind| kind == FieldType::Select);
        }
        for part in &page.sections {
            section(subject, entity, part, findings);
        }
    }
    unused_keys(page, findings);
    for widget in &page.widgets {
        dashboard_widget(subject, widget, findings);
    }
    if let Some(path) = &page.file {
        file(subject, path, findings);
    }
}

/// Finds keys that belong to another type of page.
fn unused_keys(page: &Page, findings: &mut Findings<'_>) {
    use PageType::{Crud, Custom, Dashboard, Detail, Graph, Kanban, Tabs, Tree};
    let kind = *page.r#type;
    let given: [(&str, bool, &[PageType]); 15] = [
        ("columns", !page.columns.is_empty(), &[Crud, Tree]),
        ("filters", !page.filters.is_empty(), &[Crud, Kanban, Tree]),
        ("enable_search", page.enable_search.is_some(), &[Crud, Kanban, Tree]),
        ("enable_views", !page.enable_views.is_empty(), &[Crud]),
        ("parent_field", page.parent_field.is_some(), &[Tree]),
        ("label_field", page.label_field.is_some(), &[Tree, Graph]),
        ("lane_field", page.lane_field.is_some(), &[Kanban]),
        ("card_title_field", page.card_title_field.is_some(), &[Kanban]),
        ("card_fields", !page.card_fields.is_empty(), &[Kanban]),
        ("source_field", page.source_field.is_some(), &[Graph]),
        ("target_field", page.target_field.is_some(), &[Graph]),
        ("sections", !page.sections.is_empty(), &[Detail]),
        ("widgets", !page.widgets.is_empty(), &[Dashboard]),
        ("pages", !page.pages.is_empty(), &[Tabs]),
        ("file", page.file.is_some(), &[Custom]),
    ];
    for (key, is_given, kinds) in given {
        if is_given && !kinds.contains(&kind) {
            let known: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
            let help = format!("take it away, or make the page a {}", known.join(" or a "));
            bad(findings, page.r#type.span(), format!("nothing acts on `{key}` of a {kind} page"), Some(help));
        }
    }
}

/// Finds a field that is missing or of another type.
fn of_type(
    entity: &Entity,
    name: &Spanned<FieldName>,
    findings: &mut Findings<'_>,
    wanted: &str,
    test: fn(FieldType) -> bool,
) {
    if !known_field(entity, name, findings) {
        return;
    }
    if let Some(field) = entity.field(name.as_str()).filter(|field| !test(*field.field_type)) {
        let message = format!("`{}` is {}, and {wanted} is needed", **name, field.field_type.with_article());
        bad(findings, name.span(), message, None);
    }
}

fn filters(subject: &CheckSubject<'_>, entity: &Entity, page: &Page, findings: &mut Findings<'_>) {
    for filter in &page.filters {
        let is_known = known_field(entity, filter, findings);
        let field = entity.field(filter.as_str()).filter(|field| is_known && !field.is_filterable());
        if let Some(field) = field {
            let message = format!("the page filters by `{}`, which is not filterable", **filter);
            let help = format!("write `filterable = true` for the field `{}`", **filter);
            findings.add(BAD_PAGE, filter.span(), message, "not filterable", Some(help));
            findings.report.fix_last(Fix::insert_line_after(
                format!("make `{}` filterable", **filter),
                subject.source,
                &field.field_type.span(),
                "filterable = true",
            ));
        }
    }
}

fn search(subject: &CheckSubject<'_>, entity: &Entity, page: &Page, findings: &mut Findings<'_>) {
    if let Some(search) = page.enable_search.as_ref().filter(|search| ***search)
        && !entity.fields.iter().any(|field| field.searchable)
    {
        let message = format!("the page has a search box, but `{}` has no searchable field", *entity.name);
        let help = "write `searchable = true` for a field, or take the box away".to_owned();
        findings.add(BAD_PAGE, search.span(), message, "finds nothing", Some(help));
        let title = entity.title_field.as_ref().and_then(|title| entity.field(title.as_str()));
        findings.report.fix_last(title.and_then(|title| {
            let what = format!("make `{}` searchable", *title.name);
            Fix::insert_line_after(what, subject.source, &title.field_type.span(), "searchable = true")
        }));
    }
}

fn section(subject: &CheckSubject<'_>, entity: &Entity, section: &Section, findings: &mut Findings<'_>) {
    match *section.r#type {
        SectionType::Fields => {
            if section.fields.is_empty() {
                bad(
                    findings,
                    section.r#type.span(),
                    "the section shows no fields",
                    Some("add `fields = […]`".to_owned()),
                );
            }
            for field in &section.fields {
                known_field(entity, field, findings);
            }
        }
        SectionType::Crud => {
            let (Some(name), Some(filter)) = (&section.entity, &section.filter_field) else {
                let help = "add `entity` and `filter_field`, its ref field that names the row".to_owned();
                bad(findings, section.r#type.span(), "the section does not say whose rows it shows", Some(help));
                return;
            };
            if let Some(other) = known_entity(subject.manifest, name, findings)
                && known_field(other, filter, findings)
                && !other.field(filter.as_str()).is_some_and(|field| refers_to(field, entity))
            {
                let message = format!("`{}.{}` is no ref to `{}`", *other.name, **filter, *entity.name);
                bad(findings, filter.span(), message, None);
            }
        }
    }
}

fn dashboard_widget(subject: &CheckSubject<'_>, widget: &DashboardWidget, findings: &mut Findings<'_>) {
    let Some(entity) = known_entity(subject.manifest, &widget.entity, findings) else { return };
    let base = |name: &Spanned<FieldName>| entity.field(name.as_str()).map(|field| field.field_type.base());
    match (&widget.field, widget.func) {
        (None, AggregateFunction::Count) => {}
        (None, func) => {
            let help = Some("add `field = \"…\"`".to_owned());
            bad(findings, widget.r#type.span(), format!("`{func}` needs a field"), help);
        }
        (Some(field), func) => {
            let sums = matches!(func, AggregateFunction::Sum | AggregateFunction::Avg);
            let is_number = matches!(base(field), Some(BaseType::Integer | BaseType::Float | BaseType::Decimal));
            if known_field(entity, field, findings) && sums && !is_number {
                bad(findings, field.span(), format!("`{}` is no number: it has no {func}", **field), None);
            }
        }
    }
    if let Some(group) = &widget.group_by
        && known_field(entity, group, findings)
        && !entity.field(group.as_str()).is_some_and(erp_manifest::Field::is_filterable)
    {
        let help = Some(format!("write `filterable = true` for the field `{}`", **group));
        bad(findings, group.span(), format!("`{}` cannot make groups: it is not filterable", **group), help);
    }
    match &widget.time_field {
        None if *widget.r#type == WidgetType::Line => {
            bad(
                findings,
                widget.r#type.span(),
                "a line needs `time_field`",
                Some("add `time_field = \"…\"`".to_owned()),
            );
        }
        Some(time)
            if known_field(entity, time, findings)
                && !matches!(base(time), Some(BaseType::Date | BaseType::Datetime)) =>
        {
            bad(findings, time.span(), format!("`{}` is no date", **time), None);
        }
        _ => {}
    }
}

fn file(subject: &CheckSubject<'_>, path: &Spanned<String>, findings: &mut Findings<'_>) {
    if let Some(problem) = name_problem(path) {
        let message = format!("`{path}` cannot be packed: {problem}");
        findings.add(MISSING_FILE, path.span(), message, "bad path", None);
    } else if (subject.file)(path).is_none() {
        findings.add(MISSING_FILE, path.span(), format!("`{path}` is not there"), "no such file", None);
    }
}
