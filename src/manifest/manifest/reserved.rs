//! Keys that are reserved for later versions and have no effect in this one.
//!
//! A key that is accepted but has no effect would mislead the author. Each reserved key is therefore an error until the
//! tool implements it.

use crate::codes::codes;
use crate::document::{Node, NodeValue, Reader};

codes! {
    RESERVED_KEY = "manifest/reserved-key", finding(Error), "A key that is reserved for a later version.",
        why: "Nothing acts on it yet. A key that is accepted and does nothing would promise what nobody keeps.",
        fix: "Take it away for now. `docs/manifest.md` lists the reserved keys and what they are for.";
}

/// The reserved keys: the table (empty for the top level), the key and its purpose.
pub const RESERVED_KEYS: &[(&str, &str, &str)] = &[
    ("", "endpoints", "HTTP endpoints of the plugin"),
    ("", "hooks", "code that runs before and after a row is written"),
    ("", "http", "credentials for outgoing requests"),
    ("", "import", "mappings for imported files"),
    ("", "jobs", "work that runs by the clock"),
    ("", "reports", "tables and charts to print"),
    ("", "roles", "roles that come with the plugin"),
    ("", "rules", "what happens when rows change, without code"),
    ("", "templates", "documents that are made from rows"),
    ("", "workflows", "states of a row and the ways between them"),
    ("runtime", "max_instances", "calls that run at the same time"),
    ("ui", "menu", "groups of the menu"),
];

/// Reports reserved keys. Returns the document without them, or `None` if it has none.
pub(super) fn without_reserved(document: &Node, reader: &mut Reader) -> Option<Node> {
    let mut changed: Option<Node> = None;
    for (table, key, purpose) in RESERVED_KEYS {
        let holder = if table.is_empty() { Some(document) } else { document.get(table) };
        let Some(entry) = holder.and_then(|holder| holder.entries().iter().find(|entry| entry.key == *key)) else {
            continue;
        };
        let message = format!("`{key}` is reserved for a later version ({purpose})");
        let help = Some("take it away for now: nothing acts on it yet".to_owned());
        reader.find(RESERVED_KEY, entry.key_span.clone(), message, "nothing acts on it", help);
        let document = changed.get_or_insert_with(|| document.clone());
        let holder = if table.is_empty() { Some(document) } else { table_of(document, table) };
        if let Some(NodeValue::Table(entries)) = holder.map(|holder| &mut holder.value) {
            entries.retain(|entry| entry.key != *key);
        }
    }
    changed
}

fn table_of<'n>(document: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut document.value {
        NodeValue::Table(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node),
        _ => None,
    }
}
