//! `erp-plugin migrate plan`.

use clap::{Args, ValueEnum};
use erp_manifest::exit_code::ExitCode;
use erp_store::{Dialect, PlannedStep, plan_upgrade};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::live::shown_lock;
use super::versions;
use crate::context::Context;

/// Print the statements of an upgrade, with what each locks and whether it writes every row anew
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The old version: a package, a folder, or a revision of git
    old: String,
    /// The new version; the project that you are in if it is absent
    new: Option<String>,
    /// Only for this database; for both if it is absent
    #[arg(long, value_name = "NAME")]
    dialect: Option<DialectName>,
}

/// A database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DialectName {
    /// `SQLite`.
    Sqlite,
    /// `PostgreSQL`.
    Postgres,
}

/// The statements of an upgrade.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super) struct PlanResult {
    ok: bool,
    /// The old version.
    old: String,
    /// The new version.
    new: String,
    /// For each database.
    plans: Vec<DialectPlan>,
}

/// The statements for one database; all of them run in one transaction.
#[derive(Debug, Serialize, JsonSchema)]
pub(in super::super) struct DialectPlan {
    /// Its name.
    database: &'static str,
    /// In order.
    steps: Vec<PlannedStep>,
}

pub(super) fn run(context: &Context, args: &PlanArgs) -> CommandResult {
    let (old, new) = versions::read_both(context, &args.old, args.new.as_deref())?;
    let dialects = [(DialectName::Sqlite, Dialect::Sqlite), (DialectName::Postgres, Dialect::Postgres)];
    let wanted = dialects.into_iter().filter(|(name, _)| args.dialect.is_none_or(|wanted| wanted == *name));
    let plans = wanted.map(|(_, dialect)| DialectPlan {
        database: dialect.name(),
        steps: plan_upgrade(dialect, &old.manifest, &new.manifest),
    });
    let result = PlanResult { ok: true, old: old.shown(), new: new.shown(), plans: plans.collect() };
    context.ui.result(&result, || {
        let mut text = String::new();
        for plan in &result.plans {
            text.push_str(&format!("-- {}: {} → {}, in one transaction\n", plan.database, result.old, result.new));
            for step in &plan.steps {
                text.push_str(&format!("\n-- {}{}\n", step.title, remark(step)));
                for statement in &step.statements {
                    text.push_str(&format!("{statement};\n"));
                }
            }
            text.push('\n');
        }
        text.trim_end().to_owned()
    });
    Ok(ExitCode::Ok)
}

/// What a step locks and costs; empty if there is nothing to say.
fn remark(step: &PlannedStep) -> String {
    let parts = [
        shown_lock(step.lock),
        step.rewrites.then_some("writes every row anew"),
        step.by_host.then_some("values are computed by the host, 500 rows at a time"),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}
