//! The values that `--accept` writes into a file: the actual ones instead of the expected ones.

use erp_manifest::diagnostics::{Fix, SourceFile};
use serde_json::Value;

use super::compare::ValueDifference;

/// Returns the change that makes an expectation true. None where its text is more than a value: a matcher states an
/// intention, and a name has another value in each case.
pub(super) fn fix(source: &SourceFile, difference: &ValueDifference) -> Option<Fix> {
    let actual = difference.actual.as_ref()?;
    let written = source.text().get(difference.span.clone())?;
    let is_snapshot = written.trim_matches(['"', '\'']) == "<snapshot>";
    if !is_snapshot
        && (written.contains("${") || written.contains('@') || written.trim_start_matches(['"', '\'']).starts_with('<'))
    {
        return None;
    }
    let before = source.text()[..difference.span.start].trim_end_matches([' ', '\t']);
    let is_cell = before.ends_with('|');
    let text = if is_cell { cell(actual)? } else { toml_text(actual) };
    // A text that a scenario would read as a name cannot be written as a value.
    if text.contains("${") || text.contains('@') {
        return None;
    }
    Some(Fix::replace(format!("accept `{text}`"), difference.span.clone(), text))
}

/// The text of a cell between pipes; none for a value that a cell cannot contain.
fn cell(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => "~".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_plain = !text.contains(['|', '\n', '\r']) && !text.contains("'''") && !text.contains("\"\"\"");
    let is_other = text.is_empty() || text.starts_with('<') || text.trim() != text || (text == "~" && !value.is_null());
    (is_plain && !is_other).then_some(text)
}

/// A value on one line of TOML, which has no null: the matcher `<null>` replaces it.
pub(super) fn toml_text(value: &Value) -> String {
    match value {
        Value::Null => "\"<null>\"".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        // A second `<` marks a text that is not a matcher.
        Value::String(text) if text.starts_with('<') => quoted(&format!("<{text}")),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(toml_text).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let one = |(key, value): (&String, &Value)| format!("{} = {}", toml_key(key), toml_text(value));
            format!("{{ {} }}", fields.iter().map(one).collect::<Vec<_>>().join(", "))
        }
    }
}

fn toml_key(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { key.to_owned() } else { quoted(key) }
}

/// A string on one line. Where TOML would write several lines, the JSON form is used, whose escapes TOML accepts.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned())
        .to_string()
        .lines()
        .next()
        .filter(|line| !line.starts_with("\"\"\"") && !line.starts_with("'''"))
        .map_or_else(|| Value::String(text.to_owned()).to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn accepted(text: &str, expected: &str, actual: Value) -> Option<String> {
        let source = SourceFile::new("x.test.toml", text);
        let start = text.find(expected).unwrap();
        let span = start..start + expected.len();
        let difference = ValueDifference { span, path: String::new(), message: String::new(), actual: Some(actual) };
        fix(&source, &difference).map(|fix| fix.edits[0].text.clone())
    }

    #[test]
    fn values_are_written_as_toml_and_cells_as_cells() {
        let row = json!({ "sku": "A-1", "qty": 7, "名": "a\"b", "none": null });
        let shown = accepted("rows = [{}]", "[{}]", json!([row])).unwrap();
        let read: toml::Table = format!("v = {shown}").parse().unwrap();
        assert_eq!(read["v"][0]["名"].as_str(), Some("a\"b"));
        assert_eq!(read["v"][0]["none"].as_str(), Some("<null>"));
        assert_eq!(accepted("'''\n | 3 |\n'''", "3", json!("7.50")).as_deref(), Some("7.50"));
        assert_eq!(accepted("status = 200", "200", json!(404)).as_deref(), Some("404"));
        assert_eq!(accepted("x = \"<uuid>\"", "\"<uuid>\"", json!("x")), None);
        assert_eq!(accepted("x = \"<snapshot>\"", "\"<snapshot>\"", json!("<a")).as_deref(), Some("\"<<a\""));
        for unwritable in ["a|b", "<any>", "~", " a", "'''", "${x}", "@a.b.0"] {
            assert_eq!(accepted("'''\n | 3 |\n'''", "3", json!(unwritable)), None, "{unwritable}");
        }
        assert_eq!(accepted("x = \"${a}\"", "\"${a}\"", json!("x")), None);
    }
}
