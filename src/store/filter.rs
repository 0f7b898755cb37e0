//! The filter language of the HTTP API and of guests, read into a condition.
//!
//! `{"status": "draft"}` · `{"qty": {"gte": 3, "lt": 10}}` · `{"status": {"in": ["a", "b"]}}` ·
//! `{"or": [{…}, {…}]}` · `{"and": […]}` · `{"not": {…}}`. Several keys of one object must all
//! hold. Fields are looked up in the manifest, values are bound: no text of a filter ever becomes
//! SQL.

use erp_manifest::document::did_you_mean;
use erp_manifest::{BaseType, comparable, of_base_type};
use erp_storage::{EntityRef, ListQuery, StoreError};
use sea_query::{Cond, Condition, Expr, ExprTrait};
use serde_json::{Map, Value};

use super::definition;
use super::sql::{ColumnShape, Dialect};

/// The maximum number of characters that `contains` or a search looks for.
pub(super) const MAX_PATTERN: usize = 200;
/// The maximum depth of nested filters.
const MAX_DEPTH: usize = 16;
/// The maximum number of comparisons of a filter: the query builder recurses over all of them.
const MAX_COMPARISONS: usize = 200;
/// The maximum number of values of an `in`.
const MAX_IN: usize = 1_000;
/// The maximum number of values of a whole filter: each is a parameter of the statement.
const MAX_VALUES: usize = 5_000;
/// The standard columns that filters and sorting may name.
const STANDARD_COLUMNS: [&str; 6] = ["id", "created_at", "created_by", "updated_at", "updated_by", "version"];

/// The fields that the caller may use: users only those that the manifest opens, the plugin's own code all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Declared,
    All,
}

impl Reach {
    pub(super) fn of(query: &ListQuery) -> Reach {
        if query.by_plugin { Reach::All } else { Reach::Declared }
    }
}

/// The use of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    Filter,
    Sort,
}

/// Reads filters over the rows of an entity.
#[derive(Debug, Clone, Copy)]
pub(super) struct FilterReader<'e> {
    pub(super) dialect: Dialect,
    pub(super) entity: &'e EntityRef,
    pub(super) reach: Reach,
}

/// A field or a standard column in a statement.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) sql: String,
    pub(super) shape: ColumnShape,
}

impl Operand {
    pub(super) fn expr(&self) -> Expr {
        Expr::cust(self.sql.clone())
    }
}

impl FilterReader<'_> {
    /// Reads a filter into a condition.
    pub(super) fn condition(&self, filter: &Value) -> Result<Condition, StoreError> {
        match filter {
            Value::Null => Ok(Cond::all()),
            Value::Object(_) if comparisons(filter) > MAX_COMPARISONS => {
                Err(bad(format!("the filter makes more than {MAX_COMPARISONS} comparisons; use `in` for many values")))
            }
            Value::Object(_) if values_in(filter) > MAX_VALUES => {
                Err(bad(format!("the filter holds more than {MAX_VALUES} values")))
            }
            Value::Object(fields) => self.object(fields, 0),
            _ => Err(bad("a filter is a JSON object, such as {\"status\": \"draft\"}")),
        }
    }

    /// Finds a field or a standard column by its name.
    pub(super) fn operand(&self, name: &str, usage: Usage) -> Result<Operand, StoreError> {
        let entity = self.entity;
        if STANDARD_COLUMNS.contains(&name) {
            let shape = match name {
                "created_at" | "updated_at" => ColumnShape::Moment,
                "version" => ColumnShape::Integer,
                _ => ColumnShape::Text,
            };
            return Ok(Operand { sql: format!("\"{name}\""), shape });
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
        if self.reach == Reach::Declared && !open {
            let word = if usage == Usage::Filter { "filterable" } else { "sortable" };
            return Err(unknown(format!("the field `{name}` is not {word}; the manifest must say `{word} = true`")));
        }
        if usage == Usage::Sort && field.field_type.base() == BaseType::Json {
            return Err(bad(format!("`{name}` holds JSON, which has no order")));
        }
        Ok(Operand {
            sql: definition::field_value(self.dialect, entity, name),
            shape: ColumnShape::of(field.field_type.base()),
        })
    }

    fn object(&self, fields: &Map<String, Value>, depth: usize) -> Result<Condition, StoreError> {
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
                        parts = parts.add(self.object(item, depth + 1)?);
                    }
                    all.add(parts)
                }
                "not" => {
                    let inner = value.as_object().ok_or_else(|| bad("`not` takes a filter"))?;
                    all.add(self.object(inner, depth + 1)?.not())
                }
                field => all.add(self.comparison(field, value)?),
            };
        }
        Ok(all)
    }

    fn comparison(&self, name: &str, value: &Value) -> Result<Condition, StoreError> {
        let operand = self.operand(name, Usage::Filter)?;
        let scalar = |value: &Value| self.scalar(name, value);
        let operators = match value {
            Value::Object(operators) => operators,
            Value::Null => return Ok(Cond::all().add(operand.expr().is_null())),
            plain => return Ok(Cond::all().add(operand.expr().eq(scalar(plain)?))),
        };
        if operators.is_empty() {
            return Err(bad(format!("`{name}` is compared with nothing: write {{\"{name}\": {{\"eq\": …}}}}")));
        }
        let mut all = Cond::all();
        for (operator, value) in operators {
            let left = operand.expr();
            let part = match operator.as_str() {
                "eq" if value.is_null() => left.is_null(),
                "ne" if value.is_null() => left.is_not_null(),
                "eq" => left.eq(scalar(value)?),
                "ne" => left.clone().ne(scalar(value)?).or(left.is_null()),
                "gt" => left.gt(scalar(value)?),
                "gte" => left.gte(scalar(value)?),
                "lt" => left.lt(scalar(value)?),
                "lte" => left.lte(scalar(value)?),
                "contains" => self.contains(name, left, value)?,
                "in" => {
                    let items = value.as_array().ok_or_else(|| bad("`in` takes an array"))?;
                    if items.len() > MAX_IN {
                        return Err(bad(format!("`in` takes at most {MAX_IN} values")));
                    }
                    left.is_in(items.iter().map(scalar).collect::<Result<Vec<_>, _>>()?)
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

    /// Whether a text contains a part, or a list contains an item.
    fn contains(&self, name: &str, left: Expr, value: &Value) -> Result<Expr, StoreError> {
        let text = value.as_str().ok_or_else(|| bad("`contains` takes text"))?;
        let Some(field) = self.entity.field(name) else {
            return Err(bad(format!("`contains` looks into text and lists, and `{name}` is neither")));
        };
        if field.field_type.shape().is_list() {
            return Ok(self.dialect.has_item(name, |item| item.eq(text)));
        }
        if field.field_type.base() != BaseType::String {
            return Err(bad(format!("`contains` looks into text and lists, and `{name}` is neither")));
        }
        if text.chars().count() > MAX_PATTERN {
            return Err(bad(format!("`contains` looks for at most {MAX_PATTERN} characters")));
        }
        Ok(self.dialect.contains(left, text))
    }

    /// Whether a text occurs anywhere in a field; in a list, in any of its items.
    pub(super) fn matches(&self, name: &str, text: &str) -> Expr {
        let is_list = self.entity.field(name).is_some_and(|field| field.field_type.shape().is_list());
        if is_list {
            self.dialect.has_item(name, |item| self.dialect.contains(item, text))
        } else {
            let operand = Expr::cust(definition::field_value(self.dialect, self.entity, name));
            self.dialect.contains(operand, text)
        }
    }

    /// The value to compare with, in the field's stored form: `3` finds the decimal `3.00`, and
    /// `2026-04-15T08:00:00+08:00` finds the moment that is stored in UTC.
    fn scalar(&self, name: &str, value: &Value) -> Result<sea_query::Value, StoreError> {
        let normal = match self.entity.field(name) {
            Some(field) if field.field_type.base() == BaseType::Json => {
                let help = if field.field_type.shape().is_list() { ", or with an item by `contains`" } else { "" };
                return Err(bad(format!("`{name}` holds JSON: it is compared with null{help}")));
            }
            Some(field) => comparable(field, value),
            None if name.ends_with("_at") => of_base_type(BaseType::Datetime, value),
            None if name == "version" => of_base_type(BaseType::Integer, value),
            None => of_base_type(BaseType::String, value),
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

fn bad(message: impl Into<String>) -> StoreError {
    StoreError::BadQuery(message.into())
}
