//! Guesses entities from existing data: tables of a spreadsheet, rows as CSV or JSON, the schema of a database.

mod column;
mod ddl;
mod json;
mod names;
mod spreadsheet;
mod sql;

use std::path::Path;

use erp_manifest::containment::contain;
use serde::Serialize;
use thiserror::Error;

pub use column::FieldGuess;

/// A guessed entity, in the form that templates use.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityGuess {
    /// The name.
    pub name: String,
    /// The name in the data.
    pub display_name: String,
    /// The field that is the title of a row; none where no field is a short text.
    pub title_field: Option<String>,
    /// The fields, in the order of the data.
    pub fields: Vec<FieldGuess>,
}

impl EntityGuess {
    /// An entity with a name and a note, for a project without data.
    pub fn plain(name: &str, display_name: &str) -> EntityGuess {
        let field = |name: &str, display_name: &str, field_type: &str, required: bool| FieldGuess {
            name: name.to_owned(),
            display_name: display_name.to_owned(),
            field_type: field_type.to_owned(),
            required,
            sample: Some("\"样例\"".to_owned()),
            ..FieldGuess::default()
        };
        let fields = vec![field("name", "名称", "string", true), field("note", "备注", "text", false)];
        finished(name, display_name, fields)
    }
}

/// The reason why no entities could be read.
#[derive(Debug, Error)]
pub enum InferError {
    /// The extension of the file is not supported.
    #[error("{0} is none of .csv, .json, .sql, .xlsx")]
    UnknownKind(String),
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, String),
    /// The file contains no table with a row.
    #[error("{0} holds no table with a header and a row")]
    Empty(String),
}

/// The most bytes of a file; a guess needs far fewer.
pub const MAX_FILE: usize = 32 << 20;
/// The most columns of a table.
const MAX_COLUMNS: usize = 1_000;
/// The most cells in all tables of a file.
const MAX_CELLS: usize = 2_000_000;
/// The most bytes of a JSON document in memory.
const MAX_DOCUMENT: u64 = 256 << 20;

/// A table of texts: the common form of CSV, spreadsheets and JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct DataTable {
    /// The name in the data.
    name: String,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Returns the entities of a file, whose extension determines the format. Entities that others refer to come first.
///
/// # Errors
/// [`InferError`].
pub fn infer(file: &Path, bytes: &[u8]) -> Result<Vec<EntityGuess>, InferError> {
    let shown = file.display().to_string();
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let unreadable = |why: String| InferError::Unreadable(shown.clone(), why);
    if bytes.len() > MAX_FILE {
        return Err(unreadable(format!("it has more than {} MB: take a part of it", MAX_FILE >> 20)));
    }
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let entities = contain(|| match ending.as_deref() {
        Some("csv") => Ok(of_tables(vec![spreadsheet::csv(&stem, bytes).map_err(unreadable)?])),
        Some("xlsx") => Ok(of_tables(spreadsheet::xlsx(bytes).map_err(unreadable)?)),
        Some("json") => Ok(of_tables(json::tables(&stem, bytes).map_err(unreadable)?)),
        Some("sql") => sql::entities(bytes).map_err(unreadable),
        _ => Err(InferError::UnknownKind(shown.clone())),
    });
    let entities = entities.map_err(|panic| unreadable(panic.to_string()))??;
    if entities.is_empty() {
        return Err(InferError::Empty(shown));
    }
    Ok(in_order(entities))
}

/// Counts the cells of a row; fails where the table is too wide or there are too many cells.
fn count_cells(cells: &mut usize, columns: usize) -> Result<(), String> {
    if columns > MAX_COLUMNS {
        return Err(format!("it has more than {MAX_COLUMNS} columns"));
    }
    *cells += columns;
    if *cells > MAX_CELLS {
        return Err(format!("it has more than {MAX_CELLS} cells: take a part of its rows"));
    }
    Ok(())
}

fn of_tables(tables: Vec<DataTable>) -> Vec<EntityGuess> {
    let tables: Vec<DataTable> =
        tables.into_iter().filter(|table| !table.rows.is_empty() && !table.headers.is_empty()).collect();
    let names = names::unique(tables.iter().map(|table| names::entity(&table.name)));
    let known: Vec<(&str, &str)> =
        names.iter().zip(&tables).map(|(name, table)| (name.as_str(), table.name.as_str())).collect();
    let entity = |(name, table): (&String, &DataTable)| {
        let columns: Vec<usize> =
            (0..table.headers.len()).filter(|index| !names::is_the_hosts(&table.headers[*index])).collect();
        let own = names::unique(columns.iter().map(|index| names::field(&table.headers[*index])));
        let fields: Vec<FieldGuess> = columns
            .iter()
            .zip(own)
            .map(|(index, own)| {
                let values: Vec<&str> =
                    table.rows.iter().map(|row| row.get(*index).map_or("", |value| value.trim())).collect();
                column::guess(&own, &table.headers[*index], &values, &known, name)
            })
            .collect();
        finished(name, &table.name, fields)
    };
    names.iter().zip(&tables).map(entity).filter(|entity| !entity.fields.is_empty()).collect()
}

/// Completes an entity. Its title is the first string field with `name` or `title` in its name, else the first string
/// field.
fn finished(name: &str, display_name: &str, fields: Vec<FieldGuess>) -> EntityGuess {
    let is_text = |field: &&FieldGuess| field.field_type == "string";
    let best = fields.iter().filter(is_text).find(|field| field.name.contains("name") || field.name.contains("title"));
    let title = best.or_else(|| fields.iter().find(is_text)).map(|field| field.name.clone());
    EntityGuess { name: name.to_owned(), display_name: display_name.to_owned(), title_field: title, fields }
}

/// Puts entities that others refer to first, so that rows can be created in this order. A circle is cut at its first
/// entity.
fn in_order(mut left: Vec<EntityGuess>) -> Vec<EntityGuess> {
    let mut ordered: Vec<EntityGuess> = Vec::new();
    while !left.is_empty() {
        let is_free = |entity: &EntityGuess| {
            let targets = entity.fields.iter().filter_map(|field| field.ref_entity.as_deref());
            targets.into_iter().all(|target| target == entity.name || left.iter().all(|other| other.name != target))
        };
        let next = left.iter().position(is_free).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(entities: &[EntityGuess]) -> Vec<String> {
        let field = |entity: &EntityGuess, field: &FieldGuess| {
            let mut text = format!("{}.{} {}", entity.name, field.name, field.field_type);
            for (flag, word) in [(field.required, "required"), (field.unique, "unique")] {
                if flag {
                    text.push_str(&format!(" {word}"));
                }
            }
            if !field.options.is_empty() {
                text.push_str(&format!(" {:?}", field.options));
            }
            text + &field.ref_entity.as_ref().map_or_else(String::new, |target| format!(" → {target}"))
        };
        entities.iter().flat_map(|entity| entity.fields.iter().map(move |one| field(entity, one))).collect()
    }

    #[test]
    fn rows_of_csv_say_what_their_columns_hold() {
        let csv = "客户编号,客户名称,等级,电话,邮箱,信用额度,成立日期,active,备注\n\
                   C001,恒达机械,A,13800000001,a@x.cn,\"12,000.50\",2020-01-02,true,\n\
                   C002,鑫源电子,B,13800000002,b@x.cn,3000,2021/03/04,false,老客户\n\
                   C003,华盛贸易,A,13800000003,c@x.cn,99.9,2019-11-30,true,\n\
                   C004,瑞丰建材,A,13800000004,d@x.cn,0,2018-05-06,true,\n\
                   C005,天成五金,B,13800000005,e@x.cn,1,2018-05-06,true,\n\
                   C006,博远化工,B,13800000006,f@x.cn,2,2018-05-06,false,\n";
        let entities = infer(Path::new("客户.csv"), csv.as_bytes()).unwrap();
        assert_eq!(entities[0].title_field.as_deref(), Some("customer_name"));
        assert_eq!(
            shown(&entities),
            [
                "customer.customer_code string required unique",
                "customer.customer_name string required",
                "customer.level select required [\"A\", \"B\"]",
                "customer.phone phone required",
                "customer.email email required unique",
                "customer.credit_amount currency required",
                "customer.founded_date date required",
                "customer.active boolean required",
                "customer.note string",
            ]
        );
    }

    #[test]
    fn json_and_sql_say_how_tables_hang_together() {
        let json = r#"{ "orders": [{ "id": 1, "customer_id": 7, "total": 12.5, "tags": ["a"] }], "customers": [{ "id": 7, "fullName": "李" }] }"#;
        let entities = infer(Path::new("shop.json"), json.as_bytes()).unwrap();
        assert_eq!(
            shown(&entities),
            [
                "customer.full_name string required",
                "order.customer_id ref required → customer",
                "order.total currency required",
                "order.tags tags required",
            ]
        );
        let sql = "CREATE TABLE customers (id serial PRIMARY KEY, name varchar(80) NOT NULL, code text UNIQUE);
            CREATE TABLE `order` (id int, customer int NOT NULL, state ENUM('new','paid') DEFAULT 'new', total numeric(12,2), placed timestamptz,
              note text COMMENT '备注', CONSTRAINT c CHECK (total > 0), FOREIGN KEY (customer) REFERENCES customers(id));
            INSERT INTO customers VALUES (1, 'x', 'y');";
        let entities = infer(Path::new("shop.sql"), sql.as_bytes()).unwrap();
        assert_eq!(
            shown(&entities),
            [
                "customer.name string required",
                "customer.code string unique",
                "order.customer ref required → customer",
                "order.state select [\"new\", \"paid\"]",
                "order.total decimal",
                "order.placed datetime",
                "order.note text",
            ]
        );
        assert!(matches!(infer(Path::new("x.doc"), b""), Err(InferError::UnknownKind(_))));
        assert!(matches!(infer(Path::new("x.csv"), b"a,b\n"), Err(InferError::Empty(_))));
    }
}
