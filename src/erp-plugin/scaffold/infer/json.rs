//! Reads the tables of a JSON document: an array of objects, or an object with such arrays.

use erp_manifest::document::weight_of_text;
use serde_json::{Map, Value};

use super::{DataTable, MAX_DOCUMENT, count_cells};

pub(super) fn tables(name: &str, bytes: &[u8]) -> Result<Vec<DataTable>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    if weight_of_text(text) > MAX_DOCUMENT {
        return Err("it holds too many values: take a part of it".to_owned());
    }
    let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut cells = 0;
    match document {
        Value::Array(rows) => Ok(vec![table(name, &rows, &mut cells)?]),
        Value::Object(parts) => {
            let arrays = parts.iter().filter_map(|(name, part)| Some((name, part.as_array()?)));
            arrays.map(|(name, rows)| table(name, rows, &mut cells)).collect()
        }
        _ => Err("it holds neither an array of objects nor an object with such arrays".to_owned()),
    }
}

fn table(name: &str, rows: &[Value], cells: &mut usize) -> Result<DataTable, String> {
    let mut headers: Vec<String> = Vec::new();
    // Elements that are not objects are ignored.
    let rows: Vec<&Map<String, Value>> = rows.iter().filter_map(Value::as_object).collect();
    for row in &rows {
        for key in row.keys() {
            if !headers.contains(key) {
                headers.push(key.clone());
                count_cells(&mut 0, headers.len())?;
            }
        }
    }
    rows.iter().try_for_each(|_| count_cells(cells, headers.len()))?;
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |row: &&Map<String, Value>| {
        headers.iter().map(|key| row.get(key.as_str()).map_or_else(String::new, text)).collect()
    };
    let rows = rows.iter().map(row).collect();
    Ok(DataTable { name: name.to_owned(), headers, rows })
}
