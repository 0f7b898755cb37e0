//! Files beside the scenarios: snapshots, cassettes, the lock of budgets, and what `--accept` writes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use erp_check::scenarios::{SCENARIO_BUDGET, SCENARIO_SNAPSHOT};
use erp_manifest::diagnostics::{Diagnostic, Report, SourceFile, apply_fixes};
use erp_manifest::document;
use erp_manifest::outgoing::{HttpTransport, Interaction};

use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::network::NetworkTransport;
use crate::project::Project;
use crate::scenario::{BudgetLock, Case, CaseResult, KeptDatabase, LockConditions, Suite};

/// The file of the budget lock, relative to the project.
const BUDGET_LOCK: &str = "tests/budget.lock.toml";
/// The folder of snapshots, relative to the project. It has one folder per scenario file.
const SNAPSHOTS: &str = "tests/snapshots";
/// The folder of files that steps send, relative to the project.
const DATA: &str = "tests/data";

fn failed(message: String) -> CommandError {
    CommandError::new(codes::IO, message)
}

/// The name of a scenario file without `.test.toml`.
fn stem(suite: &Suite) -> String {
    let name = suite.source.path().file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    name.trim_end_matches(".test.toml").to_owned()
}

/// Reads the snapshots of a suite, the files that it sends, and its cassette. With `records`, responses that the
/// cassette lacks come from the network.
pub(super) fn read_beside(
    context: &Context,
    project: &Project,
    suite: &mut Suite,
    records: bool,
) -> Result<(), CommandError> {
    let folder = project.root.join(SNAPSHOTS).join(stem(suite));
    if folder.is_dir() {
        for entry in fs_err::read_dir(&folder).map_err(|error| failed(error.to_string()))? {
            let entry = entry.map_err(|error| failed(error.to_string()))?;
            if !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            let path = entry.path();
            let name = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = fs_err::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
                suite.snapshots.insert(name, text);
            }
        }
    }
    let mut folders = vec![project.root.join(DATA)];
    while let Some(folder) = folders.pop().filter(|folder| folder.is_dir()) {
        for entry in fs_err::read_dir(&folder).map_err(|error| failed(error.to_string()))? {
            let entry = entry.map_err(|error| failed(error.to_string()))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(|error| failed(error.to_string()))?);
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            let name = path.strip_prefix(project.root.join(DATA)).unwrap_or(&path);
            let name = name.to_string_lossy().replace('\\', "/");
            suite.data.insert(name, fs_err::read(&path).map_err(|error| failed(error.to_string()))?);
        }
    }
    let Some(file) = cassette_file(context, project, suite)? else { return Ok(()) };
    let recorded: Vec<Interaction> = match fs_err::read(&file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| failed(format!("the cassette {} cannot be read: {error}", context.shown(&file))))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error.to_string())),
    };
    let network = records.then(|| Arc::new(NetworkTransport) as Arc<dyn HttpTransport>);
    suite.add_cassette(recorded, network);
    Ok(())
}

/// The cassette file of a suite, relative to its scenario file, and inside of the project. `None` if the suite names
/// none.
fn cassette_file(context: &Context, project: &Project, suite: &Suite) -> Result<Option<PathBuf>, CommandError> {
    let Some(name) = &suite.file.world.cassette else { return Ok(None) };
    let beside = context.path(suite.source.path());
    let folder =
        beside.parent().and_then(|folder| folder.strip_prefix(&project.root).ok()).unwrap_or(Path::new("tests"));
    let inside = erp_files::inside(&project.root, folder)
        .and_then(|folder| erp_files::inside(&folder, Path::new(name.as_str())));
    inside.map(Some).map_err(|error| {
        failed(format!("`cassette` of {}: {error}", context.shown(&beside)))
            .hint("name a file beside the scenario, such as \"cassettes/orders.json\"")
    })
}

/// Writes the cassette of each suite that names one, if its content changed.
pub(super) fn write_cassettes(context: &Context, project: &Project, suites: &[Suite]) -> Result<(), CommandError> {
    for suite in suites {
        let Some(file) = cassette_file(context, project, suite)? else { continue };
        let text = serde_json::to_string_pretty(&suite.recorded()).unwrap_or_default();
        if erp_files::write_if_changed(&file, format!("{text}\n").as_bytes())? {
            context.ui.status("Recorded", context.shown(&file));
        }
    }
    Ok(())
}

/// Reads the budget lock; `None` if the file does not exist.
pub(super) fn budget_lock(project: &Project) -> Result<Option<BudgetLock>, CommandError> {
    let file = project.root.join(BUDGET_LOCK);
    if !file.is_file() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&file).map_err(|error| failed(error.to_string()))?;
    let lock = BudgetLock::parse(&text);
    lock.map(Some).map_err(|why| failed(format!("{BUDGET_LOCK} cannot be read: {why}")))
}

/// The folder for the databases of failing cases.
pub(super) fn kept_databases(project: &Project) -> Result<PathBuf, CommandError> {
    erp_files::inside(&project.root, Path::new("target/failed")).map_err(|error| failed(error.to_string()))
}

/// The database file of a case in that folder.
pub(super) fn kept_database(context: &Context, folder: &Path, case: &Case<'_>) -> KeptDatabase {
    let name: String = format!("{}-{}", stem(case.suite), case.name())
        .chars()
        .map(|character| if character.is_alphanumeric() { character } else { '-' })
        .take(80)
        .collect();
    let file = folder.join(format!("{name}.sqlite"));
    KeptDatabase { shown: context.shown(&file), file }
}

/// Reports snapshots that no step of a complete run names.
pub(super) fn unreferenced(suites: &[Suite], ran: &[(&Case<'_>, &CaseResult)]) -> Report {
    let mut report = Report::new();
    for suite in suites {
        let own = ran.iter().filter(|(case, _)| case.suite.source.path() == suite.source.path());
        let named: BTreeSet<&str> =
            own.flat_map(|(_, result)| result.snapshots.iter().map(|(name, _)| name.as_str())).collect();
        for name in suite.snapshots.keys().filter(|name| !named.contains(name.as_str())) {
            let message = format!("no step names the snapshot {SNAPSHOTS}/{}/{name}.json", stem(suite));
            report.push(Diagnostic::new(SCENARIO_SNAPSHOT, message).in_source(&suite.source).at(0..0, "in this file"));
        }
    }
    report
}

/// Replaces expected by actual values: in the scenarios, in the snapshots and, if there is a `lock`, in the budget
/// lock. Returns the files that changed.
pub(super) fn accept(
    context: &Context,
    project: &Project,
    ran: &[(&Case<'_>, &CaseResult)],
    lock: Option<BudgetLock>,
    conditions: &LockConditions,
    is_whole: bool,
) -> Result<Vec<String>, CommandError> {
    let mut changed = Vec::new();
    let mut by_file: BTreeMap<PathBuf, (&Suite, Report)> = BTreeMap::new();
    for (case, result) in ran {
        let path = case.suite.source.path().to_path_buf();
        by_file.entry(path).or_insert_with(|| (case.suite, Report::new())).1.extend(result.report.clone());
        for (name, text) in &result.snapshots {
            let file = project.root.join(SNAPSHOTS).join(stem(case.suite)).join(format!("{name}.json"));
            if erp_files::write_if_changed(&file, text.as_bytes())? {
                changed.push(context.shown(&file));
            }
        }
    }
    for (path, (suite, report)) in by_file {
        let (text, made) = apply_fixes(&suite.source, &report);
        if made.is_empty() {
            continue;
        }
        let (_, problems) = document::parse(&SourceFile::new(&path, text.clone()));
        if problems.has_errors() {
            let message = format!("what was found cannot be written into {}: change it by hand", path.display());
            return Err(failed(message));
        }
        if erp_files::write_if_changed(&context.path(&path), text.as_bytes())? {
            changed.push(path.display().to_string());
        }
    }
    changed.extend(write_lock(context, project, ran, lock, conditions, is_whole)?);
    Ok(changed)
}

/// Writes the fuel of the cases that passed into a lock. Returns its file if it changed.
pub(super) fn write_lock(
    context: &Context,
    project: &Project,
    ran: &[(&Case<'_>, &CaseResult)],
    lock: Option<BudgetLock>,
    conditions: &LockConditions,
    is_whole: bool,
) -> Result<Vec<String>, CommandError> {
    let Some(lock) = lock else { return Ok(Vec::new()) };
    let passed = ran.iter().filter(|(_, result)| only_over_budget(result)).copied();
    let measured = BudgetLock::of(passed, conditions.clone());
    // A complete run measures every case. A partial run has no figures for the others, so it keeps theirs.
    let is_anew = is_whole || lock.difference(conditions).is_some();
    let text = if is_anew { measured } else { lock.updated(measured) }.text();
    let file = project.root.join(BUDGET_LOCK);
    let changed = erp_files::write_if_changed(&file, text.as_bytes())?;
    Ok(changed.then(|| context.shown(&file)).into_iter().collect())
}

/// Whether a case passed, apart from its fuel. A failed case burned its fuel for other work.
fn only_over_budget(result: &CaseResult) -> bool {
    result.report.diagnostics().iter().all(|finding| finding.code == SCENARIO_BUDGET)
}
