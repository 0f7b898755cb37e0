//! Entities and their fields.

use erp_manifest::codes::codes;
use erp_manifest::diagnostics::Spanned;
use erp_manifest::document::codes::INVALID_VALUE;
use erp_manifest::document::did_you_mean;
use erp_manifest::pattern::Pattern;
use erp_manifest::{
    BaseType, Entity, Field, FieldName, FieldType, MAX_NAME_BYTES, RESERVED_ENTITIES, RESERVED_FIELDS, SettingType,
    Widget, table_name,
};

use super::super::{CheckSubject, Findings};
use crate::rules::pages::BAD_PAGE;
use crate::rules::relations::UNUSED;

codes! {
    RESERVED_NAME = "manifest/reserved-name", finding(Error), "A field with the name of a standard column.",
        why: "The host owns id, tenant_id, created_at, created_by, updated_at, updated_by, deleted_at, version and data; a field of that name could not be told from it.",
        fix: "Give the field another name.";
    TABLE_NAME_TOO_LONG = "manifest/table-name-too-long", finding(Error), "The entity's table would have a name of more than 63 bytes.",
        why: "PostgreSQL cuts longer names in silence, and two tables may then have the same one.",
        fix: "Shorten the plugin's id or the entity's name.";
    UNKNOWN_FIELD = "manifest/unknown-field", finding(Error), "A name that is no field of the entity.",
        why: "The platform would show an empty column or fail.",
        fix: "Use the name of a field of the entity.";
    MISSING_OPTIONS = "manifest/missing-options", finding(Error), "A `select` without options, or options without a `select`.",
        why: "A select without options takes no value at all; options of other types are ignored.",
        fix: "Add `options = [{ value = \"…\", label = \"…\" }]`, or change the field's type.";
    BAD_DEFAULT = "manifest/bad-default", finding(Error), "A default that the field itself would refuse.",
        why: "Every row that brings no value would be refused.",
        fix: "Write a default that fits the field's type and bounds.";
    BAD_NUMBERING = "manifest/bad-numbering", finding(Error), "A numbering rule that cannot work, or a field that names none.",
        why: "Rows could not be given their number, or would get the same one twice.",
        fix: "The rule's `format` needs `{seq}`, and with a reset also the date parts that keep the periods apart; the field's `numbering` names a `[[numbering]]` block.";
}

/// The placeholders in the format of a number, which are written in braces.
const NUMBER_PARTS: [&str; 6] = ["prefix", "YYYY", "YY", "MM", "DD", "seq"];

/// The words that a default may be instead of a literal.
const DEFAULT_WORDS: [&str; 4] = ["$now", "$today", "$user.id", "$uuid"];

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let entities = &manifest.schema.entities;
    findings.unique("entity", entities.iter().map(|entity| (entity.name.as_str(), entity.name.span())));
    for entity in entities {
        let table = table_name(&manifest.metadata.id, &entity.name);
        if table.len() > MAX_NAME_BYTES {
            findings.add(
                TABLE_NAME_TOO_LONG,
                entity.name.span(),
                format!("the table `{table}` has a name of {} bytes; PostgreSQL keeps {MAX_NAME_BYTES}", table.len()),
                "too long together with the plugin's id",
                Some(format!("shorten it by {} characters", table.len() - MAX_NAME_BYTES)),
            );
        }
        if RESERVED_ENTITIES.contains(&entity.name.as_str()) {
            let message = format!("no entity can be called `{}`: the API has something else there", *entity.name);
            findings.add(RESERVED_NAME, entity.name.span(), message, "reserved", None);
        }
        if let Some(title) = &entity.title_field {
            known_field(entity, title, findings);
        }
        fields(subject, entity, findings);
        findings.unique("index", entity.indexes.iter().map(|index| (index.name.as_str(), index.name.span())));
        for index in &entity.indexes {
            for field in &index.fields {
                known_field(entity, field, findings);
            }
        }
    }
    dictionaries(subject, findings);
    numbering(subject, findings);
    settings(subject, findings);
}

/// Returns whether the entity has a field of this name; adds a finding for an unknown name.
pub(super) fn known_field(entity: &Entity, name: &Spanned<FieldName>, findings: &mut Findings<'_>) -> bool {
    let known = entity.field(name.as_str()).is_some();
    if !known {
        let fields = entity.fields.iter().map(|field| field.name.as_str());
        let message = format!("`{}` has no field `{}`", *entity.name, **name);
        findings.unknown(UNKNOWN_FIELD, (name.as_str(), name.span()), message, fields);
    }
    known
}

fn fields(subject: &CheckSubject<'_>, entity: &Entity, findings: &mut Findings<'_>) {
    findings.unique("field", entity.fields.iter().map(|field| (field.name.as_str(), field.name.span())));
    for field in &entity.fields {
        if RESERVED_FIELDS.contains(&field.name.as_str()) {
            findings.add(
                RESERVED_NAME,
                field.name.span(),
                format!("`{}` is a standard column of every entity", *field.name),
                "reserved",
                Some(format!("give it another name, such as `{}_{}`", *entity.name, *field.name)),
            );
        }
        options(field, findings);
        widget(field, findings);
        bounds(field, findings);
        default(field, findings);
        if let Some(code) = &field.dictionary {
            let known = subject.manifest.dictionaries.iter().map(|dictionary| dictionary.code.as_str());
            if !known.clone().any(|known| known == code.as_str()) {
                let message = format!("there is no dictionary `{}`", **code);
                findings.unknown(MISSING_OPTIONS, (code.as_str(), code.span()), message, known);
            }
        }
    }
}

fn dictionaries(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let dictionaries = &subject.manifest.dictionaries;
    findings
        .unique("dictionary", dictionaries.iter().map(|dictionary| (dictionary.code.as_str(), dictionary.code.span())));
    for dictionary in dictionaries {
        findings.unique("item", dictionary.items.iter().map(|item| (item.value.as_str(), item.span.clone())));
        if dictionary.items.is_empty() {
            let message = format!("the dictionary `{}` has no items", *dictionary.code);
            findings.add(MISSING_OPTIONS, dictionary.code.span(), message, "offers nothing", None);
        }
        let is_used = subject.manifest.schema.entities.iter().flat_map(|entity| &entity.fields);
        let is_used = is_used.filter_map(|field| field.dictionary.as_ref()).any(|code| **code == *dictionary.code);
        if !is_used {
            let message = format!("no field uses the dictionary `{}`", *dictionary.code);
            let help = format!("write `dictionary = \"{}\"` in a select field, or take it away", *dictionary.code);
            findings.add(UNUSED, dictionary.code.span(), message, "unused", Some(help));
        }
    }
}

/// Finds a widget that cannot show the field's values.
fn widget(field: &Field, findings: &mut Findings<'_>) {
    let Some(widget) = &field.ui_widget else { return };
    let base = field.field_type.base();
    let fits = match **widget {
        Widget::Input | Widget::Textarea => !matches!(base, BaseType::Boolean),
        Widget::Number | Widget::Currency => field.field_type.shape().is_number(),
        Widget::Select => matches!(base, BaseType::String | BaseType::Json | BaseType::Boolean),
        Widget::Datepicker => matches!(base, BaseType::Date | BaseType::Datetime),
        Widget::EntitySelect => field.ref_entity.is_some(),
        Widget::Switch => base == BaseType::Boolean,
    };
    if !fits {
        let message = format!("the widget `{}` cannot show {}", **widget, field.field_type.with_article());
        let help = "take `ui_widget` away: each type has a widget of its own".to_owned();
        findings.add(BAD_PAGE, widget.span(), message, "does not fit", Some(help));
    }
}

fn options(field: &Field, findings: &mut Findings<'_>) {
    let kind = *field.field_type;
    // The platform's first version wrote a list of values as a string with options.
    let may_have_options = kind.has_options() || kind == FieldType::String;
    if kind.has_options() && field.options.is_empty() && field.dictionary.is_none() {
        let help = "add `options = [{ value = \"…\", label = \"…\" }]`".to_owned();
        let message = format!("`{}` is {} without options", *field.name, kind.with_article());
        findings.add(MISSING_OPTIONS, field.field_type.span(), message, "needs options", Some(help));
    }
    if let (false, Some(option)) = (may_have_options, field.options.first()) {
        let message = format!("`{}` has options, but is {}", *field.name, kind.with_article());
        let help = "write `field_type = \"select\"`, or take the options away".to_owned();
        findings.add(MISSING_OPTIONS, option.span.clone(), message, "nothing uses them", Some(help));
    }
    if field.dictionary.is_none() {
        findings.unique("option", field.options.iter().map(|option| (option.value.as_str(), option.span.clone())));
    }
}

fn bounds(field: &Field, findings: &mut Findings<'_>) {
    if let (Some(precision), Some(scale)) = (field.precision, field.scale)
        && scale > precision
    {
        let message = format!("`{}` has more digits behind the point ({scale}) than in all ({precision})", *field.name);
        findings.add(INVALID_VALUE, field.name.span(), message, "scale > precision", None);
    }
    if field.precision.is_some() && field.field_type.base() != BaseType::Decimal {
        let message = format!(
            "`{}` is {}: `precision` and `scale` are for decimals",
            *field.name,
            field.field_type.with_article()
        );
        findings.add(INVALID_VALUE, field.field_type.span(), message, "nothing acts on it", None);
    }
    if field.unique && field.field_type.base() == BaseType::Json {
        let message = format!("`{}` is {} and cannot be unique", *field.name, field.field_type.with_article());
        findings.add(INVALID_VALUE, field.field_type.span(), message, "has no single value", None);
    }
    if let Some(validation) = &field.validation {
        let bound = |bound: &Option<Spanned<serde_json::Value>>| bound.as_ref().and_then(|bound| number(bound));
        let lengths =
            matches!((validation.min_length, validation.max_length), (Some(least), Some(most)) if least > most);
        let values =
            matches!((bound(&validation.min), bound(&validation.max)), (Some(least), Some(most)) if least > most);
        if lengths || values {
            let message =
                format!("no value of `{}` could ever be valid: the least bound is above the greatest", *field.name);
            findings.add(INVALID_VALUE, validation.span.clone(), message, "nothing fits", None);
        }
    }
    let pattern = field.validation.as_ref().and_then(|validation| validation.pattern.as_ref());
    if let Some(pattern) = pattern
        && let Err(error) = Pattern::parse(pattern)
    {
        findings.add(
            INVALID_VALUE,
            pattern.span(),
            format!("the pattern cannot be read: {error}"),
            "no regular expression",
            None,
        );
    }
}

fn number(value: &serde_json::Value) -> Option<rust_decimal::Decimal> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.parse().ok()
}

fn default(field: &Field, findings: &mut Findings<'_>) {
    let Some(default) = &field.default else { return };
    if let Some(word) = default.as_str().filter(|word| word.starts_with('$')) {
        if !DEFAULT_WORDS.contains(&word) {
            let help = format!("known: {}", DEFAULT_WORDS.join(", "));
            findings.add(BAD_DEFAULT, default.span(), format!("`{word}` is not known"), "unknown word", Some(help));
        } else if let Err(why) = erp_manifest::normal_value(field, &sample(word)) {
            let message = format!("`{word}` gives what `{}` does not take: it {why}", *field.name);
            findings.add(BAD_DEFAULT, default.span(), message, "the field would refuse it", None);
        }
        return;
    }
    if let Err(why) = erp_manifest::normal_value(field, default) {
        let message = format!("the default of `{}` {why}", *field.name);
        findings.add(BAD_DEFAULT, default.span(), message, "the field would refuse it", None);
    }
}

/// Returns an example of the value that a default's word produces.
fn sample(word: &str) -> serde_json::Value {
    match word {
        "$now" => "2026-04-15T08:00:00.000+08:00",
        "$today" => "2026-04-15",
        _ => "018f0000-0000-7000-8000-000000000000",
    }
    .into()
}

/// Returns the unknown placeholders of a format.
fn unknown_parts(format: &str) -> Vec<&str> {
    let parts = format.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(part, _)| part);
    parts.filter(|part| !NUMBER_PARTS.contains(part)).collect()
}

fn numbering(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    findings.unique("numbering rule", manifest.numbering.iter().map(|rule| (rule.name.as_str(), rule.name.span())));
    for rule in &manifest.numbering {
        super::relations::known_entity(manifest, &rule.entity, findings);
        use erp_manifest::ResetRule::{Daily, Monthly, Never, Yearly};
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
                BAD_NUMBERING,
                span,
                message,
                "not unique",
                Some("write it like `{prefix}{YYYY}{MM}{DD}-{seq}`".to_owned()),
            );
        }
    }
    for rule in &manifest.numbering {
        for part in unknown_parts(&rule.format) {
            let span = rule.format.span();
            let message = format!("`{{{part}}}` is no part of a number: it would stand there as it is");
            let help = did_you_mean(part, NUMBER_PARTS)
                .unwrap_or_else(|| format!("parts are {}", NUMBER_PARTS.map(|part| format!("{{{part}}}")).join(", ")));
            findings.add(BAD_NUMBERING, span, message, "unknown part", Some(help));
        }
    }
    for entity in &manifest.schema.entities {
        for field in &entity.fields {
            if *field.field_type == FieldType::Autonumber && field.numbering.is_none() {
                let message = format!("`{}` is an autonumber of no rule: it would stay empty", *field.name);
                let help = "write `numbering = \"…\"` with the name of a [[numbering]] block".to_owned();
                findings.add(BAD_NUMBERING, field.field_type.span(), message, "no rule", Some(help));
            }
            let Some(name) = &field.numbering else { continue };
            let known = manifest.numbering.iter().map(|rule| rule.name.as_str());
            if manifest.numbering_rule(name).is_none() {
                let message = format!("there is no numbering rule `{name}`");
                findings.unknown(BAD_NUMBERING, (name, name.span()), message, known);
            }
        }
    }
}

fn settings(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let settings = &subject.manifest.settings;
    findings.unique("setting", settings.fields.iter().map(|field| (field.key.as_str(), field.key.span())));
    findings.unique("group", settings.groups.iter().map(|group| (group.name.as_str(), group.name.span())));
    let groups = settings.groups.iter().map(|group| group.name.as_str());
    for field in &settings.fields {
        let Some(default) = &field.default else { continue };
        let fits = match field.setting_type {
            SettingType::Text => default.is_string(),
            SettingType::Number => default.is_number(),
            SettingType::Boolean => default.is_boolean(),
            SettingType::Select => field.options.iter().any(|option| default.as_str() == Some(option.value.as_str())),
        };
        if !fits {
            let message = format!("the default of the setting `{}` is no {}", *field.key, field.setting_type);
            findings.add(BAD_DEFAULT, default.span(), message, "does not fit", None);
        }
    }
    for group in settings.fields.iter().filter_map(|field| field.group.as_ref()) {
        if !groups.clone().any(|known| known == group.as_str()) {
            let message = format!("there is no group of settings `{}`", **group);
            findings.unknown(INVALID_VALUE, (group.as_str(), group.span()), message, groups.clone());
        }
    }
}
