//! Tables: the platform's own, and one for each entity.

use std::sync::Arc;

use serde::Serialize;

use super::{Database, EntityRef, StoreError, decimal};
use crate::manifest::{BaseType, Field, Manifest};

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
    /// fields that are new. What is stored stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn install_schema(&mut self, manifest: &Arc<Manifest>) -> Result<(), StoreError> {
        self.catalog_mut().add(Arc::clone(manifest));
        for entity in &manifest.schema.entities {
            let entity = self.catalog().entity(&manifest.metadata.id, entity.name.as_str())?;
            self.create_table(&entity)?;
            for field in entity.fields.iter().filter(|field| field.has_column()) {
                self.add_column(&entity, field)?;
            }
            for index in &entity.indexes {
                let columns: Vec<String> =
                    index.fields.iter().map(|field| column_or_json(&entity, field.as_str())).collect();
                self.create_index(&entity, index.name.as_str(), &columns.join(", "), index.unique)?;
            }
        }
        Ok(())
    }

    /// Deletes a plugin's tables with all rows of all tenants.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn drop_schema(&mut self, manifest: &Manifest) -> Result<(), StoreError> {
        for entity in &manifest.schema.entities {
            let table = crate::manifest::table_name(&manifest.metadata.id, &entity.name);
            self.execute_batch("drop a table", &format!("drop table if exists \"{table}\""))?;
        }
        self.catalog_mut().remove(&manifest.metadata.id);
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
                   deleted_at text, version integer not null default 1{columns});
                 create index if not exists \"{table}_tenant\" on \"{table}\" (tenant_id, id) where deleted_at is null;"
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
        self.create_index(entity, field.name.as_str(), &format!("\"{column}\""), field.unique)
    }

    fn create_index(&self, entity: &EntityRef, name: &str, columns: &str, unique: bool) -> Result<(), StoreError> {
        let table = entity.table();
        let (unique, suffix) = if unique { ("unique ", "unique") } else { ("", "index") };
        self.execute_batch(
            "create an index",
            &format!(
                "create {unique}index if not exists \"{table}_{name}_{suffix}\" on \"{table}\" (tenant_id, {columns}) \
                 where deleted_at is null"
            ),
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

fn column_or_json(entity: &EntityRef, field: &str) -> String {
    if entity.field(field).is_some_and(Field::has_column) {
        format!("\"{}\"", column_name(field))
    } else {
        format!("json_extract(data, '$.{field}')")
    }
}
