//! `erp-plugin migrate semver`.

use std::collections::BTreeSet;

use ::semver::Version;
use clap::Args;
use erp_manifest::evolution::{Bump, BumpReason, SchemaDiff, required_bump};
use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::versions::{self, PluginVersion};
use crate::context::Context;
use crate::ui::Table;

/// Say which version number the new version must at least have, and why
///
/// Tables, permissions, events, settings, pages and what the component imports are compared. Exit code 1 where the version
/// of the manifest, or its `schema_version`, is too low.
#[derive(Debug, Args)]
pub(crate) struct SemverArgs {
    /// The old version: a package, a folder, or a revision of git
    old: String,
    /// The new version; the project that you are in if it is absent
    new: Option<String>,
}

/// The least version.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super) struct SemverResult {
    ok: bool,
    /// The old version.
    old: String,
    /// The version that the new manifest says.
    new: String,
    /// The part that must be raised.
    bump: Bump,
    /// The least version that does so.
    least: String,
    /// The least schema version.
    least_schema: u64,
    /// Why, the weightiest first.
    reasons: Vec<BumpReason>,
}

/// The reasons to raise a version number, the most significant first.
pub(in super::super) fn reasons(context: &Context, old: &PluginVersion, new: &PluginVersion) -> Vec<BumpReason> {
    let imports = |version: &PluginVersion| {
        let info = erp_component::read(&version.component_without_build(context)?).ok()?;
        Some(info.border.imports.into_iter().map(|import| import.name).collect::<BTreeSet<String>>())
    };
    let both = imports(old).zip(imports(new));
    required_bump(&old.manifest, &new.manifest, both.as_ref().map(|(old, new)| (old, new)))
}

pub(super) fn run(context: &Context, args: &SemverArgs) -> CommandResult {
    let (old, new) = versions::read_both(context, &args.old, args.new.as_deref())?;
    let reasons = reasons(context, &old, &new);
    let bump = reasons.first().map_or(Bump::Patch, |reason| reason.bump);
    let version = |text: &str| Version::parse(text).unwrap_or(Version::new(0, 0, 0));
    let (before, now) = (version(&old.manifest.metadata.version), version(&new.manifest.metadata.version));
    let least = bump.apply(&before);
    let changes_rows = SchemaDiff::of(&old.manifest, &new.manifest).changes_rows();
    let least_schema = old.manifest.schema.schema_version + u64::from(changes_rows);
    let schema = new.manifest.schema.schema_version;
    let ok = now >= least && schema >= least_schema;
    let result = SemverResult {
        ok,
        old: before.to_string(),
        new: now.to_string(),
        bump,
        least: least.to_string(),
        least_schema,
        reasons,
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for reason in &result.reasons {
            let word = match reason.bump {
                Bump::Major => "major",
                Bump::Minor => "minor",
                Bump::Patch => "patch",
            };
            table.row([word, &reason.reason]);
        }
        let version = if now >= least { "is enough" } else { "is too low" };
        let schema_word = if schema >= least_schema { "is enough" } else { "is too low" };
        format!(
            "{}after {before} comes {least} at least: {now} {version}\nschema_version {least_schema} at least: {schema} {schema_word}",
            table.render()
        )
    });
    Ok(if ok { ExitCode::Ok } else { ExitCode::Findings })
}
