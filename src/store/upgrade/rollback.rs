//! Back to the version before: old values were kept, and take the place of the new ones.

use std::sync::Arc;

use serde::Serialize;

use super::StakeRow;
use super::operation::kept_table;
use crate::evolution::SchemaDiff;
use crate::manifest::{Manifest, table_name};
use crate::store::sql::{Dialect, SqlValue};
use crate::store::{Database, EntityRef, Moment, StoreError, definition};

/// Rows that an error names at the most.
const SHOWN: usize = 10;

/// What a rollback did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Reversal {
    /// Rows that have their old values again.
    pub restored: u64,
    /// Rows that were written since the upgrade, and went or lost what was written.
    pub discarded: u64,
}

/// The statement that keeps the values of a table.
pub(super) fn keep_statement(dialect: Dialect, table: &str) -> String {
    let cast = if dialect == Dialect::Postgres { "::text" } else { "" };
    format!(
        "insert into erp_kept_rows (upgrade, table_name, row_id, data, version) select ?, '{table}', id, data{cast}, version from \"{table}\""
    )
}

impl Database {
    pub(super) fn keep_rows(&self, upgrade: u64, table: &str) -> Result<u64, StoreError> {
        let statement = keep_statement(self.dialect(), table);
        let kept = self.execute("keep old values", &statement, [SqlValue::Integer(upgrade.cast_signed())])?;
        Ok(kept as u64)
    }

    /// Takes an upgrade back, within the unit of work. Rows that were written since are in its way, unless they may be
    /// discarded. Entities that came with the new version keep their tables, out of reach.
    ///
    /// # Errors
    /// [`StoreError::RowsAtStake`], [`StoreError::NoRollback`] and [`StoreError::Database`].
    pub fn roll_back(
        &mut self,
        upgrade: u64,
        (old, new): (&Arc<Manifest>, &Arc<Manifest>),
        discards: bool,
        now: Moment,
    ) -> Result<Reversal, StoreError> {
        self.install_alone()?;
        let path = crate::evolution::migrations_from(old.schema.schema_version, new);
        if let Some(migration) = path.iter().find(|migration| !migration.reversible) {
            return Err(StoreError::NoRollback(format!(
                "the migration from {} to {} says `reversible = false`: its old values were not kept",
                *migration.from, *migration.to
            )));
        }
        let diff = SchemaDiff::of(old, new);
        let entity =
            |manifest: &Arc<Manifest>, name: &str| EntityRef::all(manifest).find(|known| known.name.as_str() == name);
        let mut reversal = Reversal::default();
        for pair in &diff.pairs {
            let (Some(before), Some(after)) =
                (entity(old, pair.old.name.as_str()), entity(new, pair.new.name.as_str()))
            else {
                continue;
            };
            if self.was_kept(upgrade, &before.table())? {
                self.discard_or_refuse(upgrade, &before, &after, discards, &mut reversal)?;
            }
            let gone = definition::columns_not_in(&after, &before);
            for index in definition::indexes_over(&after, &gone) {
                self.execute_batch("drop an index", &format!("drop index if exists \"{index}\""))?;
            }
            for column in &gone {
                self.execute_batch(
                    "drop a column",
                    &format!("alter table \"{}\" drop column \"{column}\"", after.table()),
                )?;
            }
            if self.was_kept(upgrade, &before.table())? {
                let cast = if self.dialect() == Dialect::Postgres { "::jsonb" } else { "" };
                let sql = format!(
                    "update \"{0}\" set data = kept.data{cast} from (select row_id, data from erp_kept_rows where upgrade = ? \
                     and table_name = ?) as kept where \"{0}\".id = kept.row_id",
                    after.table()
                );
                reversal.restored += self.execute("restore old values", &sql, kept_under(upgrade, &before))? as u64;
            }
            if before.table() != after.table() {
                let rename = format!("alter table \"{}\" rename to \"{}\"", after.table(), before.table());
                self.execute_batch("rename a table", &rename)?;
                let plugin = before.plugin();
                self.execute(
                    "rename an entity",
                    "update plugin_entities set entity = ?, table_name = ? where plugin_id = ? and entity = ?",
                    [before.name.as_str(), before.table().as_str(), plugin.as_str(), after.name.as_str()]
                        .map(SqlValue::text),
                )?;
                self.execute(
                    "rename an entity",
                    "update erp_audit set entity = ? where entity = ?",
                    [before.qualified_name(), after.qualified_name()].map(SqlValue::Text),
                )?;
            }
        }
        for dropped in &diff.dropped {
            let table = table_name(&old.metadata.id, &dropped.name);
            let kept = kept_table(&table, old.schema.schema_version);
            if self.has_table(&kept)? {
                self.execute_batch("bring a table back", &format!("alter table \"{kept}\" rename to \"{table}\""))?;
            }
        }
        self.install_schema(old)?;
        self.register_plugin(old, now)?;
        self.note_rollback(upgrade)?;
        Ok(reversal)
    }

    fn was_kept(&self, upgrade: u64, table: &str) -> Result<bool, StoreError> {
        let sql = "select 1 from erp_kept_rows where upgrade = ? and table_name = ? limit 1";
        let place = [SqlValue::Integer(upgrade.cast_signed()), SqlValue::text(table)];
        Ok(!self.rows("look for old values", sql, place, |_| Ok(()))?.is_empty())
    }

    /// Rows that were written since the upgrade.
    fn discard_or_refuse(
        &self,
        upgrade: u64,
        before: &EntityRef,
        after: &EntityRef,
        discards: bool,
        reversal: &mut Reversal,
    ) -> Result<(), StoreError> {
        let table = after.table();
        let kept = "select row_id, version from erp_kept_rows where upgrade = ? and table_name = ?";
        let sql = format!(
            "select \"{table}\".id, \"{table}\".tenant_id, kept.row_id is null from \"{table}\" left join ({kept}) as kept \
             on kept.row_id = \"{table}\".id where kept.row_id is null or kept.version <> \"{table}\".version order by 1"
        );
        let written = self.rows("look for rows that were written since", &sql, kept_under(upgrade, before), |row| {
            Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)? != 0))
        })?;
        if written.is_empty() {
            return Ok(());
        }
        if !discards {
            let count = written.len() as u64;
            let rows = written.into_iter().take(SHOWN).map(|(id, tenant, is_new)| StakeRow {
                tenant,
                id,
                value: String::new(),
                problem: format!("was {} since the upgrade", if is_new { "made" } else { "changed" }),
            });
            return Err(StoreError::RowsAtStake { place: after.name.to_string(), count, rows: rows.collect() });
        }
        reversal.discarded += written.len() as u64;
        let sql = format!(
            "delete from \"{table}\" where id not in (select row_id from erp_kept_rows where upgrade = ? and table_name = ?)"
        );
        self.execute("discard rows that were made since", &sql, kept_under(upgrade, before))?;
        Ok(())
    }
}

fn kept_under(upgrade: u64, before: &EntityRef) -> [SqlValue; 2] {
    [SqlValue::Integer(upgrade.cast_signed()), SqlValue::Text(before.table())]
}
