//! What a step did, as JSON, for snapshots and for comparisons of two runs.

use erp_platform::Activity;
use erp_runtime::CallError;
use serde_json::{Map, Value, json};

use super::judge::StepOutcome;

/// The outcome of the act and everything that its calls did, as JSON; empty parts are left out.
pub(super) fn observation(outcome: &StepOutcome, activity: &Activity) -> Value {
    let mut seen = Map::new();
    match outcome {
        StepOutcome::Http { status, body, .. } => {
            seen.insert("status".to_owned(), json!(status));
            if let Some(body) = body {
                seen.insert("json".to_owned(), body.clone());
            }
        }
        StepOutcome::Call(Ok(value)) => {
            seen.insert("result".to_owned(), value.clone());
        }
        StepOutcome::Page(page) => {
            seen.insert("page".to_owned(), page.clone());
        }
        StepOutcome::Rows(rows) => {
            seen.insert("rows".to_owned(), json!(rows));
        }
        StepOutcome::Call(Err(_)) | StepOutcome::Event { .. } | StepOutcome::Other => {}
    }
    let calls = || activity.calls.iter();
    let errors = calls().filter_map(|call| call.error.as_ref()).map(error_json).collect();
    let changes = activity
        .changes
        .iter()
        .map(|change| json!({ "change": change.kind, "entity": change.entity, "row": change.row.to_flat() }))
        .collect();
    let events = activity.events.iter().map(|(_, event)| json!(event)).collect();
    let logs = calls()
        .flat_map(|call| &call.trace.logs)
        .map(|record| json!({ "level": record.level.word(), "message": record.message, "fields": record.fields }))
        .collect();
    let host_calls = calls()
        .flat_map(|call| &call.trace.host_calls)
        .map(|call| json!(format!("{} {}", call.function, call.subject).trim_end()))
        .collect();
    let parts: [(&str, Vec<Value>); 5] =
        [("errors", errors), ("changes", changes), ("events", events), ("logs", logs), ("calls", host_calls)];
    for (name, items) in parts {
        if !items.is_empty() {
            seen.insert(name.to_owned(), Value::Array(items));
        }
    }
    Value::Object(seen)
}

/// An error in the form that expectations and snapshots use.
pub(super) fn error_json(error: &CallError) -> Value {
    match error {
        CallError::Guest(error) => {
            json!({ "kind": "guest", "code": error.code, "message": error.message, "details": error.details })
        }
        CallError::Host(error) => json!({ "kind": "host", "code": error.code, "message": error.message }),
        CallError::Trap { kind, message, .. } => {
            json!({ "kind": "trap", "trap": kind.word(), "code": error.code(), "message": message })
        }
        CallError::BadCall(message) => json!({ "kind": "host", "code": error.code(), "message": message }),
    }
}
