//! `erp/entities.rs`: a struct for each entity, its fields as constants, and a struct for its new rows.

use erp_manifest::{Entity, Field, FieldType, Manifest, ValueShape};
use serde_json::{Map, Value};

use super::code::SourceWriter;
use super::entity_names::EntityNames;
use super::names::{constant, snake};
use super::types::{choices, is_taken_into, of_field};

/// The text of the file.
pub(super) fn file(manifest: &Manifest, has_decimals: bool) -> String {
    let mut code = SourceWriter::file("The entities of plugin.toml.");
    code.line("use serde_json::Value;");
    code.blank();
    code.line("use super::calendar::{Date, DateTime, Time};");
    if has_decimals {
        code.line("use super::decimal::Decimal;");
    }
    code.line("use super::entity::{Entity, Field, NewRow};");
    code.line("use super::error::Result;");
    code.line("use super::value::{Fields, Id, JsonValue, Uuid};");
    let names = EntityNames::of(manifest);
    for entity in &manifest.schema.entities {
        self::entity(&mut code, manifest, &names, entity);
    }
    code.blank();
    code.doc("What unit tests know of an entity.");
    code.block("pub struct Table", |code| {
        code.lines([
            "pub name: &'static str,",
            "pub fields: &'static [&'static str],",
            "pub defaults: &'static str,",
            "pub required: &'static [&'static str],",
            "pub unique: &'static [&'static str],",
            "pub numbered: &'static [(&'static str, &'static str)],",
            "pub decimals: &'static [&'static str],",
        ]);
    });
    code.blank();
    code.doc("All entities.");
    code.line("pub const TABLES: &[Table] = &[");
    for entity in &manifest.schema.entities {
        table(&mut code, entity);
    }
    code.line("];");
    code.finish()
}

/// True where every stored row has a value: the field is required and not computed.
fn is_always_there(field: &Field) -> bool {
    field.required && field.computed.is_none()
}

fn type_of(manifest: &Manifest, names: &EntityNames, entity: &Entity, field: &Field) -> String {
    let ty = of_field(manifest, names, entity.name.as_str(), field);
    if is_always_there(field) { ty } else { format!("Option<{ty}>") }
}

/// The fields that code may set in a new row, which excludes computed ones.
fn brought(entity: &Entity) -> impl Iterator<Item = &Field> {
    entity.fields.iter().filter(|field| field.computed.is_none())
}

/// True where code must set the field in a new row: it is required, and nothing else provides a value.
fn must_be_brought(field: &Field) -> bool {
    field.required && field.default.is_none() && field.numbering.is_none() && *field.field_type != FieldType::Autonumber
}

fn entity(code: &mut SourceWriter, manifest: &Manifest, names: &EntityNames, entity: &Entity) {
    let (name, new_name) = (names.row(entity.name.as_str()), names.new_row(entity.name.as_str()));
    for field in entity.fields.iter().filter(|field| field.field_type.has_options() && !field.options.is_empty()) {
        let about = format!("{} of {}.", field.label(), entity.display_name);
        choices(code, names.choice(entity.name.as_str(), field.name.as_str()), &about, &field.options);
    }
    code.blank();
    code.doc(&entity.display_name);
    code.line("#[derive(Debug, Clone, PartialEq)]");
    code.block(format!("pub struct {name}"), |code| {
        code.line(format!("pub id: Id<{name}>,"));
        code.line("pub version: u32,");
        code.line("pub created_at: DateTime,");
        code.line("pub updated_at: DateTime,");
        for field in &entity.fields {
            code.doc(field.label());
            code.doc(field.description.as_deref().unwrap_or_default());
            code.line(format!("pub {}: {},", snake(field.name.as_str()), type_of(manifest, names, entity, field)));
        }
    });
    code.blank();
    code.block(format!("impl {name}"), |code| {
        for field in &entity.fields {
            let ty = of_field(manifest, names, entity.name.as_str(), field);
            let (constant, key) = (constant(field.name.as_str()), field.name.as_str());
            code.line(format!("pub const {constant}: Field<{name}, {ty}> = Field::new({key:?});"));
        }
    });
    code.blank();
    code.block(format!("impl Entity for {name}"), |code| {
        code.line(format!("const NAME: &'static str = {:?};", entity.name.as_str()));
        code.line(format!("type New = {new_name};"));
        code.blank();
        code.block(format!("fn from_fields(fields: &Fields) -> Result<{name}>"), |code| {
            code.block_ending(format!("Ok({name}"), "})", |code| {
                for standard in ["id", "version", "created_at", "updated_at"] {
                    code.line(format!("{standard}: fields.get({standard:?})?,"));
                }
                for field in &entity.fields {
                    code.line(format!("{}: fields.get({:?})?,", snake(field.name.as_str()), field.name.as_str()));
                }
            });
        });
        code.blank();
        code.block("fn to_value(&self) -> Value", |code| {
            code.line("let mut fields = Fields::default();");
            for standard in ["id", "version", "created_at", "updated_at"] {
                code.line(format!("fields.set({standard:?}, &self.{standard});"));
            }
            for field in &entity.fields {
                let key = field.name.as_str();
                code.line(format!("fields.set({key:?}, &self.{});", snake(key)));
            }
            code.line("Value::Object(fields.0)");
        });
        code.blank();
        code.block(format!("fn id(&self) -> &Id<{name}>"), |code| code.line("&self.id"));
        code.blank();
        code.block("fn version(&self) -> u32", |code| code.line("self.version"));
    });
    new_row(code, manifest, names, entity);
}

fn new_row(code: &mut SourceWriter, manifest: &Manifest, names: &EntityNames, entity: &Entity) {
    let name = names.new_row(entity.name.as_str());
    code.blank();
    code.doc(&format!("A row of {} that is not stored yet; what is `None` gets its default.", entity.display_name));
    code.line("#[derive(Debug, Clone, PartialEq)]");
    code.block(format!("pub struct {name}"), |code| {
        for field in brought(entity) {
            let ty = of_field(manifest, names, entity.name.as_str(), field);
            let ty = if must_be_brought(field) { ty } else { format!("Option<{ty}>") };
            code.line(format!("pub {}: {ty},", snake(field.name.as_str())));
        }
    });
    code.blank();
    code.block(format!("impl {name}"), |code| {
        code.doc("A row with what it cannot do without.");
        let needed: Vec<&Field> = brought(entity).filter(|field| must_be_brought(field)).collect();
        let parameter = |field: &&Field| {
            let ty = of_field(manifest, names, entity.name.as_str(), field);
            let ty = if is_taken_into(manifest, field) { format!("impl Into<{ty}>") } else { ty };
            format!("{}: {ty}", snake(field.name.as_str()))
        };
        let parameters: Vec<String> = needed.iter().map(parameter).collect();
        let head = format!("pub fn new({}) -> {name}", parameters.join(", "));
        code.block(head, |code| {
            code.block(name, |code| {
                for field in brought(entity) {
                    let own = snake(field.name.as_str());
                    code.line(match (must_be_brought(field), is_taken_into(manifest, field)) {
                        (true, true) => format!("{own}: {own}.into(),"),
                        (true, false) => format!("{own},"),
                        (false, _) => format!("{own}: None,"),
                    });
                }
            });
        });
    });
    code.blank();
    code.block(format!("impl NewRow for {name}"), |code| {
        code.block("fn to_fields(&self) -> Fields", |code| {
            code.line("let mut fields = Fields::default();");
            for field in brought(entity) {
                let (key, own) = (field.name.as_str(), snake(field.name.as_str()));
                code.line(if must_be_brought(field) {
                    format!("fields.set({key:?}, &self.{own});")
                } else {
                    format!("fields.set_some({key:?}, self.{own}.as_ref());")
                });
            }
            code.line("fields");
        });
    });
}

/// Writes what the mock of unit tests needs of an entity.
fn table(code: &mut SourceWriter, entity: &Entity) {
    let defaults =
        entity.fields.iter().filter_map(|field| Some((field.name.to_string(), (**field.default.as_ref()?).clone())));
    let defaults: Map<String, Value> = defaults.collect();
    let names = |wanted: fn(&Field) -> bool| {
        let names =
            entity.fields.iter().filter(|field| wanted(field)).map(|field| format!("{:?}", field.name.as_str()));
        names.collect::<Vec<_>>().join(", ")
    };
    let numbered: Vec<String> = entity
        .fields
        .iter()
        .filter_map(|field| Some(format!("({:?}, {:?})", field.name.as_str(), field.numbering.as_ref()?.as_str())))
        .collect();
    code.line("    Table {");
    code.lines([
        format!("        name: {:?},", entity.name.as_str()),
        format!("        fields: &[{}],", names(|_| true)),
        format!("        defaults: {:?},", Value::Object(defaults).to_string()),
        format!("        required: &[{}],", names(|field| field.required && field.computed.is_none())),
        format!("        unique: &[{}],", names(|field| field.unique)),
        format!("        numbered: &[{}],", numbered.join(", ")),
        format!("        decimals: &[{}],", names(|field| field.field_type.shape() == ValueShape::Decimal)),
    ]);
    code.line("    },");
}
