//! Values on their way from one type to another.

use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use crate::expression::read_decimal;
use crate::manifest::{BaseType, Field};
use crate::store::normal_value;

/// A value in the form that a field keeps, from whatever form it has: text is read, numbers are written.
pub(crate) fn converted(field: &Field, value: &Value) -> Result<Value, String> {
    if let Ok(fits) = normal_value(field, value) {
        return Ok(fits);
    }
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        value => value.to_string(),
    };
    let number = || read_decimal(&text);
    let other = match field.field_type.base() {
        BaseType::String => Some(Value::String(text.clone())),
        BaseType::Integer => {
            number().filter(|number| number.fract().is_zero()).and_then(|number| number.to_i64()).map(Value::from)
        }
        BaseType::Float => number().and_then(|number| number.to_f64()).map(Value::from),
        // The digits as they are: a value is never rounded in silence.
        BaseType::Decimal => number().map(|number| Value::String(number.normalize().to_string())),
        BaseType::Boolean => match text.as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        // The day of a moment, and the first moment of a day, both in UTC.
        BaseType::Date => text.get(..10).map(Value::from),
        BaseType::Datetime if text.len() == 10 => Some(Value::String(format!("{text}T00:00:00.000Z"))),
        BaseType::Json if text.starts_with(['[', '{']) => serde_json::from_str(&text).ok(),
        BaseType::Json | BaseType::Datetime | BaseType::Uuid => None,
    };
    normal_value(field, &other.unwrap_or_else(|| value.clone()))
}
