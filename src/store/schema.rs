//! Tables: the platform's own, and one for each entity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::types::Value as SqlValue;
use serde::Serialize;

use super::{Database, EntityRef, StoreError, decimal};
use crate::manifest::{BaseType, Field, Manifest, PluginId, TenantId};

/// The platform's tables. Their names and the meaning of their columns are the platform's; what
/// stands behind `erp_` is the dev host's own.
pub(super) const PLATFORM_TABLES: &str = "
create table if not exists plugins (
  id text primary key, name text not null, version text not null, status text not null, error text,
  manifest_json text not null, package_sha256 text not null, installed_at text, updated_at text not null
) strict;
create table if not exists plugin_entities (
  plugin_id text not null, entity text not null, table_name text not null, schema_version integer not null,
  primary key (plugin_id, entity)
) strict;
create unique index if not exists plugin_entities_table on plugin_entities (table_name);
create table if not exists plugin_schema_versions (
  plugin_id text not null, schema_version integer not null, plugin_version text not null, applied_at text not null,
  primary key (plugin_id, schema_version)
) strict;
create table if not exists plugin_event_subscriptions (
  plugin_id text not null, pattern text not null, primary key (plugin_id, pattern)
) strict;
create table if not exists erp_packages (
  plugin_id text not null, version text not null, sha256 text not null, content_id text not null, size integer not null,
  signed_by text not null, accepted_at text not null, package blob not null, primary key (plugin_id, version)
) strict;
create table if not exists erp_receipts (
  plugin_id text not null, version text not null, serial integer not null, envelope text not null,
  primary key (plugin_id, version), unique (plugin_id, serial)
) strict;
create table if not exists erp_pins (plugin_id text not null, public_key text not null, primary key (plugin_id, public_key)) strict;
create table if not exists erp_statements (seq integer primary key autoincrement, kind text not null, at text not null, envelope text not null) strict;
create table if not exists erp_tenants (plugin_id text not null, tenant_id text not null, primary key (plugin_id, tenant_id)) strict;
create table if not exists erp_events (
  seq integer primary key autoincrement, id text not null unique, tenant_id text not null, event_type text not null,
  source text not null, payload text not null, occurred_at_ms integer not null, depth integer not null,
  dispatched integer not null default 0
) strict;
create index if not exists erp_events_open on erp_events (seq) where dispatched = 0;
create table if not exists erp_event_deliveries (
  event_seq integer not null, plugin_id text not null, state text not null, attempts integer not null, error text,
  primary key (event_seq, plugin_id)
) strict;
create table if not exists erp_numbers (
  plugin_id text not null, tenant_id text not null, rule text not null, period text not null, next integer not null,
  primary key (plugin_id, tenant_id, rule, period)
) strict;
create table if not exists erp_key_values (
  plugin_id text not null, tenant_id text not null, key text not null, value text not null, expires_at_ms integer,
  primary key (plugin_id, tenant_id, key)
) strict;
create table if not exists erp_settings (
  plugin_id text not null, tenant_id text not null, key text not null, value text not null,
  primary key (plugin_id, tenant_id, key)
) strict;
create table if not exists erp_secrets (
  plugin_id text not null, tenant_id text not null, key text not null, value text not null,
  primary key (plugin_id, tenant_id, key)
) strict;
create table if not exists erp_blobs (
  id text primary key, plugin_id text not null, tenant_id text not null, name text not null, mime text not null,
  sha256 text not null, created_at text not null, content blob not null
) strict;
create table if not exists erp_memory (
  seq integer primary key autoincrement, plugin_id text not null, tenant_id text not null, session text not null,
  item text not null, at text not null
) strict;
create index if not exists erp_memory_session on erp_memory (plugin_id, tenant_id, session, seq);
create table if not exists erp_denials (
  seq integer primary key autoincrement, at text not null, tenant_id text not null, user_id text, plugin_id text not null,
  function text not null, subject text not null, message text not null
) strict;
create table if not exists erp_config (key text primary key, value text not null) strict;
create table if not exists erp_audit (
  seq integer primary key autoincrement, at text not null, tenant_id text not null, user_id text, entity text not null,
  row_id text not null, action text not null, version integer not null
) strict;
";

/// A table of an entity, as the API shows it.
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

impl Database {
    /// Makes the tables of a plugin's entities where they are not there yet, and adds columns for
    /// fields that are new. What is stored stays as it is. [`Database::serve_schema`] puts them within reach,
    /// once the unit of work has been committed.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn install_schema(&mut self, manifest: &Arc<Manifest>) -> Result<(), StoreError> {
        for entity in EntityRef::all(manifest) {
            self.create_table(&entity)?;
            for field in entity.fields.iter().filter(|field| field.has_column()) {
                self.add_column(&entity, field)?;
            }
            self.make_indexes(&entity)?;
        }
        Ok(())
    }

    /// The plugin that owns a table already, where it is another one than `plugin`. Ids and entities
    /// may be cut differently and still name one table: `erp-a` + `b_c` and `erp-a-b` + `c`.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn other_owner(&self, plugin: &PluginId, table: &str) -> Result<Option<String>, StoreError> {
        let owners = self.rows(
            "look for the table's owner",
            "select plugin_id from plugin_entities where table_name = ? and plugin_id <> ?",
            [SqlValue::Text(table.to_owned()), SqlValue::Text(plugin.as_str().to_owned())],
            |row| row.get(0),
        )?;
        Ok(owners.into_iter().next())
    }

    /// Puts a plugin's entities within reach of queries and references.
    pub fn serve_schema(&mut self, manifest: &Arc<Manifest>) {
        self.catalog_mut().add(Arc::clone(manifest));
    }

    /// Takes a plugin's entities out of reach; their tables and rows stay.
    pub fn retire_schema(&mut self, plugin: &PluginId) {
        self.catalog_mut().remove(plugin);
    }

    /// Deletes a plugin's tables with all rows of all tenants.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn drop_schema(&mut self, plugin: &PluginId) -> Result<(), StoreError> {
        // Also those of entities that a later version no longer had.
        let tables = self.rows(
            "list a plugin's tables",
            "select table_name from plugin_entities where plugin_id = ?",
            [SqlValue::Text(plugin.as_str().to_owned())],
            |row| row.get::<_, String>(0),
        )?;
        for table in tables {
            self.execute_batch("drop a table", &format!("drop table if exists \"{table}\""))?;
        }
        self.catalog_mut().remove(plugin);
        Ok(())
    }

    /// The tables of all entities, with their numbers of rows.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn tables(&self) -> Result<Vec<TableInfo>, StoreError> {
        let known = self.rows(
            "list tables",
            "select plugin_id, entity, table_name from plugin_entities order by plugin_id, entity",
            [],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?)),
        )?;
        known
            .into_iter()
            .map(|(plugin, entity, table)| {
                let sql =
                    format!("select count(*) filter (where deleted_at is null), count(deleted_at) from \"{table}\"");
                let counts =
                    self.rows("count rows", &sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
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

    fn create_table(&self, entity: &EntityRef) -> Result<(), StoreError> {
        let table = entity.table();
        // Columns come with the table where it is new: adding each to one that is there costs ten times as much.
        let columns: String = entity
            .fields
            .iter()
            .filter(|field| field.has_column())
            .map(|field| format!(", {}", column_definition(field)))
            .collect();
        self.execute_batch(
            "create a table",
            &format!(
                "create table if not exists \"{table}\" (
                   id text primary key, tenant_id text not null, data text not null check (json_valid(data)),
                   created_at text not null, created_by text, updated_at text not null, updated_by text,
                   deleted_at text, version integer not null default 1{columns});"
            ),
        )
    }

    fn add_column(&self, entity: &EntityRef, field: &Field) -> Result<(), StoreError> {
        let table = entity.table();
        let column = column_name(field.name.as_str());
        let known = self.rows(
            "list columns",
            // Generated columns are hidden from table_info.
            &format!("select 1 from pragma_table_xinfo('{table}') where name = '{column}'"),
            [],
            |_| Ok(()),
        )?;
        if known.is_empty() {
            let definition = column_definition(field);
            self.execute_batch("add a column", &format!("alter table \"{table}\" add column {definition}"))?;
        }
        Ok(())
    }

    /// Makes the indexes that the entity asks for, and drops those that it no longer asks for. The name of
    /// an index says everything about it, so that one that is there needs no second look.
    fn make_indexes(&self, entity: &EntityRef) -> Result<(), StoreError> {
        let table = entity.table();
        let tenant = WantedIndex { table: &table, columns: Vec::new(), expressions: vec!["id".to_owned()], unique: "" };
        let fields = entity.fields.iter().filter(|field| field.has_column()).map(|field| WantedIndex {
            table: &table,
            columns: vec![field.name.as_str()],
            expressions: vec![field_value(entity, field.name.as_str())],
            unique: if field.unique { "unique " } else { "" },
        });
        let declared = entity.indexes.iter().map(|index| WantedIndex {
            table: &table,
            columns: index.fields.iter().map(|field| field.as_str()).collect(),
            expressions: index.fields.iter().map(|field| field_value(entity, field.as_str())).collect(),
            unique: if index.unique { "unique " } else { "" },
        });
        let wanted: BTreeMap<String, String> = std::iter::once(tenant)
            .chain(fields)
            .chain(declared)
            .map(|index| (index.name(), index.statement()))
            .collect();
        let there: BTreeSet<String> = self
            .rows(
                "list indexes",
                "select name from sqlite_schema where type = 'index' and tbl_name = ? and sql is not null",
                [SqlValue::Text(table.clone())],
                |row| row.get(0),
            )?
            .into_iter()
            .collect();
        for name in there.iter().filter(|name| !wanted.contains_key(*name)) {
            self.execute_batch("drop an index", &format!("drop index \"{name}\""))?;
        }
        for (_, statement) in wanted.iter().filter(|(name, _)| !there.contains(*name)) {
            self.execute_batch("create an index", statement)?;
        }
        Ok(())
    }
}

/// An index over the live rows of a tenant.
struct WantedIndex<'e> {
    table: &'e str,
    /// The fields; none for the rows' own order.
    columns: Vec<&'e str>,
    expressions: Vec<String>,
    /// `unique `, or nothing.
    unique: &'static str,
}

impl WantedIndex<'_> {
    /// Colons and commas never stand in the name of a table or of a field: two indexes never share a name.
    fn name(&self) -> String {
        format!("{}index:{}:{}", self.unique, self.table, self.columns.join(","))
    }

    fn statement(&self) -> String {
        let WantedIndex { table, unique, expressions, .. } = self;
        format!(
            "create {unique}index \"{}\" on \"{table}\" (tenant_id, {}) where deleted_at is null",
            self.name(),
            expressions.join(", ")
        )
    }
}

/// The generated column of a field.
pub(super) fn column_name(field: &str) -> String {
    format!("_f_{field}")
}

/// A column that the field's value can be indexed by.
fn column_definition(field: &Field) -> String {
    let name = field.name.as_str();
    let collation = match field.field_type.base() {
        BaseType::Decimal => format!(" collate {}", decimal::COLLATION),
        _ => String::new(),
    };
    format!("\"{}\" generated always as (json_extract(data, '$.{name}')) virtual{collation}", column_name(name))
}

/// The live rows of an entity of all tenants, as a view with the entity's own names.
pub(super) fn live_view(entity: &EntityRef, without: Option<&TenantId>) -> String {
    // A tenant's name has no quotes: that is its rule.
    let others = without.map_or_else(String::new, |tenant| format!(" and tenant_id <> '{tenant}'"));
    let fields: String = entity
        .fields
        .iter()
        .map(|field| format!(", {} as \"{}\"", field_value(entity, field.name.as_str()), *field.name))
        .collect();
    format!(
        "create temp view if not exists \"{}\" as select id, tenant_id, version, created_at, created_by, updated_at, updated_by{fields} \
         from \"{}\" where deleted_at is null{others}",
        *entity.name,
        entity.table()
    )
}

/// SQL for the value of a field: its column where it has one.
pub(super) fn field_value(entity: &EntityRef, field: &str) -> String {
    if entity.field(field).is_some_and(Field::has_column) {
        format!("\"{}\"", column_name(field))
    } else {
        format!("json_extract(data, '$.{field}')")
    }
}
