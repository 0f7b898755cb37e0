//! Measures the cost of each call of a case.

use std::sync::Arc;

use erp_runtime::{LoadedPlugin, Probe, Runtime};

use super::plan::Case;
use super::world::{CaseWorld, Setup};

/// The cost of one call.
#[derive(Debug, Clone)]
pub struct CallCost {
    /// The name of the call, such as `event sales.order.shipped`.
    pub label: String,
    /// The duration of instance, guest, host calls and transaction together.
    pub nanoseconds: u64,
    /// The fuel that the call burned.
    pub fuel: u64,
    /// The largest memory of the call, in bytes.
    pub memory: u64,
    /// Host calls.
    pub host_calls: u64,
    /// Rows that the host returned.
    pub rows: u64,
    /// Whether the call failed.
    pub failed: bool,
}

/// Runs a case without its expectations and returns the costs of its calls, in order. Empty where the world cannot be
/// built.
pub fn measure(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>, probe: Option<Probe>) -> Vec<CallCost> {
    let setup = Setup { probe, ..Setup::default() };
    costs(runtime, plugin, case, &setup).unwrap_or_default()
}

/// Does the same in a world with another setup; none where it cannot be built.
pub(super) fn costs(
    runtime: &Arc<Runtime>,
    plugin: &LoadedPlugin,
    case: &Case<'_>,
    setup: &Setup,
) -> Option<Vec<CallCost>> {
    let mut world = CaseWorld::build(runtime, plugin, case, setup).ok()?;
    let mut costs = Vec::new();
    for step in &case.test.step {
        let Ok(performed) = world.perform(step) else { break };
        costs.extend(world.platform.take_activity().calls.into_iter().map(|call| CallCost {
            label: call.label,
            nanoseconds: call.trace.nanoseconds,
            fuel: call.trace.fuel,
            memory: call.trace.memory,
            host_calls: call.trace.host_calls.len() as u64,
            rows: call.trace.host_calls.iter().map(|call| call.rows).sum(),
            failed: call.error.is_some(),
        }));
        if world.capture(step, &performed.outcome).is_err() {
            break;
        }
    }
    Some(costs)
}
