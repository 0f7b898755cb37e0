//! Entities of a database's schema: its `CREATE TABLE` statements.

use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateTable, DataType, EnumMember, ForeignKeyConstraint, ObjectName, Statement,
    TableConstraint,
};
use sqlparser::dialect::{Dialect, GenericDialect, MsSqlDialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::Parser;

use super::column::{FieldGuess, is_money};
use super::{EntityGuess, finished, names};

pub(super) fn entities(bytes: &[u8]) -> Result<Vec<EntityGuess>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let dialects: [&dyn Dialect; 4] = [&GenericDialect {}, &PostgreSqlDialect {}, &MySqlDialect {}, &MsSqlDialect {}];
    let mut why = String::new();
    let mut statements = None;
    for dialect in dialects {
        match Parser::parse_sql(dialect, text) {
            Ok(parsed) => {
                statements = Some(parsed);
                break;
            }
            Err(error) => why = error.to_string(),
        }
    }
    let statements = statements.ok_or(why)?;
    let tables: Vec<CreateTable> = statements
        .into_iter()
        .filter_map(|statement| match statement {
            Statement::CreateTable(table) => Some(table),
            _ => None,
        })
        .collect();
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
    // What a key names that is not in the file stays what it is stored as.
    let known: Vec<String> = entities.iter().map(|entity| entity.name.clone()).collect();
    for field in entities.iter_mut().flat_map(|entity| &mut entity.fields) {
        if field.ref_entity.take_if(|target| !known.contains(target)).is_some() {
            "string".clone_into(&mut field.field_type);
            field.sample = Some("\"样例\"".to_owned());
        }
    }
    Ok(entities)
}

/// The last part of a name, without its quotes.
fn last(name: &ObjectName) -> String {
    let text = name.to_string();
    text.rsplit('.').next().unwrap_or(&text).trim_matches(['`', '"', '[', ']']).to_owned()
}

fn entity(table: &CreateTable) -> EntityGuess {
    let said = last(&table.name);
    let name = names::entity(&said);
    let columns: Vec<&ColumnDef> =
        table.columns.iter().filter(|column| !names::is_the_hosts(&column.name.value)).collect();
    let own = names::unique(columns.iter().map(|column| names::field(&column.name.value)));
    let fields = columns.iter().zip(own).map(|(column, own)| field(table, column, own)).collect();
    finished(&name, &said, fields)
}

fn field(table: &CreateTable, column: &ColumnDef, name: String) -> FieldGuess {
    let mut field = FieldGuess { display_name: column.name.value.clone(), ..of_type(&column.data_type, &name) };
    field.name = name;
    let is_this = |columns: &[String]| columns.len() == 1 && columns[0] == column.name.value;
    let target = |key: &ForeignKeyConstraint| names::entity(&last(&key.foreign_table));
    for option in &column.options {
        match &option.option {
            ColumnOption::NotNull => field.required = true,
            ColumnOption::Unique(_) => field.unique = true,
            ColumnOption::PrimaryKey(_) => (field.required, field.unique) = (true, true),
            ColumnOption::Comment(text) => field.display_name.clone_from(text),
            ColumnOption::ForeignKey(key) => field.ref_entity = Some(target(key)),
            _ => {}
        }
    }
    for constraint in &table.constraints {
        match constraint {
            TableConstraint::Unique(key) => {
                let columns: Vec<String> = key.columns.iter().map(|column| plain(&column.to_string())).collect();
                field.unique |= is_this(&columns);
            }
            TableConstraint::ForeignKey(key) => {
                let columns: Vec<String> = key.columns.iter().map(|column| column.value.clone()).collect();
                if is_this(&columns) {
                    field.ref_entity = Some(target(key));
                }
            }
            _ => {}
        }
    }
    if field.ref_entity.is_some() {
        "ref".clone_into(&mut field.field_type);
        (field.sample, field.scale, field.unique) = (None, None, false);
    }
    field
}

fn plain(text: &str) -> String {
    text.trim_matches(['`', '"']).to_owned()
}

fn of_type(data_type: &DataType, name: &str) -> FieldGuess {
    let guess = |field_type: &str, sample: &str| FieldGuess {
        field_type: field_type.to_owned(),
        sample: Some(sample.to_owned()),
        ..FieldGuess::default()
    };
    if let DataType::Enum(members, _) = data_type {
        let text = |member: &EnumMember| match member {
            EnumMember::Name(text) | EnumMember::NamedValue(text, _) => text.clone(),
        };
        let options: Vec<String> = members.iter().map(text).collect();
        let sample = toml::Value::String(options.first().cloned().unwrap_or_default()).to_string();
        return FieldGuess { options, ..guess("select", &sample) };
    }
    let text = data_type.to_string().to_ascii_lowercase();
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
