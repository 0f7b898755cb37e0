//! Events on their way.

use erp_manifest::TenantId;
use serde_json::Value;

/// An event that was told.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Its place in the order of all events.
    pub seq: i64,
    /// UUID; the same each time the event is delivered.
    pub id: String,
    /// Whose event it is.
    pub tenant: TenantId,
    /// Words joined by dots.
    pub event_type: String,
    /// The plugin that told it, or `platform`.
    pub source: String,
    /// JSON.
    pub payload: Value,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub occurred_at_ms: i64,
    /// How many events led to this one.
    pub depth: u32,
}
