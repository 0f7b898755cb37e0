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
    /// The plugin that published it; none of a base module.
    pub source: Option<String>,
    /// How many events led to it.
    pub depth: u32,
}

/// Clones are the same bus.
#[derive(Debug, Clone)]
pub struct EventBus(broadcast::Sender<BusEvent>);

impl Default for EventBus {
    fn default() -> EventBus {
        EventBus(broadcast::Sender::new(1024))
    }
}

/// Events of some types.
#[derive(Debug)]
pub struct Subscription {
    events: broadcast::Receiver<BusEvent>,
    patterns: Vec<String>,
}

impl EventBus {
    /// Publishes an event to whoever listens now.
    pub fn publish(&self, event: BusEvent) {
        // Nobody need listen.
        let _ = self.0.send(event);
    }

    /// Events whose types match one of the patterns, from now on.
    pub fn subscribe(&self, patterns: Vec<String>) -> Subscription {
        Subscription { events: self.0.subscribe(), patterns }
    }
}

impl Subscription {
    /// The next one; none when the bus is gone. Who is too slow misses the oldest.
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

/// What plugins publish goes to the same bus, once their calls are committed.
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
