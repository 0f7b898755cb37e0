//! `erp/nodes.rs`: a struct for the parameters of each node, and the definitions from the manifest.

use std::collections::BTreeMap;

use erp_manifest::{Manifest, NodeKind, NodeProperty, NodeType, PropertyKind};

use super::code::SourceWriter;
use super::names::{TakenNames, camel, short_names, snake};
use super::types::choices;

/// The Rust names of a node.
#[derive(Debug)]
pub(super) struct NodeNames {
    /// The struct of its parameters.
    pub(super) parameters: String,
    /// The function that runs it.
    pub(super) method: String,
    /// The enums of its selects, by property name.
    choices: BTreeMap<String, String>,
}

/// The nodes with their names, which are all different.
pub(super) fn named(manifest: &Manifest) -> Vec<(&NodeKind, NodeNames)> {
    let kinds: Vec<&str> = manifest.nodes.iter().map(|node| node.kind.as_str()).collect();
    let (mut structs, mut methods) = (TakenNames::default(), TakenNames::reserving(&["options"]));
    let mut named: Vec<(&NodeKind, NodeNames)> = manifest
        .nodes
        .iter()
        .zip(short_names(&kinds))
        .map(|(node, short)| {
            let parameters = structs.take(&camel(&short), "Node");
            let method = methods.take(&short, "_node");
            (node, NodeNames { parameters, method, choices: BTreeMap::new() })
        })
        .collect();
    for (node, names) in &mut named {
        for property in node.properties.iter().filter(|property| !property.options.is_empty()) {
            let wanted = format!("{}{}", names.parameters, camel(property.name.as_str()));
            names.choices.insert(property.name.to_string(), structs.take(&wanted, "Choice"));
        }
    }
    named
}

fn type_of(names: &NodeNames, property: &NodeProperty) -> String {
    match *property.kind {
        PropertyKind::Select if !property.options.is_empty() => {
            names.choices.get(property.name.as_str()).cloned().unwrap_or_default()
        }
        PropertyKind::String | PropertyKind::Text | PropertyKind::Expression | PropertyKind::Select => {
            "String".to_owned()
        }
        PropertyKind::Integer => "i64".to_owned(),
        PropertyKind::Decimal => "Decimal".to_owned(),
        PropertyKind::Boolean => "bool".to_owned(),
        PropertyKind::Json => "Value".to_owned(),
    }
}

/// The text of the file.
pub(super) fn file(manifest: &Manifest) -> String {
    let mut code = SourceWriter::file("The nodes of plugin.toml.");
    code.line("use serde_json::Value;");
    code.blank();
    let has_decimals = super::node_decimals(manifest);
    if has_decimals {
        code.line("use super::decimal::Decimal;");
    }
    code.line("use super::error::Result;");
    code.line("use super::value::{Fields, JsonValue};");
    code.blank();
    code.doc("What `get-node-definitions` gives.");
    let definitions: serde_json::Value = manifest.nodes.iter().map(NodeKind::definition).collect();
    code.line(format!("pub(super) const DEFINITIONS: &str = {:?};", definitions.to_string()));
    for (node, names) in named(manifest) {
        for property in node.properties.iter().filter(|property| !property.options.is_empty()) {
            let about = property.display_name.as_deref().unwrap_or(property.name.as_str());
            choices(&mut code, &type_of(&names, property), about, &property.options);
        }
        let name = &names.parameters;
        code.blank();
        code.doc(&format!("The parameters of `{}`: {}", *node.kind, node.display_name));
        code.line("#[derive(Debug, Clone, PartialEq)]");
        code.block(format!("pub struct {name}"), |code| {
            for property in &node.properties {
                code.doc(property.display_name.as_deref().unwrap_or_default());
                code.doc(property.description.as_deref().unwrap_or_default());
                let ty = type_of(&names, property);
                // A property that may be hidden may be absent.
                let is_there = (property.required || property.default.is_some()) && property.show_when.is_none();
                let ty = if is_there { ty } else { format!("Option<{ty}>") };
                code.line(format!("pub {}: {ty},", snake(property.name.as_str())));
            }
        });
        code.blank();
        code.block(format!("impl {name}"), |code| {
            let parameter = if node.properties.is_empty() { "_" } else { "parameters" };
            code.block(format!("pub(super) fn read({parameter}: &Fields) -> Result<{name}>"), |code| {
                code.block_ending(format!("Ok({name}"), "})", |code| {
                    for property in &node.properties {
                        let key = property.name.as_str();
                        code.line(format!("{}: parameters.get({key:?})?,", snake(key)));
                    }
                });
            });
        });
    }
    code.finish()
}

/// Writes the methods that run the nodes.
pub(super) fn trait_methods(code: &mut SourceWriter, manifest: &Manifest) {
    for (node, names) in named(manifest) {
        let parameters = format!("parameters: nodes::{}, run: &Run", names.parameters);
        let gives = match *node.r#type {
            NodeType::Executor => "Outputs",
            NodeType::Supplier => "Value",
        };
        code.blank();
        code.doc(&node.display_name);
        code.line(format!("fn {}({parameters}) -> Result<{gives}>;", snake(&names.method)));
    }
    if manifest.nodes.iter().any(|node| node.properties.iter().any(|property| property.dynamic_options)) {
        code.blank();
        code.doc("The options of a property that says `dynamic_options`.");
        code.line("fn options(kind: &str, property: &str, parameters: &Fields) -> Result<Vec<Choice>>;");
    }
}
