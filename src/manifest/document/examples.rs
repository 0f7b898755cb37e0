//! Examples of every key, taken from a document that is valid.

use serde_json::Value;

/// Examples of a key, at the most.
const EACH: usize = 3;

/// Adds to a JSON Schema what a document holds: each value becomes an example of its key.
pub fn add_examples(schema: &mut Value, document: &Value) {
    add(schema, &[document]);
}

/// The same for all tables of one kind.
fn add(schema: &mut Value, tables: &[&Value]) {
    for (key, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        let values: Vec<&Value> = tables.iter().filter_map(|table| table.get(key)).collect();
        if property["properties"].is_object() {
            add(property, &values);
        } else if property["items"]["properties"].is_object() {
            let items: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
            add(&mut property["items"], &items);
        } else if property["additionalProperties"]["properties"].is_object() {
            let named: Vec<&Value> =
                values.iter().filter_map(|value| value.as_object()).flat_map(|tables| tables.values()).collect();
            add(&mut property["additionalProperties"], &named);
        } else if !values.is_empty() {
            let mut examples: Vec<Value> = Vec::new();
            for value in values {
                if examples.len() < EACH && !examples.contains(value) {
                    examples.push(value.clone());
                }
            }
            property["examples"] = Value::Array(examples);
        }
    }
}
