//! What a case does when the host fails once, at each of its calls in turn.
//!
//! A failing call of the host is an error that the plugin must pass on: the host then undoes the call, and gives an
//! event again. So two things must hold, whichever call fails: the plugin does not trap, and where every act is an
//! event, the rows in the end are those of a run in which nothing failed.

use std::sync::Arc;

use serde_json::Value;

use super::plan::Case;
use super::runner::World;
use crate::diagnostics::{Diagnostic, Report, codes};
use crate::host::{CallError, Fault, FaultAction, FaultPlace, LoadedPlugin, Runtime};

/// How many calls of the host are made to fail in one case at the most.
const MAX_FAULTS: usize = 500;

/// What exploring a case found.
#[derive(Debug)]
pub struct Explored {
    /// How many runs there were, each with another call that failed.
    pub faults: usize,
    /// The findings; none where everything held.
    pub report: Report,
}

/// How a run without expectations ended.
struct Outcome {
    /// Calls of the host, in order: `db.insert stock_move`.
    host_calls: Vec<String>,
    /// The first trap.
    trap: Option<String>,
    /// Rows of all entities and tenants, without what differs from run to run.
    rows: Value,
}

/// Runs a case once for each call of the host that it makes, and lets that call fail.
pub fn explore_case(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>) -> Explored {
    let mut report = Report::new();
    let Some(base) = run(runtime, plugin, case, None) else { return Explored { faults: 0, report } };
    let only_events =
        case.test.step.iter().all(|step| step.http.is_none() && step.call.is_none() && step.budget.is_none());
    let faults = base.host_calls.len().min(MAX_FAULTS);
    for (index, call) in base.host_calls.iter().take(faults).enumerate() {
        let Some(outcome) = run(runtime, plugin, case, Some(index as u64)) else { continue };
        let finding = |message: String, help: &str| {
            Diagnostic::new(codes::SCENARIO_FAULT, message)
                .in_source(&case.suite.source)
                .at(case.test.name.span(), format!("host call {} of this case", index + 1))
                .help(help)
        };
        if let Some(trap) = outcome.trap.filter(|_| base.trap.is_none()) {
            let message = format!("the plugin traps when `{call}` fails: {trap}");
            report.push(finding(message, "pass the error on with `?` instead of unwrapping it"));
        } else if only_events && outcome.rows != base.rows {
            let message = format!("when `{call}` fails and the event comes again, other rows are there in the end");
            report.push(finding(
                message,
                "pass the error on, so that the host undoes the call and gives the event again",
            ));
        }
    }
    Explored { faults, report }
}

fn run(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>, fault: Option<u64>) -> Option<Outcome> {
    let mut world = World::build(runtime, plugin, case).ok()?;
    if let Some(calls) = fault {
        let place = FaultPlace::HostCall { function: None, subject: None };
        let action = FaultAction::Fail("the database failed, as a test wanted it".to_owned());
        world.platform.add_fault(Fault { place, nth: calls + 1, action });
    }
    let mut outcome = Outcome { host_calls: Vec::new(), trap: None, rows: Value::Null };
    for step in &case.test.step {
        // What the act gives is not looked at: with a fault it may be anything.
        if world.act_alone(step).is_err() {
            break;
        }
        for call in world.platform.take_activity().calls {
            outcome.host_calls.extend(
                call.trace
                    .host_calls
                    .iter()
                    .map(|call| format!("{} {}", call.function, call.subject).trim_end().to_owned()),
            );
            if let Some(error @ CallError::Trap { .. }) = &call.error {
                outcome.trap.get_or_insert_with(|| error.to_string());
            }
        }
    }
    outcome.rows = world.rows_of_all_tenants();
    Some(outcome)
}
