//! `erp-plugin test`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use crate::check::{check_tested, weigh};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::diagnostics::{DiagnosticJson, Report};
use crate::digest::sha256_hex;
use crate::exit_code::ExitCode;
use crate::scenario::{Case, CaseResult, Ran, Suite, explore_case, read_suite, reports, run_case};
use crate::ui::Format;

/// Run the scenarios in tests/ on the component, each case in a database of its own
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Only cases whose name holds this text
    filter: Option<String>,
    /// Only tests with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Cases that run at the same time; as many as there are cores where it is absent
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Run the cases in an order that this number makes; results do not depend on it
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// Run one of several parts, such as 1/4; each case is in exactly one, whatever is added later
    #[arg(long, value_name = "PART/PARTS")]
    partition: Option<Partition>,
    /// Run each case again and again, and let each call of the host fail once: the plugin must bear it
    #[arg(long)]
    explore: bool,
    /// The component, in the place of dist/<id>.wasm
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
}

/// One of several parts of the cases.
#[derive(Debug, Clone, Copy)]
struct Partition {
    part: u64,
    parts: u64,
}

impl std::str::FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Partition, String> {
        let bad = || "write it like 1/4".to_owned();
        let (part, parts) = text.split_once('/').ok_or_else(bad)?;
        let (part, parts) = (part.parse().map_err(|_| bad())?, parts.parse().map_err(|_| bad())?);
        if (1..=parts).contains(&part) { Ok(Partition { part, parts }) } else { Err(bad()) }
    }
}

impl Partition {
    /// Whether a case is in the part: by its name, so that new cases move no old one.
    fn holds(self, case: &Case<'_>) -> bool {
        let digest = sha256_hex(format!("{}\n{}", case.suite.source.path().display(), case.name()).as_bytes());
        let number = u64::from_str_radix(&digest[..15], 16).unwrap_or(0);
        number % self.parts == self.part - 1
    }
}

/// How the tests went.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TestResult {
    ok: bool,
    /// Cases that passed.
    passed: usize,
    /// Cases that failed.
    failed: usize,
    /// Cases that the filter left out.
    skipped: usize,
    /// Runs in which a call of the host failed, with --explore.
    faults: usize,
    /// What a whole run tells about the plugin.
    findings: Vec<DiagnosticJson>,
    /// The cases that ran, in the order of the files.
    cases: Vec<CaseJson>,
}

/// A case that ran.
#[derive(Debug, Serialize, JsonSchema)]
struct CaseJson {
    /// The file.
    file: String,
    /// The name of the case.
    name: String,
    ok: bool,
    /// How long it took, in milliseconds.
    milliseconds: f64,
    /// Fuel of all its calls.
    fuel: u64,
    /// Calls of the plugin.
    calls: usize,
    /// Why it failed.
    findings: Vec<DiagnosticJson>,
}

pub(super) fn run(context: &Context, args: &TestArgs) -> CommandResult {
    let started = Instant::now();
    let open = context.open_project()?;
    let (component, mut report) = context.fitting_component(&open, args.component.as_deref())?;
    let files = open
        .project
        .scenario_files()
        .map_err(|error| CommandError::new(ExitCode::Configuration, "io", error.to_string()))?;
    let mut suites = Vec::new();
    for file in files {
        let (suite, findings) = read_suite(&context.source(&file)?, &open.manifest);
        report.extend(findings);
        suites.extend(suite);
    }
    if report.has_errors() {
        return Err(CommandError::new(
            ExitCode::Configuration,
            "scenario",
            format!("the scenarios have errors: {}", report.summary()),
        )
        .with_report(report));
    }
    let all: Vec<Case<'_>> = suites.iter().flat_map(Suite::cases).collect();
    let total = all.len();
    let chosen: Vec<Case<'_>> = all
        .into_iter()
        .filter(|case| args.tag.as_ref().is_none_or(|tag| case.test.tags.contains(tag)))
        .filter(|case| args.filter.as_ref().is_none_or(|filter| case.name().contains(filter.as_str())))
        .filter(|case| args.partition.is_none_or(|partition| partition.holds(case)))
        .collect();
    if chosen.is_empty() {
        let message = if total == 0 {
            "there are no tests in tests/*.test.toml".to_owned()
        } else {
            format!("none of {total} cases matches")
        };
        return Err(CommandError::new(ExitCode::NoTests, "no-tests", message));
    }

    let runtime = context.runtime()?;
    let manifest = Arc::new(open.manifest);
    let plugin = runtime.load(&component, Arc::clone(&manifest))?;
    let jobs = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
        .clamp(1, chosen.len());
    let order = order(chosen.len(), args.shuffle);
    let explored = AtomicUsize::new(0);
    let results = run_all(&chosen, &order, jobs, |case| {
        let mut result = run_case(&runtime, &plugin, case);
        // What fails by itself says nothing about faults.
        if args.explore && result.report.is_empty() {
            let found = explore_case(&runtime, &plugin, case);
            explored.fetch_add(found.faults, Ordering::Relaxed);
            result.report.extend(found.report);
        }
        result
    });

    let failed = results.iter().filter(|result| !result.report.is_empty()).count();
    if matches!(context.ui.format(), Format::Human | Format::Github) {
        tell(context, &chosen, &results);
    }
    // What some cases leave out the others may use: only a whole run can tell.
    let mut findings = Report::new();
    if failed == 0 && results.len() == total {
        let used: BTreeSet<&'static str> =
            results.iter().flat_map(|result| result.host_functions.iter().copied()).collect();
        findings.extend(check_tested(&manifest, &open.project.source, &used));
        weigh(&mut findings, &manifest.check);
        context.ui.report(&findings);
    }
    let result = TestResult {
        ok: failed == 0,
        passed: results.len() - failed,
        failed,
        skipped: total - results.len(),
        faults: explored.into_inner(),
        findings: findings.diagnostics().iter().map(DiagnosticJson::from).collect(),
        cases: chosen.iter().zip(&results).map(|(case, result)| case_json(case, result)).collect(),
    };
    let ran: Vec<Ran<'_>> = chosen.iter().zip(&results).collect();
    context.ui.result(&result, || match context.ui.format() {
        Format::Github => reports::annotations(&ran),
        Format::Junit => reports::junit(&ran),
        Format::Tap => reports::tap(&ran),
        Format::Jsonl => reports::json_lines(&ran),
        Format::Html => reports::html(&ran),
        _ => {
            let skipped = if result.skipped > 0 { format!(", {} skipped", result.skipped) } else { String::new() };
            let faults = if args.explore { format!(", {} faults tried", result.faults) } else { String::new() };
            let seconds = started.elapsed().as_secs_f64();
            format!("{} passed, {failed} failed{skipped}{faults} in {seconds:.2} s", result.passed)
        }
    });
    Ok(if failed == 0 { ExitCode::Ok } else { ExitCode::Findings })
}

/// The order in which the cases run.
fn order(count: usize, shuffle: Option<u64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if let Some(seed) = shuffle {
        order.sort_by_cached_key(|index| sha256_hex(format!("{seed} {index}").as_bytes()));
    }
    order
}

/// Runs the cases on several threads; the results have the order of the cases.
fn run_all(
    cases: &[Case<'_>],
    order: &[usize],
    jobs: usize,
    run: impl Fn(&Case<'_>) -> CaseResult + Sync,
) -> Vec<CaseResult> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, CaseResult)>> = Mutex::new(Vec::with_capacity(cases.len()));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some((index, case)) =
                    order.get(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((*index, cases.get(*index)?)))
                {
                    let result = run(case);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn tell(context: &Context, cases: &[Case<'_>], results: &[CaseResult]) {
    let mut file = "";
    for (case, result) in cases.iter().zip(results) {
        let shown = case.suite.source.path().to_str().unwrap_or_default();
        if shown != file {
            file = shown;
            context.ui.status("Testing", format!("{shown}: {}", case.suite.file.suite));
        }
        let milliseconds = result.duration.as_secs_f64() * 1e3;
        let mark = if result.report.is_empty() { "ok" } else { "FAILED" };
        context.ui.status(mark, format!("{} ({milliseconds:.1} ms, {} fuel)", result.name, result.fuel));
        context.ui.report(&result.report);
    }
}

fn case_json(case: &Case<'_>, result: &CaseResult) -> CaseJson {
    CaseJson {
        file: case.suite.source.path().display().to_string(),
        name: result.name.clone(),
        ok: result.report.is_empty(),
        milliseconds: (result.duration.as_secs_f64() * 1e5).round() / 1e2,
        fuel: result.fuel,
        calls: result.calls,
        findings: result.report.diagnostics().iter().map(DiagnosticJson::from).collect(),
    }
}
