//! Lists of rows: filter, search, sort, pages and cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use erp_manifest::Moment;
use erp_manifest::contract::{MAX_PAGE_ROWS, PAGE_ROWS};
use erp_manifest::expression::read_decimal;
use erp_storage::{EntityRef, ListQuery, ListedRows, Row, Scope, StoreError};
use sea_query::{Alias, Cond, Condition, Expr, ExprTrait, NullOrdering, Order, Query, SelectStatement};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Database;
use super::filter::{FilterReader, MAX_PATTERN, Operand, Reach, Usage};
use super::records::{MemoryBudget, ROW_COLUMNS, read_row, row_columns};
use super::sql::{Cell, ColumnShape, Dialect, SqlValue, bound};
use crate::reach;

/// Letters that an index of trigrams needs.
const TRIGRAM: usize = 3;
/// Hits of a search that are few: those of more stand close together in any order.
const FEW: usize = 1_000;
/// Fields that a list is sorted by: the condition for the next page grows with their square.
const MAX_SORT_KEYS: usize = 8;

impl Database {
    /// The rows of all pages, until there are more than `most`: then what was found until there.
    ///
    /// # Errors
    /// As [`Database::list`].
    pub fn list_all(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        query: ListQuery,
        most: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut query = ListQuery { limit: Some(MAX_PAGE_ROWS), ..query };
        let mut found = Vec::new();
        loop {
            let page = self.list(entity, scope, &query)?;
            found.extend(page.rows);
            query.cursor = page.next_cursor;
            if query.cursor.is_none() || found.len() > most {
                return Ok(found);
            }
        }
    }

    /// A page of rows.
    ///
    /// # Errors
    /// [`StoreError::UnknownField`], [`StoreError::BadQuery`], [`StoreError::Database`].
    pub fn list(&self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<ListedRows, StoreError> {
        let dialect = self.dialect();
        let mut matching = matching(dialect, entity, scope, query)?;
        let order = Ordering::of(dialect, entity, query)?;
        if let Some(few) = self.few_hits(entity, query, &matching)? {
            // What was found is all there is: no plan can go wrong over it.
            let ids = few.iter().map(String::as_str);
            matching = Cond::all()
                .add(Expr::col(Alias::new("tenant_id")).eq(scope.tenant.as_str()))
                .add(Expr::col(Alias::new("id")).is_in(ids));
        }
        let limit = query.limit.unwrap_or(PAGE_ROWS).clamp(1, MAX_PAGE_ROWS);

        let mut select = Query::select();
        select.from(Alias::new(entity.table())).cond_where(matching.clone()).offset(query.offset);
        for column in row_columns(dialect) {
            select.expr(Expr::cust(column));
        }
        for (index, key) in order.keys.iter().enumerate() {
            let shown = Expr::cust(dialect.shown(&key.operand.sql, key.operand.shape));
            select.expr_as(shown, Alias::new(format!("_sort_{index}")));
            if key.is_standard {
                // Never absent; PostgreSQL would not know its index again if it were told what comes first.
                select.order_by_expr(key.operand.expr(), key.order.clone());
            } else {
                // What is absent comes before everything else.
                let nulls = if key.order == Order::Asc { NullOrdering::First } else { NullOrdering::Last };
                select.order_by_expr_with_nulls(key.operand.expr(), key.order.clone(), nulls);
            }
        }
        let parts = match &query.cursor {
            Some(_) if query.offset > 0 => {
                return Err(StoreError::BadQuery(
                    "a list goes on from a cursor or from a page, not from both".to_owned(),
                ));
            }
            Some(cursor) => order.after(cursor, &query.sort)?,
            None => vec![Cond::all()],
        };
        let wanted = usize::try_from(limit + 1).unwrap_or(usize::MAX);
        let (mut found, mut held): (Vec<(Row, Vec<Value>)>, MemoryBudget) = Default::default();
        for part in parts {
            let missing = (wanted - found.len()) as u64;
            if missing == 0 {
                break;
            }
            let rows = self.select("list rows", select.clone().cond_where(part).limit(missing), |row| {
                held.add(row)?;
                let keys = (0..order.keys.len())
                    .map(|index| row.cell(ROW_COLUMNS + index).map(Cell::to_json))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok((read_row(entity, row)?, keys))
            })?;
            found.extend(rows);
        }
        let more = found.len() as u64 > limit;
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = match found.last() {
            Some((_, keys)) if more => {
                Some(URL_SAFE_NO_PAD.encode(json!({ "sort": query.sort, "after": keys }).to_string()))
            }
            _ => None,
        };
        for (row, _) in &found {
            self.note_seen(entity, row);
        }
        let total = if query.with_total { Some(self.count_where(entity, matching)?) } else { None };
        Ok(ListedRows { rows: found.into_iter().map(|(row, _)| row).collect(), next_cursor, total })
    }

    /// The ids of all rows that a search finds, where they are few. PostgreSQL would rather go through all rows in their
    /// order, in the hope of a hit, than ask its index of trigrams; asked for the hits alone, it asks the index.
    fn few_hits(
        &self,
        entity: &EntityRef,
        query: &ListQuery,
        matching: &Condition,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let has_index = |text: &str| text.chars().count() >= TRIGRAM;
        if self.dialect() != Dialect::Postgres || !query.search.as_deref().is_some_and(has_index) {
            return Ok(None);
        }
        let hits =
            Query::select().from(Alias::new(entity.table())).expr(Expr::cust("id")).cond_where(matching.clone()).take();
        let (sql, values) = self.dialect().build(&hits);
        let sql = format!("with hits as materialized ({sql}) select id from hits limit {}", FEW + 1);
        let values: Vec<SqlValue> = values.into_iter().map(bound).collect();
        let ids = self.rows("look for few rows", &sql, values, |row| row.get::<String>(0))?;
        Ok((ids.len() <= FEW).then_some(ids))
    }

    /// How many rows match.
    ///
    /// # Errors
    /// As [`Database::list`].
    pub fn count(&self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<u64, StoreError> {
        self.count_where(entity, matching(self.dialect(), entity, scope, query)?)
    }

    fn count_where(&self, entity: &EntityRef, matching: Condition) -> Result<u64, StoreError> {
        let mut select: SelectStatement = Query::select();
        select.from(Alias::new(entity.table())).expr(Expr::cust("count(*)")).cond_where(matching);
        let counts = self.select("count rows", &select, |row| row.get::<i64>(0))?;
        Ok(counts.first().map_or(0, |count| count.unsigned_abs()))
    }
}

/// Tenant, deletion, filter and search: what every reading statement starts from.
pub(super) fn matching(
    dialect: Dialect,
    entity: &EntityRef,
    scope: &Scope,
    query: &ListQuery,
) -> Result<Condition, StoreError> {
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

struct SortKey {
    operand: Operand,
    order: Order,
    /// A column that every row has a value in.
    is_standard: bool,
}

/// What a list is sorted by. The id comes last, so that the order is total and pages never overlap; it goes the way of
/// the field before it, so that an index has the rows in just this order.
struct Ordering {
    keys: Vec<SortKey>,
}

impl Ordering {
    fn of(dialect: Dialect, entity: &EntityRef, query: &ListQuery) -> Result<Ordering, StoreError> {
        let reader = FilterReader { dialect, entity, reach: Reach::of(query) };
        if query.sort.len() > MAX_SORT_KEYS {
            return Err(StoreError::BadQuery(format!("a list is sorted by at most {MAX_SORT_KEYS} fields")));
        }
        let mut keys: Vec<SortKey> = Vec::new();
        for name in &query.sort {
            let (name, order) = match name.strip_prefix('-') {
                Some(name) => (name, Order::Desc),
                None => (name.as_str(), Order::Asc),
            };
            let is_standard = entity.field(name).is_none() && !name.ends_with("_by");
            keys.push(SortKey { operand: reader.operand(name, Usage::Sort)?, order, is_standard });
        }
        let order = keys.last().map_or(Order::Asc, |key| key.order.clone());
        keys.push(SortKey { operand: reader.operand("id", Usage::Sort)?, order, is_standard: true });
        Ok(Ordering { keys })
    }

    /// Rows behind the one that the cursor was made from, in parts that come one after the other. Each part is one
    /// range of an index: however far a reader has come, the next page costs the same.
    fn after(&self, cursor: &str, sort: &[String]) -> Result<Vec<Condition>, StoreError> {
        let unreadable = || StoreError::BadQuery("the cursor is not one that this list gave".to_owned());
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| unreadable())?;
        let cursor: Cursor = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        if cursor.sort != sort {
            let given = if cursor.sort.is_empty() { "id".to_owned() } else { cursor.sort.join(", ") };
            return Err(StoreError::BadQuery(format!("the cursor belongs to a list in another order: by {given}")));
        }
        if cursor.after.len() != self.keys.len() {
            return Err(unreadable());
        }
        let fits = self.keys.iter().zip(&cursor.after).all(|(key, value)| key.may_hold(value));
        if !fits {
            return Err(unreadable());
        }
        match &self.keys[..] {
            [key, id] => Ok(after_one(key, id, &cursor.after)),
            keys => Ok(vec![after_all(keys, &cursor.after)]),
        }
    }
}

impl SortKey {
    /// Whether a value of a cursor can be one of this key: a cursor may come from anybody.
    fn may_hold(&self, value: &Value) -> bool {
        match (self.operand.shape, value) {
            (_, Value::Null) => true,
            (ColumnShape::Integer, Value::Number(number)) => number.is_i64(),
            (ColumnShape::Boolean, Value::Number(number)) => matches!(number.as_i64(), Some(0 | 1)),
            (ColumnShape::Float, Value::Number(_)) => true,
            (ColumnShape::Decimal, Value::String(text)) => read_decimal(text).is_some(),
            (ColumnShape::Moment, Value::String(text)) => Moment::parse(text).is_some(),
            (ColumnShape::Text, Value::String(text)) => !text.contains('\0'),
            _ => false,
        }
    }
}

/// Sorted by one field and the id, both the same way.
fn after_one(key: &SortKey, id: &SortKey, values: &[Value]) -> Vec<Condition> {
    let (field, id) = (|| key.operand.expr(), || id.operand.expr());
    let (value, last) = (cursor_value(&values[0]), values[1].as_str().unwrap_or_default());
    let behind = |left: Expr, right: &str| match key.order {
        Order::Desc => left.lt(right),
        _ => left.gt(right),
    };
    let all = |parts: Vec<Expr>| parts.into_iter().fold(Cond::all(), Condition::add);
    let same_value = match &value {
        None => all(vec![field().is_null(), behind(id(), last)]),
        Some(value) => all(vec![field().eq(value.clone()), behind(id(), last)]),
    };
    match (&key.order, value) {
        // What is absent comes last in a falling order, and nothing behind it.
        (Order::Desc, None) => vec![same_value],
        (Order::Desc, Some(value)) => {
            vec![same_value, all(vec![field().lt(value)]), all(vec![field().is_null()])]
        }
        (_, None) => vec![same_value, all(vec![field().is_not_null()])],
        (_, Some(value)) => vec![same_value, all(vec![field().gt(value)])],
    }
}

/// Sorted by several fields, each its own way.
fn after_all(keys: &[SortKey], values: &[Value]) -> Condition {
    let mut any = Cond::any();
    for (index, key) in keys.iter().enumerate() {
        let mut all = Cond::all();
        for (earlier, value) in keys.iter().zip(values).take(index) {
            let expression = earlier.operand.expr();
            all = all.add(match cursor_value(value) {
                None => expression.is_null(),
                Some(value) => expression.eq(value),
            });
        }
        let expression = key.operand.expr();
        let behind = match (&key.order, cursor_value(&values[index])) {
            // Nothing comes behind what is absent in a falling order but more of the same.
            (Order::Desc, None) => continue,
            (Order::Desc, Some(value)) => expression.clone().lt(value).or(expression.is_null()),
            (_, None) => expression.is_not_null(),
            (_, Some(value)) => expression.gt(value),
        };
        any = any.add(all.add(behind));
    }
    // Said twice, the first time so that an index can be used.
    let bound = match (&keys[0].order, cursor_value(&values[0])) {
        (Order::Asc, Some(value)) => Some(keys[0].operand.expr().gte(value)),
        (Order::Desc, None) => Some(keys[0].operand.expr().is_null()),
        _ => None,
    };
    bound.into_iter().fold(Cond::all().add(any), Condition::add)
}

/// Where a page ended: the order of the list, and the sort keys of its last row.
#[derive(Deserialize)]
struct Cursor {
    sort: Vec<String>,
    after: Vec<Value>,
}

fn cursor_value(value: &Value) -> Option<sea_query::Value> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Some(integer.into()),
            None => number.as_f64().map(Into::into),
        },
        Value::String(text) => Some(text.clone().into()),
        _ => None,
    }
}
