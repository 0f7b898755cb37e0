//! How the rows of a query are found: by all its conditions, or first by an index of texts or a declared index.

use erp_storage::{EntityRef, ListQuery, Scope, StoreError};
use sea_query::{Alias, Cond, Condition, Expr, ExprTrait, Query};
use serde_json::Value;

use super::filter::{FilterReader, MAX_PATTERN, Reach};
use super::grams::GramsIndex;
use super::lookup::RowReader;
use super::sql::{Dialect, SqlValue, TRIGRAM, bound};
use super::{definition, grams, reach};

/// The most hits of a search that count as few; more hits lie close together in any order of the rows.
const FEW: usize = 1_000;
/// The most rows that are looked up in an index before they are sorted: some milliseconds of work.
const MANY: u64 = 20_000;
/// The most rows that an index of texts may lack: a search checks them one by one, in some milliseconds.
pub(super) const MOST_NEW: u64 = 2_000;
/// The number of written rows after which the indexes are checked for rows that they lack.
pub(super) const LOOK_AFTER: u64 = 500;

impl RowReader<'_> {
    /// The condition of a query. If a search finds few rows, it also names their ids: then no plan can be bad.
    pub(super) fn matching(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        query: &ListQuery,
    ) -> Result<Condition, StoreError> {
        let matching = matching(self.database.dialect(), entity, scope, query)?;
        let Some(search) = query.search.as_deref() else { return Ok(matching) };
        Ok(match self.few_hits(entity, search, &matching)? {
            None => matching,
            // The other conditions stay: another unit may have changed one of the rows since.
            Some(ids) => Cond::all().add(Expr::col(Alias::new("id")).is_in(ids)).add(matching),
        })
    }

    /// The ids of all rows that a search finds, if they are few and an index can find them.
    fn few_hits(
        &self,
        entity: &EntityRef,
        search: &str,
        matching: &Condition,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let table = Alias::new(entity.table());
        let mut hits = Query::select().from(table).expr(Expr::cust("id")).cond_where(matching.clone()).take();
        let (sql, values) = match self.database.dialect() {
            // By itself, PostgreSQL would rather read all rows in their order, in the hope of a hit, than use its index
            // of trigrams. A query for the hits alone uses the index.
            Dialect::Postgres if search.chars().count() >= TRIGRAM => {
                let (sql, values) = self.database.dialect().build(&hits);
                (format!("with hits as materialized ({sql}) select id from hits limit {}", FEW + 1), values.0)
            }
            Dialect::Sqlite => {
                let (Some(index), Some(grams)) = (definition::grams_index(entity), grams::query(search)) else {
                    return Ok(None);
                };
                // A file of an earlier version of this program has no such index yet.
                if !self.database.has_table(&index.name)? || self.is_frequent(&index, &grams)? {
                    return Ok(None);
                }
                let candidates = format!("rowid in ({})", index.candidates());
                hits.and_where(Expr::cust_with_values(candidates, [grams]));
                let (sql, values) = self.database.dialect().build(&hits);
                (sql, values.0)
            }
            Dialect::Postgres => return Ok(None),
        };
        let values: Vec<SqlValue> = values.into_iter().map(bound).collect();
        let ids = self.database.rows("look for few rows", &sql, values, |row| row.get::<String>(0))?;
        Ok((ids.len() <= FEW).then_some(ids))
    }

    /// Whether too many rows may hold a text, counting all tenants and the rows that the index of grams lacks.
    fn is_frequent(&self, index: &GramsIndex<'_>, grams: &str) -> Result<bool, StoreError> {
        let most = FEW as u64 + MOST_NEW;
        let sql = format!("select count(*) from (select 1 from ({}) limit {})", index.candidates(), most + 1);
        let counts = self.database.rows("count candidates", &sql, [SqlValue::text(grams)], |row| row.get::<i64>(0))?;
        Ok(counts.first().is_some_and(|count| count.unsigned_abs() > most))
    }

    /// Whether the rows that a filter finds are looked up before they are sorted: if an index was declared for exactly
    /// these fields, and the rows are not too many. PostgreSQL assumes that they are spread evenly. To find the first
    /// few, it would read all rows by their ids, of which the latest come last.
    pub(super) fn is_found_first(
        &self,
        entity: &EntityRef,
        query: &ListQuery,
        matching: &Condition,
    ) -> Result<bool, StoreError> {
        let is_plain = query.sort.is_empty() && query.offset == 0;
        if self.database.dialect() != Dialect::Postgres || !is_plain || !has_declared_index(entity, &query.filter) {
            return Ok(false);
        }
        let hits = Query::select()
            .from(Alias::new(entity.table()))
            .expr(Expr::cust("1"))
            .cond_where(matching.clone())
            .limit(MANY + 1)
            .take();
        let mut count = Query::select();
        count.from_subquery(hits, Alias::new("hits")).expr(Expr::cust("count(*)"));
        let counts = self.database.select("count hits", &count, |row| row.get::<i64>(0))?;
        Ok(counts.first().is_some_and(|count| count.unsigned_abs() <= MANY))
    }
}

/// Whether an index over several fields begins with exactly the fields that a filter compares.
fn has_declared_index(entity: &EntityRef, filter: &Value) -> bool {
    let Some(compared) = filter.as_object().filter(|compared| compared.len() > 1) else { return false };
    entity.indexes.iter().any(|index| {
        let first = index.fields.iter().take(compared.len());
        first.clone().count() == compared.len() && first.into_iter().all(|field| compared.contains_key(field.as_str()))
    })
}

/// The condition of every reading statement: tenant, deletion, reach, filter and search.
fn matching(dialect: Dialect, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<Condition, StoreError> {
    let reader = FilterReader { dialect, entity, reach: Reach::of(query) };
    let mut all = Cond::all().add(Expr::col(Alias::new("tenant_id")).eq(scope.tenant.as_str()));
    if !query.include_deleted {
        all = all.add(Expr::col(Alias::new("deleted_at")).is_null());
    }
    if let Some(within) = reach::condition(&scope.reach, dialect, entity)? {
        all = all.add(within);
    }
    all = all.add(reader.condition(&query.filter)?);
    if let Some(text) = query.search.as_deref().filter(|text| !text.is_empty()) {
        if text.chars().count() > MAX_PATTERN {
            return Err(StoreError::BadQuery(format!("a search has at most {MAX_PATTERN} characters")));
        }
        if text.contains('\0') {
            return Err(StoreError::BadQuery("a search holds no U+0000: no text in a row does".to_owned()));
        }
        if !entity.fields.iter().any(|field| field.searchable) {
            let message = format!("`{}` cannot be searched: none of its fields says `searchable = true`", *entity.name);
            return Err(StoreError::BadQuery(message));
        }
        let mut any = Cond::any();
        for field in entity.fields.iter().filter(|field| field.searchable) {
            any = any.add(reader.matches(field.name.as_str(), text));
        }
        all = all.add(any);
    }
    Ok(all)
}
