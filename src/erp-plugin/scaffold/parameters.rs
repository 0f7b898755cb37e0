//! The parameters of a template, and their values.

use erp_manifest::pattern::Pattern;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The type of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// Text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// true or false.
    Boolean,
    /// One of `choices`.
    Choice,
}

/// A value that a template needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The name of the parameter in files.
    pub name: String,
    /// The type of the value.
    #[serde(default)]
    pub kind: ParameterKind,
    /// The purpose of the value, for people.
    pub description: String,
    /// The default; a parameter without one is required.
    pub default: Option<Value>,
    /// A regular expression that the complete text must match.
    pub pattern: Option<String>,
    /// The allowed values of a choice.
    #[serde(default)]
    pub choices: Vec<String>,
}

impl Parameter {
    /// A line that describes the parameter, for messages.
    pub fn shown(&self) -> String {
        let default =
            self.default.as_ref().map_or_else(|| "required".to_owned(), |default| format!("default {default}"));
        let choices =
            if self.choices.is_empty() { String::new() } else { format!(", one of {}", self.choices.join(", ")) };
        format!("--define {}=…  {} ({default}{choices})", self.name, self.description)
    }

    /// Converts a value to the parameter's type and checks it. Values from the command line are text.
    fn value(&self, given: &Value) -> Result<Value, String> {
        let wrong = |wanted: &str| Err(format!("`{}` must be {wanted}, not {given}", self.name));
        match self.kind {
            ParameterKind::String | ParameterKind::Choice => {
                let Some(text) = given.as_str() else { return wrong("text") };
                if self.kind == ParameterKind::Choice && !self.choices.iter().any(|choice| choice == text) {
                    return wrong(&format!("one of {}", self.choices.join(", ")));
                }
                if let Some(pattern) = &self.pattern {
                    let whole = Pattern::parse(pattern).map_err(|error| {
                        format!("the template's pattern of `{}` is no expression: {error}", self.name)
                    })?;
                    if !whole.matches(text) {
                        return wrong(&format!("like `{pattern}`"));
                    }
                }
                Ok(given.clone())
            }
            ParameterKind::Integer => match given.as_i64().or_else(|| given.as_str()?.parse().ok()) {
                Some(number) => Ok(number.into()),
                None => wrong("a whole number"),
            },
            ParameterKind::Boolean => match given.as_bool().or_else(|| given.as_str()?.parse().ok()) {
                Some(flag) => Ok(flag.into()),
                None => wrong("true or false"),
            },
        }
    }
}

/// Returns a value for each parameter, or all problems at once.
pub(super) fn values_of(
    parameters: &[Parameter],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<String>> {
    let mut problems = Vec::new();
    let mut values = Map::new();
    for name in given.keys().filter(|name| parameters.iter().all(|parameter| parameter.name != **name)) {
        let known: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let known = if known.is_empty() {
            "it asks for nothing".to_owned()
        } else {
            format!("it asks for {}", known.join(", "))
        };
        problems.push(format!("the template has no parameter `{name}`; {known}"));
    }
    for parameter in parameters {
        match given.get(&parameter.name).or(parameter.default.as_ref()) {
            None => problems.push(format!("the template needs `{}` ({})", parameter.name, parameter.description)),
            Some(value) => match parameter.value(value) {
                Ok(value) => drop(values.insert(parameter.name.clone(), value)),
                Err(problem) => problems.push(problem),
            },
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_checked_all_at_once() {
        let parameters: Vec<Parameter> = serde_json::from_value(json!([
            { "name": "entity", "description": "an entity", "pattern": "[a-z]+" },
            { "name": "count", "kind": "integer", "description": "how many", "default": 3 },
            { "name": "mode", "kind": "choice", "description": "how", "choices": ["a", "b"], "default": "a" },
        ]))
        .unwrap();
        let values = |given: Value| values_of(&parameters, given.as_object().unwrap());
        let good = values(json!({ "entity": "item", "count": "7" })).unwrap();
        assert_eq!(Value::Object(good), json!({ "entity": "item", "count": 7, "mode": "a" }));
        assert_eq!(values(json!({ "enty": "x", "count": "many", "mode": "c" })).unwrap_err().len(), 4);
        assert!(values(json!({ "entity": "Item" })).unwrap_err()[0].contains("[a-z]+"));
    }
}
