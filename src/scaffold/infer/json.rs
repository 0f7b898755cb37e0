//! Tables of a JSON document: an array of objects, or an object with such arrays.

use serde_json::Value;

use super::Table;

pub(super) fn tables(name: &str, bytes: &[u8]) -> Result<Vec<Table>, String> {
    let document: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match document {
        Value::Array(rows) => Ok(table(name, &rows).into_iter().collect()),
        Value::Object(parts) => {
            let tables = parts.iter().filter_map(|(name, part)| table(name, part.as_array()?));
            Ok(tables.collect())
        }
        _ => Err("it holds neither an array of objects nor an object with such arrays".to_owned()),
    }
}

fn table(name: &str, rows: &[Value]) -> Option<Table> {
    let mut headers: Vec<String> = Vec::new();
    // What is no row among them says nothing.
    let rows: Vec<&Value> = rows.iter().filter(|row| row.is_object()).collect();
    for row in &rows {
        for key in row.as_object()?.keys() {
            if !headers.contains(key) {
                headers.push(key.clone());
            }
        }
    }
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let row = |row: &&Value| headers.iter().map(|key| text(&row[key.as_str()])).collect();
    let rows = rows.iter().map(row).collect();
    Some(Table { name: name.to_owned(), headers, rows })
}
