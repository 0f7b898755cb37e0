//! Rollback to the previous version: the old values that were kept replace the new ones.

use std::sync::Arc;

use erp_manifest::evolution::SchemaDiff;
use erp_manifest::{Manifest, Moment, table_name};
use erp_storage::{EntityRef, StakeRow, StoreError};
use serde::Serialize;

use super::operation::kept_table;
use crate::definition;
use crate::hits::LOOK_AFTER;
use crate::sql::{Dialect, SqlValue};
use crate::upgrade::Upgrades;

/// The maximum number of rows that an error names.
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
        "insert into erp_kept_rows (upgrade, table_name, row_id, data, deleted_at, version, last_version) \
         select ?, '{table}', id, data{cast}, deleted_at{cast}, version, version from \"{table}\""
    )
}

/// An upgrade that is being rolled back.
struct TakingBack {
    upgrade: u64,
    /// Whether rows written since the upgrade may be discarded.
    discards: bool,
    reversal: Reversal,
}

impl Upgrades<'_> {
    pub(super) fn keep_rows(&self, upgrade: u64, table: &str) -> Result<u64, StoreError> {
        let statement = keep_statement(self.database.dialect(), table);
        let number = SqlValue::Integer(upgrade.cast_signed());
        let kept = self.database.execute("keep old values", &statement, [number.clone()])?;
        // Also for a table without rows: rows that are added later must be recognized as new.
        let note = "update erp_upgrades set kept = kept || ? where seq = ?";
        self.database.execute("note a table", note, [SqlValue::Text(format!("{table} ")), number])?;
        Ok(kept as u64)
    }

    /// Rolls an upgrade back, within the unit of work. Rows written since the upgrade prevent that, unless `discards`
    /// is set. Tables that the new version added are put aside.
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
        self.database.install_alone()?;
        self.database.schema().install_schema(new)?;
        self.database.count_written(LOOK_AFTER);
        let path = erp_manifest::evolution::migrations_from(old.schema.schema_version, new);
        if let Some(migration) = path.iter().find(|migration| !migration.reversible) {
            return Err(StoreError::NoRollback(format!(
                "the migration from {} to {} says `reversible = false`: its old values were not kept",
                *migration.from, *migration.to
            )));
        }
        let diff = SchemaDiff::of(old, new);
        let entity =
            |manifest: &Arc<Manifest>, name: &str| EntityRef::all(manifest).find(|known| known.name.as_str() == name);
        let mut taking = TakingBack { upgrade, discards, reversal: Reversal::default() };
        for pair in &diff.pairs {
            if let (Some(before), Some(after)) =
                (entity(old, pair.old.name.as_str()), entity(new, pair.new.name.as_str()))
            {
                self.roll_back_entity(&mut taking, &before, &after)?;
            }
        }
        let came =
            new.schema.entities.iter().filter(|entity| !diff.pairs.iter().any(|pair| *pair.new.name == *entity.name));
        for after in came.filter_map(|known| entity(new, known.name.as_str())) {
            self.put_aside(&mut taking, &after)?;
        }
        for dropped in &diff.dropped {
            let table = table_name(&old.metadata.id, &dropped.name);
            let kept = kept_table(&table, old.schema.schema_version);
            if self.database.has_table(&kept)? {
                self.database
                    .execute_batch("bring a table back", &format!("alter table \"{kept}\" rename to \"{table}\""))?;
                let forget = "delete from erp_kept_tables where table_name = ?";
                self.database.execute("forget a table that was kept", forget, [SqlValue::Text(kept)])?;
            }
        }
        self.database.schema().install_schema(old)?;
        self.database.installed().register_plugin(old, now)?;
        self.note_rollback(upgrade)?;
        Ok(taking.reversal)
    }

    fn roll_back_entity(
        &mut self,
        taking: &mut TakingBack,
        before: &EntityRef,
        after: &EntityRef,
    ) -> Result<(), StoreError> {
        let was_kept = self.was_kept(taking.upgrade, &before.table())?;
        if was_kept {
            self.discard_or_refuse(taking, before, after)?;
        } else {
            self.take_new_values(taking, before, after)?;
        }
        let gone = definition::columns_not_in(after, before);
        // Values that the upgrade made different become equal again.
        let stale = definition::indexes_not_in(after, before);
        for index in stale.into_iter().chain(definition::indexes_over(after, &gone)) {
            self.database.execute_batch("drop an index", &definition::drop_index(self.database.dialect(), &index))?;
        }
        for statement in definition::drop_columns(self.database.dialect(), &after.table(), &gone) {
            self.database.execute_batch("drop a column", &statement)?;
        }
        if was_kept {
            let (json, moment) = match self.database.dialect() {
                Dialect::Sqlite => ("", ""),
                Dialect::Postgres => ("::jsonb", "::timestamp(3) with time zone"),
            };
            let sql = format!(
                "update \"{0}\" set data = kept.data{json}, deleted_at = kept.deleted_at{moment}, version = kept.version from \
                 (select row_id, data, deleted_at, version from erp_kept_rows where upgrade = ? and table_name = ? \
                 and made_by_upgrade = 0) as kept where \"{0}\".id = kept.row_id",
                after.table()
            );
            taking.reversal.restored +=
                self.database.execute("restore old values", &sql, kept_under(taking.upgrade, before))? as u64;
        }
        if before.table() != after.table() {
            let rename = format!("alter table \"{}\" rename to \"{}\"", after.table(), before.table());
            self.database.execute_batch("rename a table", &rename)?;
            let plugin = before.plugin();
            self.database.execute(
                "rename an entity",
                "update plugin_entities set entity = ?, table_name = ? where plugin_id = ? and entity = ?",
                [before.name.as_str(), before.table().as_str(), plugin.as_str(), after.name.as_str()]
                    .map(SqlValue::text),
            )?;
            self.database.execute(
                "rename an entity",
                "update erp_audit set entity = ? where entity = ?",
                [before.qualified_name(), after.qualified_name()].map(SqlValue::Text),
            )?;
            self.database.execute(
                "rename fixtures",
                "update erp_fixtures set fixture = replace(fixture, ?, ?) where plugin_id = ? and substr(fixture, 1, length(?)) = ?",
                [format!("{}:", *after.name), format!("{}:", *before.name), plugin.to_string(), format!("{}:", *after.name), format!("{}:", *after.name)]
                    .map(SqlValue::Text),
            )?;
        }
        Ok(())
    }

    /// Removes the values of fields that the upgrade added, in a table whose other values it did not change.
    fn take_new_values(
        &self,
        taking: &mut TakingBack,
        before: &EntityRef,
        after: &EntityRef,
    ) -> Result<(), StoreError> {
        let (table, dialect) = (after.table(), self.database.dialect());
        for field in after.fields.iter().filter(|field| before.field(field.name.as_str()).is_none()) {
            let name = field.name.as_str();
            let has_value = dialect.has_key(name);
            let sql = format!("select id, tenant_id from \"{table}\" where {has_value} order by id");
            let written = self
                .database
                .rows("look for new values", &sql, [], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))?;
            if !taking.discards && !written.is_empty() {
                let count = written.len() as u64;
                let rows = written.into_iter().take(SHOWN).map(|(id, tenant)| StakeRow {
                    tenant,
                    id,
                    value: String::new(),
                    problem: "has a value that the version before does not know".to_owned(),
                });
                return Err(StoreError::RowsAtStake {
                    place: format!("{}.{name}", *after.name),
                    count,
                    rows: rows.collect(),
                });
            }
            if !written.is_empty() {
                let take = format!("update \"{table}\" set data = {} where {has_value}", dialect.without_key(name));
                taking.reversal.discarded += self.database.execute("take new values away", &take, [])? as u64;
            }
        }
        Ok(())
    }

    /// Empties and renames the table of an entity that the upgrade added; it exists until the plugin is purged.
    fn put_aside(&mut self, taking: &mut TakingBack, after: &EntityRef) -> Result<(), StoreError> {
        let table = after.table();
        self.discard_or_refuse(taking, after, after)?;
        for index in definition::all_indexes(after) {
            self.database.execute_batch("drop an index", &definition::drop_index(self.database.dialect(), &index))?;
        }
        let kept = format!("{}~r{}", &table[..table.len().min(50)], taking.upgrade);
        self.database.execute_batch("put a table aside", &format!("alter table \"{table}\" rename to \"{kept}\""))?;
        let plugin = after.plugin().as_str();
        let note = "insert into erp_kept_tables (plugin_id, table_name) values (?, ?) on conflict do nothing";
        self.database.execute("note a table that is kept", note, [plugin, &kept].map(SqlValue::text))?;
        let forget = "delete from plugin_entities where plugin_id = ? and entity = ?";
        self.database.execute("forget an entity", forget, [plugin, after.name.as_str()].map(SqlValue::text))?;
        Ok(())
    }

    fn was_kept(&self, upgrade: u64, table: &str) -> Result<bool, StoreError> {
        let sql = "select kept from erp_upgrades where seq = ?";
        let number = [SqlValue::Integer(upgrade.cast_signed())];
        let kept = self.database.rows("look for old values", sql, number, |row| row.get::<String>(0))?;
        Ok(kept.first().is_some_and(|kept| kept.split(' ').any(|known| known == table)))
    }

    /// Records the rows that the upgrade itself created or changed, through fixtures and code of the plugin: a rollback
    /// undoes them without `discards`.
    pub(crate) fn note_own_rows(&mut self, upgrade: u64) -> Result<(), StoreError> {
        let own: Vec<(String, String, u32, bool)> = self
            .database
            .changes()
            .iter()
            .map(|change| {
                let entity = self.database.catalog().by_qualified_name(&change.entity);
                let table = entity.map(|entity| entity.table()).unwrap_or_default();
                let is_new = change.kind == erp_storage::RowChangeKind::Insert;
                (table, change.row.id.clone(), change.row.version, is_new)
            })
            .collect();
        for (table, id, version, is_new) in own {
            // The rows may be kept under an old name of the table, so their ids alone identify them.
            let raise = "update erp_kept_rows set last_version = ? where upgrade = ? and row_id = ?";
            let (version, number) = (SqlValue::Integer(version.into()), SqlValue::Integer(upgrade.cast_signed()));
            let known =
                self.database.execute("note a row", raise, [version.clone(), number.clone(), SqlValue::text(&id)])?;
            if known == 0 && is_new {
                let note = "insert into erp_kept_rows (upgrade, table_name, row_id, data, version, last_version, made_by_upgrade) values (?, ?, ?, '', 0, ?, 1)";
                self.database.execute(
                    "note a row",
                    note,
                    [number, SqlValue::Text(table), SqlValue::Text(id), version],
                )?;
            }
        }
        Ok(())
    }

    /// Deletes the rows created since the upgrade; fails if rows were written since and must not be discarded.
    fn discard_or_refuse(
        &self,
        taking: &mut TakingBack,
        before: &EntityRef,
        after: &EntityRef,
    ) -> Result<(), StoreError> {
        let table = after.table();
        let kept = "select row_id, last_version from erp_kept_rows where upgrade = ? and table_name in (?, ?)";
        let sql = format!(
            "select \"{table}\".id, \"{table}\".tenant_id, kept.row_id is null from \"{table}\" left join ({kept}) as kept \
             on kept.row_id = \"{table}\".id where kept.row_id is null or kept.last_version <> \"{table}\".version order by 1"
        );
        let written = self.database.rows(
            "look for rows that were written since",
            &sql,
            kept_of_both(taking.upgrade, before, after),
            |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)? != 0)),
        )?;
        if !taking.discards && !written.is_empty() {
            let count = written.len() as u64;
            let rows = written.into_iter().take(SHOWN).map(|(id, tenant, is_new)| StakeRow {
                tenant,
                id,
                value: String::new(),
                problem: format!("was {} since the upgrade", if is_new { "made" } else { "changed" }),
            });
            return Err(StoreError::RowsAtStake { place: after.name.to_string(), count, rows: rows.collect() });
        }
        taking.reversal.discarded += written.len() as u64;
        let sql = format!(
            "delete from \"{table}\" where id not in (select row_id from erp_kept_rows where upgrade = ? \
             and table_name in (?, ?) and made_by_upgrade = 0)"
        );
        self.database.execute(
            "discard rows that were made since",
            &sql,
            kept_of_both(taking.upgrade, before, after),
        )?;
        Ok(())
    }
}

fn kept_under(upgrade: u64, before: &EntityRef) -> [SqlValue; 2] {
    [SqlValue::Integer(upgrade.cast_signed()), SqlValue::Text(before.table())]
}

fn kept_of_both(upgrade: u64, before: &EntityRef, after: &EntityRef) -> [SqlValue; 3] {
    [SqlValue::Integer(upgrade.cast_signed()), SqlValue::Text(before.table()), SqlValue::Text(after.table())]
}
