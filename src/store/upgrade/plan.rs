//! The plan of an upgrade, to be read before the upgrade runs.

use std::sync::Arc;

use erp_manifest::Manifest;
use serde::Serialize;

use super::operation::{UpgradeOperation, UpgradeWork, operations};
use super::rollback::keep_statement;
use crate::definition::SearchIndex;
use crate::sql::Dialect;

/// What a step holds back while the upgrade runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lock {
    /// Nobody waits for it.
    None,
    /// Writers of the same rows wait.
    Rows,
    /// Writers of the table wait.
    Writers,
    /// Everybody who uses the table waits.
    Table,
}

/// One step of an upgrade.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct PlannedStep {
    /// What it does.
    pub title: String,
    /// The statements; those that the host makes for many rows, once.
    pub statements: Vec<String>,
    /// True where every row of the table is written anew.
    pub rewrites: bool,
    /// What it holds back, until the whole upgrade is committed.
    pub lock: Lock,
    /// True where the host reads and changes the rows.
    pub by_host: bool,
}

/// The steps of an upgrade from one version to the next.
pub fn plan_upgrade(dialect: Dialect, old: &Arc<Manifest>, new: &Arc<Manifest>) -> Vec<PlannedStep> {
    let planned = operations(dialect, old, new, SearchIndex::usual(dialect)).into_iter().filter_map(|operation| {
        let UpgradeOperation { title, work } = operation;
        let (rewrites, lock) = weight(dialect, &work);
        let by_host = matches!(work, UpgradeWork::Rows(_));
        let statements = match work {
            UpgradeWork::Fixtures => return None,
            UpgradeWork::Keep { table } => vec![keep_statement(dialect, &table)],
            UpgradeWork::Rows(pass) => vec![pass.write_statement(dialect, 1)],
            UpgradeWork::Sql(statements) => statements,
        };
        Some(PlannedStep { title, statements, rewrites, lock, by_host })
    });
    planned.collect()
}

/// Whether an operation rewrites every row of a table, and the lock that it takes.
pub(super) fn weight(dialect: Dialect, work: &UpgradeWork) -> (bool, Lock) {
    match work {
        // SQLite has one lock, and the upgrade holds it.
        UpgradeWork::Keep { .. } | UpgradeWork::Fixtures if dialect == Dialect::Postgres => (false, Lock::None),
        UpgradeWork::Rows(_) if dialect == Dialect::Postgres => (false, Lock::Rows),
        UpgradeWork::Keep { .. } | UpgradeWork::Fixtures | UpgradeWork::Rows(_) => (false, Lock::Writers),
        UpgradeWork::Sql(statements) => statements.iter().fold((false, Lock::None), |(rewrites, lock), statement| {
            let (also, held) = statement_weight(dialect, statement);
            (rewrites || also, lock.max(held))
        }),
    }
}

/// Whether a statement rewrites every row of its table, and the lock that it takes.
fn statement_weight(dialect: Dialect, statement: &str) -> (bool, Lock) {
    let starts = |prefix: &str| statement.starts_with(prefix);
    if dialect == Dialect::Sqlite {
        // SQLite has one lock, and the upgrade holds it.
        return (starts("update \""), Lock::Writers);
    }
    match () {
        // A stored generated column is computed for every row.
        () if starts("alter table") && statement.contains(" stored") => (true, Lock::Table),
        () if starts("alter table") || starts("drop ") => (false, Lock::Table),
        () if starts("create index") || starts("create unique") => (false, Lock::Writers),
        () if starts("update \"") => (true, Lock::Rows),
        () => (false, Lock::Rows),
    }
}
