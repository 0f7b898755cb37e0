//! What happened since someone last looked.

use std::sync::Arc;

use erp_manifest::TenantId;
use erp_runtime::{CallError, EmittedEvent, RecordedCall, Trace};
use erp_storage::RowChange;
use erp_store::UpgradeReport;
use serde::Serialize;

/// A call of a plugin.
#[derive(Debug)]
pub struct CallRecord {
    /// The plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The tenant.
    pub tenant: TenantId,
    /// The id of the user, where one calls.
    pub user: Option<String>,
    /// The request that it belongs to.
    pub request_id: String,
    /// The moment at which it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// What was called, such as `event inventory.purchase_order.approved`.
    pub label: String,
    /// Why it failed, where it did.
    pub error: Option<CallError>,
    /// What happened in it.
    pub trace: Trace,
    /// The call as it can be replayed, where all details are kept.
    pub recorded: Option<RecordedCall>,
}

/// How a plugin has done since the platform started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Calls.
    pub calls: u64,
    /// Those that failed.
    pub errors: u64,
    /// Time of all calls, in microseconds.
    pub microseconds: u64,
    /// Time of the longest one.
    pub longest_microseconds: u64,
    /// Fuel of all calls.
    pub fuel: u64,
}

impl Counters {
    pub(super) fn add(&mut self, call: &CallRecord) {
        let microseconds = call.trace.nanoseconds / 1_000;
        self.calls += 1;
        self.errors += u64::from(call.error.is_some());
        self.microseconds += microseconds;
        self.longest_microseconds = self.longest_microseconds.max(microseconds);
        self.fuel += call.trace.fuel;
    }
}

impl Activity {
    /// The calls as lines of a recording.
    pub fn recorded_lines(&self) -> String {
        let calls = self.calls.iter().filter_map(|call| call.recorded.as_ref());
        calls.filter_map(|call| serde_json::to_string(call).ok()).map(|line| line + "\n").collect()
    }
}

/// What happened: calls of plugins, rows that changed, events that left.
#[derive(Debug, Default)]
pub struct Activity {
    /// Calls, in order.
    pub calls: Vec<CallRecord>,
    /// Rows, in order.
    pub changes: Vec<Arc<RowChange>>,
    /// Events that plugins told, in order, with their tenants.
    pub events: Vec<(TenantId, EmittedEvent)>,
    /// Upgrades of tables, in order.
    pub upgrades: Vec<UpgradeReport>,
}
