//! The activity since it was last taken.

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
    /// The id of the calling user; `None` for calls by events and by the platform itself.
    pub user: Option<String>,
    /// The id of the request that caused the call; a new id if the request has none.
    pub request_id: String,
    /// When the call began, in milliseconds since 1970.
    pub began_ms: i64,
    /// A short description of the call, such as `event inventory.purchase_order.approved`.
    pub label: String,
    /// The error, if the call failed.
    pub error: Option<CallError>,
    /// The host calls, fuel and changes of the call.
    pub trace: Trace,
    /// The recording of the call for a replay; `None` below [`Detail::Full`](erp_runtime::Detail::Full).
    pub recorded: Option<RecordedCall>,
}

/// Counters of a plugin's calls since the platform started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Number of calls.
    pub calls: u64,
    /// Number of failed calls.
    pub errors: u64,
    /// Total time of all calls, in microseconds.
    pub microseconds: u64,
    /// Time of the longest call, in microseconds.
    pub longest_microseconds: u64,
    /// Total fuel of all calls.
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
    /// Returns the recorded calls as JSON, one call a line.
    pub fn recorded_lines(&self) -> String {
        let calls = self.calls.iter().filter_map(|call| call.recorded.as_ref());
        calls.filter_map(|call| serde_json::to_string(call).ok()).map(|line| line + "\n").collect()
    }
}

/// Calls of plugins, changed rows, published events and upgrades.
#[derive(Debug, Default)]
pub struct Activity {
    /// Calls, oldest first.
    pub calls: Vec<CallRecord>,
    /// Changed rows, oldest first.
    pub changes: Vec<Arc<RowChange>>,
    /// Published events with their tenants, oldest first.
    pub events: Vec<(TenantId, EmittedEvent)>,
    /// Upgrades of tables, oldest first.
    pub upgrades: Vec<UpgradeReport>,
}
