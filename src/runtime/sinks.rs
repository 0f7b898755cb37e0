//! What a platform hears of calls, and what it brings itself: its own event bus, audit, traces and secrets.

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
    /// On whose behalf.
    pub context: &'a CallContext,
    /// What was called.
    pub invocation: &'a Invocation,
    /// Why it failed; none where everything that it did is there for good.
    pub error: Option<&'a CallError>,
    /// What happened in it.
    pub trace: &'a Trace,
}

/// Takes events of plugins to where others hear them.
pub trait EventSink: Send + Sync {
    /// Events that a call published, in order, once they are committed. Where the process ends before this is called, they
    /// are in the storage's outbox and nowhere else: who must not miss one reads them there.
    fn publish(&self, call: &FinishedCall<'_>, events: &[EmittedEvent]);
}

/// Keeps who changed what.
pub trait AuditSink: Send + Sync {
    /// Rows that a call changed, in order, once they are committed.
    fn record(&self, call: &FinishedCall<'_>, changes: &[Arc<RowChange>]);
}

/// Hears of every call: for logs, metrics and traces.
pub trait TraceSink: Send + Sync {
    /// A call that has ended, well or badly.
    fn finished(&self, call: &FinishedCall<'_>);
}

/// Knows the secrets of tenants, in the place of the storage.
pub trait SecretSource: Send + Sync + fmt::Debug {
    /// A secret in the clear; none where the tenant has set none.
    fn secret(&self, tenant: &TenantId, plugin: &str, key: &str) -> Option<String>;
}

/// What a host tells, and to whom; nobody by default.
#[derive(Clone, Default)]
pub(super) struct Sinks {
    pub(super) events: Option<Arc<dyn EventSink>>,
    pub(super) audit: Option<Arc<dyn AuditSink>>,
    pub(super) traces: Option<Arc<dyn TraceSink>>,
}

impl Sinks {
    /// Tells all of them of a call that has ended. What it did is there: a sink that panics changes nothing of that.
    pub(super) fn tell(&self, call: &FinishedCall<'_>) {
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
