//! The manifest's expressions over a guest's own values.

use serde_json::{Map, Value, json};

use super::super::error::ServiceError;
use super::Services;
use super::shown::Json;
use crate::expression::{Datum, Expression};

/// The longest text that a template makes, in bytes.
const MAX_RENDERED: usize = 256 << 10;

impl Services {
    pub(super) fn evaluate(&mut self, expression: &str, vars: &Map<String, Value>) -> Result<Json, ServiceError> {
        self.call(
            "expr.eval",
            "",
            || json!({ "expression": expression, "vars": vars }),
            |_| value(expression, vars).map(|value| Json::from(&value.to_json())),
        )
    }

    pub(super) fn render(&mut self, template: &str, vars: &Map<String, Value>) -> Result<String, ServiceError> {
        self.call("expr.render", "", || json!({ "template": template, "vars": vars }), |_| render(template, vars))
    }
}

fn bad(message: impl Into<String>) -> ServiceError {
    ServiceError::new("expr.bad", message)
}

fn value(expression: &str, vars: &Map<String, Value>) -> Result<Datum, ServiceError> {
    let parsed =
        Expression::parse(expression).map_err(|problem| bad(format!("`{expression}`: {}", problem.message)))?;
    if let Some(name) = parsed.names().into_iter().find(|name| !vars.contains_key(*name)) {
        return Err(bad(format!("`{expression}` names `{name}`, which is not among the values")));
    }
    // Decimals are texts in rows; a text that is a number counts as one.
    let lookup = |name: &str| vars.get(name).map_or(Datum::Null, |value| Datum::from_json(value, is_decimal(value)));
    parsed.evaluate(&lookup).map_err(|error| bad(format!("`{expression}`: {error}")))
}

fn is_decimal(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<rust_decimal::Decimal>().is_ok())
}

/// `{{ expression }}` is replaced by its value; what is absent by nothing.
fn render(template: &str, vars: &Map<String, Value>) -> Result<String, ServiceError> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("{{") {
        text.push_str(before);
        let (expression, behind) = behind.split_once("}}").ok_or_else(|| bad("a `{{` has no `}}`"))?;
        match value(expression.trim(), vars)?.to_json() {
            Value::Null => {}
            Value::String(part) => text.push_str(&part),
            other => text.push_str(&other.to_string()),
        }
        if text.len() > MAX_RENDERED {
            return Err(bad(format!("the text would be longer than {MAX_RENDERED} bytes")));
        }
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_hold_values_of_expressions() {
        let Value::Object(vars) = json!({ "name": "螺丝", "qty": 3, "price": "0.35", "note": null }) else { return };
        let shown = render("{{ name }}: {{ qty * price }}{{note}}!", &vars).map_err(|error| error.message);
        assert_eq!(shown, Ok("螺丝: 1.05!".to_owned()));
        assert!(render("{{ nobody }}", &vars).unwrap_err().message.contains("nobody"));
        assert!(render("{{ name", &vars).is_err());
        assert!(render("{{ 1 / 0 }}", &vars).is_err());
    }
}
