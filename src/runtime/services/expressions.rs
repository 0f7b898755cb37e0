//! Evaluates expressions in the manifest's language over values that a guest passes.

use erp_manifest::codes::errors;
use erp_manifest::contract::HostFunction;
use erp_manifest::document::weight_of_fields;
use erp_manifest::expression::{render_over, value_over};
use erp_storage::word;
use serde_json::{Map, Value, json};

use super::super::error::ServiceError;
use super::shown::Json;
use super::{Services, within};

/// The longest template or expression, in bytes.
const MAX_TEMPLATE_BYTES: usize = 64 << 10;
/// The most memory that the values may take, in bytes.
const MAX_VALUES_BYTES: u64 = 256 << 10;

impl Services {
    pub(super) fn evaluate(&mut self, expression: &str, vars: &Map<String, Value>) -> Result<Json, ServiceError> {
        let said = || json!({ "expression": expression, "vars": vars });
        self.call(HostFunction::ExprEval, "", bounded_said(expression, said), |services| {
            bound(expression, vars)?;
            let scope = services.scope();
            let words = |name: &str| word(scope.now, scope.user.as_deref(), name);
            value_over(expression, vars, &words).map(Json::from).map_err(bad)
        })
    }

    pub(super) fn render(&mut self, template: &str, vars: &Map<String, Value>) -> Result<String, ServiceError> {
        let said = || json!({ "template": template, "vars": vars });
        self.call(HostFunction::ExprRender, "", bounded_said(template, said), |services| {
            bound(template, vars)?;
            let scope = services.scope();
            let words = |name: &str| word(scope.now, scope.user.as_deref(), name);
            render_over(template, vars, &words).map_err(bad)
        })
    }
}

/// Returns the arguments for a trace; null for a text that is refused because of its length.
fn bounded_said(text: &str, said: impl FnOnce() -> Value) -> impl FnOnce() -> Value {
    let is_kept = text.len() <= MAX_TEMPLATE_BYTES;
    move || if is_kept { said() } else { Value::Null }
}

/// Enforces the size limits: each part of a template may copy the values that it names.
fn bound(text: &str, vars: &Map<String, Value>) -> Result<(), ServiceError> {
    within(errors::LIMIT_ARGUMENT_BYTES, text.len() as u64, MAX_TEMPLATE_BYTES as u64, "bytes of a template are read")?;
    within(errors::LIMIT_ARGUMENT_BYTES, weight_of_fields(vars), MAX_VALUES_BYTES, "bytes of values are reckoned with")
}

fn bad(message: String) -> ServiceError {
    ServiceError::new(errors::EXPR_BAD, message)
}
