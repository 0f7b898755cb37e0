//! Replaces `${name}`, `@fixture.entity.n`, `@users.name` and `@departments.name` in the values of a step.

use std::collections::{BTreeMap, BTreeSet};

use erp_manifest::diagnostics::Span;
use erp_manifest::document::{Entry, Node, NodeValue};
use serde_json::Value;

/// Names and their values.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub(super) values: BTreeMap<String, Node>,
    /// `fixture.entity.n`, `users.name` and `departments.name` → id.
    pub(super) rows: BTreeMap<String, String>,
}

/// A name without a value.
#[derive(Debug)]
pub(super) struct UnknownName {
    pub(super) name: String,
    pub(super) span: Span,
}

impl Names {
    /// Returns the node with every name replaced. `None` where an optional name (`${x?}`) has no value: the caller then
    /// drops the key.
    pub(super) fn fill(&self, node: &Node) -> Result<Option<Node>, UnknownName> {
        let value = match &node.value {
            NodeValue::String(text) => return self.fill_text(text, &node.span),
            NodeValue::Array(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for item in items {
                    filled.extend(self.fill(item)?);
                }
                NodeValue::Array(filled)
            }
            NodeValue::Table(entries) => {
                let mut filled = Vec::with_capacity(entries.len());
                for entry in entries {
                    if let Some(node) = self.fill(&entry.node)? {
                        filled.push(Entry { key: entry.key.clone(), key_span: entry.key_span.clone(), node });
                    }
                }
                NodeValue::Table(filled)
            }
            other => other.clone(),
        };
        Ok(Some(Node { span: node.span.clone(), value }))
    }

    fn fill_text(&self, text: &str, span: &Span) -> Result<Option<Node>, UnknownName> {
        let unknown = |name: &str| UnknownName { name: name.to_owned(), span: span.clone() };
        let parts = parts(text);
        // A text that is exactly one name keeps the type of its value.
        if let [Part::Name { name, optional }] = parts.as_slice() {
            return match self.values.get(*name) {
                Some(value) => Ok(Some(Node { span: span.clone(), value: value.value.clone() })),
                None if *optional => Ok(None),
                None => Err(unknown(name)),
            };
        }
        let mut filled = String::new();
        for part in parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name { name, optional } => match self.values.get(name) {
                    Some(value) => match value.to_json() {
                        Value::String(text) => filled.push_str(&text),
                        other => filled.push_str(&other.to_string()),
                    },
                    None if optional => {}
                    None => return Err(unknown(name)),
                },
            }
        }
        let mut from = 0;
        while let Some(at) = filled[from..].find('@').map(|at| from + at) {
            from = at + 1;
            let rest = &filled[at + 1..];
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '-'))
                .unwrap_or(rest.len());
            let name = &rest[..end];
            let is_somebody = name.starts_with("users.") || name.starts_with("departments.");
            if is_somebody || name.matches('.').count() == 2 {
                let id = self.rows.get(name).ok_or_else(|| unknown(name))?;
                filled = format!("{}{id}{}", &filled[..at], &rest[end..]);
                from = at + id.len();
            }
        }
        Ok(Some(Node { span: span.clone(), value: NodeValue::String(filled) }))
    }
}

/// The names that a node uses.
pub(super) fn used_names(node: &Node, into: &mut BTreeSet<String>) {
    match &node.value {
        NodeValue::String(text) => into.extend(parts(text).into_iter().filter_map(|part| match part {
            Part::Name { name, .. } => Some(name.to_owned()),
            Part::Text(_) => None,
        })),
        NodeValue::Array(items) => items.iter().for_each(|item| used_names(item, into)),
        NodeValue::Table(entries) => entries.iter().for_each(|entry| used_names(&entry.node, into)),
        _ => {}
    }
}

enum Part<'t> {
    Text(&'t str),
    Name { name: &'t str, optional: bool },
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start + 2..].find('}') else { break };
        if start > 0 {
            parts.push(Part::Text(&rest[..start]));
        }
        let name = &rest[start + 2..start + 2 + length];
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        parts.push(Part::Name { name, optional });
        rest = &rest[start + 3 + length..];
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Node {
        Node { span: 0..0, value: NodeValue::String(text.to_owned()) }
    }

    #[test]
    fn a_whole_name_keeps_its_type_and_a_part_becomes_text() {
        let mut names = Names::default();
        names.values.insert("qty".to_owned(), Node { span: 0..0, value: NodeValue::Integer(3) });
        names.rows.insert("two.item.0".to_owned(), "ID".to_owned());
        assert_eq!(names.fill(&text("${qty}")).unwrap().unwrap().to_json(), 3);
        assert_eq!(names.fill(&text("-${qty} pieces")).unwrap().unwrap().to_json(), "-3 pieces");
        assert!(names.fill(&text("${none?}")).unwrap().is_none());
        assert_eq!(names.fill(&text("${none}")).unwrap_err().name, "none");
        assert_eq!(names.fill(&text("/item/@two.item.0?x")).unwrap().unwrap().to_json(), "/item/ID?x");
        assert_eq!(names.fill(&text("a@b.c")).unwrap().unwrap().to_json(), "a@b.c");
    }
}
