//! What happened since someone last looked.

use crate::host::{CallError, PublishedEvent, Trace};
use crate::manifest::TenantId;
use crate::store::Change;

/// A call of a plugin.
#[derive(Debug)]
pub struct CallRecord {
    /// The plugin.
    pub plugin: String,
    /// What was called, such as `event inventory.purchase_order.approved`.
    pub label: String,
    /// Why it failed, where it did.
    pub error: Option<CallError>,
    /// What happened in it.
    pub trace: Trace,
}

/// What happened: calls of plugins, rows that changed, events that left.
#[derive(Debug, Default)]
pub struct Activity {
    /// Calls, in order.
    pub calls: Vec<CallRecord>,
    /// Rows, in order.
    pub changes: Vec<Change>,
    /// Events that plugins told, in order, with their tenants.
    pub events: Vec<(TenantId, PublishedEvent)>,
}
