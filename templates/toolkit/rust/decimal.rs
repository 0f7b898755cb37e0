//! Exact decimal numbers: text in JSON, never a binary fraction.

pub use rust_decimal::Decimal;
use serde_json::Value;

use super::value::JsonValue;

impl JsonValue for Decimal {
    fn from_json(json: &Value) -> Option<Decimal> {
        match json {
            Value::String(text) => text.parse().ok(),
            // Settings are JSON numbers; their digits count, not their binary value.
            Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }

    fn to_json(&self) -> Value {
        Value::String(self.to_string())
    }
}
