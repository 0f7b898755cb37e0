//! Tables: the platform's own, and one for each entity.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::sql::{Dialect, Shape, SqlValue};
use super::{Database, EntityRef, StoreError};
use crate::digest::sha256_hex;
use crate::manifest::{BaseType, Field, Manifest, PluginId, TenantId};

/// The platform's tables. Their names and the meaning of their columns are the platform's; what
/// stands behind `erp_` is the dev host's own.
const PLATFORM_TABLES: &str = "
create table if not exists plugins (
  id {text} primary key, name {text} not null, version {text} not null, status {text} not null, error {text},
  manifest_json {text} not null, package_sha256 {text} not null, installed_at {text}, updated_at {text} not null
{end};
create table if not exists plugin_entities (
  plugin_id {text} not null, entity {text} not null, table_name {text} not null, schema_version {integer} not null,
  primary key (plugin_id, entity)
{end};
create unique index if not exists plugin_entities_table on plugin_entities (table_name);
create table if not exists plugin_schema_versions (
  plugin_id {text} not null, schema_version {integer} not null, plugin_version {text} not null, applied_at {text} not null,
  primary key (plugin_id, schema_version)
{end};
create table if not exists plugin_event_subscriptions (
  plugin_id {text} not null, pattern {text} not null, primary key (plugin_id, pattern)
{end};
create table if not exists erp_packages (
  plugin_id {text} not null, version {text} not null, sha256 {text} not null, content_id {text} not null, size {integer} not null,
  signed_by {text} not null, accepted_at {text} not null, package {bytes} not null, primary key (plugin_id, version)
{end};
create table if not exists erp_receipts (
  plugin_id {text} not null, version {text} not null, serial {integer} not null, envelope {text} not null,
  primary key (plugin_id, version), unique (plugin_id, serial)
{end};
create table if not exists erp_pins (plugin_id {text} not null, public_key {text} not null, primary key (plugin_id, public_key){end};
create table if not exists erp_statements (seq {serial}, kind {text} not null, at {text} not null, envelope {text} not null{end};
create table if not exists erp_tenants (plugin_id {text} not null, tenant_id {text} not null, primary key (plugin_id, tenant_id){end};
create table if not exists erp_events (
  seq {serial}, id {text} not null unique, tenant_id {text} not null, event_type {text} not null,
  source {text} not null, payload {text} not null, occurred_at_ms {integer} not null, depth {integer} not null,
  dispatched {integer} not null default 0
{end};
create index if not exists erp_events_open on erp_events (seq) where dispatched = 0;
create table if not exists erp_event_deliveries (
  event_seq {integer} not null, plugin_id {text} not null, state {text} not null, attempts {integer} not null, error {text},
  primary key (event_seq, plugin_id)
{end};
create table if not exists erp_numbers (
  plugin_id {text} not null, tenant_id {text} not null, rule {text} not null, period {text} not null, next {integer} not null,
  primary key (plugin_id, tenant_id, rule, period)
{end};
create table if not exists erp_key_values (
  plugin_id {text} not null, tenant_id {text} not null, key {text} not null, value {text} not null, expires_at_ms {integer},
  primary key (plugin_id, tenant_id, key)
{end};
create table if not exists erp_settings (
  plugin_id {text} not null, tenant_id {text} not null, key {text} not null, value {text} not null,
  primary key (plugin_id, tenant_id, key)
{end};
create table if not exists erp_secrets (
  plugin_id {text} not null, tenant_id {text} not null, key {text} not null, value {text} not null,
  primary key (plugin_id, tenant_id, key)
{end};
create table if not exists erp_blobs (
  id {text} primary key, plugin_id {text} not null, tenant_id {text} not null, name {text} not null, mime {text} not null,
  sha256 {text} not null, created_at {text} not null, content {bytes} not null
{end};
create table if not exists erp_memory (
  seq {serial}, plugin_id {text} not null, tenant_id {text} not null, session {text} not null,
  item {text} not null, at {text} not null
{end};
create index if not exists erp_memory_session on erp_memory (plugin_id, tenant_id, session, seq);
create table if not exists erp_denials (
  seq {serial}, at {text} not null, tenant_id {text} not null, user_id {text}, plugin_id {text} not null,
  function {text} not null, subject {text} not null, message {text} not null
{end};
create table if not exists erp_config (key {text} primary key, value {text} not null{end};
create table if not exists erp_audit (
  seq {serial}, at {text} not null, tenant_id {text} not null, user_id {text}, entity {text} not null,
  row_id {text} not null, action {text} not null, version {integer} not null
{end};
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
    /// [`StoreError::Database`].
    pub fn install_schema(&mut self, manifest: &Arc<Manifest>) -> Result<(), StoreError> {
        self.execute_batch("wait for others that change tables", self.dialect().alone())?;
        for entity in EntityRef::all(manifest) {
            self.create_table(&entity)?;
            self.add_columns(&entity)?;
            self.make_indexes(&entity)?;
        }
        Ok(())
    }

    /// The plugin that owns a table already, where it is another one than `plugin`. Ids and entities
    /// may be cut differently and still name one table: `erp-a` + `b_c` and `erp-a-b` + `c`.
    ///
    /// # Errors
    /// [`StoreError::Database`].
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
    /// [`StoreError::Database`].
    pub fn drop_schema(&mut self, plugin: &PluginId) -> Result<(), StoreError> {
        // Also those of entities that a later version no longer had.
        let tables = self.rows(
            "list a plugin's tables",
            "select table_name from plugin_entities where plugin_id = ?",
            [SqlValue::Text(plugin.as_str().to_owned())],
            |row| row.get::<String>(0),
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
    /// [`StoreError::Database`].
    pub fn tables(&self) -> Result<Vec<TableInfo>, StoreError> {
        let known = self.rows(
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
                let counts = self.rows("count rows", &sql, [], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))?;
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

    pub(super) fn make_platform_tables(&self) -> Result<(), StoreError> {
        let tables = self.dialect().definition(PLATFORM_TABLES);
        self.execute_batch("create the platform's tables", &format!("{}{tables}", self.dialect().alone()))
    }

    fn create_table(&self, entity: &EntityRef) -> Result<(), StoreError> {
        let (table, dialect) = (entity.table(), self.dialect());
        // Columns come with the table where it is new: adding each to one that is there costs ten times as much.
        let columns: String = entity
            .fields
            .iter()
            .filter(|field| field.has_column())
            .map(|field| format!(", {}", column_definition(dialect, field)))
            .collect();
        let (data, moment) = (dialect.data_type(), dialect.moment_type());
        self.execute_batch(
            "create a table",
            &dialect.definition(&format!(
                "create table if not exists \"{table}\" (
                   id {{text}} primary key, tenant_id {{text}} not null, data {data},
                   created_at {moment} not null, created_by {{text}}, updated_at {moment} not null, updated_by {{text}},
                   deleted_at {moment}, version {{integer}} not null default 1{columns});"
            )),
        )
    }

    /// Whether there is a table of this name.
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

    /// The indexes of a table that were made by name.
    pub(super) fn indexes(&self, table: &str) -> Result<BTreeSet<String>, StoreError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                "select name from sqlite_schema where type = 'index' and tbl_name = ? and sql is not null"
            }
            Dialect::Postgres => {
                "select indexname::text from pg_catalog.pg_indexes where schemaname = current_schema() \
                 and tablename = ? and indexname <> tablename || '_pkey'"
            }
        };
        Ok(self.rows("list indexes", sql, [SqlValue::text(table)], |row| row.get(0))?.into_iter().collect())
    }

    fn add_columns(&self, entity: &EntityRef) -> Result<(), StoreError> {
        let table = entity.table();
        let known = self.columns(&table)?;
        for field in entity.fields.iter().filter(|field| field.has_column()) {
            if !known.contains(&column_name(field.name.as_str())) {
                let definition = column_definition(self.dialect(), field);
                self.execute_batch("add a column", &format!("alter table \"{table}\" add column {definition}"))?;
            }
        }
        Ok(())
    }

    /// Makes the indexes that the entity asks for, and drops those that it no longer asks for. The name of
    /// an index says everything about it, so that one that is there needs no second look.
    fn make_indexes(&self, entity: &EntityRef) -> Result<(), StoreError> {
        let dialect = self.dialect();
        let wanted: BTreeMap<String, String> = WantedIndex::all(entity, self.has_trigrams()?)
            .map(|index| (index.name(), index.statement(dialect)))
            .collect();
        let there = self.indexes(&entity.table())?;
        for name in there.iter().filter(|name| !wanted.contains_key(*name)) {
            self.execute_batch("drop an index", &format!("drop index \"{name}\""))?;
        }
        for (_, statement) in wanted.iter().filter(|(name, _)| !there.contains(*name)) {
            self.execute_batch("create an index", statement)?;
        }
        Ok(())
    }

    /// Whether text can be indexed by its parts: PostgreSQL's `pg_trgm`, where this user may have it.
    fn has_trigrams(&self) -> Result<bool, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(false);
        }
        let found = self.rows(
            "look for pg_trgm",
            "select 1 from pg_catalog.pg_extension where extname = 'pg_trgm'",
            [],
            |_| Ok(()),
        )?;
        Ok(!found.is_empty())
    }
}

/// The fields of each unique index of an entity, in the order of the manifest.
pub(super) fn unique_keys(entity: &EntityRef) -> Vec<Vec<&str>> {
    let all = WantedIndex::all(entity, false);
    all.filter(|index| index.kind == IndexKind::Unique).map(|index| index.fields).collect()
}

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IndexKind {
    Ordered,
    Unique,
    /// Parts of text.
    Parts,
}

/// An index over the live rows of a tenant.
struct WantedIndex<'e> {
    entity: &'e EntityRef,
    /// The fields; none for the rows' own order.
    fields: Vec<&'e str>,
    kind: IndexKind,
}

/// Bytes of a name that PostgreSQL keeps.
const MAX_NAME: usize = 63;

impl<'e> WantedIndex<'e> {
    fn all(entity: &'e EntityRef, with_parts: bool) -> impl Iterator<Item = WantedIndex<'e>> {
        let index = move |fields: Vec<&'e str>, kind| WantedIndex { entity, fields, kind };
        let kind = |unique| if unique { IndexKind::Unique } else { IndexKind::Ordered };
        let ordered = entity.fields.iter().filter(|field| field.is_ordered());
        let parts = entity.fields.iter().filter(move |field| with_parts && field.searchable);
        let parts = parts.filter(|field| field.field_type.base() == BaseType::String);
        std::iter::once(index(Vec::new(), IndexKind::Ordered))
            .chain(ordered.map(move |field| index(vec![field.name.as_str()], kind(field.unique))))
            .chain(entity.indexes.iter().map(move |declared| {
                index(declared.fields.iter().map(|field| field.as_str()).collect(), kind(declared.unique))
            }))
            .chain(parts.map(move |field| index(vec![field.name.as_str()], IndexKind::Parts)))
    }

    /// Colons and commas never stand in the name of a table or of a field: two indexes never share a name. A name that
    /// is too long for PostgreSQL ends in its digest.
    fn name(&self) -> String {
        let prefix = match self.kind {
            IndexKind::Ordered => "index",
            IndexKind::Unique => "unique index",
            IndexKind::Parts => "parts",
        };
        let name = format!("{prefix}:{}:{}", self.entity.table(), self.fields.join(","));
        if name.len() <= MAX_NAME {
            return name;
        }
        let digest = sha256_hex(name.as_bytes());
        format!("{}:{}", &name[..MAX_NAME - 17], &digest[..16])
    }

    fn statement(&self, dialect: Dialect) -> String {
        let (name, table) = (self.name(), self.entity.table());
        let values = self.fields.iter().map(|field| field_value(dialect, self.entity, field));
        let (unique, columns) = match (self.kind, dialect) {
            (IndexKind::Parts, _) => {
                let values: Vec<String> = values.collect();
                return format!(
                    "create index \"{name}\" on \"{table}\" using gin ({} gin_trgm_ops)",
                    values.join(", ")
                );
            }
            // What is absent comes first, in both. The id at the end makes the order total, and pages cheap.
            (IndexKind::Ordered, Dialect::Postgres) => {
                ("", values.map(|value| format!("{value} nulls first")).chain(["id".to_owned()]).collect())
            }
            (IndexKind::Ordered, Dialect::Sqlite) => ("", values.chain(["id".to_owned()]).collect::<Vec<String>>()),
            (IndexKind::Unique, _) => ("unique ", values.collect()),
        };
        format!(
            "create {unique}index \"{name}\" on \"{table}\" (tenant_id, {}) where deleted_at is null",
            columns.join(", ")
        )
    }
}

/// A column that the field's value can be indexed by.
fn column_definition(dialect: Dialect, field: &Field) -> String {
    dialect.generated_column(&column_name(field.name.as_str()), field.name.as_str(), shape_of(field))
}

/// The generated column of a field.
pub(super) fn column_name(field: &str) -> String {
    format!("_f_{field}")
}

fn shape_of(field: &Field) -> Shape {
    Shape::of(field.field_type.base())
}

/// The live rows of an entity of all tenants, as a view with the entity's own names.
pub(super) fn live_view(dialect: Dialect, entity: &EntityRef, without: Option<&TenantId>) -> String {
    // A tenant's name has no quotes: that is its rule.
    let others = without.map_or_else(String::new, |tenant| format!(" and tenant_id <> '{tenant}'"));
    let fields: String = entity
        .fields
        .iter()
        .map(|field| format!(", {} as \"{}\"", field_value(dialect, entity, field.name.as_str()), *field.name))
        .collect();
    let moment = |column: &str| format!("{} as {column}", dialect.shown(column, Shape::Moment));
    format!(
        "create temp view \"{}\" as select id, tenant_id, version, {}, created_by, {}, updated_by{fields} \
         from \"{}\" where deleted_at is null{others};",
        *entity.name,
        moment("created_at"),
        moment("updated_at"),
        entity.table()
    )
}

/// SQL for the value of a field: its column where it has one.
pub(super) fn field_value(dialect: Dialect, entity: &EntityRef, field: &str) -> String {
    match entity.field(field) {
        Some(known) if known.has_column() => format!("\"{}\"", column_name(field)),
        Some(known) => dialect.field_of_data(field, shape_of(known)),
        None => dialect.field_of_data(field, Shape::Text),
    }
}
