//! Runs one case in its own world.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use erp_check::scenarios::{SCENARIO_MISMATCH, SCENARIO_UNEXPECTED, SCENARIO_VALUE};
use erp_manifest::contract::{HostEffect, HostFunction};
use erp_manifest::diagnostics::{Diagnostic, Report, Span};
use erp_platform::Activity;
use erp_runtime::{Detail, HostCall, LoadedPlugin, Probe, Runtime};

use super::act::PerformedStep;
use super::judge::{StepJudgement, StepObservation, judge};
use super::matcher::StepTime;
use super::model::{Effects, Step, Test};
use super::plan::Case;
use super::world::{CaseWorld, Finding, Setup};
use super::{fault, steps};

/// The result of a case.
#[derive(Debug)]
pub struct CaseResult {
    /// The name of the case.
    pub name: String,
    /// The findings; empty where the case passed.
    pub report: Report,
    /// The duration of the first run.
    pub duration: Duration,
    /// Fuel of all its calls.
    pub fuel: u64,
    /// The largest memory of one of its calls, in bytes.
    pub memory: u64,
    /// Calls of the plugin.
    pub calls: usize,
    /// Host functions that its calls used, such as `events.publish`.
    pub host_functions: BTreeSet<HostFunction>,
    /// The snapshots that its steps name, with their new texts.
    pub snapshots: Vec<(String, String)>,
}

/// The file for the database of a failing case.
#[derive(Debug, Clone)]
pub struct KeptDatabase {
    /// The absolute path of the file.
    pub file: std::path::PathBuf,
    /// The path in the form that the user knows.
    pub shown: String,
}

/// Runs a case to its end or to the first step that fails. For a failing case, `keep` names the file for its database.
/// With a probe, the runtime must be one for probes.
pub fn run_case(
    runtime: &Arc<Runtime>,
    plugin: &LoadedPlugin,
    case: &Case<'_>,
    probe: Option<Probe>,
    keep: impl FnOnce() -> Option<KeptDatabase>,
) -> CaseResult {
    let started = Instant::now();
    let mut result = CaseResult {
        name: case.name(),
        report: Report::new(),
        duration: Duration::ZERO,
        fuel: 0,
        memory: 0,
        calls: 0,
        host_functions: BTreeSet::new(),
        snapshots: Vec::new(),
    };
    let setup = Setup { probe, ..Setup::default() };
    run(runtime, plugin, case, &setup, &mut result);
    result.duration = started.elapsed();
    if result.report.has_errors() {
        // A run can be repeated to the byte: the second one collects all details and the database.
        let setup = Setup { detail: Detail::Source, ..Setup::default() };
        let mut again =
            CaseResult { report: Report::new(), snapshots: Vec::new(), host_functions: BTreeSet::new(), ..result };
        if let Some((world, activity)) = run(runtime, plugin, case, &setup, &mut again) {
            // A failure that does not happen again is still a failure, and a worse one.
            let report = if again.report.has_errors() { &again.report } else { &result.report };
            result.report = explained(report, &activity, &world, keep());
            result.snapshots = again.snapshots;
        }
        result.host_functions = again.host_functions;
        result.name = again.name;
    }
    result
}

/// Runs a case; returns its world and the activity of the last step.
fn run<'w>(
    runtime: &Arc<Runtime>,
    plugin: &'w LoadedPlugin,
    case: &Case<'w>,
    setup: &Setup,
    result: &mut CaseResult,
) -> Option<(CaseWorld<'w>, Activity)> {
    let mut world = match CaseWorld::build(runtime, plugin, case, setup) {
        Ok(world) => world,
        Err(finding) => {
            result.report.push(*finding);
            return None;
        }
    };
    let mut last = Activity::default();
    for step in &case.test.step {
        match world.step(step, result) {
            Ok(activity) => last = activity,
            Err(finding) => result.report.push(*finding),
        }
        if !result.report.has_errors() {
            result.report.extend(world.broken_invariants(case.test, step_span(step)));
        }
        if result.report.has_errors() {
            break;
        }
    }
    Some((world, last))
}

impl CaseWorld<'_> {
    fn step(&mut self, step: &Step, result: &mut CaseResult) -> Result<Activity, Finding> {
        let start = self.platform.now();
        let PerformedStep { tenant, outcome, left } = self.perform(step)?;
        let activity = self.platform.take_activity();
        result.calls += activity.calls.len();
        let used = activity.calls.iter().flat_map(|call| &call.trace.host_calls).map(|call| call.function);
        result.host_functions.extend(used);
        for call in &activity.calls {
            result.fuel += call.trace.fuel;
            result.memory = result.memory.max(call.trace.memory);
        }
        let expect = step.expect.as_ref().map(|expect| self.fill(expect)).transpose()?;
        let observed = StepObservation {
            outcome: &outcome,
            activity: &activity,
            platform: &self.platform,
            manifest: self.manifest,
            tenant: &tenant,
            time: StepTime { start, end: self.platform.now() },
            source: &self.suite.source,
            step_span: step_span(step),
            open: step.effects.as_ref().is_some_and(|effects| **effects == Effects::Open),
            is_shared: self.shares_steps,
            snapshots: &|name| self.suite.snapshots.get(name).cloned(),
        };
        let StepJudgement { report, snapshot } = judge(&observed, expect.as_ref());
        let failed = report.has_errors();
        result.report.extend(report);
        result.snapshots.extend(snapshot);
        for fault in left {
            let message = format!("the fault at {} never happened", fault::shown(&fault));
            let help = "the step makes fewer such calls; `expect.calls` shows them".to_owned();
            let span = step.fault.as_ref().map_or_else(|| step_span(step), |fault| fault.span.clone());
            let finding = self.finding(SCENARIO_UNEXPECTED, span, message, "nothing to fail");
            result.report.push((*finding).help(help));
        }
        if !failed {
            self.capture(step, &outcome)?;
        }
        Ok(activity)
    }

    /// Returns findings on the invariants of a test that do not hold.
    pub(super) fn broken_invariants(&self, test: &Test, after: Span) -> Report {
        let mut report = Report::new();
        for invariant in &test.invariant {
            let span = invariant.sql.span();
            match self.query_rows(&invariant.sql) {
                Err(error) => {
                    report.push(*self.finding(SCENARIO_VALUE, span, error.to_string(), "cannot be done"));
                }
                Ok(rows) if rows.len() as u64 != invariant.rows => {
                    let message = format!("the invariant `{}` does not hold", *invariant.name);
                    let label = format!("expected {} rows, found {}", invariant.rows, rows.len());
                    let shown: Vec<String> = rows.iter().take(5).map(|row| format!("  {row}")).collect();
                    let finding = self.finding(SCENARIO_MISMATCH, span, message, &label);
                    report.push((*finding).at(after.clone(), "after this").help(shown.join("\n")));
                }
                Ok(_) => {}
            }
        }
        report
    }
}

/// Adds the details that the developer needs next: the host call that wrote the row, or the last host calls, with their
/// places in the guest's source, and the database.
fn explained(report: &Report, activity: &Activity, world: &CaseWorld<'_>, keep: Option<KeptDatabase>) -> Report {
    let kept = keep.filter(|kept| keep_database(world, &kept.file));
    let mut explained = Report::new();
    let calls: Vec<&HostCall> = activity.calls.iter().flat_map(|call| &call.trace.host_calls).collect();
    for (index, finding) in report.diagnostics().iter().enumerate() {
        let mut finding: Diagnostic = finding.clone();
        let mut lines: Vec<String> = finding.help.take().into_iter().collect();
        let writer = finding.entity.as_ref().and_then(|entity| writer_of(entity, &calls));
        let has_writer = writer.is_some();
        lines.extend(writer);
        if index == 0 {
            let from = calls.len().saturating_sub(LAST_CALLS);
            if !calls.is_empty() && !has_writer {
                lines.push("the last calls of the host:".to_owned());
                lines.extend(
                    calls.iter().enumerate().skip(from).map(|(number, call)| format!("  {}", line_of(number, call))),
                );
            }
            if let Some(kept) = &kept {
                lines.push(format!("its database: erp-plugin sql {}", kept.shown));
            } else {
                lines.push("to look at its database: run again with `--keep-databases`".to_owned());
            }
        }
        finding.help = (!lines.is_empty()).then(|| lines.join("\n"));
        explained.push(finding);
    }
    explained
}

/// The most host calls that a failing case shows.
const LAST_CALLS: usize = 5;

/// `4 db.update stock_level → db.unique (41208 fuel) at src/lib.rs:41`.
fn line_of(number: usize, call: &HostCall) -> String {
    let error = call.error.as_ref().map_or_else(String::new, |code| format!(" → {code}"));
    let place = own_frame(call).map_or_else(String::new, |places| format!(" {places}"));
    format!("{} {} {}{error} ({} fuel){place}", number + 1, call.function, call.subject, call.fuel)
}

/// The places in the developer's own source where the host was called, the innermost first.
fn own_frame(call: &HostCall) -> Option<String> {
    let own = |frame: &String| {
        let (_, place) = frame.rsplit_once(" at ")?;
        let is_own =
            !["bindings.rs", "src/erp/", "/rustc/", ".cargo", "/registry/"].iter().any(|part| place.contains(part));
        // The reader knows the folder of the project.
        let from = place.rfind("/src/").map_or(0, |at| at + 1);
        is_own.then(|| place[from..].trim().to_owned())
    };
    let mut places: Vec<String> = call.frames.iter().filter_map(own).collect();
    places.dedup();
    places.truncate(3);
    (!places.is_empty()).then(|| format!("at {}", places.join(" ← ")))
}

/// The last host call that wrote rows of an entity.
fn writer_of(entity: &str, calls: &[&HostCall]) -> Option<String> {
    let writes = |call: &&HostCall| {
        call.function.area() == HostFunction::DbInsert.area()
            && call.function.effect() == HostEffect::Writes
            && call.subject.split([' ', ',']).any(|word| word == entity)
    };
    let number = calls.iter().rposition(writes)?;
    let call = calls[number];
    Some(format!(
        "written by host call {}\n  with {}",
        line_of(number, call),
        super::compare::show(Some(&call.arguments))
    ))
}

fn keep_database(world: &CaseWorld<'_>, file: &Path) -> bool {
    // Without the file, the finding only lacks the line about the database.
    let made = file.parent().is_none_or(|folder| fs_err::create_dir_all(folder).is_ok());
    let _ = fs_err::remove_file(file);
    made && world.platform.copy_database(file).is_ok()
}

/// The place of a step's act.
pub(super) fn step_span(step: &Step) -> Span {
    let acts = steps::acts(step).into_iter().filter_map(|(_, act)| act.as_ref());
    acts.map(|act| act.span.clone()).next().unwrap_or_else(|| step.span.clone())
}
