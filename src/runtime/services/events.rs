//! Events that a guest publishes.

use erp_manifest::EventType;
use erp_manifest::codes::errors;
use erp_manifest::contract::HostFunction;
use erp_manifest::document::weight;
use erp_storage::StoreError;
use serde_json::{Value, json};

use super::super::error::ServiceError;
use super::super::trace::EmittedEvent;
use super::{Services, denied, within};
use crate::lock;

impl Services {
    /// Stores the event in the call's transaction; it is delivered after the commit.
    pub(super) fn publish(&mut self, event_type: &str, payload: Value) -> Result<(), ServiceError> {
        let shown = payload.clone();
        let arguments = || json!({ "payload": shown });
        self.call(HostFunction::EventsPublish, event_type, arguments, |services| {
            if !services.manifest.capabilities.may_publish(event_type) {
                return Err(denied(format!("`{event_type}` is not granted: name it in `publish` of [capabilities]")));
            }
            let event_type = EventType::new(event_type).ok_or_else(|| {
                let message = format!("`{event_type}` is no name of an event: write words joined by dots");
                ServiceError::new(errors::EVENT_BAD_NAME, message)
            })?;
            let told = services.trace.events.len() as u64 + 1;
            within(errors::LIMIT_EVENTS, told, services.usage.limits.events(), "events may be published")?;
            services.usage.take_written(weight(&payload))?;
            let depth = services.context.event_depth + 1;
            if u64::from(depth) > services.usage.limits.event_depth() {
                return Err(StoreError::EventDepth(services.usage.limits.event_depth()).into());
            }
            let id = lock(&services.surroundings).uuid();
            let source = services.manifest.metadata.id.to_string();
            services.in_unit(|unit, scope, _| unit.add_event(scope, &id, &event_type, &source, &payload, depth))?;
            let payload = services.secrets.redact(payload);
            services.trace.events.push(EmittedEvent { id, event_type, payload });
            Ok(())
        })
    }
}
