//! Published events.

use erp_manifest::TenantId;
use serde_json::Value;

/// An event that was published.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// The position in the order of all events.
    pub seq: i64,
    /// UUID; the same each time the event is delivered.
    pub id: String,
    /// The tenant of the event.
    pub tenant: TenantId,
    /// The type: words joined by dots.
    pub event_type: String,
    /// The plugin that published it, or `platform`.
    pub source: String,
    /// The payload, as JSON.
    pub payload: Value,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub occurred_at_ms: i64,
    /// The number of events that led to this one.
    pub depth: u32,
}
