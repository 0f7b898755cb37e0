//! `erp-plugin migrate apply`, `status` and `rollback`: on the data of a stopped dev host.

use std::path::PathBuf;

use clap::Args;
use erp_manifest::PluginId;
use erp_manifest::codes::errors;
use erp_manifest::exit_code::ExitCode;
use erp_platform::{Platform, PlatformError};
use erp_runtime::Surroundings;
use erp_store::{Lock, StepReport, UpgradeRecord};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::package_file::package_file;
use super::super::{CommandResult, HostArgs};
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::ui::Table;

/// Bring the plugin of a dev host, its tables and all its rows to the version of a package
///
/// As an upload to a running dev host does, in one transaction: killed at any moment, the old version or the new one
/// is there. The plugin must be installed there.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The package; dist/<id>-<version>.erpx of the project if it is absent
    package: Option<PathBuf>,
    #[command(flatten)]
    host: HostArgs,
}

/// An upgrade that was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super) struct ApplyResult {
    ok: bool,
    /// The plugin.
    plugin: String,
    /// The version that is there now.
    version: String,
    /// What was done to the tables.
    steps: Vec<StepReport>,
}

/// Show the versions that a plugin of a dev host has had, and which upgrade can be taken back
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The plugin; the project's if it is absent
    plugin: Option<String>,
    #[command(flatten)]
    host: HostArgs,
}

/// The upgrades of a plugin.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super) struct StatusResult {
    ok: bool,
    /// The plugin.
    plugin: String,
    /// The version that is there; none where the plugin is not.
    version: Option<String>,
    /// The latest first.
    upgrades: Vec<UpgradeRecord>,
}

/// Take the latest upgrade back: the version before it, on its old values
///
/// Rows that were written since are in the way, and are named; --discard-changes gives them up.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The plugin; the project's if it is absent
    plugin: Option<String>,
    /// Give up what was written since the upgrade
    #[arg(long)]
    discard_changes: bool,
    #[command(flatten)]
    host: HostArgs,
}

/// An upgrade that was taken back.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super) struct RollbackResult {
    ok: bool,
    /// The plugin.
    plugin: String,
    /// The version that is there again.
    version: String,
    /// Rows that have their old values again.
    restored: u64,
    /// Rows whose later values were given up.
    discarded: u64,
}

pub(super) fn apply(context: &Context, args: &ApplyArgs) -> CommandResult {
    let file = package_file(context, args.package.as_ref())?;
    let bytes = context.read(&file)?;
    let (_folder, mut platform) = open(context, &args.host)?;
    platform.take_activity();
    let receipt = platform.lifecycle().upload(&bytes).map_err(refused)?;
    let steps = platform.take_activity().upgrades.into_iter().flat_map(|upgrade| upgrade.steps).collect();
    let result = ApplyResult { ok: true, plugin: receipt.id, version: receipt.version, steps };
    context.ui.result(&result, || {
        let end = format!("{} {} is there", result.plugin, result.version);
        format!("{}{end}", shown_steps(&result.steps))
    });
    Ok(ExitCode::Ok)
}

pub(super) fn status(context: &Context, args: &StatusArgs) -> CommandResult {
    let plugin = plugin_of(context, args.plugin.as_ref())?;
    let place = args.host.place(context)?;
    if !place.state_folder.is_dir() {
        let message = format!("there is no state of a dev host at {}", context.shown(&place.state_folder));
        return Err(CommandError::new(codes::STATE, message).hint("erp-plugin dev --no-watch"));
    }
    let (_folder, mut database) = place.open()?;
    let records = database.installed().plugins().map_err(refused)?;
    let version = records.into_iter().find(|record| record.id == plugin.as_str()).map(|record| record.version);
    let upgrades = database.upgrades().all(&plugin).map_err(refused)?;
    let result = StatusResult { ok: true, plugin: plugin.to_string(), version, upgrades };
    context.ui.result(&result, || {
        let mut table = Table::new();
        // The latest upgrade that was not rolled back, if it led to the installed version.
        let last = result.upgrades.iter().find(|upgrade| !upgrade.rolled_back);
        let last = last.filter(|upgrade| result.version.as_ref() == Some(&upgrade.to_version));
        for upgrade in &result.upgrades {
            let versions = format!("{} → {}", upgrade.from_version, upgrade.to_version);
            let schemas = format!("schema {} → {}", upgrade.from_schema, upgrade.to_schema);
            let state = match () {
                () if upgrade.rolled_back => "taken back",
                () if last.is_some_and(|last| last.upgrade == upgrade.upgrade) => "can be taken back",
                () => "",
            };
            table.row([&upgrade.applied_at, &versions, &schemas, state]);
        }
        match &result.version {
            None => format!("{} is not there", result.plugin),
            Some(version) if result.upgrades.is_empty() => {
                format!("{} {version} is there, and was never upgraded", result.plugin)
            }
            Some(version) => format!("{} {version} is there\n{}", result.plugin, table.render().trim_end()),
        }
    });
    Ok(ExitCode::Ok)
}

pub(super) fn roll_back(context: &Context, args: &RollbackArgs) -> CommandResult {
    let plugin = plugin_of(context, args.plugin.as_ref())?;
    let (_folder, mut platform) = open(context, &args.host)?;
    let reversal = platform.lifecycle().roll_back(plugin.as_str(), args.discard_changes).map_err(refused)?;
    let version =
        platform.manifest(plugin.as_str()).map_or_else(String::new, |manifest| manifest.metadata.version.to_string());
    let result = RollbackResult {
        ok: true,
        plugin: plugin.to_string(),
        version,
        restored: reversal.restored,
        discarded: reversal.discarded,
    };
    context.ui.result(&result, || {
        let discarded = if result.discarded > 0 { format!(", {} given up", result.discarded) } else { String::new() };
        format!("{} {} is there again: {} rows restored{discarded}", result.plugin, result.version, result.restored)
    });
    Ok(ExitCode::Ok)
}

/// The steps of an upgrade, as a table.
pub(super) fn shown_steps(steps: &[StepReport]) -> String {
    let mut table = Table::new();
    for step in steps {
        let rows = if step.rows > 0 { format!("{} rows", step.rows) } else { String::new() };
        let microseconds = u32::try_from(step.microseconds).unwrap_or(u32::MAX);
        let time = format!("{:.1} ms", f64::from(microseconds) / 1e3);
        table.row([step.title.as_str(), &rows, &time, shown_lock(step.lock).unwrap_or_default()]);
    }
    table.render()
}

/// What a step locks, in words; `None` if nothing.
pub(super) fn shown_lock(lock: Lock) -> Option<&'static str> {
    match lock {
        Lock::None => None,
        Lock::Rows => Some("locks the rows"),
        Lock::Writers => Some("writers wait"),
        Lock::Table => Some("everybody waits"),
    }
}

/// Converts an error of the platform. The message lists the rows that the error names.
pub(super) fn refused(error: impl Into<PlatformError>) -> CommandError {
    let error = error.into();
    let mut message = error.message.clone();
    for row in error.details["rows"].as_array().into_iter().flatten() {
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let value = text("value");
        let value = if value.is_empty() || value == "null" { String::new() } else { format!(" {value}") };
        message.push_str(&format!("\n  {} of {}:{value} {}", text("id"), text("tenant"), text("problem")));
    }
    let hint = if error.code == errors::MIGRATION_ROWS_AT_STAKE {
        "erp-plugin explain migration.rows_at_stake"
    } else if error.code == errors::MIGRATION_NO_ROLLBACK {
        "erp-plugin migrate status"
    } else if error.code == errors::PLUGIN_NOT_FOUND {
        "erp-plugin publish --to <dev host>, the first time"
    } else {
        "erp-plugin migrate rehearse --from <old.erpx>"
    };
    CommandError::caused_by(ExitCode::Findings, error.code, message).hint(hint)
}

fn open(context: &Context, host: &HostArgs) -> Result<(crate::dev_host::StateFolder, Platform), CommandError> {
    let (folder, mut platform) = host.place(context)?.platform(Surroundings::of_this_machine())?;
    platform.lifecycle().recover().map_err(refused)?;
    Ok((folder, platform))
}

fn plugin_of(context: &Context, named: Option<&String>) -> Result<PluginId, CommandError> {
    match named {
        Some(name) => PluginId::new(name.clone())
            .ok_or_else(|| CommandError::new(codes::USAGE, format!("`{name}` is no id of a plugin"))),
        None => Ok((*context.open_project()?.manifest.metadata.id).clone()),
    }
}
