//! `erp-plugin migrate rehearse`: tries an upgrade before it reaches real data.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use erp_manifest::evolution::{ChangeEffect, EntityPair, SchemaDiff};
use erp_manifest::exit_code::ExitCode;
use erp_manifest::{Moment, TenantId};
use erp_platform::{Directory, Gate, Platform, ProjectVersion, VersionRule};
use erp_runtime::{LoadedPlugin, Runtime, Surroundings};
use erp_store::{PostgresUrl, ScratchPlace, StepReport};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::super::seed::{fill, in_one_unit};
use super::super::{CommandResult, with_password};
use super::diff::ChangeJson;
use super::live::{refused, shown_steps};
use super::versions::{self, PluginVersion};
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::scenario::{Suite, read_suite, run_case};
use crate::ui::Table;

/// Tenants that no scenario uses. Their rows exist while the scenarios run.
const TENANTS: [&str; 2] = ["rehearsal-1", "rehearsal-2"];
/// Maximum number of changed values that are shown for a field.
const SHOWN: usize = 2;

/// Rehearse an upgrade: install the old version, fill it with data, upgrade it, and show what became of every value
///
/// The old version runs with its own component, the upgrade is the one that a platform does, and the scenarios of both
/// versions run on its result. Exit code 1 where a value is lost, where rows stand in the way, or where a scenario of the
/// new version fails. Nothing outside of this run is touched.
#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    /// The old version: a package, or the folder of a built project
    #[arg(long, value_name = "VERSION")]
    from: String,
    /// The new version; the project that you are in if it is absent
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Refuse a component that is not of the present sources, instead of building it
    #[arg(long)]
    no_build: bool,
    /// Rows of the old version, for each of two tenants
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    rows: u64,
    /// What chance begins with
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Rehearse on PostgreSQL, in a schema of its own, such as `postgres://erp@localhost/erp`
    #[arg(long, value_name = "URL")]
    database: Option<PostgresUrl>,
}

/// How a rehearsal went.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(in super::super) struct RehearseResult {
    ok: bool,
    /// The old version.
    old: String,
    /// The new version.
    new: String,
    /// What changed in the tables.
    changes: Vec<ChangeJson>,
    /// Why the upgrade was refused, where it was: its code and what it says.
    refused: Option<Refusal>,
    /// What was done, with the time that it took.
    steps: Vec<StepReport>,
    /// How many rows there were and are.
    tables: Vec<TableCount>,
    /// What became of the values of each field.
    values: Vec<FieldFate>,
    /// Calls of the plugin during the upgrade.
    hooks: Vec<String>,
    /// Scenarios of both versions, run on the result.
    scenarios: Vec<ScenarioFate>,
}

/// Why an upgrade was refused.
#[derive(Debug, Serialize, JsonSchema)]
struct Refusal {
    code: String,
    message: String,
    /// The rows that stand in the way.
    details: Value,
}

/// Rows of an entity.
#[derive(Debug, Serialize, JsonSchema)]
struct TableCount {
    /// The entity, by its new name where it has one.
    entity: String,
    /// Rows of both tenants before.
    before: usize,
    /// And after.
    after: usize,
}

/// What became of the values of a field.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct FieldFate {
    /// `entity.field`.
    place: String,
    /// Values that are what they were.
    kept: usize,
    /// Values that have another form or content.
    changed: usize,
    /// Values that are gone.
    gone: usize,
    /// Whether the manifest says that they may go or change.
    is_meant: bool,
    /// Some of those that changed, before and after.
    examples: Vec<(String, String)>,
}

/// How a scenario went.
#[derive(Debug, Serialize, JsonSchema)]
struct ScenarioFate {
    /// `old` or `new`.
    version: String,
    /// The file and the case.
    name: String,
    passed: bool,
}

fn project_version(loaded: &LoadedPlugin, json: &Value) -> ProjectVersion {
    ProjectVersion { json: json.clone(), ..ProjectVersion::of(loaded.clone()) }
}

pub(super) fn run(context: &Context, args: &RehearseArgs) -> CommandResult {
    let (old, new) = versions::read_both(context, &args.from, args.to.as_deref())?;
    let diff = SchemaDiff::of(&old.manifest, &new.manifest);
    let runtime = context.runtime()?;
    let load = |version: &PluginVersion| {
        Ok::<_, CommandError>(runtime.load(&version.component(context, args.no_build)?, Arc::clone(&version.manifest))?)
    };
    let (old_plugin, new_plugin) = (load(&old)?, load(&new)?);
    let place = args.database.as_ref().map_or(ScratchPlace::Memory, |url| ScratchPlace::Postgres(with_password(url)));
    let mut platform = platform(&runtime, &place, (context.moment()?, args.seed))?;
    platform.set_gate(Gate::of_version(new.manifest.dev_platform_version()));
    context.ui.status("Installing", format!("{} {}", *old.manifest.metadata.id, old.shown()));
    platform.lifecycle().run_version(&project_version(&old_plugin, &old.json)).map_err(refused)?;
    for (index, tenant) in tenants().iter().enumerate() {
        context.ui.status("Filling", format!("{} rows for {tenant}", args.rows));
        platform.with_database(|database, now| {
            in_one_unit(database, |database| {
                fill(database, &old.manifest, (tenant, now), args.seed + index as u64, args.rows, |_| ())
            })
        })?;
    }
    let before = rows_of(&platform, &old)?;
    platform.take_activity();
    context.ui.status("Upgrading", format!("to {}", new.shown()));
    let upgraded = platform.lifecycle().replace_version(&project_version(&new_plugin, &new.json), VersionRule::Raised);
    let mut result = RehearseResult {
        old: old.shown(),
        new: new.shown(),
        changes: diff.changes.iter().map(ChangeJson::from).collect(),
        ..RehearseResult::default()
    };
    match upgraded {
        Err(error) => {
            context.ui.result(
                &RehearseResult {
                    refused: Some(Refusal {
                        code: error.code.to_string(),
                        message: error.message.clone(),
                        details: error.details.clone(),
                    }),
                    ..result
                },
                || shown_changes(&diff),
            );
            let error = refused(error);
            context.ui.error(&error.message, &error.hints);
            return Ok(ExitCode::Findings);
        }
        Ok(report) => result.steps = report.steps,
    }
    result.hooks = platform.take_activity().calls.iter().map(hook).collect();
    let after = rows_of(&platform, &new)?;
    compare(&diff, &before, &after, &mut result);
    context.ui.status("Testing", "the scenarios of both versions, on the result");
    let image = platform.with_database(|database, _| database.image().map_err(refused))?;
    let image = ScratchPlace::Image(Arc::new(image));
    result.scenarios = scenarios(context, &runtime, &new_plugin, [("old", &old), ("new", &new)], &image)?;
    let is_lost = result.values.iter().any(|fate| fate.gone > 0 && !fate.is_meant)
        || result.tables.iter().any(|table| table.after < table.before);
    let fails = result.scenarios.iter().any(|scenario| scenario.version == "new" && !scenario.passed);
    result.ok = !is_lost && !fails;
    context.ui.result(&result, || shown(&result, &diff));
    Ok(if result.ok { ExitCode::Ok } else { ExitCode::Findings })
}

fn tenants() -> Vec<TenantId> {
    TENANTS.into_iter().filter_map(|name| TenantId::new(name.to_owned())).collect()
}

fn platform(
    runtime: &Arc<Runtime>,
    place: &ScratchPlace,
    (now, seed): (Moment, u64),
) -> Result<Platform, CommandError> {
    let mut directory = Directory::default();
    for tenant in tenants() {
        directory.add_tenant(tenant);
    }
    let database = place.database().map_err(refused)?;
    let surroundings = Surroundings::fixed(now, seed);
    Ok(Platform::new(Arc::clone(runtime), database, surroundings, directory))
}

/// Rows by entity, tenant and id.
type Rows = BTreeMap<String, BTreeMap<(String, String), Value>>;

fn rows_of(platform: &Platform, version: &PluginVersion) -> Result<Rows, CommandError> {
    let mut all = Rows::new();
    for entity in &version.manifest.schema.entities {
        let rows = all.entry(entity.name.to_string()).or_default();
        for tenant in tenants() {
            let found = platform.all_rows(&version.manifest, entity.name.as_str(), &tenant, true);
            let found = found.map_err(refused)?;
            rows.extend(
                found
                    .into_iter()
                    .map(|row| ((tenant.to_string(), row["id"].as_str().unwrap_or_default().to_owned()), row)),
            );
        }
    }
    Ok(all)
}

fn hook(call: &erp_platform::CallRecord) -> String {
    match &call.error {
        Some(error) => format!("{} for {}: {error}", call.label, call.tenant),
        None => format!("{} for {}", call.label, call.tenant),
    }
}

fn compare(diff: &SchemaDiff<'_>, before: &Rows, after: &Rows, result: &mut RehearseResult) {
    let none = BTreeMap::new();
    for pair in &diff.pairs {
        let (was, is) =
            (before.get(pair.old.name.as_str()).unwrap_or(&none), after.get(pair.new.name.as_str()).unwrap_or(&none));
        result.tables.push(TableCount { entity: pair.new.name.to_string(), before: was.len(), after: is.len() });
        result.values.extend(fates(diff, pair, was, is));
    }
    for entity in &diff.dropped {
        let was = before.get(entity.name.as_str()).map_or(0, BTreeMap::len);
        let fate = FieldFate { place: entity.name.to_string(), gone: was, is_meant: true, ..FieldFate::default() };
        result.values.extend((was > 0).then_some(fate));
    }
}

/// What became of the values of an entity's fields. Fields whose values all stayed the same are left out.
fn fates(
    diff: &SchemaDiff<'_>,
    pair: &EntityPair<'_>,
    was: &BTreeMap<(String, String), Value>,
    is: &BTreeMap<(String, String), Value>,
) -> Vec<FieldFate> {
    let place = |field: &str| format!("{}.{field}", *pair.new.name);
    let is_meant = |field: &str| {
        diff.changes.iter().any(|change| {
            change.entity == pair.new.name.as_str()
                && change.field.as_deref() == Some(field)
                && change.effect == ChangeEffect::Migrated
        })
    };
    let both = pair.fields.iter().map(|(old, new)| (old.name.as_str(), Some(new.name.as_str())));
    let dropped = pair.dropped.iter().map(|field| (field.name.as_str(), None));
    let fates = both.chain(dropped).map(|(old, new)| {
        let named = new.unwrap_or(old);
        let mut fate = FieldFate { place: place(named), is_meant: is_meant(named), ..FieldFate::default() };
        for (key, row) in was {
            let before = &row[old];
            let after = new.and_then(|new| is.get(key).map(|row| &row[new])).unwrap_or(&Value::Null);
            match (before.is_null(), after.is_null()) {
                (true, _) => {}
                (false, true) => fate.gone += 1,
                (false, false) if before == after => fate.kept += 1,
                (false, false) => {
                    fate.changed += 1;
                    if fate.examples.len() < SHOWN {
                        fate.examples.push((before.to_string(), after.to_string()));
                    }
                }
            }
        }
        fate
    });
    fates.filter(|fate| fate.changed + fate.gone > 0).collect()
}

/// Runs the scenarios of both versions on the result of the upgrade, with the new component.
fn scenarios(
    context: &Context,
    runtime: &Arc<Runtime>,
    plugin: &LoadedPlugin,
    versions: [(&str, &PluginVersion); 2],
    place: &ScratchPlace,
) -> Result<Vec<ScenarioFate>, CommandError> {
    let mut fates = Vec::new();
    for (word, version) in versions {
        let Some(project) = &version.project else { continue };
        let files = project.scenario_files().map_err(|error| CommandError::new(codes::IO, error.to_string()))?;
        for file in files {
            let source = context.source(&file)?;
            let (suite, _) = read_suite(&source, plugin.manifest());
            let name = source.path().display().to_string();
            let Some(mut suite) = suite else {
                fates.push(ScenarioFate {
                    version: word.to_owned(),
                    name: format!("{name} (does not fit the new version)"),
                    passed: false,
                });
                continue;
            };
            suite.place = place.clone();
            fates.extend(ran(runtime, plugin, &suite, word, &name));
        }
    }
    Ok(fates)
}

fn ran(runtime: &Arc<Runtime>, plugin: &LoadedPlugin, suite: &Suite, version: &str, file: &str) -> Vec<ScenarioFate> {
    let cases = suite.cases();
    let fates = cases.iter().map(|case| {
        let done = run_case(runtime, plugin, case, None, || None);
        ScenarioFate {
            version: version.to_owned(),
            name: format!("{file}: {}", done.name),
            passed: done.report.is_empty(),
        }
    });
    fates.collect()
}

fn shown_changes(diff: &SchemaDiff<'_>) -> String {
    let mut text = "changes\n".to_owned();
    for change in &diff.changes {
        text.push_str(&format!("  {change}\n"));
    }
    text
}

fn shown(result: &RehearseResult, diff: &SchemaDiff<'_>) -> String {
    let mut text = format!("{} → {}\n\n{}\nsteps\n", result.old, result.new, shown_changes(diff));
    text.push_str(&indented(&shown_steps(&result.steps)));
    text.push_str("\nrows\n");
    let mut tables = Table::new();
    for table in &result.tables {
        let lost = if table.after < table.before { "LOST" } else { "" };
        tables.row([&table.entity, &table.before.to_string(), "→", &table.after.to_string(), lost]);
    }
    text.push_str(&indented(&tables.render()));
    if !result.values.is_empty() {
        text.push_str("\nvalues\n");
        let mut values = Table::new();
        for fate in &result.values {
            let gone = match (fate.gone, fate.is_meant) {
                (0, _) => String::new(),
                (count, true) => format!("{count} given up"),
                (count, false) => format!("{count} LOST"),
            };
            let example =
                fate.examples.first().map(|(before, after)| format!("{before} → {after}")).unwrap_or_default();
            values.row([
                &fate.place,
                &format!("{} kept", fate.kept),
                &format!("{} changed", fate.changed),
                &gone,
                &example,
            ]);
        }
        text.push_str(&indented(&values.render()));
    }
    text.push_str(&format!(
        "\ncalls: {}\n",
        if result.hooks.is_empty() { "none".to_owned() } else { result.hooks.join(", ") }
    ));
    let passed = result.scenarios.iter().filter(|scenario| scenario.passed).count();
    text.push_str(&format!("scenarios on the result: {passed} of {} passed\n", result.scenarios.len()));
    for scenario in result.scenarios.iter().filter(|scenario| !scenario.passed) {
        text.push_str(&format!("  FAILED ({} version) {}\n", scenario.version, scenario.name));
    }
    text.push_str(if result.ok { "\nnothing is lost" } else { "\nnot yet: see LOST and FAILED above" });
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
