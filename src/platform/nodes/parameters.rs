//! Checks the input and parameters of a node against its definition before it runs.

use erp_manifest::codes::errors;
use erp_manifest::document::did_you_mean;
use erp_manifest::expression::Datum;
use erp_manifest::{MAIN_PORT, NodeKind, NodeProperty, NodeType, PropertyKind};
use erp_runtime::NodeTask;
use serde_json::{Map, Value, json};

use super::role;
use crate::PlatformError;

fn bad(message: impl Into<String>) -> PlatformError {
    PlatformError::new(errors::NODE_BAD_REQUEST, message)
}

/// Returns the task in the form that the node takes. An array of items goes to the first input.
pub(super) fn fitting_task(definition: &NodeKind, task: NodeTask) -> Result<NodeTask, PlatformError> {
    let kind = definition.kind.as_str();
    match (task, *definition.r#type) {
        (NodeTask::Execute(input), NodeType::Executor) => {
            let first = definition.inputs.first().map_or(MAIN_PORT, |port| port.as_str());
            let ports = match input {
                Value::Null => Map::new(),
                Value::Array(items) if items.is_empty() && definition.inputs.is_empty() => Map::new(),
                Value::Array(items) => Map::from_iter([(first.to_owned(), Value::Array(items))]),
                Value::Object(ports) => ports,
                _ => return Err(bad("`input` is an array of items, or an object with an array for each port")),
            };
            let known: Vec<&str> = definition.inputs.iter().map(|port| port.as_str()).collect();
            for (port, items) in &ports {
                if !known.contains(&port.as_str()) {
                    return Err(bad(format!("`{kind}` has no input `{port}`; it has {}", known.join(", "))));
                }
                if !items.is_array() {
                    return Err(bad(format!("the input `{port}` is no array of items")));
                }
            }
            Ok(NodeTask::Execute(Value::Object(ports)))
        }
        (NodeTask::Supply, NodeType::Supplier) => Ok(NodeTask::Supply),
        (NodeTask::Options(name), _) => match definition.property(&name) {
            Some(property) if property.dynamic_options => Ok(NodeTask::Options(name)),
            Some(_) => Err(bad(format!("the options of `{name}` stand in its definition"))),
            None => Err(bad(format!("`{kind}` has no property `{name}`"))),
        },
        (NodeTask::Execute(_), NodeType::Supplier) => {
            Err(bad(format!("`{kind}` is {}: ask it to supply", role(definition))))
        }
        (NodeTask::Supply, NodeType::Executor) => Err(bad(format!("`{kind}` is {}: execute it", role(definition)))),
    }
}

/// Returns the parameters with defaults filled in, or an error with all problems. Leaves out properties that
/// `show_when` hides. With `lenient` (a form that is being filled in), required parameters may be missing.
pub(super) fn complete(
    definition: &NodeKind,
    given: &Map<String, Value>,
    lenient: bool,
) -> Result<Value, PlatformError> {
    let mut problems: Vec<(String, String)> = Vec::new();
    let known = || definition.properties.iter().map(|property| property.name.as_str());
    for name in given.keys().filter(|name| definition.property(name).is_none()) {
        let help = did_you_mean(name, known()).map_or_else(String::new, |help| format!("; {help}"));
        problems.push((name.clone(), format!("is no property of `{}`{help}", *definition.kind)));
    }
    let mut all = Map::new();
    for property in &definition.properties {
        let own = given.get(property.name.as_str()).filter(|value| !value.is_null()).cloned();
        if let Some(value) = own.or_else(|| property.default.as_ref().map(|default| (**default).clone())) {
            all.insert(property.name.to_string(), value);
        }
    }
    let shown = all.clone();
    for property in &definition.properties {
        let name = property.name.as_str();
        if !is_shown(property, definition, &shown) {
            all.remove(name);
            continue;
        }
        match all.get(name) {
            None if property.required && !lenient => problems.push((name.to_owned(), "is required".to_owned())),
            None => {}
            Some(value) => {
                if let Some(wanted) = property.expected_instead_of(value) {
                    problems.push((name.to_owned(), format!("must be {wanted}, not {value}")));
                }
            }
        }
    }
    if problems.is_empty() {
        return Ok(Value::Object(all));
    }
    let first = problems.first().map_or_else(String::new, |(name, why)| format!("`{name}` {why}"));
    let more = if problems.len() > 1 { format!(" (and {} more)", problems.len() - 1) } else { String::new() };
    let listed: Vec<Value> =
        problems.into_iter().map(|(name, message)| json!({ "property": name, "message": message })).collect();
    Err(bad(format!("{first}{more}")).with_details(json!({ "problems": listed })))
}

fn is_shown(property: &NodeProperty, definition: &NodeKind, values: &Map<String, Value>) -> bool {
    let Some(condition) = &property.show_when else { return true };
    let lookup = |name: &str| {
        let is_decimal = definition.property(name).is_some_and(|property| *property.kind == PropertyKind::Decimal);
        values.get(name).map_or(Datum::Null, |value| Datum::from_json(value, is_decimal))
    };
    // A condition that cannot be computed hides nothing; the node reports missing values.
    condition.evaluate(&lookup).map_or(true, |datum| datum.to_json() == Value::Bool(true))
}
