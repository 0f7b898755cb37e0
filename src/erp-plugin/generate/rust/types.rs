//! Converts field types of the manifest to types of Rust.

use erp_manifest::{Field, FieldOption, FieldType, Manifest, TextFormat, ValueShape};

use super::code::SourceWriter;
use super::entity_names::EntityNames;
use super::names::variants;

/// The Rust type of a field that has a value.
pub(super) fn of_field(manifest: &Manifest, names: &EntityNames, entity: &str, field: &Field) -> String {
    let id = || match &field.ref_entity {
        Some(target) if names_own_entity(manifest, field) => {
            format!("Id<{}>", names.row(target.as_str()))
        }
        _ => "Uuid".to_owned(),
    };
    match *field.field_type {
        FieldType::Ref => id(),
        FieldType::RefMany => format!("Vec<{}>", id()),
        FieldType::Select if !field.options.is_empty() => names.choice(entity, field.name.as_str()).to_owned(),
        FieldType::MultiSelect if !field.options.is_empty() => {
            format!("Vec<{}>", names.choice(entity, field.name.as_str()))
        }
        other => of_type(other).to_owned(),
    }
}

/// The Rust type of a field type, for all fields of it.
pub(super) fn of_type(field_type: FieldType) -> &'static str {
    match field_type.shape() {
        ValueShape::Texts | ValueShape::Options => "Vec<String>",
        ValueShape::Ids => "Vec<Uuid>",
        ValueShape::Text(TextFormat::Time) => "Time",
        ValueShape::Text(_) | ValueShape::Option => "String",
        ValueShape::Date => "Date",
        ValueShape::Datetime => "DateTime",
        ValueShape::Integer => "i64",
        ValueShape::Float => "f64",
        ValueShape::Decimal => "Decimal",
        ValueShape::Boolean => "bool",
        ValueShape::Id => "Uuid",
        ValueShape::Place | ValueShape::Json => "Value",
    }
}

/// Writes the enum of a select, with its conversion from and to JSON.
pub(super) fn choices(code: &mut SourceWriter, name: &str, about: &str, options: &[FieldOption]) {
    let names = variants(options.iter().map(|option| option.value.as_str()));
    code.blank();
    code.doc(about);
    code.line("#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]");
    code.block(format!("pub enum {name}"), |code| {
        for (name, option) in names.iter().zip(options) {
            code.doc(&option.label);
            code.line(format!("{name},"));
        }
    });
    code.blank();
    code.block(format!("impl JsonValue for {name}"), |code| {
        code.block(format!("fn from_json(json: &Value) -> Option<{name}>"), |code| {
            code.block("match json.as_str()?", |code| {
                for (variant, option) in names.iter().zip(options) {
                    code.line(format!("{:?} => Some({name}::{variant}),", option.value));
                }
                code.line("_ => None,");
            });
        });
        code.blank();
        code.block("fn to_json(&self) -> Value", |code| {
            code.block_ending("Value::from(match self", "})", |code| {
                for (variant, option) in names.iter().zip(options) {
                    code.line(format!("{name}::{variant} => {:?},", option.value));
                }
            });
        });
    });
}

/// True where a parameter for the field has the type `impl Into<…>`, so that it accepts `&str` or another kind of id.
pub(super) fn is_taken_into(manifest: &Manifest, field: &Field) -> bool {
    match *field.field_type {
        FieldType::Ref => names_own_entity(manifest, field),
        FieldType::Select if !field.options.is_empty() => false,
        other => of_type(other) == "String",
    }
}

/// True where a reference names an entity of the same manifest, whose rows have an id type of their own.
fn names_own_entity(manifest: &Manifest, field: &Field) -> bool {
    let target = field.ref_entity.as_ref().filter(|_| field.ref_plugin.is_none());
    target.is_some_and(|target| manifest.entity(target.as_str()).is_some())
}
