//! `erp/nodes.rs`: a struct for the parameters of each node, and the definitions as the manifest has them.

use super::code::Code;
use super::names::{camel, short_names, snake};
use super::types::{choice_name, choices};
use crate::manifest::{Manifest, NodeKind, NodeProperty, NodeType, PropertyKind};

/// The nodes, each with its short name.
pub(super) fn named(manifest: &Manifest) -> Vec<(&NodeKind, String)> {
    let kinds: Vec<&str> = manifest.nodes.iter().map(|node| node.kind.as_str()).collect();
    manifest.nodes.iter().zip(short_names(&kinds)).collect()
}

fn type_of(name: &str, property: &NodeProperty) -> String {
    match *property.kind {
        PropertyKind::Select if !property.options.is_empty() => choice_name(name, property.name.as_str()),
        PropertyKind::String | PropertyKind::Text | PropertyKind::Expression | PropertyKind::Select => {
            "String".to_owned()
        }
        PropertyKind::Integer => "i64".to_owned(),
        PropertyKind::Decimal => "Decimal".to_owned(),
        PropertyKind::Boolean => "bool".to_owned(),
        PropertyKind::Json => "Value".to_owned(),
    }
}

/// The file.
pub(super) fn file(manifest: &Manifest) -> String {
    let mut code = Code::file("The nodes of plugin.toml.");
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
    for (node, name) in named(manifest) {
        for property in node.properties.iter().filter(|property| !property.options.is_empty()) {
            let about = property.display_name.as_deref().unwrap_or(property.name.as_str());
            choices(&mut code, &choice_name(&name, property.name.as_str()), about, &property.options);
        }
        let name = camel(&name);
        code.blank();
        code.doc(&format!("The parameters of `{}`: {}", *node.kind, node.display_name));
        code.line("#[derive(Debug, Clone, PartialEq)]");
        code.block(format!("pub struct {name}"), |code| {
            for property in &node.properties {
                code.doc(property.display_name.as_deref().unwrap_or_default());
                code.doc(property.description.as_deref().unwrap_or_default());
                let ty = type_of(&name, property);
                // What may be hidden may be absent.
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

/// The methods that run the nodes.
pub(super) fn trait_methods(code: &mut Code, manifest: &Manifest) {
    for (node, name) in named(manifest) {
        let parameters = format!("parameters: nodes::{}, run: &Run", camel(&name));
        let gives = match *node.r#type {
            NodeType::Executor => "Outputs",
            NodeType::Supplier => "Value",
        };
        code.blank();
        code.doc(&node.display_name);
        code.line(format!("fn {}({parameters}) -> Result<{gives}>;", snake(&name)));
    }
    if manifest.nodes.iter().any(|node| node.properties.iter().any(|property| property.dynamic_options)) {
        code.blank();
        code.doc("The options of a property that says `dynamic_options`.");
        code.line("fn options(kind: &str, property: &str, parameters: &Fields) -> Result<Vec<Choice>>;");
    }
}
