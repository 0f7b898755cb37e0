//! Estimates of the memory that JSON takes, also before a text is parsed.
//!
//! Two bytes of text may become a value of 32 bytes, and a key with a value takes a hundred more. A limit on the bytes
//! of text would allow sixteen times as much memory.

use serde_json::{Map, Value};

/// The bytes that a value takes by itself, and that a list reserves for each of its items.
const VALUE: u64 = 32;
/// The bytes that a key takes besides its own text, for its place in the object's hash table and order.
const KEY: u64 = 96;

/// The approximate memory of a value, in bytes.
pub fn weight(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => VALUE,
        Value::String(text) => VALUE + text.len() as u64,
        Value::Array(items) => VALUE + items.iter().map(weight).sum::<u64>(),
        Value::Object(fields) => VALUE + weight_of_fields(fields),
    }
}

/// The approximate memory of the fields of an object, in bytes.
pub fn weight_of_fields(fields: &Map<String, Value>) -> u64 {
    fields.iter().map(|(name, value)| KEY + name.len() as u64 + weight(value)).sum()
}

/// The approximate memory of the value of a JSON text, in bytes. Text that is not JSON has a weight too.
pub fn weight_of_text(text: &str) -> u64 {
    let (mut weight, mut is_text, mut is_escaped) = (VALUE + text.len() as u64, false, false);
    for byte in text.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            _ if is_text => {}
            b',' | b'[' | b'{' => weight += VALUE,
            b':' => weight += KEY,
            _ => {}
        }
    }
    weight
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_weight_of_a_text_is_no_less_than_about_that_of_its_value() {
        let wide: Map<String, Value> = (0..1_000).map(|n| (format!("k{n}"), json!(n))).collect();
        for value in [
            json!(vec![1; 1_000]),
            json!(vec![Value::Array(Vec::new()); 1_000]),
            json!({ "text": "a,b:[{\"".repeat(300), "more": ["进销存", null, true, { "a": 1.5 }] }),
            Value::Object(wide),
        ] {
            let (estimated, real) = (weight_of_text(&value.to_string()), weight(&value));
            assert!(estimated >= real * 9 / 10 && estimated <= real * 22 / 10 + 64, "{estimated} for {real}");
        }
    }
}
