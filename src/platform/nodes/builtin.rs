//! The platform's own nodes.

use std::sync::LazyLock;

use erp_manifest::codes::errors;
use erp_manifest::expression::{Words, value_over};
use erp_manifest::{NodeKind, nodes_from_toml};
use erp_runtime::{NodeCall, NodeTask, ServiceError};
use serde_json::{Map, Value, json};

/// The code of a node.
type Run = fn(&NodeCall, Words<'_>) -> Result<Value, ServiceError>;

/// A node that the platform runs without a plugin.
#[derive(Debug)]
pub(super) struct Builtin {
    pub(super) definition: NodeKind,
    run: Run,
}

impl Builtin {
    pub(super) fn run(&self, call: &NodeCall, words: Words<'_>) -> Result<Value, ServiceError> {
        (self.run)(call, words)
    }
}

/// Returns all nodes of the platform.
pub(super) fn all() -> &'static [Builtin] {
    static ALL: LazyLock<Vec<Builtin>> = LazyLock::new(|| {
        let nodes = nodes_from_toml(include_str!("core.toml"));
        let run_of = |kind: &str| -> Option<Run> {
            match kind {
                "core.set" => Some(set),
                "core.filter" => Some(filter),
                "core.memory" => Some(memory),
                _ => None,
            }
        };
        nodes
            .into_iter()
            .filter_map(|definition| Some(Builtin { run: run_of(&definition.kind)?, definition }))
            .collect()
    });
    &ALL
}

fn items(call: &NodeCall) -> Vec<Value> {
    match &call.task {
        NodeTask::Execute(input) => input["main"].as_array().cloned().unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn bad(message: String) -> ServiceError {
    ServiceError::new(errors::EXPR_BAD, message)
}

fn fields(item: &Value) -> Result<Map<String, Value>, ServiceError> {
    item.as_object().cloned().ok_or_else(|| bad(format!("an item is an object, not {item}")))
}

fn set(call: &NodeCall, words: Words<'_>) -> Result<Value, ServiceError> {
    let wanted = call.parameters["values"].as_object();
    let wanted = wanted.ok_or_else(|| bad("`values` is an object with an expression for each field".to_owned()))?;
    let mut made = Vec::new();
    for item in items(call) {
        let fields = fields(&item)?;
        let mut result = if call.parameters["keep_others"] == false { Map::new() } else { fields.clone() };
        for (name, expression) in wanted {
            let value = match expression.as_str() {
                Some(expression) => value_over(expression, &fields, words).map_err(bad)?,
                None => expression.clone(),
            };
            result.insert(name.clone(), value);
        }
        made.push(Value::Object(result));
    }
    Ok(json!({ "main": made }))
}

fn filter(call: &NodeCall, words: Words<'_>) -> Result<Value, ServiceError> {
    let condition = call.parameters["condition"].as_str().unwrap_or_default();
    let (mut passed, mut rest) = (Vec::new(), Vec::new());
    for item in items(call) {
        match value_over(condition, &fields(&item)?, words).map_err(bad)? {
            Value::Bool(true) => passed.push(item),
            // A condition with an unknown result does not hold, as in all other places.
            Value::Bool(false) | Value::Null => rest.push(item),
            other => return Err(bad(format!("`{condition}` gives {other}, and a condition gives true or false"))),
        }
    }
    Ok(json!({ "main": passed, "rest": rest }))
}

#[expect(clippy::unnecessary_wraps, reason = "a node may fail, and this one does not")]
fn memory(call: &NodeCall, _: Words<'_>) -> Result<Value, ServiceError> {
    let session = match call.parameters["session"].as_str() {
        Some(session) => session.to_owned(),
        None => format!("{}/{}", call.place.workflow_id, call.place.execution_id),
    };
    Ok(json!({ "service": "host-memory", "session": session }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_runtime::NodePlace;

    #[test]
    fn every_definition_has_its_code_and_passes_the_rules() {
        let kinds: Vec<&str> = all().iter().map(|builtin| builtin.definition.kind.as_str()).collect();
        assert_eq!(kinds, ["core.set", "core.filter", "core.memory"]);
        assert_eq!(nodes_from_toml(include_str!("core.toml")).len(), kinds.len());
    }

    #[test]
    fn items_are_computed_exactly_and_parted() {
        let run = |kind: &str, parameters: Value, items: Value| {
            let call = NodeCall {
                kind: kind.to_owned(),
                version: "1.0.0".to_owned(),
                parameters,
                place: NodePlace::default(),
                task: NodeTask::Execute(json!({ "main": items })),
            };
            let builtin = all().iter().find(|builtin| *builtin.definition.kind == kind).unwrap();
            builtin.run(&call, &|_| None).map_err(|error| error.message)
        };
        let items = json!([{ "qty": 3, "price": "0.35" }, { "qty": 1, "price": "2" }]);
        let set = run("core.set", json!({ "values": { "total": "qty * price" }, "keep_others": false }), items.clone());
        assert_eq!(set, Ok(json!({ "main": [{ "total": "1.05" }, { "total": 2 }] })));
        let parted = run("core.filter", json!({ "condition": "qty > 2" }), items.clone()).unwrap();
        assert_eq!((&parted["main"][0]["qty"], &parted["rest"][0]["qty"]), (&json!(3), &json!(1)));
        assert!(run("core.filter", json!({ "condition": "nobody" }), items).unwrap_err().contains("nobody"));
    }
}
