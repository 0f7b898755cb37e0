//! The SQL of tables, columns and indexes. Nothing here uses a database.

use std::collections::{BTreeMap, BTreeSet};

use erp_manifest::digest::sha256_hex;
use erp_manifest::{BaseType, Field, MAX_NAME_BYTES, TenantId};
use erp_storage::EntityRef;

use super::grams::{self, GramsIndex};
use super::sql::{ColumnShape, Dialect};

/// The platform's tables. The platform defines their names and the meaning of their columns, except for those that
/// begin with `erp_`: these are the dev host's own.
pub(super) const PLATFORM_TABLES: &str = "
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
create table if not exists erp_schemas (plugin_id {text} primary key, manifest {text} not null{end};
create table if not exists erp_upgrades (
  seq {serial}, plugin_id {text} not null, from_version {text} not null, to_version {text} not null,
  from_schema {integer} not null, to_schema {integer} not null, applied_at {text} not null,
  kept {text} not null default '', rolled_back {integer} not null default 0
{end};
create table if not exists erp_kept_rows (
  upgrade {integer} not null, table_name {text} not null, row_id {text} not null, data {text} not null,
  deleted_at {text}, version {integer} not null, last_version {integer} not null, made_by_upgrade {integer} not null default 0, primary key (upgrade, table_name, row_id)
{end};
create table if not exists erp_kept_tables (plugin_id {text} not null, table_name {text} primary key{end};
create table if not exists erp_fixtures (
  plugin_id {text} not null, tenant_id {text} not null, fixture {text} not null, upgrade {integer},
  primary key (plugin_id, tenant_id, fixture)
{end};
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

/// The columns and indexes that a table has.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownTable {
    pub(super) columns: BTreeSet<String>,
    pub(super) indexes: BTreeSet<String>,
}

impl KnownTable {
    /// The table of an entity as this version of the program creates it.
    pub(super) fn of(entity: &EntityRef, search: SearchIndex) -> KnownTable {
        KnownTable {
            columns: own_columns(entity).map(|field| column_name(field.name.as_str())).collect(),
            indexes: WantedIndex::all(entity, search).map(|index| index.name()).collect(),
        }
    }
}

/// The index by which a database finds parts of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SearchIndex {
    /// No index: a search reads the rows.
    None,
    /// `pg_trgm` of PostgreSQL, one index per field.
    Trigrams,
    /// FTS5 of SQLite over [`grams`], one index per entity.
    Grams,
}

impl SearchIndex {
    /// The index of a database that is kept: an SQLite file, or PostgreSQL.
    pub(super) fn usual(dialect: Dialect) -> SearchIndex {
        match dialect {
            Dialect::Sqlite => SearchIndex::Grams,
            Dialect::Postgres => SearchIndex::Trigrams,
        }
    }
}

/// The statements that bring the table of an entity up to date: they create it, or add columns, and change its
/// indexes. The name of an index determines its definition, so an existing index is not compared further.
pub(super) fn table_statements(
    dialect: Dialect,
    entity: &EntityRef,
    known: Option<&KnownTable>,
    search: SearchIndex,
) -> Vec<String> {
    let table = entity.table();
    let mut statements = Vec::new();
    match known {
        None => statements.push(create_table(dialect, entity)),
        Some(_) if dialect == Dialect::Sqlite => {}
        Some(known) => {
            let missing =
                own_columns(entity).filter(|field| !known.columns.contains(&column_name(field.name.as_str())));
            let added = missing.map(|field| format!("add column {}", column_definition(field)));
            let added: Vec<String> = added.collect();
            // One statement for all columns: the table is rewritten once, and not once per column.
            if !added.is_empty() {
                statements.push(format!("alter table \"{table}\" {}", added.join(", ")));
            }
        }
    }
    let there = known.map(|known| known.indexes.clone()).unwrap_or_default();
    let wanted: BTreeMap<String, String> =
        WantedIndex::all(entity, search).map(|index| (index.name(), index.statement(dialect))).collect();
    statements.extend(there.iter().filter(|name| !wanted.contains_key(*name)).map(|name| drop_index(dialect, name)));
    statements.extend(wanted.into_iter().filter(|(name, _)| !there.contains(name)).map(|(_, statement)| statement));
    statements
}

/// The fields that have a column of their own in PostgreSQL, so that they can be indexed. SQLite indexes expressions
/// over `data`: there, a statement that names a generated column is never answered from an index alone.
fn own_columns(entity: &EntityRef) -> impl Iterator<Item = &Field> {
    entity.fields.iter().filter(|field| field.has_column())
}

pub(super) fn create_table(dialect: Dialect, entity: &EntityRef) -> String {
    let columns: String = match dialect {
        Dialect::Sqlite => String::new(),
        Dialect::Postgres => own_columns(entity).map(|field| format!(",\n  {}", column_definition(field))).collect(),
    };
    let (data, moment) = (dialect.data_type(), dialect.moment_type());
    dialect.definition(&format!(
        "create table if not exists \"{}\" (\n  id {{text}} primary key, tenant_id {{text}} not null, data {data},\n  \
         created_at {moment} not null, created_by {{text}}, updated_at {moment} not null, updated_by {{text}},\n  \
         deleted_at {moment}, version {{integer}} not null default 1{columns})",
        entity.table()
    ))
}

/// The names of all indexes that an entity may have.
pub(super) fn all_indexes(entity: &EntityRef) -> Vec<String> {
    every_index(entity).map(|index| index.name()).collect()
}

/// The indexes that an entity may have on either database.
fn every_index(entity: &EntityRef) -> impl Iterator<Item = WantedIndex<'_>> {
    let parts = |search| WantedIndex::all(entity, search).filter(|index| index.kind == IndexKind::Parts);
    WantedIndex::all(entity, SearchIndex::None).chain(parts(SearchIndex::Trigrams)).chain(parts(SearchIndex::Grams))
}

/// The statement that drops an index, if it exists.
pub(super) fn drop_index(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Sqlite if name.starts_with(PARTS) => grams::drop_statement(name),
        _ => format!("drop index if exists \"{name}\""),
    }
}

/// The index over the parts of an entity's texts in SQLite; `None` if the entity cannot be searched.
pub(super) fn grams_index(entity: &EntityRef) -> Option<GramsIndex<'_>> {
    let mut all = WantedIndex::all(entity, SearchIndex::Grams);
    all.find(|index| index.kind == IndexKind::Parts).map(|index| index.grams())
}

/// The indexes of an entity that another version of it does not have.
pub(super) fn indexes_not_in(old: &EntityRef, new: &EntityRef) -> Vec<String> {
    let stays = all_indexes(new);
    all_indexes(old).into_iter().filter(|name| !stays.contains(name)).collect()
}

/// The indexes of an entity over any of the columns.
pub(super) fn indexes_over(entity: &EntityRef, columns: &[String]) -> Vec<String> {
    let is_over = |index: &WantedIndex<'_>| {
        index.fields.iter().any(|field| columns.iter().any(|column| *column == column_name(field)))
    };
    every_index(entity).filter(is_over).map(|index| index.name()).collect()
}

/// The columns of an entity that another version of it does not have, or has with another type.
pub(super) fn columns_not_in(old: &EntityRef, new: &EntityRef) -> Vec<String> {
    let stays = |field: &Field| {
        own_columns(new).any(|known| known.name.as_str() == field.name.as_str() && shape_of(known) == shape_of(field))
    };
    own_columns(old).filter(|field| !stays(field)).map(|field| column_name(field.name.as_str())).collect()
}

/// The fields of each unique index of an entity, in the order of the manifest.
pub(super) fn unique_keys(entity: &EntityRef) -> Vec<Vec<&str>> {
    let all = WantedIndex::all(entity, SearchIndex::None);
    all.filter(|index| index.kind == IndexKind::Unique).map(|index| index.fields).collect()
}

/// The prefix of the names of indexes over parts of texts.
const PARTS: &str = "parts:";

/// The purpose of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IndexKind {
    Ordered,
    Unique,
    /// Finds parts of texts.
    Parts,
}

/// An index that the table of an entity should have.
struct WantedIndex<'e> {
    entity: &'e EntityRef,
    /// The fields; empty for the default order of the rows.
    fields: Vec<&'e str>,
    kind: IndexKind,
}

impl<'e> WantedIndex<'e> {
    fn all(entity: &'e EntityRef, search: SearchIndex) -> impl Iterator<Item = WantedIndex<'e>> {
        let index = move |fields: Vec<&'e str>, kind| WantedIndex { entity, fields, kind };
        let kind = |unique| if unique { IndexKind::Unique } else { IndexKind::Ordered };
        let ordered = entity.fields.iter().filter(|field| field.is_ordered());
        let searchable = entity.fields.iter().filter(|field| field.searchable);
        let parts: Vec<Vec<&str>> = match search {
            SearchIndex::None => Vec::new(),
            SearchIndex::Trigrams => searchable
                .filter(|field| field.field_type.base() == BaseType::String)
                .map(|field| vec![field.name.as_str()])
                .collect(),
            // One index for all: a search looks for a text in any of the fields.
            SearchIndex::Grams => {
                let fields: Vec<&str> = searchable.map(|field| field.name.as_str()).collect();
                if fields.is_empty() { Vec::new() } else { vec![fields] }
            }
        };
        std::iter::once(index(Vec::new(), IndexKind::Ordered))
            .chain(ordered.map(move |field| index(vec![field.name.as_str()], kind(field.unique))))
            .chain(entity.indexes.iter().map(move |declared| {
                index(declared.fields.iter().map(|field| field.as_str()).collect(), kind(declared.unique))
            }))
            .chain(parts.into_iter().map(move |fields| index(fields, IndexKind::Parts)))
    }

    /// The name. Names of tables and fields have no colons or commas, so that two indexes never share a name. A name
    /// that is too long for PostgreSQL ends in its digest.
    fn name(&self) -> String {
        let prefix = match self.kind {
            IndexKind::Ordered => "order:",
            IndexKind::Unique => "unique:",
            IndexKind::Parts => PARTS,
        };
        // Parts of a list's items are not those of its JSON text, so their indexes have different names.
        let is_list = |name: &str| self.entity.field(name).is_some_and(|field| field.field_type.shape().is_list());
        let field = |name: &&str| {
            let mark = if self.kind == IndexKind::Parts && is_list(name) { "[]" } else { "" };
            format!("{name}{mark}")
        };
        let fields: Vec<String> = self.fields.iter().map(field).collect();
        let name = format!("{prefix}{}:{}", self.entity.table(), fields.join(","));
        if name.len() <= MAX_NAME_BYTES {
            return name;
        }
        let digest = sha256_hex(name.as_bytes());
        format!("{}:{}", &name[..MAX_NAME_BYTES - 17], &digest[..16])
    }

    fn grams(&self) -> GramsIndex<'e> {
        GramsIndex { name: self.name(), entity: self.entity, fields: self.fields.clone() }
    }

    fn statement(&self, dialect: Dialect) -> String {
        let (name, table) = (self.name(), self.entity.table());
        let values = self.fields.iter().map(|field| field_value(dialect, self.entity, field));
        let (unique, columns) = match (self.kind, dialect) {
            (IndexKind::Parts, Dialect::Sqlite) => return self.grams().create_statement(),
            (IndexKind::Parts, Dialect::Postgres) => {
                let values: Vec<String> = values.collect();
                return format!(
                    "create index \"{name}\" on \"{table}\" using gin ({} gin_trgm_ops)",
                    values.join(", ")
                );
            }
            // Missing values come first on both. The id at the end makes the order total, and pages cheap. SQLite
            // counts and sums from the index alone only if the index has all columns that the statement names.
            (IndexKind::Ordered, Dialect::Postgres) => {
                ("", values.map(|value| format!("{value} nulls first")).chain(["id".to_owned()]).collect())
            }
            (IndexKind::Ordered, Dialect::Sqlite) => {
                ("", values.chain(["id".to_owned(), "deleted_at".to_owned()]).collect::<Vec<String>>())
            }
            (IndexKind::Unique, _) => ("unique ", values.collect()),
        };
        format!(
            "create {unique}index \"{name}\" on \"{table}\" (tenant_id, {}) where deleted_at is null",
            columns.join(", ")
        )
    }
}

/// The definition of the column by which a field's value can be indexed.
fn column_definition(field: &Field) -> String {
    Dialect::generated_column(&column_name(field.name.as_str()), field.name.as_str(), shape_of(field))
}

/// The statements that drop columns of a table; none for SQLite, which has no such columns.
pub(super) fn drop_columns(dialect: Dialect, table: &str, columns: &[String]) -> Vec<String> {
    match dialect {
        Dialect::Sqlite => Vec::new(),
        Dialect::Postgres => {
            columns.iter().map(|column| format!("alter table \"{table}\" drop column \"{column}\"")).collect()
        }
    }
}

/// The name of a field's generated column.
pub(super) fn column_name(field: &str) -> String {
    format!("_f_{field}")
}

fn shape_of(field: &Field) -> ColumnShape {
    ColumnShape::of(field.field_type.base())
}

/// A view of the live rows of an entity, with the names of the manifest: all tenants, except `without`.
pub(super) fn live_view(dialect: Dialect, entity: &EntityRef, without: Option<&TenantId>) -> String {
    // The rules for the names of tenants allow no quotes.
    let others = without.map_or_else(String::new, |tenant| format!(" and tenant_id <> '{tenant}'"));
    let fields: String = entity
        .fields
        .iter()
        .map(|field| format!(", {} as \"{}\"", field_value(dialect, entity, field.name.as_str()), *field.name))
        .collect();
    let moment = |column: &str| format!("{} as {column}", dialect.shown(column, ColumnShape::Moment));
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
        Some(known) if known.has_column() && dialect == Dialect::Postgres => format!("\"{}\"", column_name(field)),
        Some(known) => dialect.field_of_data(field, shape_of(known)),
        None => dialect.field_of_data(field, ColumnShape::Text),
    }
}
