//! References between entities, and between plugins.

use super::super::{Findings, Subject};
use crate::diagnostics::{Span, codes};
use crate::document::did_you_mean;
use crate::manifest::{Entity, Field, FieldType, Manifest};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    for entity in &manifest.schema.entities {
        for field in &entity.fields {
            reference(manifest, field, findings);
        }
        parent(manifest, entity, findings);
        for relation in &entity.relations {
            let Some(target) = manifest.entity(relation.target_entity.as_str()) else {
                unknown_entity(manifest, relation.target_entity.as_str(), relation.target_entity.span(), findings);
                continue;
            };
            let key = target.field(relation.foreign_key.as_str());
            if let Some(many) = key.filter(|key| *key.field_type == FieldType::RefMany) {
                let message = format!("`{}.{}` is a ref_many: nothing can be enforced on it", *target.name, *many.name);
                let help =
                    "make it a `ref`, or an entity of its own for the pairs, or take the relation away".to_owned();
                findings.add(codes::BAD_RELATION, relation.foreign_key.span(), message, "a list of rows", Some(help));
            } else if !key.is_some_and(|key| refers_to(key, entity)) {
                let message = format!("`{}.{}` is no ref to `{}`", *target.name, *relation.foreign_key, *entity.name);
                let help = format!("name a field of `{}` with `ref_entity = \"{}\"`", *target.name, *entity.name);
                findings.add(
                    codes::BAD_RELATION,
                    relation.foreign_key.span(),
                    message,
                    "does not lead back",
                    Some(help),
                );
            }
        }
    }
    for granted in &manifest.capabilities.read_entities {
        match granted.split_once('.') {
            None => {
                let help = "write it as `plugin.entity`".to_owned();
                findings.add(
                    codes::INVALID_VALUE,
                    granted.span(),
                    format!("`{}` names no plugin", **granted),
                    "no plugin",
                    Some(help),
                );
            }
            Some((plugin, _)) => declared_plugin(manifest, plugin, granted.span(), findings),
        }
    }
}

/// Finds a name that is no entity of the plugin.
pub(super) fn unknown_entity(manifest: &Manifest, name: &str, span: Span, findings: &mut Findings<'_>) {
    let known = manifest.schema.entities.iter().map(|entity| entity.name.as_str());
    findings.add(
        codes::UNKNOWN_ENTITY,
        span,
        format!("there is no entity `{name}`"),
        "unknown",
        did_you_mean(name, known),
    );
}

fn reference(manifest: &Manifest, field: &Field, findings: &mut Findings<'_>) {
    let is_reference = field.field_type.is_reference();
    let Some(target) = &field.ref_entity else {
        if is_reference {
            let message = format!("`{}` is a {} and does not say of what", *field.name, *field.field_type);
            let help = "add `ref_entity = \"…\"`".to_owned();
            findings.add(codes::MISSING_REFERENCE, field.field_type.span(), message, "needs ref_entity", Some(help));
        }
        return;
    };
    if !is_reference {
        let message = format!("`{}` has a ref_entity, but is a {}", *field.name, *field.field_type);
        let help = "write `field_type = \"ref\"`, or take `ref_entity` away".to_owned();
        findings.add(codes::MISSING_REFERENCE, target.span(), message, "nothing uses it", Some(help));
        return;
    }
    if let Some(plugin) = &field.ref_plugin {
        declared_plugin(manifest, plugin.as_str(), plugin.span(), findings);
        return;
    }
    match manifest.entity(target.as_str()) {
        None => unknown_entity(manifest, target.as_str(), target.span(), findings),
        Some(entity) => {
            if let Some(label) = &field.ref_label_field {
                super::schema::known_field(entity, label.as_str(), label.span(), findings);
            }
        }
    }
}

fn declared_plugin(manifest: &Manifest, plugin: &str, span: Span, findings: &mut Findings<'_>) {
    let declared = manifest.dependencies.plugins.iter().any(|dependency| dependency.id.as_str() == plugin)
        || manifest.metadata.dependencies.iter().any(|id| id.as_str() == plugin)
        || manifest.metadata.id.as_str() == plugin;
    if !declared {
        let message = format!("the plugin `{plugin}` is not declared as a dependency");
        let help = format!("add `[[dependencies.plugins]]` with `id = \"{plugin}\"`");
        findings.add(codes::UNKNOWN_DEPENDENCY, span, message, "not declared", Some(help));
    }
}

fn parent(manifest: &Manifest, entity: &Entity, findings: &mut Findings<'_>) {
    let Some(parent) = &entity.child_of else { return };
    let Some(found) = manifest.entity(parent.as_str()) else {
        unknown_entity(manifest, parent.as_str(), parent.span(), findings);
        return;
    };
    if !entity.fields.iter().any(|field| refers_to(field, found)) {
        let message =
            format!("`{}` is a child of `{}`, but has no field that names its row", *entity.name, *found.name);
        let help = format!("add a field with `field_type = \"ref\"` and `ref_entity = \"{}\"`", *found.name);
        findings.add(codes::BAD_RELATION, parent.span(), message, "nothing ties them", Some(help));
    }
}

fn refers_to(field: &Field, entity: &Entity) -> bool {
    field.field_type.is_reference()
        && field.ref_plugin.is_none()
        && field.ref_entity.as_ref().is_some_and(|target| **target == *entity.name)
}
