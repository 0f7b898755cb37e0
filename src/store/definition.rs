//! What tables, columns and indexes are, as SQL. Nothing here talks to a database.

use std::collections::{BTreeMap, BTreeSet};

use erp_manifest::digest::sha256_hex;
use erp_manifest::{BaseType, Field, MAX_NAME_BYTES, TenantId};
use erp_storage::EntityRef;

use super::grams::{self, GramsIndex};
use super::sql::{ColumnShape, Dialect};

/// The platform's tables. Their names and the meaning of their columns are the platform's; what
/// comes after `erp_` is the dev host's own.
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

/// What is there of a table.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownTable {
    pub(super) columns: BTreeSet<String>,
    pub(super) indexes: BTreeSet<String>,
}

impl KnownTable {
    /// As this version makes the table of an entity.
    pub(super) fn of(entity: &EntityRef, search: SearchIndex) -> KnownTable {
        KnownTable {
            columns: own_columns(entity).map(|field| column_name(field.name.as_str())).collect(),
            indexes: WantedIndex::all(entity, search).map(|index| index.name()).collect(),
        }
    }
}

/// What a database finds parts of texts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SearchIndex {
    /// Nothing: it reads the rows.
    None,
    /// `pg_trgm` of PostgreSQL, one index a field.
    Trigrams,
    /// FTS5 of SQLite over [`grams`], one index an entity.
    Grams,
}

impl SearchIndex {
    /// What a database has that is kept.
    pub(super) fn usual(dialect: Dialect) -> SearchIndex {
        match dialect {
            Dialect::Sqlite => SearchIndex::Grams,
            Dialect::Postgres => SearchIndex::Trigrams,
        }
    }
}

/// The statements that make the table of an entity what it should be: they make it, or add columns to it, and change
/// its indexes. The name of an index says everything about it, so that one that is there needs no second look.
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
            // All at once: the table is written anew once, and not once a column.
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

/// The fields that have a column of their own in PostgreSQL, so that they can be indexed. SQLite indexes what is computed
/// from `data` as it is: there, a statement that names a generated column is never answered by an index alone.
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

/// Those of either database.
fn every_index(entity: &EntityRef) -> impl Iterator<Item = WantedIndex<'_>> {
    let parts = |search| WantedIndex::all(entity, search).filter(|index| index.kind == IndexKind::Parts);
    WantedIndex::all(entity, SearchIndex::None).chain(parts(SearchIndex::Trigrams)).chain(parts(SearchIndex::Grams))
}

/// The statement that takes an index away, where it exists.
pub(super) fn drop_index(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Sqlite if name.starts_with(PARTS) => grams::drop_statement(name),
        _ => format!("drop index if exists \"{name}\""),
    }
}

/// The index over the parts of texts of an entity in SQLite; none where it cannot be searched.
pub(super) fn grams_index(entity: &EntityRef) -> Option<GramsIndex<'_>> {
    let mut all = WantedIndex::all(entity, SearchIndex::Grams);
    all.find(|index| index.kind == IndexKind::Parts).map(|index| index.grams())
}

/// The indexes of an entity that another version of it has not.
pub(super) fn indexes_not_in(old: &EntityRef, new: &EntityRef) -> Vec<String> {
    let stays = all_indexes(new);
    all_indexes(old).into_iter().filter(|name| !stays.contains(name)).collect()
}

/// The indexes of an entity over one of the columns.
pub(super) fn indexes_over(entity: &EntityRef, columns: &[String]) -> Vec<String> {
    let is_over = |index: &WantedIndex<'_>| {
        index.fields.iter().any(|field| columns.iter().any(|column| *column == column_name(field)))
    };
    every_index(entity).filter(is_over).map(|index| index.name()).collect()
}

/// The columns of an entity that another version of it has not, or has for another kind of value.
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

/// What the names of indexes over parts of texts begin with.
const PARTS: &str = "parts:";

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
            // All in one: a search looks for a text in any of them.
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

    /// The name never has colons or commas of a table or of a field: two indexes never share a name. A name that
    /// is too long for PostgreSQL ends in its digest.
    fn name(&self) -> String {
        let prefix = match self.kind {
            IndexKind::Ordered => "order:",
            IndexKind::Unique => "unique:",
            IndexKind::Parts => PARTS,
        };
        // Of the parts of texts, those of a list are others than those of its JSON.
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
            // What is absent comes first, in both. The id at the end makes the order total, and pages cheap. SQLite counts
            // and adds up by the index alone only where that has all that a statement names.
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

/// A column that the field's value can be indexed by.
fn column_definition(field: &Field) -> String {
    Dialect::generated_column(&column_name(field.name.as_str()), field.name.as_str(), shape_of(field))
}

/// The statements that take columns of a table away.
pub(super) fn drop_columns(dialect: Dialect, table: &str, columns: &[String]) -> Vec<String> {
    match dialect {
        Dialect::Sqlite => Vec::new(),
        Dialect::Postgres => {
            columns.iter().map(|column| format!("alter table \"{table}\" drop column \"{column}\"")).collect()
        }
    }
}

/// The generated column of a field.
pub(super) fn column_name(field: &str) -> String {
    format!("_f_{field}")
}

fn shape_of(field: &Field) -> ColumnShape {
    ColumnShape::of(field.field_type.base())
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
