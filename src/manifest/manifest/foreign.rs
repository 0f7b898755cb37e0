//! Keys of other manifest formats: that of workflow nodes, and that of a component model article that many plugins
//! started from.
//!
//! Each finding names the key to use here, so that a foreign file can be converted key by key.

use super::parse::PERMISSIONS_TABLE;
use crate::document::codes::TOML_UNKNOWN_KEY;
use crate::document::{Entry, Node, NodeValue, Reader};

/// The foreign keys: the table (empty for the top level), the key and its replacement here.
const FOREIGN_KEYS: &[(&str, &str, &str)] = &[
    ("", "name", "`id` (words joined by `-`) and `name` of `metadata`"),
    ("", "version", "`version` of `metadata`"),
    ("", "display_name", "`name` of `metadata`"),
    ("", "author", "`author` of `metadata`"),
    ("", "license", "`license` of `metadata`"),
    ("", "description", "`description` of `metadata`"),
    ("", "host_api_version", "`abi = \"erp:plugin@1.0.0\"` and `world = \"node-plugin\"` of `runtime`"),
    ("", "node_kinds", "`nodes`: one table for each kind, with `kind`, `versions`, `type` and `provides`"),
    ("", "io_ports", "`inputs` and `outputs` of each of the `nodes`"),
    ("", "properties", "`properties` of each of the `nodes`"),
    ("", "compatibility", "`min_platform_version` of `metadata`"),
    ("", "constraints", "`platform` of `dependencies`"),
    ("plugin", "name", "`id` (words joined by `-`) and `name` of `metadata`"),
    ("plugin", "version", "`version` of `metadata`"),
    ("plugin", "description", "`description` of `metadata`"),
    ("plugin", "author", "`author` of `metadata`"),
    ("plugin", "entrypoint", "nothing: the component is what `erp-plugin build` makes"),
];

/// The keys of `[permissions]` as a table, with their replacements.
const PERMISSION_KEYS: &[(&str, &str)] = &[
    (
        "fs",
        "nothing: plugins have no files; rows are the plugin's own, and `[capabilities] blob = true` keeps files for it",
    ),
    ("net", "`[capabilities] http = [\"https://…\"]`, with the addresses that it calls"),
    ("memory", "`[runtime] memory = \"…MB\"`"),
    ("cpu-time", "`[runtime] timeout = \"…s\"`, and `fuel` for the instructions"),
    ("cpu_time", "`[runtime] timeout = \"…s\"`, and `fuel` for the instructions"),
    ("max-instances", "nothing: the platform decides how many calls run at once"),
    ("max_instances", "nothing: the platform decides how many calls run at once"),
];

/// The keys of `[permissions.deny]`, with their replacements.
const DENIED_KEYS: &[(&str, &str)] = &[
    ("fs", "nothing: plugins have no files"),
    ("net", "`[capabilities.deny] http = [\"https://…\"]`; this machine and its network are denied anyway"),
];

/// Reports foreign keys. Returns the document without them, or `None` if no key was removed.
pub(super) fn without_foreign(document: &Node, reader: &mut Reader) -> Option<Node> {
    let mut gone: Vec<(&str, &str)> = Vec::new();
    for (table, key, own) in FOREIGN_KEYS {
        let holder = if table.is_empty() { Some(document) } else { document.get(table) };
        let Some(entry) = holder.and_then(|holder| entry(holder, key)) else { continue };
        found(entry, own, reader);
        if table.is_empty() {
            gone.push(("", key));
        }
    }
    if let Some(plugin) = entry(document, "plugin") {
        found(plugin, "`metadata`", reader);
        gone.push(("", "plugin"));
    }
    if let Some(permissions) = entry(document, "permissions")
        && matches!(permissions.node.value, NodeValue::Table(_))
    {
        let help = "what users may do is written `[[permissions]]`, one block each; what the plugin may ask of the host \
                    goes into `[capabilities]`";
        let message = "`[permissions]` is a table";
        reader.find(
            PERMISSIONS_TABLE,
            permissions.key_span.clone(),
            message,
            "not a list of permissions",
            Some(help.to_owned()),
        );
        named(&permissions.node, PERMISSION_KEYS, reader);
        if let Some(denied) = permissions.node.get("deny") {
            named(denied, DENIED_KEYS, reader);
        }
        gone.push(("", "permissions"));
    }
    if gone.is_empty() {
        return None;
    }
    let mut changed = document.clone();
    if let NodeValue::Table(entries) = &mut changed.value {
        entries.retain(|entry| !gone.contains(&("", entry.key.as_str())));
    }
    Some(changed)
}

fn entry<'n>(table: &'n Node, key: &str) -> Option<&'n Entry> {
    table.entries().iter().find(|entry| entry.key == key)
}

fn named(table: &Node, keys: &[(&str, &str)], reader: &mut Reader) {
    for (key, own) in keys {
        if let Some(entry) = entry(table, key) {
            found(entry, own, reader);
        }
    }
}

fn found(entry: &Entry, own: &str, reader: &mut Reader) {
    let message = format!("`{}` is a key of other manifests", entry.key);
    let help = format!("here it is {own}");
    reader.find(TOML_UNKNOWN_KEY, entry.key_span.clone(), message, "not known here", Some(help));
}
