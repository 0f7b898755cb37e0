//! The host's tables with JSON values in the place of texts.

use serde_json::{Value, json};

use crate::bindings::erp::plugin::host_db::{self, Op};
use crate::bindings::erp::plugin::types::Error;

/// An error of this plugin.
pub fn failure(code: &str, message: &str) -> Error {
    Error { code: code.to_owned(), message: message.to_owned(), retryable: false, details: None }
}

/// JSON that came from the host.
pub fn parse(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| failure("inventory.bad_json", &error.to_string()))
}

/// A row that must be there.
pub fn get(entity: &str, id: &str) -> Result<Value, Error> {
    match host_db::get(entity, id)? {
        Some(row) => parse(&row),
        None => Err(failure("inventory.not_found", &format!("there is no {entity} `{id}`"))),
    }
}

/// All rows that match.
pub fn rows(entity: &str, filter: &Value) -> Result<Vec<Value>, Error> {
    let mut rows = Vec::new();
    let mut query = json!({ "filter": filter, "limit": 200 });
    loop {
        let page = host_db::query(entity, &query.to_string())?;
        for row in &page.rows {
            rows.push(parse(row)?);
        }
        match page.next_cursor {
            Some(cursor) => query["cursor"] = cursor.into(),
            None => return Ok(rows),
        }
    }
}

/// Merges a patch into a row.
pub fn update(entity: &str, id: &str, patch: &Value, version: Option<u32>) -> Result<Value, Error> {
    parse(&host_db::update(entity, id, &patch.to_string(), version)?)
}

/// A step of a batch.
pub fn step(kind: &str, entity: &str, id: Option<&str>, data: &Value) -> Op {
    Op {
        kind: kind.to_owned(),
        entity: entity.to_owned(),
        id: id.map(str::to_owned),
        data: Some(data.to_string()),
        expected_version: None,
        name: None,
    }
}

/// All steps or none.
pub fn batch(steps: &[Op]) -> Result<Vec<Value>, Error> {
    host_db::batch(steps)?.iter().map(|row| parse(row)).collect()
}
