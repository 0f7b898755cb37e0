//! What users may do.

use std::collections::BTreeSet;

use super::super::{Findings, Subject};
use crate::diagnostics::{Span, codes};
use crate::document::did_you_mean;
use crate::manifest::{Manifest, PageType};

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let mut codes_seen = BTreeSet::new();
    for permission in &manifest.permissions {
        let code = &permission.code;
        if !codes_seen.insert(code.as_str()) {
            findings.add(
                codes::DUPLICATE,
                code.span(),
                format!("the permission `{code}` is there twice"),
                "again",
                None,
            );
        }
        let entities = manifest.schema.entities.iter().map(|entity| entity.name.as_str());
        match code.split_once('.') {
            Some((entity, action)) if manifest.entity(entity).is_some() && is_word(action) => {}
            Some((entity, action)) if is_word(action) => {
                let message = format!("`{code}` begins with `{entity}`, which is no entity");
                findings.add(
                    codes::INVALID_PERMISSION,
                    code.span(),
                    message,
                    "unknown entity",
                    did_you_mean(entity, entities),
                );
            }
            _ => {
                let help = "write it as `<entity>.<action>`, such as `item.list`".to_owned();
                let message = format!("`{code}` does not name an entity and an action");
                findings.add(codes::INVALID_PERMISSION, code.span(), message, "no entity and action", Some(help));
            }
        }
    }
    for entity in &manifest.schema.entities {
        let missing: Vec<String> = ["list", "manage"]
            .into_iter()
            .map(|action| format!("{}.{action}", *entity.name))
            .filter(|code| manifest.permission(code).is_none())
            .collect();
        // Rows of a child are reached through their parent as well, but the API asks for these.
        if !missing.is_empty() {
            let message =
                format!("nobody can be allowed to reach `{}`: {} not declared", *entity.name, missing.join(" and "));
            let help = format!("add `[[permissions]]` with `code = \"{}\"`", missing[0]);
            findings.add(codes::MISSING_PERMISSION, entity.name.span(), message, "no permission", Some(help));
        }
    }
    for action in &manifest.ui.actions {
        declared(manifest, &action.permission, action.permission.span(), findings);
    }
    for page in &manifest.ui.pages {
        if let Some(permission) = &page.permission {
            declared(manifest, permission, permission.span(), findings);
        } else if let (PageType::Crud, Some(entity)) = (*page.r#type, &page.entity)
            && manifest.entity(entity.as_str()).is_some()
        {
            declared(manifest, &format!("{}.list", **entity), entity.span(), findings);
        }
    }
}

fn declared(manifest: &Manifest, code: &str, span: Span, findings: &mut Findings<'_>) {
    if manifest.permission(code).is_none() {
        let known = manifest.permissions.iter().map(|permission| permission.code.as_str());
        let message = format!("the permission `{code}` is not declared");
        findings.add(codes::UNDECLARED_PERMISSION, span, message, "not declared", did_you_mean(code, known));
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
