//! `/_dev`: routes that only a dev host has.

mod inject;
mod look;

use erp_manifest::EventType;
use erp_manifest::codes::errors;
use erp_manifest::contract::BASE_EVENTS;
use erp_manifest::document::did_you_mean;
use serde_json::{Value, json};

use super::rows::bad_query;
use super::{Answer, Request, Response};
use crate::{Origin, Platform, PlatformError};

/// Returns the events of the platform's base modules, each with an example payload.
pub(super) fn base_events() -> Response {
    let event = |(name, payload): &(&str, &str)| {
        let payload: Value = serde_json::from_str(payload).unwrap_or_default();
        json!({ "type": name, "payload": payload })
    };
    Response::json(200, BASE_EVENTS.iter().map(event).collect())
}

/// The routes that only a dev host has.
#[derive(Debug)]
pub(crate) struct DevRoutes<'p> {
    pub(crate) platform: &'p mut Platform,
}

impl DevRoutes<'_> {
    pub(super) fn denials(&self) -> Answer {
        let sql = "select at, tenant_id as tenant, user_id as user, plugin_id as plugin, function, subject, message \
                   from erp_denials order by seq desc";
        let (names, rows) = self.platform.inspect(None, None, sql, 200)?;
        let one = |row: Vec<Value>| names.iter().cloned().zip(row).collect::<Value>();
        Ok(Response::json(200, rows.into_iter().map(one).collect()))
    }

    pub(super) fn change_config(&mut self, request: &Request) -> Answer {
        let values = request.object()?.into_iter().collect();
        self.platform.data().set_config(&values)?;
        Ok(Response::json(200, json!(values)))
    }

    pub(super) fn list_events(&self) -> Answer {
        let mut database = self.platform.database.lock();
        let mut shown = Vec::new();
        for event in database.events().recent_events()? {
            shown.push(json!({
                "id": event.id, "tenant": event.tenant, "type": event.event_type, "source": event.source,
                "payload": event.payload, "occurred_at_ms": event.occurred_at_ms,
                "deliveries": database.events().deliveries(event.seq)?,
            }));
        }
        Ok(Response::json(200, Value::Array(shown)))
    }

    pub(super) fn redeliver_event(&mut self, request: &Request, id: &str) -> Answer {
        let before = self.platform.activity.calls.len();
        self.platform.events().on_behalf_of(Origin::of(request)).redeliver(id)?;
        Ok(self.delivered_since(before))
    }

    /// Publishes `{"type", "payload", "tenant"}`. Without a subscriber, the body must have `"heard": 0`.
    pub(super) fn send_event(&mut self, request: &Request) -> Answer {
        let body = request.object()?;
        let event_type = body
            .get("type")
            .and_then(Value::as_str)
            .ok_or_else(|| PlatformError::new(errors::HTTP_BAD_JSON, "the body needs `type`, the name of the event"))?;
        if let Some(key) = body.keys().find(|key| !matches!(key.as_str(), "type" | "payload" | "tenant" | "heard")) {
            let message = format!(
                "unknown key `{key}`; an event is {{\"type\": …, \"payload\": …, \"tenant\": …, \"heard\": 0}}"
            );
            return Err(PlatformError::new(errors::HTTP_BAD_JSON, message));
        }
        let event_type = EventType::new(event_type).ok_or_else(|| {
            let message = format!("`{event_type}` is no name of an event: write words joined by dots");
            PlatformError::new(errors::EVENT_BAD_NAME, message)
        })?;
        let payload = body.get("payload").cloned().unwrap_or_else(|| json!({}));
        let before = self.platform.activity.calls.len();
        let tenant = match body.get("tenant") {
            None => request.user()?.tenant.clone(),
            Some(name) => {
                let known = self.platform.directory.tenants().iter().find(|tenant| name == tenant.as_str());
                known.cloned().ok_or_else(|| bad_query(format!("there is no tenant {name}")))?
            }
        };
        let is_meant = body.get("heard").is_some_and(|heard| *heard == 0);
        if self.platform.listeners(event_type.as_str()).is_empty() && !is_meant {
            let known = self.platform.subscriptions();
            let help =
                did_you_mean(event_type.as_str(), known.iter().copied()).unwrap_or_else(|| match known.as_slice() {
                    [] => "none that runs subscribes to anything".to_owned(),
                    known => format!("those that run hear {}", known.join(", ")),
                });
            let message =
                format!("no running plugin hears `{event_type}`; {help} (`\"heard\": 0` sends it all the same)");
            return Err(PlatformError::new(errors::EVENT_UNHEARD, message));
        }
        self.platform.events().on_behalf_of(Origin::of(request)).publish_event(&tenant, &event_type, &payload)?;
        Ok(self.delivered_since(before))
    }

    /// Returns the calls since the first `before` calls of the activity: those that an event caused.
    fn delivered_since(&self, before: usize) -> Response {
        let calls = self.platform.activity.calls.iter().skip(before);
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
