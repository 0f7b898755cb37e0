//! Steps from one schema version to the next, and rows that come with the plugin.

use erp_manifest::codes::codes;
use erp_manifest::diagnostics::{Span, Spanned};
use erp_manifest::{
    Entity, FieldName, FieldType, Fixture, Manifest, MigrationPhase, MigrationStep, StepKind, converted,
};
use serde_json::Value;
use uuid::Uuid;

use super::super::{CheckSubject, Findings};
use crate::rules::relations::UNKNOWN_ENTITY;

codes! { pub:
    BAD_MIGRATION = "migration/bad-step", finding(Error), "A step of a migration cannot be done.",
        why: "An upgrade goes through all steps in one transaction; one that names what is not there would stop it at every customer's.",
        fix: "Name entities and fields as this version calls them, the old name in `from`, and give what the step needs.";
    BAD_FIXTURE = "migration/bad-fixture", finding(Error), "Rows that come with the plugin cannot be used.",
        why: "They are brought to every tenant when the plugin is enabled or upgraded; one that does not fit would stop that.",
        fix: "Name an entity and fields that are there, give values that the fields take, and a file of .csv, .json or .toml that is packed.";
}

/// The most invalid rows of a fixture that are reported.
const SHOWN_ROWS: usize = 5;

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    for migration in &manifest.migrations {
        let (from, to, now) = (*migration.from, *migration.to, manifest.schema.schema_version);
        if from >= to {
            let message = format!("a migration leads to a higher schema version, not from {from} to {to}");
            findings.add(BAD_MIGRATION, migration.to.span(), message, "not higher", None);
        } else if to > now {
            let message = format!("the migration leads to schema version {to}, and the manifest says {now}");
            let help = Some(format!("write `schema_version = {to}` in [schema]"));
            findings.add(BAD_MIGRATION, migration.to.span(), message, "higher than this version", help);
        }
        for step in &migration.steps {
            check_step(manifest, migration.phase, step, findings);
            check_names(manifest, step, findings);
        }
    }
    check_former_names(manifest, findings);
    if manifest.fixtures.is_empty() && manifest.demo.is_empty() {
        return;
    }
    // The fixtures as a package has them: the rows of files together with those of the manifest.
    let mut with_files = manifest.clone();
    for unreadable in with_files.read_fixture_files(subject.file) {
        findings.add(BAD_FIXTURE, unreadable.span(), unreadable.to_string(), "these rows", None);
    }
    for fixture in with_files.fixtures.iter().chain(&with_files.demo) {
        check_fixture(&with_files, fixture, findings);
    }
}

fn check_step(manifest: &Manifest, phase: MigrationPhase, step: &MigrationStep, findings: &mut Findings<'_>) {
    let kind = *step.r#do;
    let entity = manifest.schema.entities.iter().find(|entity| *entity.name == *step.entity);
    let mut bad = |span: Span, message: String, help: Option<String>| {
        findings.add(BAD_MIGRATION, span, message, "cannot be done", help);
    };
    let Some(entity) = entity else {
        if kind != StepKind::DropEntity {
            let message = format!("there is no entity `{}` in this version", *step.entity);
            bad(step.entity.span(), message, Some("a step names the entity as it is called now".to_owned()));
        }
        return;
    };
    if kind == StepKind::DropEntity {
        bad(step.entity.span(), format!("`{}` is still there", *step.entity), Some("take its block away".to_owned()));
        return;
    }
    let word = kind.word();
    let missing = |key: &str| format!("`{word}` needs `{key}`");
    match kind {
        StepKind::RenameEntity if step.from.is_none() => bad(step.r#do.span(), missing("from"), None),
        StepKind::RenameField if step.from.is_none() => bad(step.r#do.span(), missing("from"), None),
        StepKind::Split if step.from.is_none() => bad(step.r#do.span(), missing("from"), None),
        StepKind::Split if step.into.len() < 2 => bad(step.r#do.span(), missing("into"), None),
        StepKind::Merge if step.fields.len() < 2 => bad(step.r#do.span(), missing("fields"), None),
        StepKind::Backfill if step.value.is_none() => bad(step.r#do.span(), missing("value"), None),
        StepKind::ChangeType if phase != MigrationPhase::Pre => {
            let help = Some("put it into a migration with `phase = \"pre\"`".to_owned());
            bad(step.r#do.span(), "a type changes before the tables do".to_owned(), help);
        }
        _ => {}
    }
    let needs_field = !matches!(kind, StepKind::RenameEntity | StepKind::Split);
    match &step.field {
        None if needs_field => bad(step.r#do.span(), missing("field"), None),
        Some(field) if kind == StepKind::DropField && entity.field(field.as_str()).is_some() => {
            bad(field.span(), format!("`{}` still has the field `{}`", *entity.name, **field), None);
        }
        // One of several renames: the field is a former name, not the current one.
        Some(field)
            if kind == StepKind::RenameField
                && former_names(manifest, entity).iter().any(|name| name == field.as_str()) => {}
        Some(field) if needs_field && kind != StepKind::DropField => known(entity, field, findings),
        _ => {}
    }
    for field in &step.into {
        known(entity, field, findings);
    }
}

/// Checks the names in the expressions of a step: fields of this version, or former names of fields.
fn check_names(manifest: &Manifest, step: &MigrationStep, findings: &mut Findings<'_>) {
    let Some(entity) = manifest.schema.entities.iter().find(|entity| *entity.name == *step.entity) else { return };
    let former = former_names(manifest, entity);
    for expression in step.value.iter().chain(&step.when) {
        for name in expression.names() {
            if name.starts_with('$') || entity.field(name).is_some() || former.iter().any(|known| known == name) {
                continue;
            }
            let message = format!("`{}` has no field `{name}`, and no migration says that it had one", *entity.name);
            let known = entity.fields.iter().map(|field| field.name.as_str()).chain(former.iter().map(String::as_str));
            findings.unknown(BAD_MIGRATION, (name, expression.span()), message, known);
        }
    }
}

/// Returns the former names of an entity's fields and the names of removed fields, as far as the manifest has them.
fn former_names(manifest: &Manifest, entity: &Entity) -> Vec<String> {
    let renamed = entity.fields.iter().filter_map(|field| field.renamed_from.as_ref()).map(ToString::to_string);
    let steps = manifest.migrations.iter().flat_map(|migration| &migration.steps);
    let own = steps.filter(|step| *step.entity == *entity.name);
    let named = own.flat_map(|step| {
        let gone = step.field.iter().filter(|_| *step.r#do == StepKind::DropField);
        step.from.iter().chain(&step.fields).chain(gone).map(ToString::to_string).collect::<Vec<_>>()
    });
    renamed.chain(named).collect()
}

/// Finds former names that are used again: the values would stay where they are.
fn check_former_names(manifest: &Manifest, findings: &mut Findings<'_>) {
    let entities = &manifest.schema.entities;
    for entity in entities {
        let taken = entity
            .renamed_from
            .as_ref()
            .filter(|from| entities.iter().any(|other| other.name.as_str() == from.as_str()));
        if let Some(from) = taken {
            let message = format!("`{}` cannot have been `{}`: there is an entity of that name", *entity.name, **from);
            findings.add(BAD_MIGRATION, from.span(), message, "used again", None);
        }
        for field in &entity.fields {
            if let Some(from) = field.renamed_from.as_ref().filter(|from| entity.field(from.as_str()).is_some()) {
                let message = format!("`{}` cannot have been `{}`: there is a field of that name", *field.name, **from);
                let help = Some("give the new field another name, or the old one its old name back".to_owned());
                findings.add(BAD_MIGRATION, from.span(), message, "used again", help);
            }
        }
    }
}

fn known(entity: &Entity, name: &Spanned<FieldName>, findings: &mut Findings<'_>) {
    super::schema::known_field(entity, name, findings);
}

fn check_fixture(manifest: &Manifest, fixture: &Fixture, findings: &mut Findings<'_>) {
    let Some(entity) = manifest.schema.entities.iter().find(|entity| *entity.name == *fixture.entity) else {
        let entities = manifest.schema.entities.iter().map(|entity| entity.name.as_str());
        let message = format!("there is no entity `{}`", *fixture.entity);
        findings.unknown(UNKNOWN_ENTITY, (fixture.entity.as_str(), fixture.entity.span()), message, entities);
        return;
    };
    for key in &fixture.key {
        known(entity, key, findings);
    }
    let is_written = |name: &str| fixture.tables().all(|row| row.get(name).is_some_and(|value| !value.is_null()));
    let has_key = entity.fields.iter().any(|field| field.unique && is_written(field.name.as_str()));
    if fixture.key.is_empty() && !has_key {
        let message = format!("`{}` must know rows again: by which fields?", fixture.mode.word());
        let help = entity.fields.first().map(|field| format!("write `key = [\"{}\"]`", *field.name));
        findings.add(BAD_FIXTURE, fixture.entity.span(), message, "no `key`", help);
    }
    let mut shown = 0;
    for (index, row) in fixture.tables().enumerate() {
        let unknown = row.keys().find(|name| entity.field(name).is_none()).map(|name| format!("`{name}` is no field"));
        let problem = unknown.or_else(|| row.iter().find_map(|(name, value)| expected_instead_of(entity, name, value)));
        let missing = || {
            let needed = entity.fields.iter().filter(|field| {
                field.required && field.default.is_none() && field.computed.is_none() && field.numbering.is_none()
            });
            let missing =
                needed.map(|field| field.name.as_str()).find(|name| row.get(*name).is_none_or(Value::is_null));
            missing.map(|name| format!("`{name}` is required"))
        };
        if let Some(problem) = problem.or_else(missing)
            && shown < SHOWN_ROWS
        {
            shown += 1;
            let message = format!("row {} for `{}`: {problem}", index + 1, *entity.name);
            findings.add(BAD_FIXTURE, fixture.entity.span(), message, "in these rows", None);
        }
    }
}

fn expected_instead_of(entity: &Entity, name: &str, value: &Value) -> Option<String> {
    let field = entity.field(name)?;
    // A reference may identify its row by the row's title.
    let is_title =
        *field.field_type == FieldType::Ref && value.as_str().is_some_and(|text| Uuid::parse_str(text).is_err());
    if is_title {
        return None;
    }
    converted(field, value).err().map(|why| format!("`{name}` {why}"))
}
