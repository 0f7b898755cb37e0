//! Tables: the platform's own, and one for each entity.

use std::collections::BTreeSet;
use std::sync::Arc;

use erp_manifest::{Manifest, PluginId};
use erp_storage::{EntityRef, StoreError};
use serde::Serialize;

use super::Database;
use super::definition::{self, KnownTable, SearchIndex};
use super::sql::{Dialect, SqlRow, SqlValue};

/// A table of an entity, as the API returns it.
#[derive(Debug, Clone, Serialize)]
pub struct TableInfo {
    /// The plugin.
    pub plugin: String,
    /// The entity.
    pub entity: String,
    /// The table's name.
    pub table: String,
    /// Rows that are not deleted, of all tenants.
    pub rows: u64,
    /// Rows that are deleted but kept.
    pub deleted_rows: u64,
}

/// The tables of plugins.
#[derive(Debug)]
pub struct EntityTables<'d> {
    pub(crate) database: &'d mut Database,
}

impl EntityTables<'_> {
    /// Creates the missing tables of a plugin's entities, adds columns for new fields, and brings the indexes up to
    /// date. Stored rows stay as they are. After the commit of the unit of work, [`Database::serve_schema`] makes the
    /// entities available.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn install_schema(&mut self, manifest: &Arc<Manifest>) -> Result<(), StoreError> {
        self.database.install_alone()?;
        let search = self.database.search_index()?;
        for entity in EntityRef::all(manifest) {
            let known = self.database.known_table(&entity.table())?;
            for statement in definition::table_statements(self.database.dialect(), &entity, known.as_ref(), search) {
                self.database.execute_batch("make the tables", &statement)?;
            }
        }
        Ok(())
    }

    /// Creates the missing tables of a plugin without their indexes: that makes the insertion of many rows faster.
    /// After that, [`EntityTables::install_schema`] creates the indexes.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn install_bare_tables(&mut self, manifest: &Arc<Manifest>) -> Result<(), StoreError> {
        for entity in EntityRef::all(manifest) {
            if !self.database.has_table(&entity.table())? {
                let table = definition::create_table(self.database.dialect(), &entity);
                self.database.execute_batch("make a table", &table)?;
            }
        }
        Ok(())
    }

    /// The other plugin that owns a table already, if there is one. Different ids and entities can give the same table
    /// name: `erp-a` + `b_c` and `erp-a-b` + `c`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn other_owner(&self, plugin: &PluginId, table: &str) -> Result<Option<String>, StoreError> {
        let owners = self.database.rows(
            "look for the table's owner",
            "select plugin_id from plugin_entities where table_name = ? and plugin_id <> ?",
            [SqlValue::Text(table.to_owned()), SqlValue::Text(plugin.as_str().to_owned())],
            |row| row.get(0),
        )?;
        Ok(owners.into_iter().next())
    }

    /// Deletes a plugin's tables with all rows of all tenants.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn drop_schema(&mut self, plugin: &PluginId) -> Result<(), StoreError> {
        // Also those of entities that a later version no longer has.
        let tables = self.database.rows(
            "list a plugin's tables",
            "select table_name from plugin_entities where plugin_id = ?",
            [SqlValue::Text(plugin.as_str().to_owned())],
            |row| row.get::<String>(0),
        )?;
        let table = |row: &SqlRow<'_>| row.get::<String>(0);
        let kept = self.database.rows(
            "list tables of dropped entities",
            "select table_name from erp_kept_tables where plugin_id = ?",
            [SqlValue::text(plugin.as_str())],
            table,
        )?;
        for table in tables.into_iter().chain(kept) {
            // Other indexes are dropped with their table; indexes of texts are tables themselves.
            for index in self.database.indexes(&table)? {
                self.database
                    .execute_batch("drop an index", &definition::drop_index(self.database.dialect(), &index))?;
            }
            self.database.execute_batch("drop a table", &format!("drop table if exists \"{table}\""))?;
        }
        self.database.catalog_mut().remove(plugin);
        Ok(())
    }

    /// The tables of all entities, with their numbers of rows.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn tables(&self) -> Result<Vec<TableInfo>, StoreError> {
        let known = self.database.rows(
            "list tables",
            "select plugin_id, entity, table_name from plugin_entities order by plugin_id, entity",
            [],
            |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?)),
        )?;
        known
            .into_iter()
            .map(|(plugin, entity, table)| {
                let sql =
                    format!("select count(*) filter (where deleted_at is null), count(deleted_at) from \"{table}\"");
                let counts =
                    self.database.rows("count rows", &sql, [], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))?;
                let (rows, deleted_rows) = counts.first().copied().unwrap_or_default();
                Ok(TableInfo {
                    plugin,
                    entity,
                    table,
                    rows: rows.unsigned_abs(),
                    deleted_rows: deleted_rows.unsigned_abs(),
                })
            })
            .collect()
    }
}

impl Database {
    /// Updates the statistics of the tables, so that the database chooses good plans. Must run outside of a unit of
    /// work.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn analyze(&mut self) -> Result<(), StoreError> {
        // PostgreSQL answers from an index alone only for pages whose rows a vacuum has marked as visible to everyone.
        let statement = if self.dialect() == Dialect::Postgres { "vacuum analyze" } else { "analyze" };
        self.execute_batch("look at the tables", statement)
    }

    /// Makes a plugin's entities available to queries and references.
    pub fn serve_schema(&mut self, manifest: &Arc<Manifest>) {
        self.catalog_mut().add(Arc::clone(manifest));
    }

    /// Makes a plugin's entities unavailable; their tables and rows stay.
    pub fn retire_schema(&mut self, plugin: &PluginId) {
        self.catalog_mut().remove(plugin);
    }

    pub(super) fn make_platform_tables(&self) -> Result<(), StoreError> {
        let tables = self.dialect().definition(definition::PLATFORM_TABLES);
        self.execute_batch("create the platform's tables", &format!("{}{tables}", self.dialect().alone()))
    }

    /// Whether a table of this name exists.
    pub(super) fn has_table(&self, table: &str) -> Result<bool, StoreError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => "select 1 from sqlite_schema where type = 'table' and name = ?",
            Dialect::Postgres => {
                "select 1 from pg_catalog.pg_tables where schemaname = current_schema() and tablename = ?"
            }
        };
        Ok(!self.rows("look for a table", sql, [SqlValue::text(table)], |_| Ok(()))?.is_empty())
    }

    /// The columns of a table.
    pub(super) fn columns(&self, table: &str) -> Result<BTreeSet<String>, StoreError> {
        let sql = match self.dialect() {
            // Generated columns are hidden from table_info.
            Dialect::Sqlite => "select name from pragma_table_xinfo(?)",
            Dialect::Postgres => {
                "select column_name::text from information_schema.columns \
                 where table_schema = current_schema() and table_name = ?"
            }
        };
        Ok(self.rows("list columns", sql, [SqlValue::text(table)], |row| row.get(0))?.into_iter().collect())
    }

    /// The indexes of a table that were created by name, without its primary key.
    pub(super) fn indexes(&self, table: &str) -> Result<BTreeSet<String>, StoreError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                // An index of grams appears as the first of its triggers.
                "select name from sqlite_schema where tbl_name = ? and sql is not null and (type = 'index' \
                 or type = 'trigger' and name not like '%::update' and name not like '%::delete')"
            }
            Dialect::Postgres => {
                // Excludes the primary key by its flag: a renamed table keeps the old name of its key.
                "select i.relname::text from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid \
                 join pg_catalog.pg_class t on t.oid = x.indrelid join pg_catalog.pg_namespace n on n.oid = t.relnamespace \
                 where n.nspname = current_schema() and t.relname = ? and not x.indisprimary"
            }
        };
        Ok(self.rows("list indexes", sql, [SqlValue::text(table)], |row| row.get(0))?.into_iter().collect())
    }

    /// Waits for other processes that change tables, and makes them wait until the unit of work ends.
    pub(super) fn install_alone(&self) -> Result<(), StoreError> {
        self.execute_batch("wait for others that change tables", self.dialect().alone())
    }

    /// Fails if another process uses the same database: it would write rows of the old version. Checked on PostgreSQL
    /// only.
    pub(super) fn be_alone(&self) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let sql = "select pg_try_advisory_xact_lock(7171, hashtext(current_schema()))";
        let alone = self.rows("look for other hosts", sql, [], |row| row.get::<i64>(0))?;
        if alone.first() == Some(&1) { Ok(()) } else { Err(StoreError::InUse) }
    }

    /// The columns and indexes of a table; `None` if the table is missing.
    fn known_table(&self, table: &str) -> Result<Option<KnownTable>, StoreError> {
        let is_there = self.has_table(table)?;
        let known = || Ok(KnownTable { columns: self.columns(table)?, indexes: self.indexes(table)? });
        is_there.then(known).transpose()
    }

    /// The index for parts of texts: on PostgreSQL `pg_trgm`, if the extension is installed; on SQLite an index of
    /// grams for files, and none in memory, where databases are small.
    pub(super) fn search_index(&self) -> Result<SearchIndex, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(if self.is_file() { SearchIndex::Grams } else { SearchIndex::None });
        }
        let found = self.rows(
            "look for pg_trgm",
            "select 1 from pg_catalog.pg_extension where extname = 'pg_trgm'",
            [],
            |_| Ok(()),
        )?;
        Ok(if found.is_empty() { SearchIndex::None } else { SearchIndex::Trigrams })
    }
}
