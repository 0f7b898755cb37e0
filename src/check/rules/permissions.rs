//! Permissions of users.

use erp_manifest::codes::codes;
use erp_manifest::diagnostics::{Fix, Span};
use erp_manifest::document::{did_you_mean, obvious};
use erp_manifest::{INVALID_PERMISSION, LIST, MANAGE, Manifest, Permission, PermissionCode};

use super::super::{CheckSubject, Findings};

codes! {
    MISSING_PERMISSION = "manifest/missing-permission", finding(Warning), "An entity that nobody can be allowed to see or to change.",
        why: "Without `entity.list` and `entity.manage` no role can be given the entity, so that only administrators reach it.",
        fix: "Add `[[permissions]]` blocks for the codes that the finding names.";
    UNDECLARED_PERMISSION = "manifest/undeclared-permission", finding(Error), "A page or an action asks for a permission that is not declared.",
        why: "No role could have it, so nobody could open the page or press the button.",
        fix: "Add a `[[permissions]]` block with that code, or name a declared one.";
    UNUSED_PERMISSION = "manifest/unused-permission", finding(Hint), "A permission that nothing in the manifest asks for.",
        why: "Administrators would grant it, and perhaps nothing would change.",
        fix: "Name it in a page, an action or a template; leave it where the plugin's code asks for it; or take it away.";
}

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    findings.unique("permission", manifest.permissions.iter().map(|one| (one.code.as_str(), one.code.span())));
    for permission in &manifest.permissions {
        let code = &permission.code;
        if manifest.entity(code.entity()).is_some() {
            unused(manifest, permission, findings);
            continue;
        }
        let entities = manifest.schema.entities.iter().map(|entity| entity.name.as_str());
        let message = format!("`{}` begins with `{}`, which is no entity", **code, code.entity());
        let help = did_you_mean(code.entity(), entities.clone());
        findings.add(INVALID_PERMISSION, code.span(), message, "unknown entity", help);
        let near = obvious(code.entity(), entities).map(|entity| format!("{entity}.{}", code.action()));
        findings.report.fix_last(near.map(|near| Fix::replace_string(code.span(), &near)));
    }
    for entity in &manifest.schema.entities {
        let missing: Vec<PermissionCode> = [LIST, MANAGE]
            .into_iter()
            .map(|action| PermissionCode::of(&entity.name, action))
            .filter(|code| manifest.permission(code).is_none())
            .collect();
        // Rows of a child are also reached through their parent, but the API requires these permissions.
        let joined = missing.iter().map(PermissionCode::as_str).collect::<Vec<_>>().join(" and ");
        if !missing.is_empty() {
            let message = format!("nobody can be allowed to reach `{}`: {} not declared", *entity.name, joined);
            let help = format!("add `[[permissions]]` with `code = \"{}\"`", missing[0]);
            findings.add(MISSING_PERMISSION, entity.name.span(), message, "no permission", Some(help));
            let blocks: Vec<String> = missing.iter().map(|code| block(code, &entity.display_name)).collect();
            let title = format!("declare {joined}");
            findings.report.fix_last(subject.edit(|text| text.add_block(&title, "permissions", &blocks.join("\n\n"))));
        }
    }
    for action in &manifest.ui.actions {
        declared(subject, &action.permission, action.permission.span(), findings);
    }
    for page in
        manifest.ui.pages.iter().flat_map(|page| std::iter::once(page).chain(page.pages.iter().map(|tab| &tab.0)))
    {
        if let Some(permission) = &page.permission {
            declared(subject, permission, permission.span(), findings);
        } else if let Some(entity) = page.entity.as_ref().filter(|entity| manifest.entity(entity.as_str()).is_some()) {
            declared(subject, &PermissionCode::list(entity), entity.span(), findings);
        }
    }
}

/// Finds a permission other than `list` and `manage` that no page and no action requires. The plugin's code
/// may check it by itself, so this is only a hint.
fn unused(manifest: &Manifest, permission: &Permission, findings: &mut Findings<'_>) {
    let code = &*permission.code;
    let pages = manifest.ui.pages.iter().filter_map(|page| page.permission.as_ref());
    let mut asked = pages.chain(manifest.ui.actions.iter().map(|action| &action.permission));
    if ![LIST, MANAGE].contains(&permission.code.action()) && !asked.any(|asked| **asked == *code) {
        let message = format!("nothing in the manifest asks for the permission `{code}`");
        let help = "the plugin's code may ask for it with check-permission; else take it away".to_owned();
        findings.add(UNUSED_PERMISSION, permission.code.span(), message, "asked for by code alone", Some(help));
    }
}

fn block(code: &PermissionCode, name: &str) -> String {
    format!("[[permissions]]\ncode = \"{code}\"\nname = {}", toml::Value::String(format!("{name} {}", code.action())))
}

fn declared(subject: &CheckSubject<'_>, code: &PermissionCode, span: Span, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    if manifest.permission(code).is_some() {
        return;
    }
    let known = manifest.permissions.iter().map(|permission| permission.code.as_str());
    let message = format!("the permission `{code}` is not declared");
    findings.add(
        UNDECLARED_PERMISSION,
        span.clone(),
        message,
        "not declared",
        did_you_mean(code.as_str(), known.clone()),
    );
    let is_written =
        subject.source.text().get(span.clone()).is_some_and(|text| text.trim_matches(['"', '\'']) == code.as_str());
    if let Some(near) = obvious(code.as_str(), known).filter(|_| is_written) {
        findings.report.fix_last(Some(Fix::replace_string(span, near)));
    }
}
