//! Expressions over JSON values, for guests and workflow nodes.

use serde_json::{Map, Value};

use super::{Datum, Expression, read_decimal};

/// The maximum length of a rendered text, in bytes, checked after each expression.
const MAX_RENDERED: usize = 256 << 10;

/// Returns the value of a word such as `$today`; `None` for an unknown word.
pub type Words<'w> = &'w dyn Fn(&str) -> Option<Datum>;

/// Evaluates an expression. `vars` holds the values of the names in it.
///
/// # Errors
/// The problem of the expression or the values, with the expression in front.
pub fn value_over(expression: &str, vars: &Map<String, Value>, words: Words<'_>) -> Result<Value, String> {
    datum(expression, vars, words).map(|datum| datum.to_json())
}

/// Replaces each `{{ expression }}` in a text by its value, and null by nothing.
///
/// # Errors
/// As [`value_over`]; also if a `{{` has no `}}`, and if the text would be too long.
pub fn render_over(template: &str, vars: &Map<String, Value>, words: Words<'_>) -> Result<String, String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        text.push_str(before);
        let (expression, behind) = behind.split_once("}}").ok_or("a `{{` has no `}}`")?;
        match datum(expression.trim(), vars, words)?.to_json() {
            Value::Null => {}
            Value::String(part) => text.push_str(&part),
            other => text.push_str(&other.to_string()),
        }
        if text.len() > MAX_RENDERED {
            return Err(format!("the text would be longer than {MAX_RENDERED} bytes"));
        }
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}

fn datum(expression: &str, vars: &Map<String, Value>, words: Words<'_>) -> Result<Datum, String> {
    let parsed = Expression::parse(expression).map_err(|problem| format!("`{expression}`: {}", problem.message))?;
    if let Some(name) = parsed.names().into_iter().find(|name| !vars.contains_key(*name)) {
        return Err(format!("`{expression}` names `{name}`, which is not among the values"));
    }
    if let Some((roll_up, _)) = parsed.roll_ups().first() {
        return Err(format!("`{expression}`: `{roll_up}` is over rows, and there are none here"));
    }
    // Rows hold decimals as text, so a text that is a number counts as one.
    let is_decimal = |value: &Value| value.as_str().is_some_and(|text| read_decimal(text).is_some());
    let lookup = |name: &str| match vars.get(name) {
        Some(value) => Datum::from_json(value, is_decimal(value)),
        None => words(name).unwrap_or_else(|| Datum::Unusable("not known".to_owned())),
    };
    parsed.evaluate(&lookup).map_err(|error| format!("`{expression}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_hold_values_of_expressions() {
        let Value::Object(vars) = serde_json::json!({ "name": "螺丝", "qty": 3, "price": "0.35", "note": null })
        else {
            return;
        };
        let words = |name: &str| (name == "$today").then(|| Datum::Text("2026-04-15".to_owned()));
        let render = |template: &str| render_over(template, &vars, &words);
        assert_eq!(value_over("$today + 2", &vars, &words), Ok(Value::from("2026-04-17")));
        assert!(value_over("$tomorrow", &vars, &words).unwrap_err().contains("$tomorrow"));
        assert_eq!(value_over("add_months($today, 1)", &vars, &words), Ok(Value::from("2026-05-15")));
        assert_eq!(render("{{ name }}: {{ qty * price }}{{note}}!"), Ok("螺丝: 1.05!".to_owned()));
        assert!(render("{{ nobody }}").unwrap_err().contains("nobody"));
        assert!(render("{{ name").is_err());
        assert!(render("{{ 1 / 0 }}").is_err());
    }
}
