//! `erp-plugin migrate`: upgrades from one version of a plugin to the next.

mod diff;
mod live;
mod plan;
mod rehearse;
mod semver;
mod versions;

use clap::Subcommand;

use super::CommandResult;
use crate::context::Context;

pub(super) use self::diff::DiffResult;
pub(super) use self::live::{ApplyResult, RollbackResult, StatusResult};
pub(super) use self::plan::PlanResult;
pub(super) use self::rehearse::RehearseResult;
pub(super) use self::semver::{SemverResult, reasons};
pub(super) use self::versions::{PluginVersion, read as read_version};
pub(super) use erp_manifest::evolution::BumpReason;

/// Compare two versions of a plugin, rehearse an upgrade, apply it, take it back
#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    Diff(diff::MigrateDiffArgs),
    Plan(plan::PlanArgs),
    Semver(semver::SemverArgs),
    Rehearse(rehearse::RehearseArgs),
    Apply(live::ApplyArgs),
    Status(live::StatusArgs),
    Rollback(live::RollbackArgs),
}

pub(super) fn run(context: &Context, command: &MigrateCommand) -> CommandResult {
    match command {
        MigrateCommand::Diff(args) => diff::run(context, args),
        MigrateCommand::Plan(args) => plan::run(context, args),
        MigrateCommand::Semver(args) => semver::run(context, args),
        MigrateCommand::Rehearse(args) => rehearse::run(context, args),
        MigrateCommand::Apply(args) => live::apply(context, args),
        MigrateCommand::Status(args) => live::status(context, args),
        MigrateCommand::Rollback(args) => live::roll_back(context, args),
    }
}
