//! Lists of rows: filter, search, sort, pages and cursors.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sea_query::{Alias, Cond, Condition, Expr, ExprTrait, Order, Query, SelectStatement};
use serde::Deserialize;
use serde_json::{Value, json};

use super::filter::{self, Reach, Usage};
use super::records::{ROW_COLUMNS, read_row};
use super::{Database, EntityRef, Row, Scope, StoreError, schema};

/// Characters of a search at the most: each searchable field of each row is looked through for them.
const MAX_SEARCH: usize = 200;
/// Fields that a list is sorted by: the condition for the next page grows with their square.
const MAX_SORT_KEYS: usize = 8;
/// Rows of a page at the most.
pub(crate) const MAX_PAGE_ROWS: u64 = 200;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// A filter; null for none.
    pub filter: Value,
    /// Text to look for in the searchable fields.
    pub search: Option<String>,
    /// Fields, the most important first; `-` in front of a name turns its order.
    pub sort: Vec<String>,
    /// Rows of the page; 20 where it is absent.
    pub limit: Option<u64>,
    /// Rows to skip; not together with a cursor.
    pub offset: u64,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// True where all matching rows are to be counted.
    pub with_total: bool,
    /// True where deleted rows are wanted too.
    pub include_deleted: bool,
    /// True where the plugin's own code asks: it may use fields that the manifest does not open to users.
    pub by_plugin: bool,
}

/// A page of rows.
#[derive(Debug, Clone)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// Where it ended, if there are more.
    pub next_cursor: Option<String>,
    /// All matching rows, where they were counted.
    pub total: Option<u64>,
}

impl Database {
    /// A page of rows.
    ///
    /// # Errors
    /// [`StoreError::UnknownField`], [`StoreError::BadQuery`], [`StoreError::Sqlite`].
    pub fn list(&self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<Page, StoreError> {
        let matching = matching(entity, scope, query)?;
        let order = Ordering::of(entity, query)?;
        let limit = query.limit.unwrap_or(20).clamp(1, MAX_PAGE_ROWS);

        let mut select = Query::select();
        select.from(Alias::new(entity.table())).cond_where(matching.clone()).limit(limit + 1).offset(query.offset);
        for column in ROW_COLUMNS {
            select.column(Alias::new(column));
        }
        for (index, key) in order.keys.iter().enumerate() {
            select.expr_as(key.expression.clone(), Alias::new(format!("_sort_{index}")));
            select.order_by_expr(key.expression.clone(), key.order.clone());
        }
        if let Some(cursor) = &query.cursor {
            select.cond_where(order.after(cursor, &query.sort)?);
        }
        let sort = &query.sort;
        let mut found = self.select("list rows", &select, |row| {
            let keys = (0..order.keys.len())
                .map(|index| sort_value(row, ROW_COLUMNS.len() + index))
                .collect::<Result<Vec<_>, _>>()?;
            Ok((read_row(row)?, keys))
        })?;
        let more = found.len() as u64 > limit;
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = match found.last() {
            Some((_, keys)) if more => Some(URL_SAFE_NO_PAD.encode(json!({ "sort": sort, "after": keys }).to_string())),
            _ => None,
        };
        let total = if query.with_total { Some(self.count_where(entity, matching)?) } else { None };
        Ok(Page { rows: found.into_iter().map(|(row, _)| row).collect(), next_cursor, total })
    }

    /// How many rows match.
    ///
    /// # Errors
    /// As [`Database::list`].
    pub fn count(&self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<u64, StoreError> {
        self.count_where(entity, matching(entity, scope, query)?)
    }

    fn count_where(&self, entity: &EntityRef, matching: Condition) -> Result<u64, StoreError> {
        let mut select: SelectStatement = Query::select();
        select.from(Alias::new(entity.table())).expr(Expr::cust("count(*)")).cond_where(matching);
        let counts = self.select("count rows", &select, |row| row.get::<_, i64>(0))?;
        Ok(counts.first().map_or(0, |count| count.unsigned_abs()))
    }
}

/// Tenant, deletion, filter and search: what every reading statement starts from.
pub(super) fn matching(entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<Condition, StoreError> {
    let reach = if query.by_plugin { Reach::All } else { Reach::Declared };
    let mut all = Cond::all().add(Expr::col(Alias::new("tenant_id")).eq(scope.tenant.as_str()));
    if !query.include_deleted {
        all = all.add(Expr::col(Alias::new("deleted_at")).is_null());
    }
    if let Some(within) = scope.reach.condition(entity)? {
        all = all.add(within);
    }
    all = all.add(filter::condition(entity, &query.filter, reach)?);
    if let Some(text) = query.search.as_deref().filter(|text| !text.is_empty()) {
        if text.chars().count() > MAX_SEARCH {
            return Err(StoreError::BadQuery(format!("a search has at most {MAX_SEARCH} characters")));
        }
        if !entity.fields.iter().any(|field| field.searchable) {
            let message = format!("`{}` cannot be searched: none of its fields says `searchable = true`", *entity.name);
            return Err(StoreError::BadQuery(message));
        }
        let mut any = Cond::any();
        for field in entity.fields.iter().filter(|field| field.searchable) {
            let column = Expr::col(Alias::new(schema::column_name(field.name.as_str())));
            any = any.add(column.like(filter::contains_pattern(text)));
        }
        all = all.add(any);
    }
    Ok(all)
}

struct SortKey {
    expression: Expr,
    order: Order,
}

/// What a list is sorted by. The id comes last, so that the order is total and pages never overlap.
struct Ordering {
    keys: Vec<SortKey>,
}

impl Ordering {
    fn of(entity: &EntityRef, query: &ListQuery) -> Result<Ordering, StoreError> {
        let reach = if query.by_plugin { Reach::All } else { Reach::Declared };
        if query.sort.len() > MAX_SORT_KEYS {
            return Err(StoreError::BadQuery(format!("a list is sorted by at most {MAX_SORT_KEYS} fields")));
        }
        let mut keys = Vec::new();
        for name in &query.sort {
            let (name, order) = match name.strip_prefix('-') {
                Some(name) => (name, Order::Desc),
                None => (name.as_str(), Order::Asc),
            };
            let expression = filter::field_expression(entity, name, reach, Usage::Sort)?;
            keys.push(SortKey { expression, order });
        }
        keys.push(SortKey { expression: Expr::col(Alias::new("id")), order: Order::Asc });
        Ok(Ordering { keys })
    }

    /// Rows behind the one that the cursor was made from. What is absent sorts before everything else.
    fn after(&self, cursor: &str, sort: &[String]) -> Result<Condition, StoreError> {
        let unreadable = || StoreError::BadQuery("the cursor is not one that this list gave".to_owned());
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| unreadable())?;
        let cursor: Cursor = serde_json::from_slice(&bytes).map_err(|_| unreadable())?;
        if cursor.sort != sort {
            let given = if cursor.sort.is_empty() { "id".to_owned() } else { cursor.sort.join(", ") };
            return Err(StoreError::BadQuery(format!("the cursor belongs to a list in another order: by {given}")));
        }
        let values = cursor.after;
        if values.len() != self.keys.len() {
            return Err(unreadable());
        }
        let mut any = Cond::any();
        for (index, key) in self.keys.iter().enumerate() {
            let mut all = Cond::all();
            for (earlier, value) in self.keys.iter().zip(&values).take(index) {
                let expression = earlier.expression.clone();
                all = all.add(match cursor_value(value) {
                    None => expression.is_null(),
                    Some(value) => expression.eq(value),
                });
            }
            let expression = key.expression.clone();
            let behind = match (&key.order, cursor_value(&values[index])) {
                // Nothing comes behind what is absent in a falling order but more of the same.
                (Order::Desc, None) => continue,
                (Order::Desc, Some(value)) => expression.clone().lt(value).or(expression.is_null()),
                (_, None) => expression.is_not_null(),
                (_, Some(value)) => expression.gt(value),
            };
            any = any.add(all.add(behind));
        }
        Ok(any)
    }
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

fn sort_value(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Value> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(index)? {
        ValueRef::Integer(number) => Value::from(number),
        ValueRef::Real(number) => Value::from(number),
        ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
    })
}
