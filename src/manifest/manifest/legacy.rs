//! Support for manifests of the platform's first version. Their keys and words are converted to the current ones before
//! anything is read, so that all other code handles one spelling.

use std::collections::BTreeMap;

use crate::document::{Entry, Node, NodeValue};

/// True for a manifest without `manifest_version`.
pub(super) fn is_legacy(document: &Node) -> bool {
    document.get("manifest_version").is_none()
}

/// Converts the keys and words of the first version to the current ones.
pub(super) fn modernize(document: &mut Node) {
    for entity in items(entry(document, "schema").and_then(|schema| entry(schema, "entities"))) {
        for relation in items(entry(entity, "relations")) {
            rename(relation, "entity", "target_entity");
            rename(relation, "relation_type", "type");
            default(relation, "name", "target_entity");
        }
        for field in items(entry(entity, "fields")) {
            lower_case(field, "field_type");
            // The first version wrote a `select` as a `string` with `options`.
            let has_options = field.get("options").is_some();
            if let Some(kind) = entry(field, "field_type").filter(|kind| has_options && kind.as_str() == Some("string"))
            {
                kind.value = NodeValue::String("select".to_owned());
            }
            // It wrote a `ref` as a `uuid` with `ref_entity`.
            let is_reference = field.get("ref_entity").is_some();
            if let Some(kind) = entry(field, "field_type").filter(|kind| is_reference && kind.as_str() == Some("uuid"))
            {
                kind.value = NodeValue::String("ref".to_owned());
            }
        }
    }
    if document.get("runtime").is_none() {
        add_table(document, "runtime");
    }
    if let Some(runtime) = entry(document, "runtime").filter(|runtime| runtime.get("abi").is_none()) {
        add(runtime, "abi", "legacy");
    }
    // The first platform granted everything that its host API offers: events and its configuration.
    if document.get("capabilities").is_none() {
        add_table(document, "capabilities");
        if let Some(capabilities) = entry(document, "capabilities") {
            for key in ["publish", "config"] {
                add_list(capabilities, key, "*");
            }
        }
    }
    for rule in items(entry(document, "numbering")) {
        default(rule, "name", "entity");
    }
    let filterable = filterable_fields(document);
    for page in items(entry(document, "ui").and_then(|ui| entry(ui, "pages"))) {
        modernize_page(page, &filterable);
    }
}

/// The names of the filterable fields of each entity.
fn filterable_fields(document: &Node) -> BTreeMap<String, Vec<Node>> {
    let list = |node: Option<&Node>| match node.map(|node| &node.value) {
        Some(NodeValue::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    let is_filterable =
        |field: &Node| matches!(field.get("filterable").map(|flag| &flag.value), Some(NodeValue::Boolean(true)));
    let entities = list(document.get("schema").and_then(|schema| schema.get("entities")));
    let fields = |entity: &Node| {
        let names = list(entity.get("fields")).into_iter().filter(is_filterable);
        names.filter_map(|field| field.get("name").cloned()).collect()
    };
    entities.iter().filter_map(|entity| Some((entity.get("name")?.as_str()?.to_owned(), fields(entity)))).collect()
}

/// Converts a page and the pages behind its tabs. Old keys get their current names; keys that only repeat facts about
/// the entity are removed.
fn modernize_page(page: &mut Node, filterable: &BTreeMap<String, Vec<Node>>) {
    // A page without `type` is a list: the earliest manifests had no other pages. Their `route` is now `name`.
    if page.get("type").is_none() && page.get("entity").is_some() {
        add(page, "type", "crud");
    }
    rename(page, "display_name", "label");
    rename(page, "route", "name");
    rename(page, "tabs", "pages");
    rename(page, "edge_label_field", "label_field");
    for key in ["id_field", "source_entity", "target_entity", "node_label_field"] {
        remove(page, key);
    }
    // Lists could be filtered by every filterable field.
    let is_list = page.get("type").and_then(Node::as_str) == Some("crud");
    let fields = page.get("entity").and_then(Node::as_str).and_then(|entity| filterable.get(entity));
    if let Some(fields) = fields.filter(|fields| is_list && !fields.is_empty() && page.get("filters").is_none())
        && let NodeValue::Table(entries) = &mut page.value
    {
        let list = Node { span: 0..0, value: NodeValue::Array(fields.clone()) };
        entries.push(Entry { key: "filters".to_owned(), key_span: 0..0, node: list });
    }
    for tab in items(entry(page, "pages")) {
        modernize_page(tab, filterable);
    }
}

fn remove(node: &mut Node, key: &str) {
    if let NodeValue::Table(entries) = &mut node.value {
        entries.retain(|entry| entry.key != key);
    }
}

fn entry<'n>(node: &'n mut Node, key: &str) -> Option<&'n mut Node> {
    match &mut node.value {
        NodeValue::Table(entries) => entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node),
        _ => None,
    }
}

fn items(node: Option<&mut Node>) -> impl Iterator<Item = &mut Node> {
    node.into_iter().flat_map(|node| match &mut node.value {
        NodeValue::Array(items) => items.iter_mut(),
        _ => [].iter_mut(),
    })
}

fn rename(node: &mut Node, old: &str, new: &str) {
    let has_new = node.get(new).is_some();
    if let NodeValue::Table(entries) = &mut node.value
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == old && !has_new)
    {
        new.clone_into(&mut entry.key);
    }
}

/// Sets an absent key to the text of the key `from`.
fn default(node: &mut Node, key: &str, from: &str) {
    if node.get(key).is_none()
        && let Some(value) = node.get(from).and_then(Node::as_str).map(str::to_owned)
    {
        add(node, key, &value);
    }
}

/// Adds a key with a text. The value gets an empty span, because the file holds no text that a fix could replace.
fn add(node: &mut Node, key: &str, value: &str) {
    let span = node.span.clone();
    if let NodeValue::Table(entries) = &mut node.value {
        let value = Node { span: 0..0, value: NodeValue::String(value.to_owned()) };
        entries.push(Entry { key: key.to_owned(), key_span: span, node: value });
    }
}

fn add_list(node: &mut Node, key: &str, item: &str) {
    if let NodeValue::Table(entries) = &mut node.value {
        let item = Node { span: 0..0, value: NodeValue::String(item.to_owned()) };
        let list = Node { span: 0..0, value: NodeValue::Array(vec![item]) };
        entries.push(Entry { key: key.to_owned(), key_span: 0..0, node: list });
    }
}

fn add_table(node: &mut Node, key: &str) {
    let span = node.span.clone();
    if let NodeValue::Table(entries) = &mut node.value {
        let value = Node { span: 0..0, value: NodeValue::Table(Vec::new()) };
        entries.push(Entry { key: key.to_owned(), key_span: span, node: value });
    }
}

fn lower_case(node: &mut Node, key: &str) {
    if let Some(value) = entry(node, key)
        && let NodeValue::String(text) = &mut value.value
    {
        *text = text.to_lowercase();
    }
}
