//! JSON with the place of every value, for manifests that other tools write and for the files of npm.

use std::sync::Arc;

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::codes::{DUPLICATE, JSON_SYNTAX};
use super::node::{Entry, Node, NodeValue};
use crate::diagnostics::{Diagnostic, Report, SourceFile, Span};

/// JSON as in the standard, without extensions.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses a text; returns an empty table if it is not a JSON object.
pub(super) fn parse(source: &Arc<SourceFile>) -> (Node, Report) {
    let mut report = Report::new();
    let empty = Node { span: 0..0, value: NodeValue::Table(Vec::new()) };
    match parse_to_ast(source.text(), &CollectOptions::default(), &STRICT) {
        Err(error) => {
            let span = span(error.range());
            let message = error.kind().to_string();
            report.push(Diagnostic::new(JSON_SYNTAX, message).in_source(source).at(span, "here"));
            (empty, report)
        }
        Ok(parsed) => match parsed.value {
            Some(value @ Value::Object(_)) => (node(&value, source, &mut report), report),
            other => {
                let span = other.map_or(0..0, |value| span(value.range()));
                let finding = Diagnostic::new(JSON_SYNTAX, "the document is no object").in_source(source);
                report.push(finding.at(span, "an object in braces is expected"));
                (empty, report)
            }
        },
    }
}

fn span(range: Range) -> Span {
    range.start..range.end
}

fn node(value: &Value<'_>, source: &Arc<SourceFile>, report: &mut Report) -> Node {
    let node_value = match value {
        Value::StringLit(text) => NodeValue::String(text.value.to_string()),
        Value::NumberLit(number) => match number.value.parse::<i64>() {
            Ok(integer) => NodeValue::Integer(integer),
            Err(_) => NodeValue::Float(number.value.parse().unwrap_or(f64::NAN)),
        },
        Value::BooleanLit(flag) => NodeValue::Boolean(flag.value),
        // TOML has no null. As in packages, null entries are left out below; any other null becomes an empty table.
        Value::NullKeyword(_) => NodeValue::Table(Vec::new()),
        Value::Array(list) => NodeValue::Array(list.elements.iter().map(|value| node(value, source, report)).collect()),
        Value::Object(object) => {
            let mut entries: Vec<Entry> = Vec::new();
            for property in object.properties.iter().filter(|property| !matches!(property.value, Value::NullKeyword(_)))
            {
                let (key, key_span) = key(property);
                if entries.iter().any(|known| known.key == key) {
                    let finding = Diagnostic::new(DUPLICATE, format!("`{key}` is there twice")).in_source(source);
                    report.push(finding.at(key_span, "the second one"));
                    continue;
                }
                entries.push(Entry { key, key_span, node: node(&property.value, source, report) });
            }
            NodeValue::Table(entries)
        }
    };
    Node { span: span(value.range()), value: node_value }
}

fn key(property: &ObjectProp<'_>) -> (String, Span) {
    (property.name.as_str().to_owned(), span(property.name.range()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Node, Report) {
        parse(&SourceFile::new("manifest.json", text))
    }

    #[test]
    fn values_have_their_places() {
        let text = r#"{ "name": "张", "list": [1, 2.5, true, null], "no": null, "table": { "a": -3 } }"#;
        let (root, report) = read(text);
        assert!(report.is_empty());
        let name = root.get("name").unwrap();
        assert_eq!((name.as_str(), &text[name.span.clone()]), (Some("张"), "\"张\""));
        assert!(root.get("no").is_none());
        assert_eq!(root.get("table").unwrap().get("a").unwrap().to_json(), -3);
        assert_eq!(root.get("list").unwrap().to_json()[1], 2.5);
    }

    #[test]
    fn what_is_no_json_has_one_finding_at_its_place() {
        for text in ["{ \"a\": 1, }", "{ a: 1 }", "[1]", "{ \"a\": 1 } x", "// x\n{}", "", "{ \"a\": 'x' }"] {
            let (_, report) = read(text);
            assert_eq!(report.diagnostics().len(), 1, "{text}");
            assert_eq!(report.diagnostics()[0].code, JSON_SYNTAX, "{text}");
        }
        let (_, report) = read(r#"{ "a": 1, "a": 2 }"#);
        assert_eq!(report.diagnostics()[0].code, DUPLICATE);
    }
}
