//! What each call of a case costs.

use std::sync::Arc;

use erp_runtime::{LoadedPlugin, Probe, Runtime};

use super::plan::Case;
use super::world::{CaseWorld, Setup};

/// What one call cost.
#[derive(Debug, Clone)]
pub struct CallCost {
    /// What was called, such as `event sales.order.shipped`.
    pub label: String,
    /// How long it took: instance, guest, host calls and transaction.
    pub nanoseconds: u64,
    /// Fuel that it burned.
    pub fuel: u64,
    /// The most memory that it had, in bytes.
    pub memory: u64,
    /// Calls of the host.
    pub host_calls: u64,
    /// Rows that the host gave.
    pub rows: u64,
    /// Whether it failed.
    pub failed: bool,
}

/// Runs a case without its expectations; gives what its calls cost, in order. Empty where the world cannot be made.
pub fn measure(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>, probe: Option<Probe>) -> Vec<CallCost> {
    let setup = Setup { probe, ..Setup::default() };
    costs(runtime, plugin, case, &setup).unwrap_or_default()
}

/// The same in a world that is made in a way of its own; none where it cannot be made.
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
