//! How a platform calls plugins, until somebody changes it.

use erp_runtime::{Detail, LimitOverrides, Probe};

/// How plugins are called.
#[derive(Debug, Clone, Default)]
pub struct CallSettings {
    /// Bounds instead of the manifests' own.
    pub limits: LimitOverrides,
    /// How much of a call is kept.
    pub detail: Detail,
    /// What watches calls; the runtime must be one for probes.
    pub probe: Option<Probe>,
    /// Whether every event is delivered twice, as a broker does now and then.
    pub doubles_events: bool,
}
