//! Many rows at once: into an entity from a client's file, and out of it.

use serde_json::{Map, Value, json};

use super::request::Response;
use super::rows::{bad_query, filter, search};
use super::{Answer, Request};
use crate::document::did_you_mean;
use crate::host::lock;
use crate::manifest::{BaseType, Field};
use crate::platform::{Platform, PlatformError};
use crate::store::{EntityRef, ListQuery, Row, StoreError};

/// Rows of one export at the most, as on the platform.
const MAX_EXPORT_ROWS: usize = 10_000;
/// Rows of one import at the most.
const MAX_IMPORT_ROWS: usize = 10_000;
/// Bytes that the JSON of an import takes in memory at the most.
const MAX_IMPORT_BYTES: u64 = 96 << 20;

/// A row that was not taken.
struct Refused {
    /// From 1.
    row: usize,
    error: PlatformError,
}

impl Platform {
    /// `?format=csv|json` with the filter and the search of a list.
    pub(super) fn export(&self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        request.require(permission)?;
        if !entity.exportable {
            return Err(not_open(entity, "exported", "exportable"));
        }
        request.only(&["format", "filter", "search"])?;
        let format = request.query("format").unwrap_or("csv");
        if !["csv", "json"].contains(&format) {
            return Err(bad_query(format!("`format` is csv or json, not `{format}`")));
        }
        let scope = self.scope_for(request, permission)?;
        let query = ListQuery { filter: filter(request)?, search: search(request), ..ListQuery::default() };
        let rows = lock(&self.database).list_all(entity, &scope, query, MAX_EXPORT_ROWS)?;
        if rows.len() > MAX_EXPORT_ROWS {
            let message = format!("more than {MAX_EXPORT_ROWS} rows match: narrow the filter");
            return Err(PlatformError::new(422, "export.too_large", message));
        }
        let response = if format == "json" {
            Response::json(200, rows.iter().map(|row| Value::Object(row.data.clone())).collect())
        } else {
            Response::bytes(200, "text/csv; charset=utf-8".to_owned(), csv_of(entity, &rows)?)
        };
        let disposition = format!("attachment; filename=\"{}.{format}\"", *entity.name);
        Ok(response.header("content-disposition", &disposition))
    }

    /// `{"rows": […], "dry_run": false}`, or CSV with a line of names or labels. Rows that are refused are named; the
    /// others come in, all in one unit of work.
    pub(super) fn import(&mut self, request: &Request, entity: &EntityRef, permission: &str) -> Answer {
        request.require(permission)?;
        if !entity.importable {
            return Err(not_open(entity, "imported", "importable"));
        }
        request.only(&["dry_run"])?;
        let is_csv = request.content_type.as_deref().is_some_and(|kind| kind.starts_with("text/csv"));
        let mut dry_run = match request.query("dry_run") {
            None => false,
            Some(word) => word.parse().map_err(|_| bad_query(format!("`dry_run` is true or false, not `{word}`")))?,
        };
        let rows = if is_csv {
            rows_of_csv(entity, &request.body)?
        } else {
            let mut body = request.object_within(MAX_IMPORT_BYTES)?;
            match body.remove("dry_run") {
                None => {}
                Some(Value::Bool(wanted)) => dry_run |= wanted,
                Some(other) => return Err(bad_query(format!("`dry_run` is true or false, not {other}"))),
            }
            if let Some(key) = body.keys().find(|key| *key != "rows") {
                return Err(bad_query(format!("unknown key `{key}`; known: rows, dry_run")));
            }
            match body.remove("rows") {
                Some(Value::Array(rows)) => rows,
                _ => return Err(bad_query("the body is {\"rows\": [{…}, …]}, or CSV as text/csv")),
            }
        };
        if rows.len() > MAX_IMPORT_ROWS {
            let message = format!("{} rows are too many: {MAX_IMPORT_ROWS} at once", rows.len());
            return Err(PlatformError::new(422, "import.too_large", message));
        }
        let scope = self.scope_for(request, permission)?;
        let mut refused: Vec<Refused> = Vec::new();
        let mut ids = Vec::new();
        let done = self.unit::<_, ImportEnd>(|database, surroundings| {
            (refused, ids) = (Vec::new(), Vec::new());
            for (index, row) in rows.iter().enumerate() {
                let taken = match row {
                    Value::Object(fields) => {
                        let open = Platform::open_fields(entity, fields).and_then(|()| {
                            database.insert_alone(entity, &scope, fields, &mut || lock(surroundings).uuid())
                        });
                        open.map_err(PlatformError::from)
                    }
                    other => Err(bad_query(format!("a row is an object of fields, not {other}"))),
                };
                match taken {
                    Ok(row) => ids.push(row.id),
                    Err(error) if error.status >= 500 => return Err(ImportEnd::Failed(error)),
                    Err(error) => refused.push(Refused { row: index + 1, error }),
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
            .map(|Refused { row, error }| {
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

    /// Refuses what only the host sets.
    pub(super) fn open_fields(entity: &EntityRef, fields: &Map<String, Value>) -> Result<(), StoreError> {
        let problems: Vec<crate::store::FieldProblem> = fields
            .keys()
            .filter(|name| entity.field(name).is_some_and(|field| field.read_only))
            .map(|name| crate::store::FieldProblem { field: name.clone(), message: "is read-only".to_owned() })
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Validation { entity: entity.name.to_string(), problems })
        }
    }
}

/// Why an import keeps nothing.
enum ImportEnd {
    DryRun,
    Failed(PlatformError),
}

impl From<StoreError> for ImportEnd {
    fn from(error: StoreError) -> ImportEnd {
        ImportEnd::Failed(error.into())
    }
}

impl crate::platform::attempts::Refusal for ImportEnd {
    fn is_conflict(&self) -> bool {
        matches!(self, ImportEnd::Failed(error) if error.is_conflict())
    }
}

fn not_open(entity: &EntityRef, done: &str, key: &str) -> PlatformError {
    let message = format!("rows of `{}` cannot be {done}: its entity does not say `{key} = true`", *entity.name);
    PlatformError::new(403, "entity.closed", message)
}

/// The fields in the order of the manifest, under their names; lists and objects as JSON.
fn csv_of(entity: &EntityRef, rows: &[Row]) -> Result<Vec<u8>, PlatformError> {
    let failed = |error: csv::Error| PlatformError::new(500, "host.bug", format!("the CSV cannot be written: {error}"));
    // Spreadsheets take UTF-8 for what it is only behind this mark.
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    let names = || entity.fields.iter().map(|field| field.name.as_str());
    writer.write_record(["id"].into_iter().chain(names())).map_err(failed)?;
    for row in rows {
        let cells = names().map(|name| match row.data.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => harmless(text),
            Some(other) => other.to_string(),
        });
        writer.write_record([row.id.clone()].into_iter().chain(cells)).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| failed(error.into_error().into()))
}

/// What a formula begins with; Chinese and Japanese spreadsheets take the full-width signs for the others.
const FORMULA_SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(FORMULA_SIGNS) || text.starts_with(['\t', '\r', '\n']);
    if is_formula && text.parse::<f64>().is_err() { format!("'{text}") } else { text.to_owned() }
}

/// Rows of a CSV whose first line holds names of fields, or their labels. What is empty is left out.
fn rows_of_csv(entity: &EntityRef, bytes: &[u8]) -> Result<Vec<Value>, PlatformError> {
    let bad = |why: String| PlatformError::new(400, "import.bad_csv", why);
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut reader = csv::Reader::from_reader(bytes);
    let headers = reader.headers().map_err(|error| bad(format!("the first line cannot be read: {error}")))?.clone();
    let mut fields: Vec<Option<&Field>> = Vec::new();
    for header in &headers {
        let header = header.trim();
        let found = entity.fields.iter().find(|field| field.name.as_str() == header || field.label() == header);
        if found.is_none() && header != "id" {
            let known = entity.fields.iter().map(|field| field.name.as_str());
            let help = did_you_mean(header, known.clone())
                .unwrap_or_else(|| format!("known: {}", known.collect::<Vec<_>>().join(", ")));
            return Err(bad(format!("`{header}` in the first line is no field; {help}")));
        }
        // What the host sets comes along in an export, and is left out on the way back.
        fields.push(found.filter(|field| !field.read_only && field.computed.is_none()));
    }
    let mut rows = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|error| bad(format!("line {}: {error}", index + 2)))?;
        let mut row = Map::new();
        for (field, cell) in fields.iter().zip(&record) {
            if let Some(field) = field.filter(|_| !cell.trim().is_empty()) {
                row.insert(field.name.to_string(), value_of(field, cell.trim()));
            }
        }
        rows.push(Value::Object(row));
        if rows.len() > MAX_IMPORT_ROWS {
            break;
        }
    }
    Ok(rows)
}

/// A cell as JSON. What does not fit stays a text, and is refused with the field's own words.
fn value_of(field: &Field, cell: &str) -> Value {
    // What an export marked as no formula comes back as it was.
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
        BaseType::Json => serde_json::from_str(cell).unwrap_or_else(|_| text()),
        _ => option().unwrap_or_else(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_runs_nothing() {
        assert_eq!(harmless("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(harmless("＝1+1"), "'＝1+1");
        assert_eq!(harmless("-3.5"), "-3.5");
        assert_eq!(harmless("螺丝"), "螺丝");
    }
}
