//! Conversion of nodes into typed values.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Entry, Node, NodeValue, did_you_mean, obvious};
use crate::codes::Code;
use crate::diagnostics::{Diagnostic, Fix, Report, SourceFile, Span, Spanned};
use crate::document::codes::{TOML_MISSING_KEY, TOML_UNKNOWN_KEY, TOML_WRONG_TYPE};

/// A type that can be read from a TOML value.
pub trait FromToml: Sized {
    /// Reads a value. On `None`, the reader holds at least one finding with the reason.
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<Self>;

    /// The value of an absent key; `None` makes the key required.
    fn absent() -> Option<Self> {
        None
    }

    /// The substitute for a value that could not be read, so that one wrong value does not hide the rest of its table.
    /// The finding remains, and no code uses a document with such a finding.
    fn fallback() -> Option<Self> {
        Self::absent()
    }

    /// The substitute for a required value that is missing or could not be read; `None` if the type has none. With it,
    /// the same run checks the rest of the document. No code uses a document with such a finding.
    fn placeholder() -> Option<Self> {
        None
    }

    /// The value as JSON, for the `default` of a JSON Schema; `None` if the schema shows no default.
    fn default_json(&self) -> Option<Value> {
        None
    }

    /// The JSON Schema of the value, for editors.
    fn json_schema() -> Value;
}

/// Collects the findings of one document while it is read.
#[derive(Debug)]
pub struct Reader {
    source: Arc<SourceFile>,
    report: Report,
}

impl Reader {
    /// Creates a reader for the values of a text.
    pub fn new(source: &Arc<SourceFile>) -> Reader {
        Reader { source: Arc::clone(source), report: Report::new() }
    }

    /// Returns all findings.
    pub fn into_report(self) -> Report {
        self.report
    }

    /// Adds a finding at a place.
    pub fn find(&mut self, code: Code, span: Span, message: impl Into<String>, label: &str, help: Option<String>) {
        let diagnostic = Diagnostic::new(code, message).in_source(&self.source).at(span, label).maybe_help(help);
        self.report.push(diagnostic);
    }

    /// The byte offset of a string's content in the file, after its quote. `None` if escapes make the text in the file
    /// different, or if it is empty.
    pub fn inner_start(&self, node: &Node, text: &str) -> Option<usize> {
        self.source.inner_start(&node.span, text)
    }

    /// Sets the fix of the last finding, which `--fix` applies.
    pub fn fix_last(&mut self, fix: Option<Fix>) {
        self.report.fix_last(fix);
    }

    /// Reports a value of the wrong kind for its key.
    pub fn wrong_type(&mut self, node: &Node, expected: &str) {
        self.find(
            TOML_WRONG_TYPE,
            node.span.clone(),
            format!("expected {expected}, found {}", node.kind()),
            &format!("not {expected}"),
            quoting(node, expected),
        );
    }

    /// Reads the value of a key of a table, or returns its default. Reports a missing key without a default.
    pub fn field<T: FromToml>(&mut self, table: &Node, key: &str, default: impl FnOnce() -> Option<T>) -> Option<T> {
        match table.get(key) {
            Some(node) => T::from_toml(node, self).or_else(default).or_else(T::fallback).or_else(T::placeholder),
            None => default().or_else(T::absent).or_else(|| {
                self.find(
                    TOML_MISSING_KEY,
                    table.span.clone(),
                    format!("the key `{key}` is missing"),
                    "in this table",
                    Some(format!("add `{key} = …`")),
                );
                T::placeholder()
            }),
        }
    }

    /// Reports every unknown key of a table, with a fix if the misspelling is obvious.
    pub fn unknown_keys(&mut self, table: &Node, known: &[&str]) {
        for Entry { key, key_span, .. } in table.entries() {
            if !known.contains(&key.as_str()) {
                self.find(
                    TOML_UNKNOWN_KEY,
                    key_span.clone(),
                    format!("unknown key `{key}`"),
                    "not known here",
                    did_you_mean(key, known.iter().copied()),
                );
                let other = obvious(key, known.iter().copied()).filter(|other| table.get(other).is_none());
                self.fix_last(other.map(|other| Fix::replace(format!("write `{other}`"), key_span.clone(), other)));
            }
        }
    }
}

/// Returns how to write a value if only its quotes are wrong.
fn quoting(node: &Node, expected: &str) -> Option<String> {
    match &node.value {
        NodeValue::Integer(number) if expected == "a string" => Some(format!("write it in quotes: \"{number}\"")),
        NodeValue::Float(number) if expected == "a string" => Some(format!("write it in quotes: \"{number}\"")),
        NodeValue::Boolean(flag) if expected == "a string" => Some(format!("write it in quotes: \"{flag}\"")),
        NodeValue::String(text) if expected.contains("number") && text.parse::<f64>().is_ok() => {
            Some(format!("write it without quotes: {text}"))
        }
        NodeValue::String(text) if expected == "a boolean" && matches!(text.as_str(), "true" | "false") => {
            Some(format!("write it without quotes: {text}"))
        }
        _ => None,
    }
}

impl FromToml for String {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<String> {
        match &node.value {
            NodeValue::String(text) => Some(text.clone()),
            _ => {
                reader.wrong_type(node, "a string");
                None
            }
        }
    }

    fn placeholder() -> Option<String> {
        Some(String::new())
    }

    fn default_json(&self) -> Option<Value> {
        Some(json!(self))
    }

    fn json_schema() -> Value {
        json!({ "type": "string" })
    }
}

impl FromToml for bool {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<bool> {
        match node.value {
            NodeValue::Boolean(flag) => Some(flag),
            _ => {
                reader.wrong_type(node, "a boolean");
                None
            }
        }
    }

    fn default_json(&self) -> Option<Value> {
        Some(json!(self))
    }

    fn json_schema() -> Value {
        json!({ "type": "boolean" })
    }
}

impl FromToml for u64 {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<u64> {
        match node.value {
            NodeValue::Integer(number) if number >= 0 => Some(number.unsigned_abs()),
            NodeValue::Integer(number) => {
                let message = format!("expected a whole number of 0 or more, found {number}");
                reader.find(TOML_WRONG_TYPE, node.span.clone(), message, "below 0", None);
                None
            }
            _ => {
                reader.wrong_type(node, "a whole number of 0 or more");
                None
            }
        }
    }

    fn default_json(&self) -> Option<Value> {
        Some(json!(self))
    }

    fn json_schema() -> Value {
        json!({ "type": "integer", "minimum": 0 })
    }
}

impl FromToml for u32 {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<u32> {
        let number = u64::from_toml(node, reader)?;
        number.try_into().map_err(|_| reader.wrong_type(node, "a number below 4,294,967,296")).ok()
    }

    fn default_json(&self) -> Option<Value> {
        Some(json!(self))
    }

    fn json_schema() -> Value {
        u64::json_schema()
    }
}

/// Accepts any value, as JSON.
impl FromToml for Value {
    fn from_toml(node: &Node, _: &mut Reader) -> Option<Value> {
        Some(node.to_json())
    }

    fn json_schema() -> Value {
        json!({})
    }
}

/// Accepts any value, with the places of its parts.
impl FromToml for Node {
    fn from_toml(node: &Node, _: &mut Reader) -> Option<Node> {
        Some(node.clone())
    }

    fn json_schema() -> Value {
        json!({})
    }
}

impl<T: FromToml> FromToml for Option<T> {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<Option<T>> {
        T::from_toml(node, reader).map(Some)
    }

    fn absent() -> Option<Option<T>> {
        Some(None)
    }

    fn json_schema() -> Value {
        T::json_schema()
    }
}

impl<T: FromToml> FromToml for Vec<T> {
    /// Leaves out items that cannot be read; their findings remain.
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<Vec<T>> {
        match &node.value {
            NodeValue::Array(items) => Some(items.iter().filter_map(|item| T::from_toml(item, reader)).collect()),
            _ => {
                reader.wrong_type(node, "an array");
                None
            }
        }
    }

    fn absent() -> Option<Vec<T>> {
        Some(Vec::new())
    }

    fn default_json(&self) -> Option<Value> {
        self.iter().map(T::default_json).collect()
    }

    fn json_schema() -> Value {
        json!({ "type": "array", "items": T::json_schema() })
    }
}

impl<T: FromToml> FromToml for BTreeMap<String, T> {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<BTreeMap<String, T>> {
        match &node.value {
            NodeValue::Table(entries) => Some(
                entries
                    .iter()
                    .filter_map(|entry| Some((entry.key.clone(), T::from_toml(&entry.node, reader)?)))
                    .collect(),
            ),
            _ => {
                reader.wrong_type(node, "a table");
                None
            }
        }
    }

    fn absent() -> Option<BTreeMap<String, T>> {
        Some(BTreeMap::new())
    }

    fn json_schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::json_schema() })
    }
}

impl<T: FromToml> FromToml for Spanned<T> {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<Spanned<T>> {
        Some(Spanned::new(T::from_toml(node, reader)?, node.span.clone()))
    }

    fn absent() -> Option<Spanned<T>> {
        T::absent().map(|value| Spanned::new(value, 0..0))
    }

    fn fallback() -> Option<Spanned<T>> {
        T::fallback().map(|value| Spanned::new(value, 0..0))
    }

    fn placeholder() -> Option<Spanned<T>> {
        T::placeholder().map(|value| Spanned::new(value, 0..0))
    }

    fn default_json(&self) -> Option<Value> {
        T::default_json(self)
    }

    fn json_schema() -> Value {
        T::json_schema()
    }
}
