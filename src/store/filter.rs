//! The filter language of the HTTP API and of guests, read into a condition.
//!
//! `{"status": "draft"}` · `{"qty": {"gte": 3, "lt": 10}}` · `{"status": {"in": ["a", "b"]}}` ·
//! `{"or": [{…}, {…}]}` · `{"and": […]}` · `{"not": {…}}`. Several keys of one object must all
//! hold. Fields are looked up in the manifest, values are bound: no text of a filter ever becomes
//! SQL.

use sea_query::{Alias, Cond, Condition, Expr, ExprTrait, LikeExpr};
use serde_json::{Map, Value};

use super::{EntityRef, StoreError, decimal, schema, values};
use crate::document::did_you_mean;
use crate::manifest::BaseType;

/// How deep filters nest at the most.
const MAX_DEPTH: usize = 16;
/// How many comparisons a filter makes at the most: the query builder recurses over all of them.
const MAX_COMPARISONS: usize = 200;
/// How many values an `in` holds at the most.
const MAX_IN: usize = 1_000;
/// How many values a whole filter holds at the most: each is a parameter of the statement.
const MAX_VALUES: usize = 5_000;
/// The standard columns that filters and sorting may name.
const STANDARD_COLUMNS: [&str; 6] = ["id", "created_at", "created_by", "updated_at", "updated_by", "version"];

/// Who asks: users only reach fields that the manifest opens, the plugin's own code reaches all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Declared,
    All,
}

/// What a field is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    Filter,
    Sort,
}

/// The condition that a filter stands for.
pub(super) fn condition(entity: &EntityRef, filter: &Value, reach: Reach) -> Result<Condition, StoreError> {
    match filter {
        Value::Null => Ok(Cond::all()),
        Value::Object(_) if comparisons(filter) > MAX_COMPARISONS => {
            Err(bad(format!("the filter makes more than {MAX_COMPARISONS} comparisons; use `in` for many values")))
        }
        Value::Object(_) if values_in(filter) > MAX_VALUES => {
            Err(bad(format!("the filter holds more than {MAX_VALUES} values")))
        }
        Value::Object(fields) => object(entity, fields, reach, 0),
        _ => Err(bad("a filter is a JSON object, such as {\"status\": \"draft\"}")),
    }
}

/// How many comparisons a filter makes, at least; the values of an `in` count as one.
fn comparisons(filter: &Value) -> usize {
    match filter {
        Value::Object(fields) => fields.values().map(comparisons).sum::<usize>().max(1),
        Value::Array(items) => items.iter().filter(|item| item.is_object()).map(comparisons).sum::<usize>().max(1),
        _ => 1,
    }
}

fn values_in(filter: &Value) -> usize {
    match filter {
        Value::Object(fields) => fields.values().map(values_in).sum(),
        Value::Array(items) => items.iter().map(values_in).sum(),
        _ => 1,
    }
}

/// The expression of a field or of a standard column.
pub(super) fn field_expression(entity: &EntityRef, name: &str, reach: Reach, usage: Usage) -> Result<Expr, StoreError> {
    if STANDARD_COLUMNS.contains(&name) {
        return Ok(Expr::col(Alias::new(name)));
    }
    let unknown = |message: String| StoreError::UnknownField { entity: entity.name.to_string(), message };
    let Some(field) = entity.field(name) else {
        let known = entity.fields.iter().map(|field| field.name.as_str());
        let help = did_you_mean(name, known).map_or(String::new(), |help| format!("; {help}"));
        return Err(unknown(format!("there is no field `{name}`{help}")));
    };
    let open = match usage {
        Usage::Filter => field.is_filterable(),
        Usage::Sort => field.sortable,
    };
    if reach == Reach::Declared && !open {
        let word = if usage == Usage::Filter { "filterable" } else { "sortable" };
        return Err(unknown(format!("the field `{name}` is not {word}; the manifest must say `{word} = true`")));
    }
    Ok(if field.has_column() {
        Expr::col(Alias::new(schema::column_name(name)))
    } else if field.field_type.base() == BaseType::Decimal {
        Expr::cust(format!("json_extract(data, '$.{name}') collate {}", decimal::COLLATION))
    } else {
        Expr::cust(format!("json_extract(data, '$.{name}')"))
    })
}

/// `%` and `_` of a user's text stand for themselves.
pub(super) fn contains_pattern(text: &str) -> LikeExpr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}

fn object(
    entity: &EntityRef,
    fields: &Map<String, Value>,
    reach: Reach,
    depth: usize,
) -> Result<Condition, StoreError> {
    if depth > MAX_DEPTH {
        return Err(bad(format!("the filter nests deeper than {MAX_DEPTH}")));
    }
    let mut all = Cond::all();
    for (key, value) in fields {
        all = match key.as_str() {
            "and" | "or" => {
                let mut parts = if key == "and" { Cond::all() } else { Cond::any() };
                let items = value.as_array().ok_or_else(|| bad(format!("`{key}` takes an array of filters")))?;
                for item in items {
                    let item = item.as_object().ok_or_else(|| bad(format!("`{key}` takes an array of filters")))?;
                    parts = parts.add(object(entity, item, reach, depth + 1)?);
                }
                all.add(parts)
            }
            "not" => {
                let inner = value.as_object().ok_or_else(|| bad("`not` takes a filter"))?;
                all.add(object(entity, inner, reach, depth + 1)?.not())
            }
            field => all.add(comparison(entity, field, value, reach)?),
        };
    }
    Ok(all)
}

fn comparison(entity: &EntityRef, name: &str, value: &Value, reach: Reach) -> Result<Condition, StoreError> {
    let operand = || field_expression(entity, name, reach, Usage::Filter);
    let operators = match value {
        Value::Object(operators) => operators,
        Value::Null => return Ok(Cond::all().add(operand()?.is_null())),
        plain => return Ok(Cond::all().add(operand()?.eq(scalar(entity, name, plain)?))),
    };
    if operators.is_empty() {
        return Err(bad(format!("`{name}` is compared with nothing: write {{\"{name}\": {{\"eq\": …}}}}")));
    }
    let mut all = Cond::all();
    for (operator, value) in operators {
        let left = operand()?;
        let part = match operator.as_str() {
            "eq" if value.is_null() => left.is_null(),
            "ne" if value.is_null() => left.is_not_null(),
            "eq" => left.eq(scalar(entity, name, value)?),
            "ne" => left.clone().ne(scalar(entity, name, value)?).or(left.is_null()),
            "gt" => left.gt(scalar(entity, name, value)?),
            "gte" => left.gte(scalar(entity, name, value)?),
            "lt" => left.lt(scalar(entity, name, value)?),
            "lte" => left.lte(scalar(entity, name, value)?),
            "contains" => {
                if !holds_text(entity, name) {
                    return Err(bad(format!("`contains` looks into text, and `{name}` is none")));
                }
                let text = value.as_str().ok_or_else(|| bad("`contains` takes text"))?;
                left.like(contains_pattern(text))
            }
            "in" => {
                let items = value.as_array().ok_or_else(|| bad("`in` takes an array"))?;
                if items.len() > MAX_IN {
                    return Err(bad(format!("`in` takes at most {MAX_IN} values")));
                }
                left.is_in(items.iter().map(|item| scalar(entity, name, item)).collect::<Result<Vec<_>, _>>()?)
            }
            other => {
                let known = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "contains"];
                let help = did_you_mean(other, known).unwrap_or_default();
                return Err(bad(format!("unknown operator `{other}`; {help}")));
            }
        };
        all = all.add(part);
    }
    Ok(all)
}

fn holds_text(entity: &EntityRef, name: &str) -> bool {
    entity.field(name).is_some_and(|field| matches!(field.field_type.base(), BaseType::String | BaseType::Json))
}

/// The value to compare with, in the field's stored form: `3` finds the decimal `3.00`, and
/// `2026-04-15T08:00:00+08:00` finds the moment that is stored in UTC.
fn scalar(entity: &EntityRef, name: &str, value: &Value) -> Result<sea_query::Value, StoreError> {
    let normal = match entity.field(name) {
        Some(field) => values::comparable(field, value),
        None if name.ends_with("_at") => values::of_base_type(BaseType::Datetime, value),
        None if name == "version" => values::of_base_type(BaseType::Integer, value),
        None => values::of_base_type(BaseType::String, value),
    };
    let value = normal.map_err(|why| bad(format!("`{name}` cannot be compared with {value}: it {why}")))?;
    Ok(match value {
        Value::String(text) => text.into(),
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap_or(f64::NAN).into(),
        },
        _ => return Err(bad(format!("`{name}` is compared with a text, a number or a boolean"))),
    })
}

fn bad(message: impl Into<String>) -> StoreError {
    StoreError::BadQuery(message.into())
}
