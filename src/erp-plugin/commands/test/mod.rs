//! `erp-plugin test`.

mod coverage;
mod files;
mod needs;
mod result;
mod schedule;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use clap::Args;

use self::coverage::{CoverageJson, CoverageRecord, Lines};
pub(super) use self::result::TestResult;
use erp_check::{apply_severities, check_tested};
use erp_manifest::contract::HostFunction;
use erp_manifest::diagnostics::{DiagnosticJson, Report};
use erp_manifest::document::closest;
use erp_manifest::exit_code::ExitCode;
use erp_runtime::Probe;
use erp_store::{PostgresUrl, ScratchPlace};

use self::result::{case_json, grown, summary};
use self::schedule::Partition;
use super::{CommandResult, replay, with_password};
use crate::build::SOURCE_FOLDER;
use crate::command_error::{CommandError, codes};
use crate::commands::open_project::OpenProject;
use crate::commands::present_component::{ComponentArgs, PresentComponent, Purpose};
use crate::context::Context;
use crate::project::Project;
use crate::scenario::{
    BudgetLock, Case, CaseResult, CaseRun, DEFAULT_RATCHET, LockConditions, Suite, check_isolation, explore_case,
    from_recording, read_suite, reports, run_case,
};
use crate::ui::Format;

/// Run the scenarios in tests/ on the component, each case in a database of its own
#[derive(Debug, Clone, Args)]
pub(crate) struct TestArgs {
    /// Only cases whose name holds this text
    filter: Option<String>,
    /// Only tests with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// Cases that run at the same time; as many as there are cores if it is absent
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Run the cases in an order that this number makes; results do not depend on it
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// Run one of several parts, such as 1/4; each case is in exactly one, whatever is added later
    #[arg(long, value_name = "PART/PARTS", env = "ERP_PLUGIN_TEST_PARTITION", hide_env_values = true)]
    partition: Option<Partition>,
    /// Run each case again and again, and let each call of the host, and each commit, fail once
    #[arg(long)]
    explore: bool,
    /// Run each case again with another tenant doing the same in between: nothing that it sees may change
    #[arg(long)]
    isolation: bool,
    /// Replace expectations with the values found: values, snapshots, and the lock of budgets where it applies
    #[arg(long)]
    accept: bool,
    /// Make a lock of budgets, tests/budget.lock.toml, with the fuel of each case of the release component
    #[arg(long)]
    lock_budget: bool,
    /// How much more than its locked fuel a case may burn, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = DEFAULT_RATCHET)]
    ratchet: f64,
    /// Show how the cost of each case grows with its rows, such as 1,10,100: fixtures are inserted so many times
    #[arg(long, value_name = "COPIES", value_delimiter = ',')]
    scale: Vec<usize>,
    /// Keep the database of each failing case in target/failed
    #[arg(long)]
    keep_databases: bool,
    /// Show which lines of the source the scenarios reach
    #[arg(long)]
    coverage: bool,
    /// Write the lines that were reached into a file, in the lcov format
    #[arg(long, value_name = "FILE")]
    lcov: Option<PathBuf>,
    /// Only cases that reach a line that changed since the last run with --coverage, or whose scenarios changed
    #[arg(long)]
    affected: bool,
    /// Send HTTP requests that no cassette answers, and keep the responses in the cassettes
    #[arg(long)]
    record_http: bool,
    /// Print a scenario that does what a recording holds, and run nothing
    #[arg(long, value_name = "FILE")]
    from_recording: Option<PathBuf>,
    /// Run again whenever the source, the component, the manifest or a scenario changes; a source is built first
    #[arg(long)]
    watch: bool,
    /// Run the cases on PostgreSQL, each in a schema of its own, such as `postgres://erp@localhost/erp`; the password
    /// comes from PGPASSWORD
    #[arg(long, value_name = "URL", env = "ERP_PLUGIN_TEST_DATABASE", hide_env_values = true)]
    database: Option<PostgresUrl>,
    /// Test the release component, which is what ships; without it a component for development will do
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    component: ComponentArgs,
}

pub(super) fn run(context: &Context, args: &TestArgs) -> CommandResult {
    if let Some(file) = &args.from_recording {
        let open = context.open_project()?;
        let name = file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        context.ui.raw_result(&from_recording(&name, &open.manifest, &replay::read(context, file)?));
        return Ok(ExitCode::Ok);
    }
    if args.watch { watch::run(context, args) } else { run_once(context, args) }
}

fn run_once(context: &Context, args: &TestArgs) -> CommandResult {
    let started = Instant::now();
    let open = context.open_project()?;
    // The budget lock is for the component that ships.
    let purpose = if args.release || args.lock_budget { Purpose::Ship } else { Purpose::Trial };
    let PresentComponent { bytes: component, report, inputs } =
        context.present_component(&open, &args.component, purpose)?;
    let conditions = LockConditions::of(inputs.as_ref());
    let mut suites = read_suites(context, &open, report, args.record_http)?;
    if let Some(url) = &args.database {
        let place = ScratchPlace::Postgres(with_password(url));
        for suite in &mut suites {
            suite.place = place.clone();
        }
    }
    let watches = args.coverage || args.lcov.is_some();
    let runtime = if watches { context.runtime_for_probes()? } else { context.runtime()? };
    let needed = needs::load(context, &open, &runtime, &args.component)?;
    for suite in &mut suites {
        suite.needs.clone_from(&needed);
    }
    let all: Vec<Case<'_>> = suites.iter().flat_map(Suite::cases).collect();
    let total = all.len();
    let names: Vec<String> = all.iter().map(Case::name).collect();
    let kept = if args.affected { CoverageRecord::read(&open.project.root) } else { None };
    let chosen: Vec<Case<'_>> = all
        .into_iter()
        .filter(|case| args.tag.as_ref().is_none_or(|tag| case.test.tags.contains(tag)))
        .filter(|case| args.filter.as_ref().is_none_or(|filter| case.name().contains(filter.as_str())))
        .filter(|case| args.partition.is_none_or(|partition| partition.holds(case)))
        .filter(|case| kept.as_ref().is_none_or(|kept| is_affected(context, &open.project, kept, case)))
        .collect();
    if chosen.is_empty() && args.affected && total > 0 {
        let result = TestResult { ok: true, skipped: total, ..TestResult::default() };
        context.ui.result(&result, || format!("nothing changed that one of {total} cases depends on"));
        return Ok(ExitCode::Ok);
    }
    if chosen.is_empty() {
        let message = if total == 0 {
            "there are no tests in tests/*.test.toml".to_owned()
        } else {
            let asked = [
                args.filter.as_ref().map(|text| format!("`{text}`")),
                args.tag.as_ref().map(|tag| format!("--tag {tag}")),
            ];
            let asked: Vec<String> = asked.into_iter().flatten().collect();
            let what = if asked.is_empty() { "what was asked".to_owned() } else { asked.join(" and ") };
            format!("none of {total} cases matches {what}")
        };
        let error = CommandError::new(codes::NO_TESTS, message);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let near = args.filter.as_ref().and_then(|filter| closest(filter, names.iter().copied()));
        let shown = names.iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(match near {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if total > 0 => error.hint(format!("a filter is a part of a name; the first are {shown}")),
            None => error.hint("write a scenario: docs/scenarios.md"),
        });
    }

    let lock = match files::budget_lock(&open.project)? {
        Some(lock) => judging_lock(context, args, lock, &conditions),
        None => args.lock_budget.then(|| BudgetLock::empty(conditions.clone())),
    };
    let root = open.project.root.clone();
    // The same code with names and lines, so that a trap shows where it happened.
    let component = open.with_lines(component);
    let probe = watches.then(|| Probe::for_lines(&[&root, Path::new(SOURCE_FOLDER)]));
    let covered: Mutex<BTreeMap<String, Lines>> = Mutex::default();
    let manifest = Arc::new(open.manifest);
    let plugin = runtime.load(&component, Arc::clone(&manifest))?;
    let jobs = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
        .clamp(1, chosen.len());
    let order = schedule::order(chosen.len(), args.shuffle);
    let kept = args.keep_databases.then(|| files::kept_databases(&open.project)).transpose()?;
    let faults = AtomicUsize::new(0);
    let results = schedule::run_all(&chosen, &order, jobs, |case| {
        let keep = || kept.as_ref().map(|folder| files::kept_database(context, folder, case));
        let own = probe.as_ref().map(Probe::fresh);
        let mut result = run_case(&runtime, &plugin, case, own.clone(), keep);
        if let Some(probe) = own {
            let lines = coverage::lines_of(&probe, &root);
            // The lines of a failed case do not count as its coverage, so they have another key.
            let key = if result.report.is_empty() { case_key(case) } else { format!("failed: {}", case_key(case)) };
            covered.lock().unwrap_or_else(PoisonError::into_inner).insert(key, lines);
        }
        // A case that fails without faults shows nothing about faults.
        if result.report.is_empty() && (args.explore || case.test.explore.is_some()) {
            let found = explore_case(&runtime, &plugin, case);
            faults.fetch_add(found.faults, Ordering::Relaxed);
            result.report.extend(found.report);
        }
        if result.report.is_empty() && args.isolation {
            result.report.extend(check_isolation(&runtime, &plugin, case));
        }
        if result.report.is_empty() && !args.accept {
            let over = lock.as_ref().and_then(|lock| lock.judge(case, &result, args.ratchet));
            if let Some(finding) = over {
                result.report.push(finding);
            }
        }
        result
    });
    if args.record_http {
        files::write_cassettes(context, &open.project, &suites)?;
    }
    let ran: Vec<CaseRun<'_>> = chosen.iter().zip(&results).collect();
    if args.accept || args.lock_budget {
        let is_whole = ran.len() == total;
        let changed = if args.accept {
            files::accept(context, &open.project, &ran, lock, &conditions, is_whole)?
        } else {
            files::write_lock(context, &open.project, &ran, lock, &conditions, is_whole)?
        };
        for file in changed {
            context.ui.status("Accepted", file);
        }
        // Runs again with the accepted values. What could not be accepted still fails.
        let release = args.release || args.lock_budget;
        return run_once(context, &TestArgs { accept: false, lock_budget: false, release, ..args.clone() });
    }
    let mut findings = Report::new();
    let failed = results.iter().filter(|result| !result.report.is_empty()).count();
    if matches!(context.ui.format(), Format::Human | Format::Github) {
        print_results(context, &chosen, &results);
    }
    // Another case may use what these do not: only a complete run can show what is unused.
    if failed == 0 && results.len() == total {
        let used: BTreeSet<HostFunction> =
            results.iter().flat_map(|result| result.host_functions.iter().copied()).collect();
        findings.extend(check_tested(&manifest, &open.project.source, &used));
        findings.extend(files::unreferenced(&suites, &ran));
        apply_severities(&mut findings, &manifest.check);
        context.ui.report(&findings);
    }
    let covered = covered.into_inner().unwrap_or_else(PoisonError::into_inner);
    let coverage = if watches { Some(keep_coverage(context, args, &open.project, &covered)?) } else { None };
    let growth = grown(&runtime, &plugin, &chosen, &args.scale);
    let result = TestResult {
        ok: failed == 0,
        passed: results.len() - failed,
        failed,
        skipped: total - results.len(),
        faults: faults.into_inner(),
        findings: findings.diagnostics().iter().map(DiagnosticJson::from).collect(),
        cases: chosen.iter().zip(&results).map(|(case, result)| case_json(case, result)).collect(),
        growth,
        coverage,
    };
    context.ui.result(&result, || match context.ui.format() {
        Format::Github => reports::annotations(&ran, &context.path_from_repository()),
        Format::Junit => reports::junit(&ran),
        Format::Tap => reports::tap(&ran),
        Format::Jsonl => reports::json_lines(&ran),
        Format::Html => reports::html(&ran),
        _ => summary(&result, started),
    });
    Ok(if failed == 0 { ExitCode::Ok } else { ExitCode::Findings })
}

/// The lock, if it applies to this component or is rewritten. Else warns; the lock is neither compared with nor
/// replaced.
fn judging_lock(
    context: &Context,
    args: &TestArgs,
    lock: BudgetLock,
    conditions: &LockConditions,
) -> Option<BudgetLock> {
    let Some(why) = lock.difference(conditions).filter(|_| !args.lock_budget) else { return Some(lock) };
    let next = if conditions.profile == "release" { "--lock-budget makes it anew" } else { "--release judges it" };
    context.ui.warn(format!("tests/budget.lock.toml does not apply: {why}; erp-plugin test {next}"));
    None
}

/// Reads the scenarios with their snapshots, data files and cassettes. Fails with all findings if one is an error.
pub(super) fn read_suites(
    context: &Context,
    open: &OpenProject,
    mut report: Report,
    records: bool,
) -> Result<Vec<Suite>, CommandError> {
    let files = open.project.scenario_files().map_err(|error| CommandError::new(codes::IO, error.to_string()))?;
    let mut suites = Vec::new();
    for file in files {
        let (suite, findings) = read_suite(&context.source(&file)?, &open.manifest);
        report.extend(findings);
        suites.extend(suite);
    }
    if report.has_errors() {
        let message = format!("the scenarios have errors: {}", report.summary());
        return Err(CommandError::new(codes::SCENARIO, message).with_report(report));
    }
    for suite in &mut suites {
        files::read_beside(context, &open.project, suite, records)?;
    }
    Ok(suites)
}

/// The key of a case: its file and name.
fn case_key(case: &Case<'_>) -> String {
    format!("{}: {}", case.suite.source.path().display(), case.name())
}

/// Whether something that the case depends on changed since the last run with coverage.
fn is_affected(context: &Context, project: &Project, kept: &CoverageRecord, case: &Case<'_>) -> bool {
    let scenarios = context.path(case.suite.source.path());
    kept.is_affected(&project.root, &case_key(case), &scenarios)
}

/// Stores the lines that the cases reached, for --affected and as lcov for other tools. Returns the sum.
fn keep_coverage(
    context: &Context,
    args: &TestArgs,
    project: &Project,
    covered: &BTreeMap<String, Lines>,
) -> Result<CoverageJson, CommandError> {
    let lines = coverage::merged(covered.values());
    let sum = CoverageJson::of(&lines)?;
    if let Some(file) = &args.lcov {
        let file = context.path(file);
        erp_files::write_if_changed(&file, coverage::lcov(&lines, &project.root).as_bytes())?;
    }
    // Comes last, because the lcov file may be one of the project's files.
    CoverageRecord::write(&project.root, covered.iter().map(|(name, lines)| (name.clone(), lines)).collect())?;
    Ok(sum)
}

fn print_results(context: &Context, cases: &[Case<'_>], results: &[CaseResult]) {
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
