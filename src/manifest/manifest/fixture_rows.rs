//! Rows of fixtures that are stored in separate files.

use serde_json::{Map, Value};

use super::{Fixture, Manifest};
use crate::diagnostics::Spanned;

/// The reason why the file of a fixture cannot be read, with the place where the manifest names the file.
pub type UnreadableFixture = Spanned<String>;

impl Manifest {
    /// Adds the rows of fixture files to the rows in the manifest. `file` returns the content of a file by its path.
    /// Returns the files that cannot be read.
    pub fn read_fixture_files(&mut self, file: &dyn Fn(&str) -> Option<Vec<u8>>) -> Vec<UnreadableFixture> {
        let mut unreadable = Vec::new();
        for fixture in self.fixtures.iter_mut().chain(&mut self.demo) {
            let Some(name) = fixture.file.take() else { continue };
            match rows_of(&name, file(&name)) {
                Ok(rows) => fixture.rows.extend(rows),
                Err(why) => unreadable.push(Spanned::new(format!("`{}` {why}", *name), name.span())),
            }
        }
        unreadable
    }
}

impl Fixture {
    /// The rows of a fixture, without values that are not tables. Rows from files are included after
    /// [`Manifest::read_fixture_files`].
    pub fn tables(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.rows.iter().filter_map(Value::as_object)
    }
}

fn rows_of(name: &str, content: Option<Vec<u8>>) -> Result<Vec<Value>, String> {
    let content = content.ok_or_else(|| "is not there".to_owned())?;
    let text = || std::str::from_utf8(&content).map_err(|_| "is not UTF-8".to_owned());
    let extension = name.rsplit('.').next().unwrap_or_default();
    let rows = match extension {
        "csv" => return rows_of_csv(&content),
        "json" => serde_json::from_str(text()?).map_err(|error| format!("is not JSON: {error}"))?,
        "toml" => {
            let mut table: Map<String, Value> =
                toml::from_str(text()?).map_err(|error| format!("is not TOML: {error}"))?;
            table.remove("rows").unwrap_or(Value::Null)
        }
        _ => return Err("is neither .csv nor .json nor .toml".to_owned()),
    };
    match rows {
        Value::Array(rows) if rows.iter().all(Value::is_object) => Ok(rows),
        _ => Err("holds no list of rows".to_owned()),
    }
}

/// Reads CSV. The header line names the fields; an empty cell means no value.
fn rows_of_csv(content: &[u8]) -> Result<Vec<Value>, String> {
    let mut reader = csv::Reader::from_reader(content);
    let bad = |error: csv::Error| format!("cannot be read: {error}");
    // Spreadsheet programs write a byte order mark at the beginning.
    let head: Vec<String> = reader
        .headers()
        .map_err(bad)?
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let cells = head.iter().zip(record.iter()).filter(|(_, cell)| !cell.is_empty());
        rows.push(Value::Object(cells.map(|(name, cell)| (name.clone(), Value::from(cell))).collect()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_from_csv_json_and_toml() {
        let row = |value: &str| serde_json::json!([{ "code": value, "name": "件" }]);
        let rows = |name: &str, text: &str| rows_of(name, Some(text.as_bytes().to_vec())).map(Value::Array);
        assert_eq!(rows("a.csv", "\u{feff}code,name\npc,件\n"), Ok(row("pc")));
        assert_eq!(rows("a.json", "[{\"code\": \"pc\", \"name\": \"件\"}]"), Ok(row("pc")));
        assert_eq!(rows("a.toml", "[[rows]]\ncode = \"pc\"\nname = \"件\"\n"), Ok(row("pc")));
        assert_eq!(rows("a.json", "{}"), Err("holds no list of rows".to_owned()));
        assert!(rows("a.csv", "code,name\npc\n").is_err_and(|why| why.contains("cannot be read")));
        assert_eq!(rows("a.xlsx", ""), Err("is neither .csv nor .json nor .toml".to_owned()));
    }
}
