//! Compares a manifest with that of the previous version: the version, the rows, and what administrators must agree to.

use std::collections::BTreeSet;

use erp_manifest::Manifest;
use erp_manifest::codes::codes;
use erp_manifest::diagnostics::{Report, Span};
use erp_manifest::document::codes::INVALID_VALUE;
use erp_manifest::evolution::{ChangeEffect, SchemaDiff};
use semver::Version;

use super::{CheckSubject, Findings};

codes! {
    AT_STAKE = "migration/at-stake", finding(Error), "Values of the previous version would be lost, or may not fit.",
        why: "A customer has a year of rows; the platform refuses an upgrade that loses one of them without a step that says so.",
        fix: "Say what becomes of the values: `renamed_from`, or a step of `[[migrations]]` (`change_type`, `split`, `merge`, `backfill`, `drop_field`). Rehearse it: `erp-plugin migrate rehearse --from <old.erpx>`.";
    SCHEMA_VERSION = "migration/schema-version", finding(Error), "Rows must follow, and the schema version is not higher.",
        why: "Migrations are chosen by the schema version that a customer's rows have.",
        fix: "Raise `schema_version` in `[schema]` by one.";
    VERSION_NOT_RAISED = "manifest/version-not-raised", finding(Error), "The version is not higher than the previous one.",
        why: "A platform never takes two contents for one version, and no older version after a newer one.",
        fix: "Raise `version` in `[metadata]`.";
    NEW_CAPABILITY = "manifest/new-capability", finding(Warning), "The plugin asks for more than its previous version.",
        why: "Administrators agreed to what the previous version asked for; they must agree again.",
        fix: "Say in the changelog what it is for, or do without it.";
}

/// Checks a manifest against the one of the previous version.
pub fn check_evolution(subject: &CheckSubject<'_>, previous: &Manifest) -> Report {
    let mut findings = Findings { source: subject.source, report: Report::new() };
    let (old, new) = (&previous.metadata, &subject.manifest.metadata);
    if *old.id != *new.id {
        let message = format!("the previous version is of another plugin, `{}`", *old.id);
        findings.add(INVALID_VALUE, new.id.span(), message, "another id", None);
        return findings.report;
    }
    if let (Ok(before), Ok(now)) = (Version::parse(&old.version), Version::parse(&new.version))
        && now <= before
    {
        let message = format!("the version is {now}, and the previous one was {before}");
        let help = format!("write at least `{}.{}.{}`", before.major, before.minor, before.patch + 1);
        findings.add(VERSION_NOT_RAISED, new.version.span(), message, "not raised", Some(help));
    }
    follow_rows(subject, previous, &mut findings);
    let before: BTreeSet<String> = asks(previous).into_iter().map(|(what, _)| what).collect();
    for (what, span) in asks(subject.manifest) {
        if !before.contains(&what) {
            let help = "administrators must agree to this: say in the changelog what it is for".to_owned();
            findings.add(NEW_CAPABILITY, span, format!("the plugin now asks {what}"), "new", Some(help));
        }
    }
    findings.report
}

/// Checks what becomes of the rows of the previous version.
fn follow_rows(subject: &CheckSubject<'_>, previous: &Manifest, findings: &mut Findings<'_>) {
    let diff = SchemaDiff::of(previous, subject.manifest);
    for change in diff.unhandled_changes() {
        let label = if change.effect == ChangeEffect::Loses { "values are lost" } else { "some values may not fit" };
        let (from, to) = (previous.schema.schema_version, subject.manifest.schema.schema_version);
        let to = to.max(from + 1);
        let help = change.step().map(|step| format!("[[migrations]] with from = {from}, to = {to}, {step}"));
        findings.add(AT_STAKE, change.span.clone(), change.to_string(), label, help);
    }
    let (before, now) = (previous.schema.schema_version, subject.manifest.schema.schema_version);
    if diff.changes_rows() && now <= before {
        let message = format!("stored rows must follow, and the schema version is {now} as before");
        let help = Some(format!("write `schema_version = {}` in [schema]", before + 1));
        findings.add(SCHEMA_VERSION, subject.manifest.schema.span.clone(), message, "not raised", help);
    }
}

/// Returns all that a plugin needs from the host, other plugins and administrators, with its place in the manifest.
fn asks(manifest: &Manifest) -> Vec<(String, Span)> {
    let capabilities = &manifest.capabilities;
    let mut asks: Vec<(String, Span)> = Vec::new();
    for (verb, items) in [
        ("to read", &capabilities.read_entities),
        ("to publish", &capabilities.publish),
        ("for the configuration", &capabilities.config),
        ("for the secret", &capabilities.secrets),
        ("to call", &capabilities.http),
        ("to hear", &manifest.events.subscribe),
    ] {
        asks.extend(items.iter().map(|item| (format!("{verb} `{}`", **item), item.span())));
    }
    for (what, switch) in [
        ("for a key-value store", &capabilities.kv),
        ("to keep files", &capabilities.blob),
        ("to remember conversations", &capabilities.memory),
    ] {
        if **switch {
            asks.push((what.to_owned(), switch.span()));
        }
    }
    for dependency in manifest.dependencies.plugins.iter().filter(|dependency| !dependency.optional) {
        asks.push((format!("for the plugin `{}`", *dependency.id), dependency.id.span()));
    }
    asks
}
