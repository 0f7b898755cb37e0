//! Upgrades of tables to the next version: planned as a list of operations, executed in one transaction.
//!
//! SQL changes tables, columns, indexes and names. The host changes values, with the same expression engine and the
//! same checks of values on both databases, and writes many rows back at a time.

mod journal;
mod operation;
mod plan;
mod rollback;
mod rows;
mod transform;

pub use journal::UpgradeRecord;
pub use plan::{Lock, PlannedStep, plan_upgrade};
pub use rollback::Reversal;

use std::sync::Arc;
use std::time::Instant;

use erp_manifest::{Manifest, Moment};
use erp_storage::StoreError;
use serde::Serialize;

use self::operation::{UpgradeOperation, UpgradeWork, operations};
use super::Database;
use super::hits::LOOK_AFTER;

/// What an upgrade did.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct UpgradeReport {
    /// Its number in the journal; none where nothing had to change.
    pub upgrade: Option<u64>,
    /// What was done, in order.
    pub steps: Vec<StepReport>,
}

/// One operation of an upgrade.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct StepReport {
    /// What was done.
    pub title: String,
    /// What it held back, until the commit.
    pub lock: Lock,
    /// Rows whose values changed.
    pub rows: u64,
    /// How long it took, in microseconds.
    pub microseconds: u64,
}

/// Upgrades of tables, and their rollback.
#[derive(Debug)]
pub struct Upgrades<'d> {
    pub(crate) database: &'d mut Database,
}

impl Upgrades<'_> {
    /// Upgrades the tables of `old` to those of `new`, with all rows of all tenants, within the unit of work. Without
    /// `old`, it creates the tables. `fixtures` runs once the tables are ready, before the last steps.
    ///
    /// # Errors
    /// [`StoreError::RowsAtStake`] if values would be lost or do not fit, [`StoreError::InUse`] if another host uses
    /// the database; those of [`crate::EntityTables::install_schema`].
    pub fn upgrade(
        &mut self,
        old: Option<&Arc<Manifest>>,
        new: &Arc<Manifest>,
        now: Moment,
        mut fixtures: impl FnMut(&mut Database) -> Result<(), StoreError>,
    ) -> Result<UpgradeReport, StoreError> {
        let Some(old) = old else {
            self.database.schema().install_schema(new)?;
            self.database.installed().register_plugin(new, now)?;
            fixtures(self.database)?;
            return Ok(UpgradeReport::default());
        };
        self.database.install_alone()?;
        // The plan assumes the tables that this version of the program creates: earlier versions created other indexes.
        self.database.schema().install_schema(old)?;
        let mut report = UpgradeReport::default();
        let all = operations(self.database.dialect(), old, new, self.database.search_index()?);
        let changes_tables = all.iter().any(|operation| !matches!(operation.work, UpgradeWork::Fixtures));
        if changes_tables {
            self.database.be_alone()?;
        }
        if changes_tables || old.metadata.version != new.metadata.version {
            report.upgrade = Some(self.note_upgrade(old, new, now)?);
        }
        self.database.set_upgrade(report.upgrade);
        self.do_all(all, new, now, &mut report, &mut fixtures)?;
        self.database.count_written(LOOK_AFTER);
        Ok(report)
    }

    fn do_all(
        &mut self,
        all: Vec<UpgradeOperation>,
        new: &Arc<Manifest>,
        now: Moment,
        report: &mut UpgradeReport,
        fixtures: &mut dyn FnMut(&mut Database) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for UpgradeOperation { title, work } in all {
            let started = Instant::now();
            let (_, lock) = plan::weight(self.database.dialect(), &work);
            let rows = match work {
                UpgradeWork::Keep { table } => self.keep_rows(report.upgrade.unwrap_or_default(), &table)?,
                UpgradeWork::Sql(statements) => self.do_statements(new, &statements)?,
                UpgradeWork::Rows(pass) => self.pass_rows(&pass, now)?,
                UpgradeWork::Fixtures => {
                    self.database.installed().register_plugin(new, now)?;
                    fixtures(self.database)?;
                    continue;
                }
            };
            let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            report.steps.push(StepReport { title, lock, rows, microseconds });
        }
        Ok(())
    }

    /// Executes statements one by one. If a unique index cannot be created, the error names the rows that prevent it.
    fn do_statements(&self, new: &Arc<Manifest>, statements: &[String]) -> Result<u64, StoreError> {
        let mut changed = 0;
        for statement in statements {
            let done = self.database.guarded(|| {
                if statement.starts_with("update ") {
                    self.database.execute("change rows", statement, [])
                } else {
                    self.database.execute_batch("change tables", statement).map(|()| 0)
                }
            });
            match done {
                Ok(rows) => changed += rows as u64,
                Err(error) => return Err(self.same_rows(new, statement, error)),
            }
        }
        Ok(changed)
    }
}
