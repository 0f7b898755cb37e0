//! Parsing of text into a [`Manifest`].

use std::sync::Arc;

use serde_json::Value;

use super::{Manifest, NodeKind, foreign, legacy, reserved};
use crate::codes::codes;
use crate::diagnostics::{Report, SourceFile, is_printable};
use crate::document::codes::INVALID_VALUE;
use crate::document::{self, FromToml, Node, NodeValue, Reader};

codes! {
    PERMISSIONS_TABLE = "manifest/permissions-table", finding(Error), "`[permissions]` instead of `[[permissions]]` or `[capabilities]`.",
        why: "`[[permissions]]` lists what users may do (RBAC). What the plugin may ask of the host is called capabilities.",
        fix: "Write one `[[permissions]]` block for each permission, and put what the plugin needs from the host into `[capabilities]`.";
}

/// Parses a manifest. It is `None` if the text has a syntax error or a required part cannot be read; the report then
/// holds an error with the reason.
pub fn parse(source: &Arc<SourceFile>) -> (Option<Manifest>, Report) {
    let (node, mut report) = document::parse(source);
    let mut reader = Reader::new(source);
    let manifest = if report.has_errors() { None } else { read(&node, &mut reader) };
    report.extend(reader.into_report());
    (manifest, report)
}

/// Reads the manifest of a package. Findings use `name` as the name of the file.
pub fn from_json(name: &str, value: &Value) -> (Option<Manifest>, Report) {
    let mut reader = Reader::new(&SourceFile::new(name, ""));
    let manifest = read(&Node::from_json(value), &mut reader);
    (manifest, reader.into_report())
}

/// Reads the `[[nodes]]` of a text; nodes that cannot be read are left out.
pub fn nodes_from_toml(text: &str) -> Vec<NodeKind> {
    let source = SourceFile::new("nodes.toml", text);
    let (node, _) = document::parse(&source);
    let mut reader = Reader::new(&source);
    node.get("nodes").and_then(|nodes| FromToml::from_toml(nodes, &mut reader)).unwrap_or_default()
}

/// Reports control characters in texts. A character that moves the cursor or reverses text makes the display differ
/// from the content. Line breaks and tabs are allowed.
fn find_control_characters(node: &Node, reader: &mut Reader) {
    match &node.value {
        NodeValue::String(text) => {
            let hidden = text.chars().find(|one| !is_printable(*one) && !matches!(one, '\n' | '\r' | '\t'));
            if let Some(character) = hidden {
                let message = format!("the text holds the control character U+{:04X}", u32::from(character));
                let help = "take it out: it is not seen, and changes what is seen".to_owned();
                reader.find(INVALID_VALUE, node.span.clone(), message, "not printable", Some(help));
            }
        }
        NodeValue::Array(items) => items.iter().for_each(|item| find_control_characters(item, reader)),
        NodeValue::Table(entries) => entries.iter().for_each(|entry| find_control_characters(&entry.node, reader)),
        _ => {}
    }
}

fn read(node: &Node, reader: &mut Reader) -> Option<Manifest> {
    find_control_characters(node, reader);
    let native = foreign::without_foreign(node, reader);
    let node = native.as_ref().unwrap_or(node);
    let known = reserved::without_reserved(node, reader);
    let node = known.as_ref().unwrap_or(node);
    let mut manifest = if legacy::is_legacy(node) {
        let mut modern = node.clone();
        legacy::modernize(&mut modern);
        Manifest::from_toml(&modern, reader)
    } else {
        Manifest::from_toml(node, reader)
    }?;
    // From here on, a field has the options of its dictionary. `check` reports a dictionary that does not exist.
    for field in manifest.schema.entities.iter_mut().flat_map(|entity| &mut entity.fields) {
        let dictionary = field.dictionary.as_ref().filter(|_| field.options.is_empty());
        let found = dictionary.and_then(|code| manifest.dictionaries.iter().find(|known| *known.code == **code));
        if let Some(dictionary) = found {
            field.options.clone_from(&dictionary.items);
        }
    }
    Some(manifest)
}
