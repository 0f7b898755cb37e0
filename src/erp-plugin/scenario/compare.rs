//! Compares expected with actual values: objects as subsets, arrays exactly.

use erp_manifest::diagnostics::Span;
use erp_manifest::document::{Node, NodeValue};
use serde_json::Value;

use super::matcher::{self, StepTime};

/// A difference between an expected and an actual value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ValueDifference {
    /// The place of the expectation in the file.
    pub(super) span: Span,
    /// The path in the value, such as `rows[0].qty`.
    pub(super) path: String,
    /// The message, such as `expected 7, found 8`.
    pub(super) message: String,
    /// The actual value; none where it is absent.
    pub(super) actual: Option<Value>,
}

/// The rule by which values are equal.
#[derive(Debug, Clone, Copy)]
pub(super) struct MatchingRule {
    /// The start and the end of the step, between which `<now>` is.
    pub(super) time: StepTime,
    /// Whether objects may only have the expected keys.
    pub(super) exact: bool,
    /// Whether the items of arrays may come in any order.
    pub(super) unordered: bool,
}

/// Returns every difference between `expected` and `actual`.
pub(super) fn differences(
    expected: &Node,
    actual: Option<&Value>,
    path: &str,
    how: MatchingRule,
) -> Vec<ValueDifference> {
    let mut found = Vec::new();
    compare(expected, actual, path, how, &mut found);
    found
}

/// Sorts items into the order of the expectations that they match; items without a match fill the gaps.
fn in_order<'v>(items: &[Node], values: &'v [Value], how: MatchingRule) -> Vec<&'v Value> {
    let mut left: Vec<&Value> = values.iter().collect();
    let mut ordered: Vec<Option<&Value>> = Vec::with_capacity(items.len());
    for item in items {
        let at = left.iter().position(|value| differences(item, Some(value), "", how).is_empty());
        ordered.push(at.map(|at| left.remove(at)));
    }
    // An item without a match is shown beside an expectation without a match.
    let mut left = left.into_iter();
    ordered.into_iter().filter_map(|value| value.or_else(|| left.next())).collect()
}

fn compare(expected: &Node, actual: Option<&Value>, path: &str, how: MatchingRule, found: &mut Vec<ValueDifference>) {
    let mut differ = |message: String| {
        let actual = actual.cloned();
        found.push(ValueDifference { span: expected.span.clone(), path: path.to_owned(), message, actual });
    };
    if let Some(text) = expected.as_str() {
        match matcher::parse(text) {
            Err(why) => return differ(why),
            Ok(Some(matcher)) => {
                if !matcher.accepts(actual, how.time) {
                    differ(format!("expected {text}, found {}", show(actual)));
                }
                return;
            }
            Ok(None) => {}
        }
    }
    let Some(value) = actual else {
        return differ(format!("expected {}, found nothing", show(Some(&expected.to_json()))));
    };
    match (&expected.value, value) {
        (NodeValue::Table(entries), Value::Object(fields)) => {
            let is_expected = |key: &&String| entries.iter().any(|entry| entry.key == **key);
            let others: Vec<&str> = fields.keys().filter(|key| !is_expected(key)).map(String::as_str).collect();
            if how.exact && !others.is_empty() {
                differ(format!("expected no other keys, found {}", others.join(", ")));
            }
            for entry in entries {
                let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                compare(&entry.node, fields.get(&entry.key), &path, how, found);
            }
        }
        (NodeValue::Array(items), Value::Array(values)) => {
            if items.len() != values.len() {
                return differ(format!("expected {} items, found {}: {}", items.len(), values.len(), show(actual)));
            }
            let values = if how.unordered { in_order(items, values, how) } else { values.iter().collect() };
            for (index, (item, value)) in items.iter().zip(values).enumerate() {
                compare(item, Some(value), &format!("{path}[{index}]"), how, found);
            }
        }
        _ => {
            let expected = expected.to_json();
            if !equal(&expected, value) {
                differ(format!("expected {}, found {}", show(Some(&expected)), show(actual)));
            }
        }
    }
}

/// Compares numbers by value, in any notation; a decimal as text equals the same number.
fn equal(expected: &Value, actual: &Value) -> bool {
    if expected == actual {
        return true;
    }
    let decimal = |value: &Value| match value {
        Value::Number(number) => number.to_string().parse::<rust_decimal::Decimal>().ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    // Two texts are compared as texts: "1.0" and "1.00" are different codes.
    let one_is_a_number = expected.is_number() || actual.is_number();
    one_is_a_number && decimal(expected).is_some() && decimal(expected) == decimal(actual)
}

/// A value on one line, shortened to 160 characters.
pub(super) fn show(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    if text.chars().count() <= 160 { text } else { text.chars().take(159).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_manifest::Moment;
    use serde_json::json;

    fn paths(expected: &str, actual: &Value) -> Vec<String> {
        paths_by(expected, actual, false)
    }

    fn paths_by(expected: &str, actual: &Value, is_exact: bool) -> Vec<String> {
        let source = erp_manifest::diagnostics::SourceFile::new("x", format!("v = {expected}"));
        let (node, report) = erp_manifest::document::parse(&source);
        assert!(report.is_empty());
        let start = Moment::parse("2026-04-15T08:00:00Z").unwrap();
        let how = MatchingRule { time: StepTime { start, end: start }, exact: is_exact, unordered: is_exact };
        differences(node.get("v").unwrap(), Some(actual), "", how)
            .into_iter()
            .map(|difference| difference.path)
            .collect()
    }

    #[test]
    fn objects_are_subsets_and_arrays_are_exact() {
        assert!(paths("{ a = 1 }", &json!({ "a": 1, "b": 2 })).is_empty());
        assert_eq!(paths("{ a = { b = [1, 2] } }", &json!({ "a": { "b": [1, 3] } })), ["a.b[1]"]);
        assert_eq!(paths("[1]", &json!([1, 2])), [""]);
        assert_eq!(paths("{ x = 1, y = '<absent>' }", &json!({ "y": 1 })), ["x", "y"]);
    }

    #[test]
    fn exact_objects_have_no_other_keys_and_unordered_arrays_any_order() {
        assert_eq!(paths_by("{ a = 1 }", &json!({ "a": 1, "b": 2 }), true), [""]);
        assert!(paths_by("[{ a = 1 }, { a = 2 }]", &json!([{ "a": 2 }, { "a": 1 }]), true).is_empty());
        assert_eq!(paths_by("[1, 2, 3]", &json!([3, 1, 4]), true), ["[1]"]);
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(paths("1.5", &json!("1.50")).is_empty());
        assert_eq!(paths("'1.5'", &json!("1.50")), [""]);
    }
}
