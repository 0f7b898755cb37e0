//! Imports of many rows into an entity, from CSV or JSON.

use std::collections::BTreeSet;
use std::fmt;

use erp_manifest::codes::errors;
use erp_manifest::document::{did_you_mean, parse_strict_json, weight_of_text};
use erp_manifest::{BaseType, Field};
use erp_runtime::lock;
use erp_storage::{EntityRef, FieldProblem, StoreError};
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::export::{FORMULA_SIGNS, not_open};
use super::request::Response;
use super::rows::{Rows, bad_query};
use super::{Answer, Request};
use crate::PlatformError;

/// Maximum number of rows of one import.
const MAX_ROWS: usize = 10_000;
/// Maximum size of a CSV's first line, in bytes.
const MAX_FIRST_LINE: usize = 64 << 10;
/// Maximum memory that the JSON of one row takes, in bytes.
const MAX_ROW_BYTES: u64 = 4 << 20;

/// A row that was refused.
struct RefusedRow {
    /// The number of the row, from 1.
    row: usize,
    error: PlatformError,
}

impl Rows<'_> {
    /// Takes `{"rows": […], "dry_run": false}`, or CSV with a first line of field names or labels. Inserts the valid
    /// rows in one unit of work, and reports the refused rows.
    pub(super) fn import(self, request: &Request) -> Answer {
        let Rows { platform, entity, permission } = self;
        let (entity, permission) = (&entity, &permission);
        if !entity.importable {
            return Err(not_open(entity, "imported", "importable"));
        }
        let file = File::of(entity, request)?;
        file.require_few_rows()?;
        let dry_run = match request.query("dry_run") {
            None => file.dry_run(),
            Some(word) => {
                let wanted: bool =
                    word.parse().map_err(|_| bad_query(format!("`dry_run` is true or false, not `{word}`")))?;
                wanted || file.dry_run()
            }
        };
        let scope = platform.scope_for(request, permission)?;
        let mut refused: Vec<RefusedRow> = Vec::new();
        let mut ids = Vec::new();
        let done = platform.unit::<_, ImportEnd>(|database, surroundings| {
            (refused, ids) = (Vec::new(), Vec::new());
            for (index, row) in file.rows().enumerate() {
                let row = row.map_err(ImportEnd::Failed)?;
                let taken = match &row {
                    Value::Object(fields) => {
                        let open = open_fields(entity, fields).and_then(|()| {
                            database.writer().insert_alone(entity, &scope, fields, &mut || lock(surroundings).uuid())
                        });
                        open.map_err(PlatformError::from)
                    }
                    other => Err(bad_query(format!("a row is an object of fields, not {other}"))),
                };
                match taken {
                    Ok(row) => ids.push(row.id),
                    // A failure of the host or a time limit is not caused by the row.
                    Err(error) if error.status() >= 500 || error.code == errors::DB_TOO_SLOW => {
                        return Err(ImportEnd::Failed(error));
                    }
                    Err(error) => refused.push(RefusedRow { row: index + 1, error }),
                }
            }
            if dry_run { Err(ImportEnd::DryRun) } else { Ok(()) }
        });
        match done {
            Ok(()) | Err(ImportEnd::DryRun) => {}
            Err(ImportEnd::Failed(error)) => return Err(error),
        }
        let errors: Vec<Value> = refused
            .into_iter()
            .map(|RefusedRow { row, error }| {
                let mut shown = error.to_json();
                shown["row"] = json!(row);
                shown
            })
            .collect();
        let body = json!({
            "imported": if dry_run { 0 } else { ids.len() }, "accepted": ids.len(), "refused": errors.len(),
            "dry_run": dry_run, "ids": if dry_run { Vec::new() } else { ids }, "errors": errors,
        });
        Ok(Response::json(200, body))
    }
}

/// Refuses values for read-only fields, which only the host sets.
pub(super) fn open_fields(entity: &EntityRef, fields: &Map<String, Value>) -> Result<(), StoreError> {
    let problems: Vec<FieldProblem> = fields
        .keys()
        .filter(|name| entity.field(name).is_some_and(|field| field.read_only))
        .map(|name| FieldProblem { field: name.clone(), message: "is read-only".to_owned() })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(StoreError::Validation { entity: entity.name.to_string(), problems }) }
}

/// Why an import stores no row.
enum ImportEnd {
    DryRun,
    Failed(PlatformError),
}

impl From<StoreError> for ImportEnd {
    fn from(error: StoreError) -> ImportEnd {
        ImportEnd::Failed(error.into())
    }
}

impl crate::attempts::Refusal for ImportEnd {
    fn is_conflict(&self) -> bool {
        matches!(self, ImportEnd::Failed(error) if error.is_conflict())
    }
}

/// The file that the client sent. Its rows are read one by one, again for each attempt of the unit of work.
enum File<'b> {
    /// The whole file including its first line, and the field of each column; `None` for an ignored column.
    Csv { bytes: &'b [u8], fields: Vec<Option<&'b Field>> },
    /// The rows as text.
    Json(JsonFile<'b>),
}

/// `{"rows": […], "dry_run": false}`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonFile<'b> {
    #[serde(borrow, deserialize_with = "first_rows")]
    rows: Vec<&'b RawValue>,
    #[serde(default)]
    dry_run: bool,
}

/// Reads the texts of at most [`MAX_ROWS`] rows and one more, and skips the others.
fn first_rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<&'de RawValue>, D::Error> {
    struct Rows;
    impl<'de> Visitor<'de> for Rows {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of rows")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut rows = Vec::new();
            while rows.len() <= MAX_ROWS
                && let Some(row) = items.next_element()?
            {
                rows.push(row);
            }
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(rows)
        }
    }
    deserializer.deserialize_seq(Rows)
}

impl<'b> File<'b> {
    fn of(entity: &'b EntityRef, request: &'b Request) -> Result<File<'b>, PlatformError> {
        if request.content_type.as_deref().is_some_and(|kind| kind.starts_with("text/csv")) {
            return File::csv(entity, &request.body);
        }
        let bad = |error: serde_json::Error| {
            let shape = "the body is {\"rows\": [{…}, …], \"dry_run\": false}, or CSV as text/csv";
            PlatformError::new(errors::HTTP_BAD_JSON, format!("{shape}: {error}"))
        };
        serde_json::from_slice(&request.body).map(File::Json).map_err(bad)
    }

    /// Reads the first line of a CSV, which holds names of fields or their labels.
    fn csv(entity: &'b EntityRef, bytes: &'b [u8]) -> Result<File<'b>, PlatformError> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        // Parse only the allowed length: a line with millions of columns would take a gigabyte of memory.
        let first = &bytes[..bytes.len().min(MAX_FIRST_LINE)];
        let mut reader = csv::Reader::from_reader(first);
        let headers =
            reader.headers().map_err(|error| bad_csv(format!("the first line cannot be read: {error}")))?.clone();
        if headers.len() > entity.fields.len() + 1 || (reader.position().byte() == 0 && bytes.len() > MAX_FIRST_LINE) {
            return Err(bad_csv(format!("the first line has more than {} columns", entity.fields.len() + 1)));
        }
        let mut fields: Vec<Option<&Field>> = Vec::new();
        let mut seen = BTreeSet::new();
        for header in headers.iter().map(str::trim) {
            if !seen.insert(header) {
                return Err(bad_csv(format!("`{header}` is in the first line twice")));
            }
            let found = entity.fields.iter().find(|field| field.name.as_str() == header || field.label() == header);
            if found.is_none() && header != "id" {
                let known = entity.fields.iter().map(|field| field.name.as_str());
                let help = did_you_mean(header, known.clone())
                    .unwrap_or_else(|| format!("known: {}", known.collect::<Vec<_>>().join(", ")));
                return Err(bad_csv(format!("`{header}` in the first line is no field; {help}")));
            }
            // An export also has the fields that the host sets; an import ignores them.
            fields.push(found.filter(|field| !field.read_only && field.computed.is_none()));
        }
        Ok(File::Csv { bytes, fields })
    }

    /// Checks the number of rows, and that each row of a CSV can be read, before any row is inserted.
    fn require_few_rows(&self) -> Result<(), PlatformError> {
        let rows = match self {
            File::Json(file) => file.rows.len(),
            File::Csv { bytes, .. } => {
                let (mut records, mut rows) = (csv::Reader::from_reader(*bytes), 0);
                let mut record = csv::ByteRecord::new();
                while rows <= MAX_ROWS
                    && records.read_byte_record(&mut record).map_err(|error| bad_csv(error.to_string()))?
                {
                    if record.as_slice().len() as u64 > MAX_ROW_BYTES {
                        return Err(bad_csv(format!("line {}: more than {MAX_ROW_BYTES} bytes", rows + 2)));
                    }
                    rows += 1;
                }
                rows
            }
        };
        if rows <= MAX_ROWS {
            return Ok(());
        }
        let message = format!("more than {MAX_ROWS} rows: send them in several files");
        Err(PlatformError::new(errors::IMPORT_TOO_LARGE, message))
    }

    fn dry_run(&self) -> bool {
        matches!(self, File::Json(file) if file.dry_run)
    }

    /// Returns the rows; each is read when the iterator reaches it.
    fn rows(&self) -> Box<dyn Iterator<Item = Result<Value, PlatformError>> + '_> {
        match self {
            File::Json(file) => Box::new(file.rows.iter().enumerate().map(|(index, text)| row_of_json(index, text))),
            File::Csv { bytes, fields } => {
                let records = csv::Reader::from_reader(*bytes).into_records().enumerate();
                Box::new(records.map(move |(index, record)| {
                    let record = record.map_err(|error| bad_csv(format!("line {}: {error}", index + 2)))?;
                    Ok(row_of_cells(fields, &record))
                }))
            }
        }
    }
}

fn bad_csv(why: String) -> PlatformError {
    PlatformError::new(errors::IMPORT_BAD_CSV, why)
}

fn row_of_json(index: usize, text: &RawValue) -> Result<Value, PlatformError> {
    let text = text.get();
    if weight_of_text(text) > MAX_ROW_BYTES {
        let message = format!("row {} would take more than {MAX_ROW_BYTES} bytes of memory", index + 1);
        return Err(PlatformError::new(errors::HTTP_TOO_LARGE, message));
    }
    parse_strict_json(text.as_bytes())
        .map_err(|why| PlatformError::new(errors::HTTP_BAD_JSON, format!("row {}: {why}", index + 1)))
}

/// Converts a CSV record to a row. Empty cells are left out.
fn row_of_cells(fields: &[Option<&Field>], record: &csv::StringRecord) -> Value {
    let cells = fields.iter().zip(record).filter_map(|(field, cell)| {
        let field = field.filter(|_| !cell.trim().is_empty())?;
        Some((field.name.to_string(), value_of(field, cell.trim())))
    });
    Value::Object(cells.collect())
}

/// Converts a cell to JSON. A value that does not fit the field stays text, which the field's validation refuses.
fn value_of(field: &Field, cell: &str) -> Value {
    // Remove the quote that an export puts before a text that looks like a formula.
    let marked = cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA_SIGNS));
    let text = || Value::String(marked.unwrap_or(cell).to_owned());
    let option = || field.options.iter().find(|option| option.label == cell).map(|option| json!(option.value));
    match field.field_type.base() {
        BaseType::Boolean => match cell.to_lowercase().as_str() {
            "true" | "1" | "yes" | "是" => json!(true),
            "false" | "0" | "no" | "否" => json!(false),
            _ => text(),
        },
        BaseType::Integer => cell.parse::<i64>().map_or_else(|_| text(), Value::from),
        BaseType::Float => cell.parse::<f64>().map_or_else(|_| text(), Value::from),
        BaseType::Json if weight_of_text(cell) > MAX_ROW_BYTES => text(),
        BaseType::Json => parse_strict_json(cell.as_bytes()).unwrap_or_else(|_| text()),
        _ => option().unwrap_or_else(text),
    }
}
