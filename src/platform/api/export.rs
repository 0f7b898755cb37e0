//! Exports of many rows of an entity, as CSV or JSON.

use erp_manifest::codes::errors;
use erp_storage::{EntityRef, ListQuery, Row};
use serde_json::Value;

use super::request::Response;
use super::rows::{Rows, bad_query, filter, search};
use super::{Answer, Request};
use crate::PlatformError;

/// Maximum number of rows of one export, as on the platform.
const MAX_ROWS: usize = 10_000;
/// Maximum size of one export, in bytes.
const MAX_BYTES: usize = 32 << 20;
/// Number of rows read at once.
const ROWS_AT_ONCE: u64 = 200;

impl Rows<'_> {
    /// Exports rows: `?format=csv|json` with the filter and the search of a list.
    pub(super) fn export(self, request: &Request) -> Answer {
        let Rows { platform, entity, permission } = self;
        let (entity, permission) = (&entity, &permission);
        if !entity.exportable {
            return Err(not_open(entity, "exported", "exportable"));
        }
        let format = request.query("format").unwrap_or("csv");
        let (content_type, mut file) = match format {
            "csv" => ("text/csv; charset=utf-8", File::csv(entity)?),
            "json" => ("application/json; charset=utf-8", File::json()),
            other => return Err(bad_query(format!("`format` is csv or json, not `{other}`"))),
        };
        let scope = platform.scope_for(request, permission)?;
        let mut query = ListQuery {
            filter: filter(request)?,
            search: search(request),
            limit: Some(ROWS_AT_ONCE),
            ..ListQuery::default()
        };
        platform.database.lock().reading::<_, PlatformError>(|database| {
            loop {
                let page = database.reader().list(entity, &scope, &query)?;
                for row in &page.rows {
                    file.add(entity, row)?;
                }
                query.cursor = page.next_cursor;
                if query.cursor.is_none() {
                    return Ok(());
                }
            }
        })?;
        let response = Response::bytes(200, content_type.to_owned(), file.end()?);
        let disposition = format!("attachment; filename=\"{}.{format}\"", *entity.name);
        Ok(response.header("content-disposition", &disposition))
    }
}

/// A file that rows are added to, one by one.
struct File {
    rows: usize,
    form: Form,
}

enum Form {
    /// The fields in the order of the manifest, under their names; lists and objects as JSON.
    Csv(Box<csv::Writer<Vec<u8>>>),
    /// An array of objects.
    Json(Vec<u8>),
}

impl File {
    fn csv(entity: &EntityRef) -> Result<File, PlatformError> {
        // Spreadsheets recognize UTF-8 only with a byte order mark.
        let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
        let names = entity.fields.iter().map(|field| field.name.as_str());
        writer.write_record(["id"].into_iter().chain(names)).map_err(failed)?;
        Ok(File { rows: 0, form: Form::Csv(Box::new(writer)) })
    }

    fn json() -> File {
        File { rows: 0, form: Form::Json(b"[".to_vec()) }
    }

    fn add(&mut self, entity: &EntityRef, row: &Row) -> Result<(), PlatformError> {
        let too_large = |what: String| {
            Err(PlatformError::new(errors::EXPORT_TOO_LARGE, format!("more than {what} match: narrow the filter")))
        };
        self.rows += 1;
        if self.rows > MAX_ROWS {
            return too_large(format!("{MAX_ROWS} rows"));
        }
        let bytes = match &mut self.form {
            Form::Csv(writer) => {
                let cells = entity.fields.iter().map(|field| match row.data.get(field.name.as_str()) {
                    None | Some(Value::Null) => String::new(),
                    Some(Value::String(text)) => harmless(text),
                    Some(other) => other.to_string(),
                });
                writer.write_record([row.id.clone()].into_iter().chain(cells)).map_err(failed)?;
                writer.get_ref().len()
            }
            Form::Json(bytes) => {
                if self.rows > 1 {
                    bytes.push(b',');
                }
                let written = serde_json::to_writer(&mut *bytes, &row.data);
                written.map_err(failed)?;
                bytes.len()
            }
        };
        if bytes > MAX_BYTES { too_large(format!("{} MB of rows", MAX_BYTES >> 20)) } else { Ok(()) }
    }

    fn end(self) -> Result<Vec<u8>, PlatformError> {
        match self.form {
            Form::Csv(writer) => writer.into_inner().map_err(failed),
            Form::Json(mut bytes) => {
                bytes.push(b']');
                Ok(bytes)
            }
        }
    }
}

fn failed(error: impl std::fmt::Display) -> PlatformError {
    PlatformError::new(errors::HOST_BUG, format!("the file cannot be written: {error}"))
}

pub(super) fn not_open(entity: &EntityRef, done: &str, key: &str) -> PlatformError {
    let message = format!("rows of `{}` cannot be {done}: its entity does not say `{key} = true`", *entity.name);
    PlatformError::new(errors::ENTITY_CLOSED, message)
}

/// Characters that begin a formula. Chinese and Japanese spreadsheets also accept the full-width forms.
pub(super) const FORMULA_SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Returns the text in a form that no spreadsheet treats as a formula.
fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(FORMULA_SIGNS) || text.starts_with(['\t', '\r', '\n']);
    if is_formula && text.parse::<f64>().is_err() { format!("'{text}") } else { text.to_owned() }
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
