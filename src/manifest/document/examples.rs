//! Examples of every key for a JSON Schema, taken from a valid document.

use serde_json::Value;

/// The maximum number of examples for a key.
const EACH: usize = 3;

/// Adds the values of a document to a JSON Schema, each as an example of its key.
pub fn add_examples(schema: &mut Value, document: &Value) {
    add(schema, &[document]);
}

/// Does the same for all tables that share a schema.
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
