//! The manifest's expressions over a guest's own values.

use serde_json::{Map, Value, json};

use super::super::error::ServiceError;
use super::Services;
use super::shown::Json;
use crate::expression::{render_over, value_over};

impl Services {
    pub(super) fn evaluate(&mut self, expression: &str, vars: &Map<String, Value>) -> Result<Json, ServiceError> {
        self.call(
            "expr.eval",
            "",
            || json!({ "expression": expression, "vars": vars }),
            |_| value_over(expression, vars).map(Json::from).map_err(bad),
        )
    }

    pub(super) fn render(&mut self, template: &str, vars: &Map<String, Value>) -> Result<String, ServiceError> {
        let said = || json!({ "template": template, "vars": vars });
        self.call("expr.render", "", said, |_| render_over(template, vars).map_err(bad))
    }
}

fn bad(message: String) -> ServiceError {
    ServiceError::new("expr.bad", message)
}
