//! A function for each node of the manifest.

#[rustfmt::skip]
mod erp;

use std::collections::BTreeMap;

use erp::host::host_http::{self, Request};
use erp::host::{host_expr, host_memory};
use erp::nodes::{Group, GroupMode, Notes, Rate};
use erp::{Choice, Error, Fields, Outputs, Result, Run, refuse, try_later};
use serde_json::{Value, json};

/// Where rates come from; the manifest's `capabilities.http` names it too.
const RATES: &str = "https://rates.example.com/v1";

pub struct Plugin;

impl erp::Plugin for Plugin {}

impl erp::Nodes for Plugin {
    fn group(parameters: Group, run: &Run) -> Result<Outputs> {
        if ["count", "sum"].contains(&parameters.group_by.as_str()) {
            return Err(refuse(
                "group.taken",
                "`count` and `sum` are what a group is given",
            ));
        }
        let mut groups: Vec<Value> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for item in run.items() {
            let key = &item[&parameters.group_by];
            let place = places.entry(key.to_string()).or_insert_with(|| {
                groups.push(json!({ &parameters.group_by: key, "count": 0 }));
                groups.len() - 1
            });
            let group = &mut groups[*place];
            group["count"] = (group["count"].as_i64().unwrap_or(0) + 1).into();
            if let (GroupMode::Sum, Some(expression)) = (parameters.mode, &parameters.value) {
                let value = eval(expression, item)?;
                group["sum"] = eval(
                    "a + b",
                    &json!({ "a": group.get("sum").unwrap_or(&json!(0)), "b": value }),
                )?;
            }
        }
        Ok(Outputs::main(groups))
    }

    fn rate(parameters: Rate, run: &Run) -> Result<Outputs> {
        let rates = ask(&format!("rates/{}", parameters.currency))?;
        let rated = run.items().iter().map(|item| {
            let fields = item.as_object().ok_or_else(|| {
                refuse("rate.no_item", format!("an item is an object, not {item}"))
            })?;
            let mut fields = fields.clone();
            fields.insert("rate".to_owned(), rates["rate"].clone());
            Ok(Value::Object(fields))
        });
        Ok(Outputs::main(rated.collect::<Result<_>>()?))
    }

    fn notes(parameters: Notes, run: &Run) -> Result<Value> {
        let session = format!("{}/{}", run.context.workflow_id, parameters.session);
        if let Some(note) = parameters.note {
            host_memory::append(&session, &json!({ "note": note }).to_string())?;
        }
        let recent = host_memory::recent(&session, 10)?;
        let recent: Vec<Value> = recent
            .iter()
            .filter_map(|item| serde_json::from_str(item).ok())
            .collect();
        Ok(json!({ "session": session, "recent": recent }))
    }

    fn options(_kind: &str, _property: &str, _parameters: &Fields) -> Result<Vec<Choice>> {
        let known = ask("currencies")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let choice = |one: &Value| Choice {
            value: text(&one["code"]),
            label: text(&one["name"]),
        };
        Ok(known.as_array().into_iter().flatten().map(choice).collect())
    }
}

/// An expression over an item, computed by the host: exact, and as everywhere on the platform.
fn eval(expression: &str, vars: &Value) -> Result<Value> {
    let text = host_expr::eval(expression, &vars.to_string())?;
    serde_json::from_str(&text).map_err(bad_json)
}

/// Asks the service; what may be gone when it is asked again is told as retryable.
fn ask(path: &str) -> Result<Value> {
    let (method, url) = ("GET".to_owned(), format!("{RATES}/{path}"));
    let answer = host_http::send(&Request {
        method,
        url,
        headers: Vec::new(),
        body: None,
        timeout_ms: Some(3_000),
    })?;
    match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(bad_json),
        404 => Err(refuse(
            "rate.unknown",
            format!("the service knows no {path}"),
        )),
        status => Err(try_later(
            "rate.unavailable",
            format!("the service answered {status}"),
        )),
    }
}

fn bad_json(error: serde_json::Error) -> Error {
    refuse("rate.bad_json", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::erp::mock;
    use super::*;

    #[test]
    fn a_service_that_is_busy_may_be_asked_again() {
        mock::start();
        mock::with(|mock| {
            mock.responses = vec![(503, String::new()), (200, r#"{"rate":"7.1"}"#.to_owned())]
        });
        assert_eq!(ask("rates/USD").map_err(|error| error.retryable), Err(true));
        assert_eq!(
            ask("rates/USD").map_err(|error| error.code),
            Ok(json!({ "rate": "7.1" }))
        );
    }
}
