//! `erp-plugin seed`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use erp_manifest::exit_code::ExitCode;
use erp_manifest::{Manifest, Moment, TenantId, from_json};
use erp_storage::{EntityRef, ListQuery, Scope};
use erp_store::Database;
use schemars::JsonSchema;
use serde::Serialize;

use super::{CommandResult, HostArgs};
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::seed::{SeedError, SeedPlan, Seeder};
use crate::ui::{ProgressUnit, Table};

/// Maximum number of existing rows per entity that new rows may refer to.
const KNOWN_ROWS: usize = 2_000;

/// Fill the tables of a plugin with rows that look like those of a business
///
/// The same rows for the same seed, clock and manifest: labels, options, ranges, unique values and references are kept,
/// lines add up to their orders, days lie around now. All rows come in one transaction. Without --file they go into the
/// dev host's data, where the plugin must be installed.
#[derive(Debug, Args)]
pub(crate) struct SeedArgs {
    /// Rows of all entities together
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    rows: u64,
    /// Whose rows
    #[arg(long, value_name = "NAME", default_value = "acme")]
    tenant: String,
    /// What chance begins with
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Now, such as 2026-04-15T08:00:00+08:00; this machine's clock if it is absent
    #[arg(long, value_name = "MOMENT")]
    now: Option<String>,
    /// A new SQLite file, instead of the dev host's data
    #[arg(long, value_name = "FILE", conflicts_with_all = ["state_dir", "database"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    host: HostArgs,
}

/// Rows that were made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SeedResult {
    ok: bool,
    /// The tenant.
    tenant: String,
    /// Rows that came, by entity.
    rows: BTreeMap<String, u64>,
    /// All of them.
    total: u64,
    /// How long it took, in milliseconds.
    milliseconds: u64,
}

pub(super) fn run(context: &Context, args: &SeedArgs) -> CommandResult {
    let open = context.open_project()?;
    let manifest = Arc::new(open.manifest);
    let usage = |message: String| CommandError::new(codes::USAGE, message);
    let tenant = TenantId::named(&args.tenant).map_err(usage)?;
    let now = match &args.now {
        Some(text) => {
            Moment::parse(text).ok_or_else(|| usage(format!("`{text}` is no moment such as 2026-04-15T08:00:00Z")))?
        }
        None => context.moment()?,
    };
    let started = Instant::now();
    let progress = context.ui.progress("Seeding", args.rows, ProgressUnit::Rows);
    let made = |rows| progress.add(rows);
    let rows = if let Some(file) = &args.file {
        let file = context.path(file);
        if file.exists() {
            return Err(usage(format!("{} is there already", context.shown(&file))));
        }
        // The file appears only when all of its rows are written.
        erp_files::make(&file, |file| {
            let mut database = Database::open(file)?;
            in_one_unit(&mut database, |database| {
                database.schema().install_bare_tables(&manifest)?;
                database.serve_schema(&manifest);
                let rows = fill(database, &manifest, (&tenant, now), args.seed, args.rows, made)?;
                database.schema().install_schema(&manifest)?;
                database.installed().register_plugin(&manifest, now)?;
                Ok(rows)
            })
        })?
    } else {
        let (_folder, mut database) = args.host.place(context)?.open()?;
        // The installed version, which may not be the project's.
        let installed =
            database.installed().schema_of(&manifest.metadata.id)?.and_then(|json| from_json("erpx.json", &json).0);
        let Some(installed) = installed else {
            let message = format!("{} is not installed there", *manifest.metadata.id);
            return Err(CommandError::new(codes::SEED, message).hint(
                "erp-plugin dev --no-watch, and then: erp-plugin publish --to <address>; or --file rows.sqlite",
            ));
        };
        let installed = Arc::new(installed);
        in_one_unit(&mut database, |database| {
            database.serve_schema(&installed);
            fill(database, &installed, (&tenant, now), args.seed, args.rows, made)
        })?
    };
    progress.finish();
    let result = SeedResult {
        ok: true,
        tenant: tenant.to_string(),
        total: rows.values().sum(),
        rows,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for (entity, rows) in &result.rows {
            table.row([entity.as_str(), &rows.to_string()]);
        }
        let seconds = started.elapsed().as_secs_f64();
        format!("{}{} rows for {} in {seconds:.1} s", table.render(), result.total, result.tenant)
    });
    Ok(ExitCode::Ok)
}

/// Runs `work` in one unit of work: an error rolls everything back.
pub(super) fn in_one_unit<T>(
    database: &mut Database,
    work: impl FnOnce(&mut Database) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    database.begin()?;
    match work(database).and_then(|value| Ok(database.commit().map(|_| value)?)) {
        Ok(value) => Ok(value),
        Err(error) => {
            database.rollback();
            Err(error)
        }
    }
}

/// Fills the tables of a plugin for a tenant, within a unit of work. Returns the number of new rows per entity.
pub(super) fn fill(
    database: &mut Database,
    manifest: &Arc<Manifest>,
    (tenant, now): (&TenantId, Moment),
    seed: u64,
    rows: u64,
    mut on_rows: impl FnMut(u64),
) -> Result<BTreeMap<String, u64>, CommandError> {
    let scope = Scope::of_tenant(tenant, now);
    let plan = SeedPlan::of(manifest, rows);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let entities: Vec<EntityRef> = EntityRef::all(manifest).collect();
    let mut seeder = Seeder::new(manifest, seed, now, vec!["seed".to_owned()]);
    for (rule, period, next) in database.numbers().sequences(&manifest.metadata.id, &scope)? {
        seeder.count_from(&rule, &period, next);
    }
    for entity in &entities {
        let count = database.reader().count(entity, &scope, &ListQuery { by_plugin: true, ..ListQuery::default() })?;
        seeder.begin_at(entity.name.as_str(), count);
        seeder.add_existing_rows(entity.name.as_str(), known_rows(database, entity, &scope)?);
    }
    seeder.make(&entities, &scope, &plan, |entity, rows| {
        database.loader().load(entity, &scope, &rows)?;
        *counts.entry(entity.name.to_string()).or_default() += rows.len() as u64;
        on_rows(rows.len() as u64);
        Ok::<(), CommandError>(())
    })?;
    for (rule, period, next) in seeder.numbers() {
        database.loader().raise_number(manifest.metadata.id.as_str(), rule, period, &scope, next)?;
    }
    Ok(counts)
}

fn known_rows(database: &Database, entity: &EntityRef, scope: &Scope) -> Result<Vec<String>, CommandError> {
    let query = ListQuery { by_plugin: true, ..ListQuery::default() };
    let rows = database.reader().list_all(entity, scope, query, KNOWN_ROWS)?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

impl From<SeedError> for CommandError {
    fn from(error: SeedError) -> CommandError {
        let error = CommandError::new(codes::SEED, error.to_string());
        error.hint("give the field options, a `validation` with bounds, or make it optional")
    }
}
