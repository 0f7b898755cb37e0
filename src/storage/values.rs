//! Normal values for a row that is written.

use erp_manifest::document::did_you_mean;
use erp_manifest::{RESERVED_FIELDS, normal_value};
use serde_json::{Map, Value};

use super::{EntityRef, FieldProblem, Scope, StoreError};

/// The maximum number of unknown keys that are reported.
const MAX_UNKNOWN: usize = 50;

/// Converts the values of a row that is written to their stored form.
///
/// With `whole`, the row is new or replaced, and required fields need a value. Otherwise the values are merged into
/// a row, and null removes a value.
///
/// # Errors
/// [`StoreError::Validation`] with all problems, but at most 50 unknown keys.
pub fn normalize(entity: &EntityRef, data: &Map<String, Value>, whole: bool) -> Result<Map<String, Value>, StoreError> {
    let mut problems = Vec::new();
    let mut normal = Map::new();
    let unknown = || data.keys().filter(|key| entity.field(key).is_none());
    // A caller that sends a million of them does not need all the messages.
    for key in unknown().take(MAX_UNKNOWN) {
        let message = if RESERVED_FIELDS.contains(&key.as_str()) {
            "is set by the host".to_owned()
        } else {
            let known = entity.fields.iter().map(|field| field.name.as_str());
            match did_you_mean(key, known) {
                Some(help) => format!("is not a field; {help}"),
                None => "is not a field".to_owned(),
            }
        };
        problems.push(FieldProblem { field: key.clone(), message });
    }
    for field in &entity.fields {
        let name = field.name.as_str();
        match data.get(name) {
            Some(_) if field.computed.is_some() => {
                problems.push(FieldProblem { field: name.to_owned(), message: "is computed".to_owned() });
            }
            // The host computes the value, so that it is never missing.
            None if field.computed.is_some() => {}
            Some(value) if !is_empty(value) => match normal_value(field, value) {
                Ok(value) => {
                    normal.insert(name.to_owned(), value);
                }
                Err(message) => problems.push(FieldProblem { field: name.to_owned(), message }),
            },
            Some(_) | None if field.required && (whole || data.contains_key(name)) => {
                problems.push(FieldProblem { field: name.to_owned(), message: "is required".to_owned() });
            }
            Some(_) => {
                normal.insert(name.to_owned(), Value::Null);
            }
            None => {}
        }
    }
    if problems.is_empty() {
        Ok(normal)
    } else {
        Err(StoreError::Validation { entity: entity.name.to_string(), problems })
    }
}

/// The value of a field's `default` for a new row.
pub fn default_value(default: &Value, scope: &Scope, new_id: &mut dyn FnMut() -> String) -> Value {
    match default.as_str() {
        Some("$now") => Value::String(scope.now.to_string()),
        Some("$today") => Value::String(scope.now.date()),
        Some("$user.id") => scope.user.clone().map_or(Value::Null, Value::String),
        Some("$uuid") => Value::String(new_id()),
        _ => default.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}
