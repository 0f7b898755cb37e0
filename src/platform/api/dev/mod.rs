//! `/_dev`: what only a dev host has.

mod inject;
mod look;

use serde_json::{Value, json};

use super::rows::bad_query;
use super::{Answer, BASE_EVENTS, Request, Response};
use crate::host::lock;
use crate::manifest::is_event_name;
use crate::platform::{Platform, PlatformError};

impl Platform {
    pub(in crate::platform::api) fn dev(&mut self, request: &Request, path: &[&str]) -> Answer {
        match (request.method.as_str(), path) {
            ("GET", ["tables"]) => Ok(Response::json(200, json!(lock(&self.database).tables()?))),
            ("GET", ["counters"]) => Ok(Response::json(200, json!(self.counters()))),
            ("GET", ["denials"]) => {
                let sql = "select at, tenant_id as tenant, user_id as user, plugin_id as plugin, function, subject, message \
                           from erp_denials order by seq desc";
                let (names, rows) = self.inspect(None, None, sql, 200)?;
                let one = |row: Vec<Value>| names.iter().cloned().zip(row).collect::<Value>();
                Ok(Response::json(200, rows.into_iter().map(one).collect()))
            }
            ("GET", ["tenants"]) => Ok(Response::json(200, json!(self.directory.tenants()))),
            ("PUT", ["config"]) => {
                let values = request.object()?.into_iter().collect();
                self.set_config(&values)?;
                Ok(Response::json(200, json!(values)))
            }
            ("GET", ["events"]) => {
                let database = lock(&self.database);
                let mut shown = Vec::new();
                for event in database.recent_events()? {
                    shown.push(json!({
                        "id": event.id, "tenant": event.tenant, "type": event.event_type, "source": event.source,
                        "payload": event.payload, "occurred_at_ms": event.occurred_at_ms,
                        "deliveries": database.deliveries(event.seq)?,
                    }));
                }
                Ok(Response::json(200, Value::Array(shown)))
            }
            ("POST", ["events", id, "redeliver"]) => {
                let before = self.activity.calls.len();
                self.redeliver(id)?;
                Ok(self.delivered_since(before))
            }
            ("POST", ["events"]) => {
                let body = request.object()?;
                let event_type = body.get("type").and_then(Value::as_str).ok_or_else(|| {
                    PlatformError::new(400, "http.bad_json", "the body needs `type`, the name of the event")
                })?;
                if let Some(key) = body.keys().find(|key| !matches!(key.as_str(), "type" | "payload" | "tenant")) {
                    let message = format!("unknown key `{key}`; an event is {{\"type\": …, \"payload\": …}}");
                    return Err(PlatformError::new(400, "http.bad_json", message));
                }
                if !is_event_name(event_type) {
                    let message = format!("`{event_type}` is no name of an event: write words joined by dots");
                    return Err(PlatformError::new(400, "event.bad_name", message));
                }
                let payload = body.get("payload").cloned().unwrap_or_else(|| json!({}));
                let before = self.activity.calls.len();
                let tenant = match body.get("tenant") {
                    None => request.user()?.tenant.clone(),
                    Some(name) => {
                        let known = self.directory.tenants().iter().find(|tenant| name == tenant.as_str());
                        known.cloned().ok_or_else(|| bad_query(format!("there is no tenant {name}")))?
                    }
                };
                self.tell(&tenant, event_type, &payload)?;
                Ok(self.delivered_since(before))
            }
            ("GET", ["base-events"]) => {
                let event = |(name, payload): &(&str, &str)| {
                    let payload: Value = serde_json::from_str(payload).unwrap_or_default();
                    json!({ "type": name, "payload": payload })
                };
                Ok(Response::json(200, BASE_EVENTS.iter().map(event).collect()))
            }
            (_, ["faults" | "clock" | "limits" | "quirks", ..]) => self.inject(request, path),
            _ => self.look(request, path),
        }
    }

    /// The calls that came of an event.
    fn delivered_since(&self, before: usize) -> Response {
        let calls = self.activity.calls.iter().skip(before);
        let calls: Vec<Value> = calls
            .map(|call| {
                json!({
                    "plugin": call.plugin, "call": call.label, "error": call.error.as_ref().map(ToString::to_string),
                    "fuel": call.trace.fuel, "rows_changed": call.trace.changes.len(),
                })
            })
            .collect();
        Response::json(200, json!({ "delivered": calls }))
    }
}
