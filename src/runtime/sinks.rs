//! The traits that a platform implements: sinks for events, audit and traces of calls, and a source of secrets.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use erp_manifest::{Manifest, TenantId};
use erp_storage::RowChange;

use super::request::CallContext;
use super::trace::{EmittedEvent, Trace};
use super::{CallError, Invocation};

/// A call that has ended.
#[derive(Debug)]
pub struct FinishedCall<'a> {
    /// The plugin that was called.
    pub manifest: &'a Manifest,
    /// The tenant, user and trigger of the call.
    pub context: &'a CallContext,
    /// What was called, with its input.
    pub invocation: &'a Invocation,
    /// Why the call failed; none if its changes are committed.
    pub error: Option<&'a CallError>,
    /// The host calls, logs, events and changes of the call.
    pub trace: &'a Trace,
}

/// Delivers events of plugins to their receivers.
pub trait EventSink: Send + Sync {
    /// Receives the events that a call published, in order, after the commit. If the process ends before this call, the
    /// events exist only in the storage's outbox: a receiver that must not miss an event reads the outbox.
    fn publish(&self, call: &FinishedCall<'_>, events: &[EmittedEvent]);
}

/// Records which call changed which rows.
pub trait AuditSink: Send + Sync {
    /// Receives the rows that a call changed, in order, after the commit.
    fn record(&self, call: &FinishedCall<'_>, changes: &[Arc<RowChange>]);
}

/// Receives every finished call, for logs, metrics and traces.
pub trait TraceSink: Send + Sync {
    /// Receives a call that has ended, whether it succeeded or failed.
    fn finished(&self, call: &FinishedCall<'_>);
}

/// A source of tenants' secrets that replaces the storage.
pub trait SecretSource: Send + Sync + fmt::Debug {
    /// Returns a secret in plain text; none if the tenant has not set it.
    fn secret(&self, tenant: &TenantId, plugin: &str, key: &str) -> Option<String>;
}

/// The sinks of a host; none by default.
#[derive(Clone, Default)]
pub(super) struct Sinks {
    pub(super) events: Option<Arc<dyn EventSink>>,
    pub(super) audit: Option<Arc<dyn AuditSink>>,
    pub(super) traces: Option<Arc<dyn TraceSink>>,
}

impl Sinks {
    /// Passes a finished call to all sinks. A panic in a sink skips the sinks after it, and does not change the outcome
    /// of the call.
    pub(super) fn notify(&self, call: &FinishedCall<'_>) {
        drop(catch_unwind(AssertUnwindSafe(|| self.tell_all(call))));
    }

    fn tell_all(&self, call: &FinishedCall<'_>) {
        if let (Some(audit), false) = (&self.audit, call.trace.changes.is_empty()) {
            audit.record(call, &call.trace.changes);
        }
        if let (Some(events), false) = (&self.events, call.trace.events.is_empty()) {
            events.publish(call, &call.trace.events);
        }
        if let Some(traces) = &self.traces {
            traces.finished(call);
        }
    }
}
