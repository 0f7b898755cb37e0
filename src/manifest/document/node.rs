//! A parsed document: values with their places.

use std::num::IntErrorKind;
use std::sync::Arc;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostics::{Diagnostic, Report, SourceFile, Span};
use crate::document::codes::TOML_SYNTAX;

/// A value and its place in the file.
#[derive(Debug, Clone)]
pub struct Node {
    /// The bytes of the value; for a table under a header, the header. Empty without a place in the file.
    pub span: Span,
    /// The value itself.
    pub value: NodeValue,
}

/// The value of a node.
#[derive(Debug, Clone)]
pub enum NodeValue {
    /// A string.
    String(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// true or false.
    Boolean(bool),
    /// An RFC 3339 date, time or both, as it was written.
    Datetime(String),
    /// Values in order.
    Array(Vec<Node>),
    /// Entries in the order of the file.
    Table(Vec<Entry>),
}

/// One key of a table.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The bytes of the key.
    pub key_span: Span,
    /// The value of the key.
    pub node: Node,
}

impl Node {
    /// The entry of a table with this key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The entries of a table; empty for any other value.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            NodeValue::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The text, if the value is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The kind of the value, in the terms of the TOML specification.
    pub fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::String(_) => "a string",
            NodeValue::Integer(_) => "an integer",
            NodeValue::Float(_) => "a float",
            NodeValue::Boolean(_) => "a boolean",
            NodeValue::Datetime(_) => "a date-time",
            NodeValue::Array(_) => "an array",
            NodeValue::Table(_) => "a table",
        }
    }

    /// The same value as JSON; dates become strings.
    pub fn to_json(&self) -> Value {
        match &self.value {
            NodeValue::String(text) | NodeValue::Datetime(text) => Value::String(text.clone()),
            NodeValue::Integer(number) => Value::from(*number),
            NodeValue::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            NodeValue::Boolean(flag) => Value::Bool(*flag),
            NodeValue::Array(items) => items.iter().map(Node::to_json).collect(),
            NodeValue::Table(entries) => {
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect::<Map<_, _>>().into()
            }
        }
    }

    /// Converts JSON, such as the manifest in a package. The nodes have no places. Null entries are left out, because
    /// TOML has no null.
    pub fn from_json(value: &Value) -> Node {
        let value = match value {
            Value::Null => NodeValue::Table(Vec::new()),
            Value::Bool(flag) => NodeValue::Boolean(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => NodeValue::Integer(integer),
                None => NodeValue::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => NodeValue::String(text.clone()),
            Value::Array(items) => NodeValue::Array(items.iter().map(Node::from_json).collect()),
            Value::Object(fields) => NodeValue::Table(
                fields
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(key, value)| Entry { key: key.clone(), key_span: 0..0, node: Node::from_json(value) })
                    .collect(),
            ),
        };
        Node { span: 0..0, value }
    }
}

/// Parses a text: as JSON if its file name ends in `.json`, otherwise as TOML. A TOML text with errors still returns
/// the parts that can be read. JSON with a syntax error returns an empty table.
pub fn parse(source: &Arc<SourceFile>) -> (Node, Report) {
    if source.is_json() {
        return super::json::parse(source);
    }
    let (table, errors) = DeTable::parse_recoverable(source.text());
    let mut report = Report::new();
    for error in errors {
        let message = error.message().trim().replace('\n', ", ");
        let span = error.span().unwrap_or(0..0);
        report.push(Diagnostic::new(TOML_SYNTAX, message).in_source(source).at(span, "here"));
    }
    let mut bad_numbers = Vec::new();
    let node = from_table(table.span(), table.get_ref(), &mut bad_numbers);
    for (span, why) in bad_numbers {
        let message = format!("`{}` is {why}", source.text().get(span.clone()).unwrap_or_default());
        report.push(Diagnostic::new(TOML_SYNTAX, message).in_source(source).at(span, "here"));
    }
    (node, report)
}

/// Converts a table. `bad` collects the places of values that the parser accepts as numbers although they are not, with
/// the reason.
fn from_table(span: Span, table: &DeTable<'_>, bad: &mut Vec<(Span, &'static str)>) -> Node {
    let entries = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            node: from_value(value, bad),
        })
        .collect();
    Node { span, value: NodeValue::Table(entries) }
}

fn from_value(value: &Spanned<DeValue<'_>>, bad: &mut Vec<(Span, &'static str)>) -> Node {
    let span = value.span();
    let value = match value.get_ref() {
        DeValue::String(text) => NodeValue::String(text.to_string()),
        DeValue::Integer(integer) => {
            match i64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => NodeValue::Integer(number),
                // Kept as a float, so that the reader reports "expected an integer" at its place.
                Err(error)
                    if integer.radix() == 10
                        && matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) =>
                {
                    NodeValue::Float(integer.as_str().parse().unwrap_or(f64::MAX))
                }
                Err(_) => {
                    bad.push((span.clone(), "no number"));
                    NodeValue::Integer(0)
                }
            }
        }
        DeValue::Float(float) => match float.as_str().parse() {
            // JSON has neither infinity nor NaN, and no key gives them a meaning.
            Ok(number) if f64::is_finite(number) => NodeValue::Float(number),
            Ok(_) => {
                bad.push((span.clone(), "no finite number"));
                NodeValue::Float(0.0)
            }
            Err(_) => {
                bad.push((span.clone(), "no number"));
                NodeValue::Float(0.0)
            }
        },
        DeValue::Boolean(flag) => NodeValue::Boolean(*flag),
        DeValue::Datetime(datetime) => NodeValue::Datetime(datetime.to_string()),
        DeValue::Array(items) => NodeValue::Array(items.iter().map(|item| from_value(item, bad)).collect()),
        DeValue::Table(table) => return from_table(span, table, bad),
    };
    Node { span, value }
}
