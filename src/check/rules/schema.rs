//! Entities and their fields.

use std::collections::BTreeSet;

use super::super::{Findings, Subject};
use crate::diagnostics::codes;
use crate::document::did_you_mean;
use crate::manifest::{BaseType, Entity, Field, RESERVED_FIELDS, table_name};

/// The longest name of a table that PostgreSQL keeps whole, in bytes.
const MAX_TABLE_NAME_BYTES: usize = 63;
/// What a default may be beside a literal.
const DEFAULT_WORDS: [&str; 4] = ["$now", "$today", "$user.id", "$uuid"];

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let mut names = BTreeSet::new();
    for entity in &manifest.schema.entities {
        if !names.insert(entity.name.as_str()) {
            let message = format!("the entity `{}` is there twice", *entity.name);
            findings.add(codes::DUPLICATE, entity.name.span(), message, "again", None);
        }
        let table = table_name(&manifest.metadata.id, &entity.name);
        if table.len() > MAX_TABLE_NAME_BYTES {
            findings.add(
                codes::TABLE_NAME_TOO_LONG,
                entity.name.span(),
                format!(
                    "the table `{table}` has a name of {} bytes; PostgreSQL keeps {MAX_TABLE_NAME_BYTES}",
                    table.len()
                ),
                "too long together with the plugin's id",
                Some(format!("shorten it by {} characters", table.len() - MAX_TABLE_NAME_BYTES)),
            );
        }
        if let Some(title) = &entity.title_field {
            known_field(entity, title.as_str(), title.span(), findings);
        }
        fields(entity, findings);
        for index in &entity.indexes {
            for field in &index.fields {
                known_field(entity, field.as_str(), field.span(), findings);
            }
        }
    }
    numbering(subject, findings);
    settings(subject, findings);
}

/// Finds a name that is no field of the entity.
pub(super) fn known_field(
    entity: &Entity,
    name: &str,
    span: crate::diagnostics::Span,
    findings: &mut Findings<'_>,
) -> bool {
    let known = entity.field(name).is_some();
    if !known {
        let fields = entity.fields.iter().map(|field| field.name.as_str());
        let message = format!("`{}` has no field `{name}`", *entity.name);
        findings.add(codes::UNKNOWN_FIELD, span, message, "not a field", did_you_mean(name, fields));
    }
    known
}

fn fields(entity: &Entity, findings: &mut Findings<'_>) {
    let mut names = BTreeSet::new();
    for field in &entity.fields {
        if !names.insert(field.name.as_str()) {
            let message = format!("the field `{}` is there twice", *field.name);
            findings.add(codes::DUPLICATE, field.name.span(), message, "again", None);
        }
        if RESERVED_FIELDS.contains(&field.name.as_str()) {
            findings.add(
                codes::RESERVED_NAME,
                field.name.span(),
                format!("`{}` is a standard column of every entity", *field.name),
                "reserved",
                Some(format!("give it another name, such as `{}_{}`", *entity.name, *field.name)),
            );
        }
        options(field, findings);
        bounds(field, findings);
        default(field, findings);
    }
}

fn options(field: &Field, findings: &mut Findings<'_>) {
    let kind = *field.field_type;
    if kind.has_options() && field.options.is_empty() {
        let help = "add `options = [{ value = \"…\", label = \"…\" }]`".to_owned();
        let message = format!("`{}` is a {kind} without options", *field.name);
        findings.add(codes::MISSING_OPTIONS, field.field_type.span(), message, "needs options", Some(help));
    }
    if let (false, Some(option)) = (kind.has_options(), field.options.first()) {
        let message = format!("`{}` has options, but is a {kind}", *field.name);
        let help = "write `field_type = \"select\"`, or take the options away".to_owned();
        findings.add(codes::MISSING_OPTIONS, option.span.clone(), message, "nothing uses them", Some(help));
    }
    let mut values = BTreeSet::new();
    for option in &field.options {
        if !values.insert(option.value.as_str()) {
            let message = format!("the option `{}` is there twice", option.value);
            findings.add(codes::DUPLICATE, option.span.clone(), message, "again", None);
        }
    }
}

fn bounds(field: &Field, findings: &mut Findings<'_>) {
    if let (Some(precision), Some(scale)) = (field.precision, field.scale)
        && scale > precision
    {
        let message = format!("`{}` has more digits behind the point ({scale}) than in all ({precision})", *field.name);
        findings.add(codes::INVALID_VALUE, field.name.span(), message, "scale > precision", None);
    }
    if field.unique && field.field_type.base() == BaseType::Json {
        let message = format!("`{}` is a {} and cannot be unique", *field.name, *field.field_type);
        findings.add(codes::INVALID_VALUE, field.field_type.span(), message, "has no single value", None);
    }
    let pattern = field.validation.as_ref().and_then(|validation| validation.pattern.as_ref());
    if let Some(pattern) = pattern
        && let Err(error) = regex_lite::Regex::new(pattern)
    {
        findings.add(
            codes::INVALID_VALUE,
            pattern.span(),
            format!("the pattern cannot be read: {error}"),
            "no regular expression",
            None,
        );
    }
}

fn default(field: &Field, findings: &mut Findings<'_>) {
    let Some(default) = &field.default else { return };
    if let Some(word) = default.as_str().filter(|word| word.starts_with('$')) {
        if !DEFAULT_WORDS.contains(&word) {
            let help = format!("known: {}", DEFAULT_WORDS.join(", "));
            findings.add(
                codes::BAD_DEFAULT,
                default.span(),
                format!("`{word}` is not known"),
                "unknown word",
                Some(help),
            );
        }
        return;
    }
    if let Err(why) = crate::store::normal_value(field, default) {
        let message = format!("the default of `{}` {why}", *field.name);
        findings.add(codes::BAD_DEFAULT, default.span(), message, "the field would refuse it", None);
    }
}

fn numbering(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let mut names = BTreeSet::new();
    for rule in &manifest.numbering {
        if !names.insert(rule.name.as_str()) {
            findings.add(
                codes::DUPLICATE,
                rule.name.span(),
                format!("the numbering rule `{}` is there twice", *rule.name),
                "again",
                None,
            );
        }
        if manifest.entity(rule.entity.as_str()).is_none() {
            super::relations::unknown_entity(manifest, rule.entity.as_str(), rule.entity.span(), findings);
        }
        use crate::manifest::ResetRule::{Daily, Monthly, Never, Yearly};
        let needed: &[&str] = match rule.reset_rule {
            Never => &["{seq}"],
            Yearly => &["{seq}", "{YY"],
            Monthly => &["{seq}", "{YY", "{MM}"],
            Daily => &["{seq}", "{YY", "{MM}", "{DD}"],
        };
        let missing: Vec<String> = needed
            .iter()
            .filter(|part| !rule.format.contains(**part))
            .map(|part| if *part == "{YY" { "{YYYY}".to_owned() } else { (*part).to_owned() })
            .collect();
        if !missing.is_empty() {
            let span = if rule.format.span().is_empty() { rule.name.span() } else { rule.format.span() };
            let message = format!(
                "the numbers of `{}` would repeat: {} missing in its format",
                *rule.name,
                missing.join(" and ")
            );
            findings.add(
                codes::BAD_NUMBERING,
                span,
                message,
                "not unique",
                Some("write it like `{prefix}{YYYY}{MM}{DD}-{seq}`".to_owned()),
            );
        }
    }
    for entity in &manifest.schema.entities {
        for field in &entity.fields {
            let Some(name) = &field.numbering else { continue };
            let known = manifest.numbering.iter().map(|rule| rule.name.as_str());
            if manifest.numbering_rule(name).is_none() {
                let message = format!("there is no numbering rule `{name}`");
                findings.add(codes::BAD_NUMBERING, name.span(), message, "unknown", did_you_mean(name, known));
            }
        }
    }
}

fn settings(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let mut keys = BTreeSet::new();
    for field in &subject.manifest.settings.fields {
        if !keys.insert(field.key.as_str()) {
            findings.add(
                codes::DUPLICATE,
                field.key.span(),
                format!("the setting `{}` is there twice", *field.key),
                "again",
                None,
            );
        }
    }
}
