//! The platform's event bus: in this process, with filters.

use erp_manifest::{TenantId, event_matches};
use erp_runtime::{EmittedEvent, EventSink, FinishedCall};
use serde_json::Value;
use tokio::sync::broadcast;

/// An event of a base module or of a plugin.
#[derive(Debug, Clone)]
pub struct BusEvent {
    pub id: String,
    pub tenant: TenantId,
    pub event_type: String,
    pub payload: Value,
    /// The plugin that published it; `None` for an event of a base module.
    pub source: Option<String>,
    /// The number of events that led to this one.
    pub depth: u32,
}

/// The bus. Clones share it.
#[derive(Debug, Clone)]
pub struct EventBus(broadcast::Sender<BusEvent>);

impl Default for EventBus {
    fn default() -> EventBus {
        EventBus(broadcast::Sender::new(1024))
    }
}

/// A receiver of the events whose types match its patterns.
#[derive(Debug)]
pub struct Subscription {
    events: broadcast::Receiver<BusEvent>,
    patterns: Vec<String>,
}

impl EventBus {
    /// Publishes an event to everyone who is subscribed now.
    pub fn publish(&self, event: BusEvent) {
        // It is no error if there is no subscriber.
        let _ = self.0.send(event);
    }

    /// Subscribes to the events whose types match one of the patterns, from now on.
    pub fn subscribe(&self, patterns: Vec<String>) -> Subscription {
        Subscription { events: self.0.subscribe(), patterns }
    }
}

impl Subscription {
    /// Returns the next event; `None` when the bus is gone. A subscriber that is too slow loses the oldest events.
    pub async fn next(&mut self) -> Option<BusEvent> {
        loop {
            match self.events.recv().await {
                Ok(event) if self.patterns.iter().any(|pattern| event_matches(pattern, &event.event_type)) => {
                    return Some(event);
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Publishes the events of plugins on the same bus, once their calls are committed.
impl EventSink for EventBus {
    fn publish(&self, call: &FinishedCall<'_>, events: &[EmittedEvent]) {
        for event in events {
            EventBus::publish(
                self,
                BusEvent {
                    id: event.id.clone(),
                    tenant: call.context.tenant.clone(),
                    event_type: event.event_type.to_string(),
                    payload: event.payload.clone(),
                    source: Some(call.manifest.metadata.id.to_string()),
                    depth: call.context.event_depth + 1,
                },
            );
        }
    }
}
