//! The order of a list, and how a list continues from a cursor.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use erp_manifest::Moment;
use erp_manifest::expression::read_decimal;
use erp_storage::{EntityRef, ListQuery, StoreError};
use sea_query::{Cond, Condition, Expr, ExprTrait, NullOrdering, Order, SelectStatement};
use serde::Deserialize;
use serde_json::{Value, json};

use super::filter::{FilterReader, Operand, Reach, Usage};
use super::sql::{ColumnShape, Dialect};

/// The maximum number of fields that a list is sorted by: the condition for the next page grows with their square.
const MAX_SORT_KEYS: usize = 8;

pub(super) struct SortKey {
    pub(super) operand: Operand,
    order: Order,
    /// Whether the column has a value in every row.
    is_standard: bool,
}

/// The order of a list. The id comes last, so that the order is total and pages never overlap. It is sorted in the
/// direction of the field before it, so that an index has the rows in exactly this order.
pub(super) struct Ordering {
    pub(super) keys: Vec<SortKey>,
}

impl Ordering {
    pub(super) fn of(dialect: Dialect, entity: &EntityRef, query: &ListQuery) -> Result<Ordering, StoreError> {
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

    /// The cursor after a row with these sort keys.
    pub(super) fn cursor(sort: &[String], keys: &[Value]) -> String {
        URL_SAFE_NO_PAD.encode(json!({ "sort": sort, "after": keys }).to_string())
    }

    /// The rows after the one that the cursor was made from, in consecutive parts. Each part is one range of an index:
    /// every page costs the same, however far the reader has come.
    pub(super) fn after(&self, cursor: &str, sort: &[String]) -> Result<Vec<ListRange>, StoreError> {
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
            keys => Ok(vec![ListRange { condition: after_all(keys, &cursor.after), pinned: 0 }]),
        }
    }
}

/// Consecutive rows of a list.
pub(super) struct ListRange {
    pub(super) condition: Condition,
    /// The number of first sort keys that have one value in all of these rows. SQLite would sort by them although an
    /// index has the rows in order; PostgreSQL would not recognize the order of its index without them.
    pub(super) pinned: usize,
}

impl SortKey {
    /// Sorts a statement by this key, after those that it is sorted by already.
    pub(super) fn order(&self, select: &mut SelectStatement) {
        if self.is_standard {
            // Never missing; with a place for missing values, PostgreSQL would not use its index.
            select.order_by_expr(self.operand.expr(), self.order.clone());
        } else {
            // Missing values come before all others.
            let nulls = if self.order == Order::Asc { NullOrdering::First } else { NullOrdering::Last };
            select.order_by_expr_with_nulls(self.operand.expr(), self.order.clone(), nulls);
        }
    }

    /// Whether a value of a cursor can be one of this key: a cursor is untrusted input.
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

/// The rows after a cursor, sorted by one field and the id, both in the same direction.
fn after_one(key: &SortKey, id: &SortKey, values: &[Value]) -> Vec<ListRange> {
    let (field, id) = (|| key.operand.expr(), || id.operand.expr());
    let (value, last) = (cursor_value(&values[0]), values[1].as_str().unwrap_or_default());
    let behind = |left: Expr, right: &str| match key.order {
        Order::Desc => left.lt(right),
        _ => left.gt(right),
    };
    let part = |pinned, conditions: Vec<Expr>| ListRange {
        condition: conditions.into_iter().fold(Cond::all(), Condition::add),
        pinned,
    };
    let same_value = match &value {
        None => part(1, vec![field().is_null(), behind(id(), last)]),
        Some(value) => part(1, vec![field().eq(value.clone()), behind(id(), last)]),
    };
    match (&key.order, value) {
        // In descending order, missing values come last, with nothing after them.
        (Order::Desc, None) => vec![same_value],
        (Order::Desc, Some(value)) => {
            vec![same_value, part(0, vec![field().lt(value)]), part(1, vec![field().is_null()])]
        }
        (_, None) => vec![same_value, part(0, vec![field().is_not_null()])],
        (_, Some(value)) => vec![same_value, part(0, vec![field().gt(value)])],
    }
}

/// The rows after a cursor, sorted by several fields, each in its own direction.
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
            // In descending order, only more missing values come after a missing one.
            (Order::Desc, None) => continue,
            (Order::Desc, Some(value)) => expression.clone().lt(value).or(expression.is_null()),
            (_, None) => expression.is_not_null(),
            (_, Some(value)) => expression.gt(value),
        };
        any = any.add(all.add(behind));
    }
    // Follows from the condition above; in this form, an index can be used.
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
