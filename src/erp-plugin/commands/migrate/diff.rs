//! `erp-plugin migrate diff`.

use clap::Args;
use erp_manifest::evolution::{ChangeEffect, ChangeKind, SchemaChange, SchemaDiff};
use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::versions;
use crate::context::Context;
use crate::ui::Table;

/// Show what changed in the tables of two versions, and what that means for the rows that are there
///
/// Exit code 1 where values would be lost or may not fit, and no migration says what becomes of them.
#[derive(Debug, Args)]
pub(crate) struct MigrateDiffArgs {
    /// The old version: a package, a folder, or a revision of git
    old: String,
    /// The new version; the project that you are in if it is absent
    new: Option<String>,
}

/// What changed.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super) struct DiffResult {
    ok: bool,
    /// The old version.
    old: String,
    /// The new version.
    new: String,
    /// Whether stored rows must follow, so that `schema_version` must be higher.
    moves_rows: bool,
    /// The changes.
    changes: Vec<ChangeJson>,
}

/// A change.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super) struct ChangeJson {
    /// `entity` or `entity.field`.
    place: String,
    /// What changed.
    #[serde(flatten)]
    kind: ChangeKind,
    /// What that means for the rows.
    effect: ChangeEffect,
}

impl From<&SchemaChange> for ChangeJson {
    fn from(change: &SchemaChange) -> ChangeJson {
        ChangeJson { place: change.place(), kind: change.kind.clone(), effect: change.effect }
    }
}

pub(super) fn run(context: &Context, args: &MigrateDiffArgs) -> CommandResult {
    let (old, new) = versions::read_both(context, &args.old, args.new.as_deref())?;
    let diff = SchemaDiff::of(&old.manifest, &new.manifest);
    let unhandled_changes = diff.unhandled_changes().count();
    let (before, after) = (&old.manifest, &new.manifest);
    let is_low = diff.changes_rows() && after.schema.schema_version <= before.schema.schema_version;
    let result = DiffResult {
        ok: unhandled_changes == 0 && !is_low,
        old: old.shown(),
        new: new.shown(),
        moves_rows: diff.changes_rows(),
        changes: diff.changes.iter().map(ChangeJson::from).collect(),
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for change in &diff.changes {
            table.row([word(change.effect).to_owned(), change.to_string()]);
        }
        let end = match (diff.changes.len(), unhandled_changes) {
            (0, _) => "the tables are the same".to_owned(),
            (_, 0) => "nothing is at stake".to_owned(),
            (_, count) => format!(
                "{count} at stake: say what becomes of the values in [[migrations]] (docs/migrations.md), or rehearse: \
                 erp-plugin migrate rehearse --from {}",
                args.old
            ),
        };
        let low = if is_low {
            format!("\nstored rows must follow: raise `schema_version` to {}", before.schema.schema_version + 1)
        } else {
            String::new()
        };
        format!("{} → {}\n{}{end}{low}", result.old, result.new, table.render())
    });
    Ok(if result.ok { ExitCode::Ok } else { ExitCode::Findings })
}

fn word(effect: ChangeEffect) -> &'static str {
    match effect {
        ChangeEffect::None => "new",
        ChangeEffect::Follows => "follows",
        ChangeEffect::Migrated => "migrated",
        ChangeEffect::Narrows => "NARROWS",
        ChangeEffect::Loses => "LOSES",
    }
}
