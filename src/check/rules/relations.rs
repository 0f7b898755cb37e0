//! References between entities, and between plugins.

use erp_manifest::codes::codes;
use erp_manifest::diagnostics::{Fix, Span, Spanned};
use erp_manifest::document::codes::INVALID_VALUE;
use erp_manifest::{BaseType, Entity, EntityName, Field, FieldName, FieldType, Manifest, Relation, RelationType};

use super::super::{CheckSubject, Findings};
use super::schema::known_field;

codes! { pub:
    UNKNOWN_ENTITY = "manifest/unknown-entity", finding(Error), "A name that is no entity of this plugin.",
        why: "The platform could not find the table.",
        fix: "Use the name of a `[[schema.entities]]` block, or add one.";
    MISSING_REFERENCE = "manifest/missing-reference", finding(Error), "A `ref` without `ref_entity`, or `ref_entity` without a `ref`.",
        why: "The host could neither check the id nor show a label for it.",
        fix: "Say which entity the field names rows of, or change the field's type.";
    BAD_RELATION = "manifest/bad-relation", finding(Error), "A relation or a parent without the field that makes it.",
        why: "Rows are tied together by a `ref` field of the dependent entity; without it nothing hangs on anything.",
        fix: "Add a field of type `ref` with `ref_entity` to the dependent entity, and name it as `foreign_key`.";
    DATA_SCOPE = "manifest/data-scope", finding(Error), "Row scopes without a field that says whose a row is.",
        why: "Administrators could narrow what a user sees, and the host could not tell which rows those are.",
        fix: "Give the entity a field of the type `user` with `scope_role = \"owner\"`, and one of the type `department` where departments matter.";
    UNUSED = "manifest/unused", finding(Warning), "A declaration that nothing in the manifest uses.",
        why: "It looks as if something were offered or granted that is not.",
        fix: "Use it, or take it away.";
    SOFT_REFERENCE = "manifest/soft-reference", finding(Warning), "A field refers to rows of a plugin that is no declared dependency.",
        why: "The platform starts plugins in the order of their dependencies. Where the other one is missing, users see the fallback label instead of the row.",
        fix: "Declare the plugin with `optional = true`: this one works without it.";
    UNKNOWN_DEPENDENCY = "manifest/unknown-dependency", finding(Error), "Another plugin is used but not declared.",
        why: "The platform installs and orders plugins by their declared dependencies.",
        fix: "Add a `[[dependencies.plugins]]` block with its id, `optional = true` where the plugin also works without it.";
}

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    for entity in &manifest.schema.entities {
        for field in &entity.fields {
            reference(manifest, field, findings);
            choice(manifest, entity, field, findings);
        }
        tree(entity, findings);
        owner(entity, findings);
        parent(manifest, entity, findings);
        findings
            .unique("relation", entity.relations.iter().map(|relation| (relation.name.as_str(), relation.name.span())));
        for relation in &entity.relations {
            one_relation(manifest, entity, relation, findings);
        }
    }
    required_circle(manifest, findings);
    for granted in &manifest.capabilities.read_entities {
        match granted.split_once('.') {
            None => {
                let help = "write it as `plugin.entity`".to_owned();
                findings.add(
                    INVALID_VALUE,
                    granted.span(),
                    format!("`{}` names no plugin", **granted),
                    "no plugin",
                    Some(help),
                );
            }
            Some((plugin, _)) if plugin == manifest.metadata.id.as_str() => {
                let message = format!("`{}` is the plugin's own: it is always granted", **granted);
                findings.add(UNUSED, granted.span(), message, "needs no grant", Some("take it away".to_owned()));
            }
            Some((plugin, _)) => declared_plugin(subject, plugin, granted.span(), findings),
        }
    }
    for field in manifest.schema.entities.iter().flat_map(|entity| &entity.fields) {
        if let Some(plugin) = &field.ref_plugin {
            soft_reference(subject, plugin.as_str(), plugin.span(), findings);
        }
    }
}

/// Returns the entity of this name; adds a finding for an unknown name.
pub(super) fn known_entity<'m>(
    manifest: &'m Manifest,
    name: &Spanned<EntityName>,
    findings: &mut Findings<'_>,
) -> Option<&'m Entity> {
    let found = manifest.entity(name.as_str());
    if found.is_none() {
        let known = manifest.schema.entities.iter().map(|entity| entity.name.as_str());
        let message = format!("there is no entity `{}`", **name);
        findings.unknown(UNKNOWN_ENTITY, (name.as_str(), name.span()), message, known);
    }
    found
}

fn one_relation(manifest: &Manifest, entity: &Entity, relation: &Relation, findings: &mut Findings<'_>) {
    let Some(target) = known_entity(manifest, &relation.target_entity, findings) else { return };
    if let Some(shown) = &relation.display_field {
        known_field(target, shown, findings);
    }
    match relation.r#type {
        RelationType::OneToMany => ties(target, relation.foreign_key.as_ref(), entity, relation, findings),
        RelationType::ManyToOne => ties(entity, relation.foreign_key.as_ref(), target, relation, findings),
        RelationType::ManyToMany => {
            let Some(pairs) = &relation.through_entity else {
                let help = "add `through_entity`, whose rows are the pairs".to_owned();
                findings.add(
                    BAD_RELATION,
                    relation.name.span(),
                    "a many_to_many without pairs",
                    "no pairs",
                    Some(help),
                );
                return;
            };
            let Some(pairs) = known_entity(manifest, pairs, findings) else { return };
            ties(pairs, relation.through_source_field.as_ref(), entity, relation, findings);
            ties(pairs, relation.through_target_field.as_ref(), target, relation, findings);
        }
    }
}

/// Finds a key that is not a `ref` from one entity to another.
fn ties(
    from: &Entity,
    key: Option<&Spanned<FieldName>>,
    to: &Entity,
    relation: &Relation,
    findings: &mut Findings<'_>,
) {
    let help = || Some(format!("name a field of `{}` with `ref_entity = \"{}\"`", *from.name, *to.name));
    let Some(key) = key else {
        let message =
            format!("the relation `{}` names no field that ties `{}` to `{}`", *relation.name, *from.name, *to.name);
        findings.add(BAD_RELATION, relation.name.span(), message, "no key", help());
        return;
    };
    match from.field(key.as_str()) {
        Some(many) if *many.field_type == FieldType::RefMany => {
            let message = format!("`{}.{}` is a ref_many: nothing can be enforced on it", *from.name, *many.name);
            let help = "make it a `ref`, or make the pairs an entity, or take the relation away".to_owned();
            findings.add(BAD_RELATION, key.span(), message, "a list of rows", Some(help));
        }
        Some(field) if refers_to(field, to) => {}
        _ => {
            let message = format!("`{}.{}` is no ref to `{}`", *from.name, **key, *to.name);
            findings.add(BAD_RELATION, key.span(), message, "does not lead there", help());
        }
    }
}

fn reference(manifest: &Manifest, field: &Field, findings: &mut Findings<'_>) {
    let is_reference = field.field_type.is_reference();
    let Some(target) = &field.ref_entity else {
        if is_reference {
            let message = format!("`{}` is {} and does not say of what", *field.name, field.field_type.with_article());
            let help = "add `ref_entity = \"…\"`".to_owned();
            findings.add(MISSING_REFERENCE, field.field_type.span(), message, "needs ref_entity", Some(help));
        }
        return;
    };
    if !is_reference && field.field_type.base() != BaseType::Uuid {
        let message = format!("`{}` has a ref_entity, but is {}", *field.name, field.field_type.with_article());
        let help = "write `field_type = \"ref\"`, or take `ref_entity` away".to_owned();
        findings.add(MISSING_REFERENCE, target.span(), message, "nothing uses it", Some(help));
        findings.report.fix_last(Some(Fix::replace_string(field.field_type.span(), "ref")));
        return;
    }
    if field.ref_plugin.is_none()
        && let Some(entity) = known_entity(manifest, target, findings)
    {
        for name in field.ref_search_fields.iter().chain(&field.ref_label_field) {
            known_field(entity, name, findings);
        }
    }
}

/// Checks `no_cycle`, `cascade_from` and `cascade_filter`. In a cascade the value of one field narrows the choices of
/// another one.
fn choice(manifest: &Manifest, entity: &Entity, field: &Field, findings: &mut Findings<'_>) {
    if let Some(circle) = field.no_cycle.as_ref().filter(|circle| ***circle)
        && !(*field.field_type == FieldType::Ref && refers_to(field, entity))
    {
        let message = format!("`{}` names no row of its own entity: it makes no circle", *field.name);
        findings.add(BAD_RELATION, circle.span(), message, "nothing to watch", None);
    }
    let (from, filter) = match (&field.cascade_from, &field.cascade_filter) {
        (None, None) => return,
        (Some(from), Some(filter)) => (from, filter),
        (Some(one), None) | (None, Some(one)) => {
            let help = "`cascade_from` is a ref of this entity, `cascade_filter` the field of the offered rows that names its row";
            findings.add(
                BAD_RELATION,
                one.span(),
                "one half of a cascade",
                "the other half is missing",
                Some(help.to_owned()),
            );
            return;
        }
    };
    if !known_field(entity, from, findings) {
        return;
    }
    let source =
        entity.field(from.as_str()).and_then(|field| field.ref_entity.as_ref().filter(|_| field.ref_plugin.is_none()));
    let target = field.ref_entity.as_ref().filter(|_| field.ref_plugin.is_none());
    let (Some(source), Some(target)) = (source, target) else {
        if field.ref_plugin.is_none() {
            findings.add(
                BAD_RELATION,
                from.span(),
                "a cascade leads from a ref to a ref",
                "no ref of this plugin",
                None,
            );
        }
        return;
    };
    let (Some(source), Some(target)) = (manifest.entity(source.as_str()), manifest.entity(target.as_str())) else {
        return;
    };
    if known_field(target, filter, findings) && !target.field(filter.as_str()).is_some_and(|key| refers_to(key, source))
    {
        let message = format!("`{}.{}` is no ref to `{}`", *target.name, **filter, *source.name);
        findings.add(BAD_RELATION, filter.span(), message, "does not lead there", None);
    }
}

fn tree(entity: &Entity, findings: &mut Findings<'_>) {
    if let Some(parent) = &entity.tree_parent
        && known_field(entity, parent, findings)
        && !entity.field(parent.as_str()).is_some_and(|field| refers_to(field, entity))
    {
        let message = format!("`{}` names no row of `{}`: it makes no tree", **parent, *entity.name);
        let help = format!("the field needs `field_type = \"ref\"` and `ref_entity = \"{}\"`", *entity.name);
        findings.add(BAD_RELATION, parent.span(), message, "no tree", Some(help));
    }
}

/// Checks the owner of rows: an entity with data scopes needs a field with a `scope_role`.
fn owner(entity: &Entity, findings: &mut Findings<'_>) {
    let owners = entity.fields.iter().filter(|field| field.scope_role.is_some());
    for field in owners.clone().filter(|field| field.field_type.base() != BaseType::Uuid) {
        let span = field.scope_role.as_ref().map_or_else(|| field.span.clone(), Spanned::span);
        let message = format!("`{}` is {} and names nobody", *field.name, field.field_type.with_article());
        let help = "a field with a scope_role is a `user`, a `department` or a `uuid`".to_owned();
        findings.add(DATA_SCOPE, span, message, "no id", Some(help));
    }
    if let Some(scoped) = entity.data_scope.as_ref().filter(|scoped| ***scoped)
        && owners.count() == 0
    {
        let message = format!("`{}` has scopes, but no field says whose a row is", *entity.name);
        let help = "write `scope_role = \"owner\"` for a field of the type `user`".to_owned();
        findings.add(DATA_SCOPE, scoped.span(), message, "nobody owns a row", Some(help));
    }
}

/// Finds entities whose first row would already need another row of the same entity.
fn required_circle(manifest: &Manifest, findings: &mut Findings<'_>) {
    let needs = |entity: &Entity| {
        let required = entity.fields.iter().filter(|field| field.required && *field.field_type == FieldType::Ref);
        let own = required.filter(|field| field.ref_plugin.is_none());
        own.filter_map(|field| manifest.entity(field.ref_entity.as_ref()?.as_str())).collect::<Vec<_>>()
    };
    for entity in &manifest.schema.entities {
        let mut seen: Vec<&str> = Vec::new();
        let mut waiting = needs(entity);
        while let Some(next) = waiting.pop() {
            if *next.name == *entity.name {
                let message = format!("no row of `{}` can ever be the first one: it needs another one", *entity.name);
                let help = "let one of the fields on the way be optional".to_owned();
                findings.add(BAD_RELATION, entity.name.span(), message, "needs itself", Some(help));
                break;
            }
            if !seen.contains(&next.name.as_str()) {
                seen.push(next.name.as_str());
                waiting.extend(needs(next));
            }
        }
    }
}

fn is_declared(manifest: &Manifest, plugin: &str) -> bool {
    manifest.dependencies.plugins.iter().any(|dependency| dependency.id.as_str() == plugin)
        || manifest.metadata.dependencies.iter().any(|id| id.as_str() == plugin)
        || manifest.metadata.id.as_str() == plugin
}

/// Finds references to a plugin that is not a declared dependency. If it is missing, the platform shows
/// `ref_fallback_label`.
fn soft_reference(subject: &CheckSubject<'_>, plugin: &str, span: Span, findings: &mut Findings<'_>) {
    if is_declared(subject.manifest, plugin) {
        return;
    }
    let message = format!("`{plugin}` is no declared dependency: where it is missing, `ref_fallback_label` is shown");
    let help = format!("add `[[dependencies.plugins]]` with `id = \"{plugin}\"` and `optional = true`");
    findings.add(SOFT_REFERENCE, span, message, "may be missing", Some(help));
    let block = format!("[[dependencies.plugins]]\nid = \"{plugin}\"\noptional = true");
    let title = format!("declare `{plugin}` as optional");
    findings.report.fix_last(subject.edit(|text| text.add_block(&title, "dependencies.plugins", &block)));
}

fn declared_plugin(subject: &CheckSubject<'_>, plugin: &str, span: Span, findings: &mut Findings<'_>) {
    if !is_declared(subject.manifest, plugin) {
        let message = format!("the plugin `{plugin}` is not declared as a dependency");
        let help = format!("add `[[dependencies.plugins]]` with `id = \"{plugin}\"`");
        findings.add(UNKNOWN_DEPENDENCY, span, message, "not declared", Some(help));
        let block = format!("[[dependencies.plugins]]\nid = \"{plugin}\"");
        let title = format!("declare `{plugin}`");
        findings.report.fix_last(subject.edit(|text| text.add_block(&title, "dependencies.plugins", &block)));
    }
}

fn parent(manifest: &Manifest, entity: &Entity, findings: &mut Findings<'_>) {
    let Some(parent) = &entity.child_of else { return };
    let Some(found) = known_entity(manifest, parent, findings) else { return };
    if !entity.fields.iter().any(|field| refers_to(field, found)) {
        let message =
            format!("`{}` is a child of `{}`, but has no field that names its row", *entity.name, *found.name);
        let help = format!("add a field with `field_type = \"ref\"` and `ref_entity = \"{}\"`", *found.name);
        findings.add(BAD_RELATION, parent.span(), message, "nothing ties them", Some(help));
    }
}

/// True if a field refers to rows of this entity of the same plugin.
pub(super) fn refers_to(field: &Field, entity: &Entity) -> bool {
    (field.field_type.is_reference() || field.field_type.base() == BaseType::Uuid)
        && field.ref_plugin.is_none()
        && field.ref_entity.as_ref().is_some_and(|target| **target == *entity.name)
}
