//! Settings for the calls of plugins, which can change while the platform runs.

use erp_runtime::{Detail, LimitOverrides, Probe};

/// Settings for the calls of plugins.
#[derive(Debug, Clone, Default)]
pub struct CallSettings {
    /// Limits that replace those of the manifests.
    pub limits: LimitOverrides,
    /// How much detail of a call is recorded.
    pub detail: Detail,
    /// The probe that observes calls; needs a runtime that supports probes.
    pub probe: Option<Probe>,
    /// Whether every successful delivery of an event is repeated, as message brokers sometimes do.
    pub delivers_events_twice: bool,
}
