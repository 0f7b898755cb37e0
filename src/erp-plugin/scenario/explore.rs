//! Explores a case with one failure at each place in turn: every host call fails, the fuel ends before every host call,
//! every commit fails.
//!
//! A failing host call returns an error, which the plugin must pass on: the host then undoes the call, and delivers an
//! event again. So the plugin must never trap by itself, and the invariants of the test must hold. If all steps end as
//! in a run without failures, the final rows must equal those of that run.

use std::sync::Arc;

use erp_check::scenarios::SCENARIO_FAULT;
use erp_manifest::diagnostics::{Diagnostic, Report};
use erp_runtime::{CallError, Fault, FaultAction, FaultPlace, LoadedPlugin, Runtime, Times, TrapKind};
use serde_json::Value;

use super::judge::StepOutcome;
use super::model::{Afterwards, Explore};
use super::plan::Case;
use super::runner::step_span;
use super::world::{CaseWorld, Setup};

/// The most places that are tried in one case, for each kind of fault.
const MAX_FAULTS: usize = 2_000;

/// The result of exploring a case.
#[derive(Debug)]
pub struct Exploration {
    /// The number of runs, each with another fault.
    pub faults: usize,
    /// The findings; empty where all checks passed.
    pub report: Report,
}

/// The kind of failure in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fail,
    EndFuel,
    Commit,
}

impl Kind {
    fn fault(self, nth: usize) -> Fault {
        let anywhere = FaultPlace::HostCall { function: None, subject: None };
        let failure = |what: &str| FaultAction::Fail(format!("{what}, as a test wanted it"));
        let (place, action) = match self {
            Kind::Fail => (anywhere, failure("the database failed")),
            Kind::EndFuel => (anywhere, FaultAction::EndFuel),
            Kind::Commit => (FaultPlace::Commit, failure("the commit failed")),
        };
        Fault { place, nth: nth as u64 + 1, times: Times::Once, action }
    }

    fn describe(self, what: &str) -> String {
        match self {
            Kind::Fail => format!("`{what}` fails"),
            Kind::EndFuel => format!("the fuel ends before `{what}`"),
            Kind::Commit => format!("the commit of {what} fails"),
        }
    }
}

/// The result of a run without expectations.
struct ExploredRun {
    /// Host calls, in order: `db.insert stock_move`.
    host_calls: Vec<String>,
    /// Committed calls of the plugin, in order.
    commits: Vec<String>,
    /// The first trap that is not about fuel.
    trap: Option<String>,
    /// Rows of all entities and tenants, without values that differ from run to run.
    rows: Value,
    /// Findings on invariants that did not hold.
    broken: Report,
    /// The end of each step: its status, and whether the last call of the plugin failed.
    ends: Vec<(Option<u16>, bool)>,
}

/// Runs a case once for each place where something can fail. Without `[test.explore]`, these are every host call and
/// every commit.
pub fn explore_case(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, case: &Case<'_>) -> Exploration {
    let mut report = Report::new();
    let settings = case.test.explore.as_ref();
    let retries = settings.is_some_and(|settings| settings.then == Afterwards::Retry);
    let Some(base) = run(runtime, plugin, case, None, retries) else { return Exploration { faults: 0, report } };
    let mut faults = 0;
    for kind in kinds(settings) {
        let places = if kind == Kind::Commit { &base.commits } else { &base.host_calls };
        for (index, place) in places.iter().take(MAX_FAULTS).enumerate() {
            faults += 1;
            let Some(outcome) = run(runtime, plugin, case, Some(kind.fault(index)), retries) else { continue };
            let described = kind.describe(place);
            let finding = |message: String, help: &str| {
                Diagnostic::new(SCENARIO_FAULT, message)
                    .in_source(&case.suite.source)
                    .at(case.test.name.span(), format!("place {} of this case", index + 1))
                    .help(help)
            };
            if let Some(trap) = outcome.trap.filter(|_| base.trap.is_none()) {
                let message = format!("the plugin traps when {described}: {trap}");
                report.push(finding(message, "pass the error on with `?` instead of unwrapping it"));
            }
            for broken in outcome.broken.diagnostics() {
                let message = format!("when {described}: {}", broken.message);
                let shown = broken.help.clone().unwrap_or_default();
                report.push(finding(message, &format!("the rows that break it:\n{shown}")));
            }
            // If all steps end as in a clean run, all their changes must exist: the failed call was repeated, or the
            // plugin ignored the failure. A step that failed for good has changed nothing, as it should.
            if outcome.ends == base.ends && outcome.broken.is_empty() && outcome.rows != base.rows {
                let message = format!("when {described}, every step ends well and other rows are there in the end");
                let help = "pass the error on, so that the host undoes the call and it can come again";
                report.push(finding(message, help));
            }
        }
    }
    Exploration { faults, report }
}

fn kinds(settings: Option<&Explore>) -> Vec<Kind> {
    let Some(settings) = settings else { return vec![Kind::Fail, Kind::Commit] };
    let wanted = [
        (Kind::Fail, settings.fail.is_some()),
        (Kind::EndFuel, settings.fuel.is_some()),
        (Kind::Commit, settings.commit.is_some()),
    ];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(kind, _)| kind).collect()
}

fn run(
    runtime: &Arc<Runtime>,
    plugin: &LoadedPlugin,
    case: &Case<'_>,
    fault: Option<Fault>,
    retries: bool,
) -> Option<ExploredRun> {
    let mut world = CaseWorld::build(runtime, plugin, case, &Setup::default()).ok()?;
    let has_fault = fault.is_some();
    if let Some(fault) = fault {
        world.platform.surroundings().add_fault(fault);
    }
    let mut outcome = ExploredRun {
        host_calls: Vec::new(),
        commits: Vec::new(),
        trap: None,
        rows: Value::Null,
        broken: Report::new(),
        ends: Vec::new(),
    };
    for step in &case.test.step {
        // The outcome of the act is not judged: with a fault it may be anything.
        let Ok(mut performed) = world.perform(step) else { break };
        let mut failed = note(&mut world, &mut outcome);
        if failed && retries && has_fault {
            let Ok(again) = world.perform(step) else { break };
            failed = note(&mut world, &mut outcome);
            performed = again;
        }
        let status = match &performed.outcome {
            StepOutcome::Http { status, .. } => Some(*status),
            _ => None,
        };
        outcome.ends.push((status, failed));
        outcome.broken.extend(world.broken_invariants(case.test, step_span(step)));
        if world.capture(step, &performed.outcome).is_err() {
            break;
        }
    }
    outcome.rows = world.rows_of_all_tenants();
    Some(outcome)
}

/// Records what the calls of a step did; true where the last one failed.
fn note(world: &mut CaseWorld<'_>, outcome: &mut ExploredRun) -> bool {
    let mut failed = false;
    for call in world.platform.take_activity().calls {
        let called = call.trace.host_calls.iter();
        outcome
            .host_calls
            .extend(called.map(|call| format!("{} {}", call.function, call.subject).trim_end().to_owned()));
        failed = call.error.is_some();
        match &call.error {
            Some(CallError::Trap { kind: TrapKind::OutOfFuel, .. }) => {}
            Some(error @ CallError::Trap { .. }) => {
                outcome.trap.get_or_insert_with(|| error.to_string());
            }
            Some(_) => {}
            None => outcome.commits.push(format!("`{}`", call.label)),
        }
    }
    failed
}
