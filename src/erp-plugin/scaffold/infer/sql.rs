//! Entities from the `CREATE TABLE` statements of a database's schema.

use super::column::{FieldGuess, is_money};
use super::ddl::{self, SqlColumn, SqlTable, SqlType};
use super::{EntityGuess, finished, names};

pub(super) fn entities(bytes: &[u8]) -> Result<Vec<EntityGuess>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let tables = ddl::tables(text)?;
    let mut entities: Vec<EntityGuess> = Vec::new();
    for table in tables.iter().map(entity).filter(|entity| !entity.fields.is_empty()) {
        if let Some(other) = entities.iter().find(|known| known.name == table.name) {
            return Err(format!(
                "`{}` and `{}` would be the same entity: rename one",
                other.display_name, table.display_name
            ));
        }
        entities.push(table);
    }
    // A reference to a table that is not in the file becomes a text field.
    let known: Vec<String> = entities.iter().map(|entity| entity.name.clone()).collect();
    for field in entities.iter_mut().flat_map(|entity| &mut entity.fields) {
        if field.ref_entity.take_if(|target| !known.contains(target)).is_some() {
            "string".clone_into(&mut field.field_type);
            field.sample = Some("\"样例\"".to_owned());
        }
    }
    Ok(entities)
}

fn entity(table: &SqlTable) -> EntityGuess {
    let name = names::entity(&table.name);
    let columns: Vec<&SqlColumn> = table.columns.iter().filter(|column| !names::is_the_hosts(&column.name)).collect();
    let own = names::unique(columns.iter().map(|column| names::field(&column.name)));
    let fields = columns.iter().zip(own).map(|(column, own)| field(table, column, own)).collect();
    finished(&name, &table.name, fields)
}

fn field(table: &SqlTable, column: &SqlColumn, name: String) -> FieldGuess {
    let said = column.comment.clone().unwrap_or_else(|| column.name.clone());
    let mut field = FieldGuess { display_name: said, ..of_type(&column.of_type, &name) };
    field.name = name;
    let is_this = |columns: &[String]| columns.len() == 1 && columns[0] == column.name;
    field.required = column.is_required;
    field.unique = column.is_unique || table.unique.iter().any(|columns| is_this(columns));
    let keys = table.foreign_keys.iter().filter(|(columns, _)| is_this(columns)).map(|(_, target)| target);
    field.ref_entity = keys.chain(&column.references).next().map(|target| names::entity(target));
    if field.ref_entity.is_some() {
        "ref".clone_into(&mut field.field_type);
        (field.sample, field.scale, field.unique) = (None, None, false);
    }
    field
}

fn of_type(column_type: &SqlType, name: &str) -> FieldGuess {
    let guess = |field_type: &str, sample: &str| FieldGuess {
        field_type: field_type.to_owned(),
        sample: Some(sample.to_owned()),
        ..FieldGuess::default()
    };
    if let SqlType::Enum(options) = column_type {
        let sample = toml::Value::String(options.first().cloned().unwrap_or_default()).to_string();
        return FieldGuess { options: options.clone(), ..guess("select", &sample) };
    }
    let SqlType::Named(text) = column_type else { return guess("string", "\"样例\"") };
    let word: String = text.chars().take_while(char::is_ascii_alphanumeric).collect();
    match word.as_str() {
        "bool" | "boolean" => guess("boolean", "true"),
        "tinyint" if text == "tinyint(1)" => guess("boolean", "true"),
        "int" | "integer" | "smallint" | "tinyint" | "mediumint" | "bigint" | "serial" | "bigserial" | "int2"
        | "int4" | "int8" => guess("integer", "1"),
        "float" | "double" | "real" | "float4" | "float8" => guess("float", "1.5"),
        "money" => guess("currency", "\"1.00\""),
        "numeric" | "decimal" | "dec" | "number" => {
            let inside = text.split_once('(').map_or("", |(_, inside)| inside.trim_end_matches(')'));
            let mut digits = inside.split(',').map(|digits| digits.trim().parse().ok());
            let (precision, scale) = (digits.next().flatten(), digits.next().flatten());
            if is_money(name) && scale.is_none() {
                return guess("currency", "\"1.00\"");
            }
            FieldGuess { precision, scale, ..guess("decimal", "\"1\"") }
        }
        "date" => guess("date", "\"2026-01-15\""),
        "timestamp" | "timestamptz" | "datetime" => guess("datetime", "\"2026-01-15T08:00:00+08:00\""),
        "time" => guess("time", "\"08:30:00\""),
        "uuid" => guess("uuid", "\"00000000-0000-7000-8000-000000000001\""),
        "json" | "jsonb" => guess("json", "{}"),
        "text" | "longtext" | "mediumtext" | "clob" => {
            let is_code = name.split('_').any(|word| matches!(word, "code" | "name" | "number" | "title"));
            guess(if is_code { "string" } else { "text" }, "\"样例\"")
        }
        _ => guess("string", "\"样例\""),
    }
}
