//! Groups and sums.

use sea_query::{Alias, Expr, Order, Query};
use serde_json::{Map, Value};

use super::filter::{self, Reach, Usage};
use super::{Database, EntityRef, ListQuery, Scope, StoreError, query};
use crate::document::did_you_mean;
use crate::manifest::BaseType;

/// Groups and metrics of one query at the most.
const MAX_COLUMNS: usize = 50;

/// What to group and to sum.
#[derive(Debug, Clone, Default)]
pub struct AggregateQuery {
    /// The fields whose values make the groups; one group of all rows where it is empty.
    pub group_by: Vec<String>,
    /// What to compute for each group.
    pub metrics: Vec<Metric>,
    /// Which rows, and who asks.
    pub rows: ListQuery,
}

/// One number of a group.
#[derive(Debug, Clone)]
pub struct Metric {
    /// `count`, `sum`, `avg`, `min` or `max`.
    pub function: String,
    /// The field; none for `count`.
    pub field: Option<String>,
    /// The key of the number in the answer.
    pub name: String,
}

impl AggregateQuery {
    /// Reads `{"group_by", "metrics": [{"func", "field", "as"}], "filter"}`; the platform's own key
    /// `aggregations` and a single text for `group_by` are read too.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`].
    pub fn from_json(value: &Value, by_plugin: bool) -> Result<AggregateQuery, StoreError> {
        let bad = |message: &str| StoreError::BadQuery(message.to_owned());
        only(value, &["group_by", "metrics", "aggregations", "filter"])?;
        let group_by = match &value["group_by"] {
            Value::Null => Vec::new(),
            Value::String(field) => vec![field.clone()],
            Value::Array(fields) => fields
                .iter()
                .map(|field| field.as_str().map(str::to_owned))
                .collect::<Option<_>>()
                .ok_or_else(|| bad("`group_by` takes names of fields"))?,
            _ => return Err(bad("`group_by` takes names of fields")),
        };
        let metrics = match value.get("metrics").or_else(|| value.get("aggregations")) {
            None => vec![Metric { function: "count".to_owned(), field: None, name: "count".to_owned() }],
            Some(Value::Array(metrics)) => metrics
                .iter()
                .map(|metric| {
                    only(metric, &["func", "field", "as"]).ok()?;
                    let function = metric["func"].as_str()?.to_owned();
                    let field = metric["field"].as_str().map(str::to_owned);
                    let name = metric["as"].as_str().map_or_else(
                        || field.as_ref().map_or(function.clone(), |field| format!("{function}_{field}")),
                        str::to_owned,
                    );
                    Some(Metric { function, field, name })
                })
                .collect::<Option<_>>()
                .ok_or_else(|| bad("a metric is {\"func\": \"sum\", \"field\": \"qty\", \"as\": \"total\"}"))?,
            Some(_) => return Err(bad("`metrics` takes an array")),
        };
        Ok(AggregateQuery {
            group_by,
            metrics,
            rows: ListQuery { filter: value["filter"].clone(), by_plugin, ..ListQuery::default() },
        })
    }
}

/// Refuses keys that nothing reads: a misspelled filter must not give all rows.
fn only(value: &Value, known: &[&str]) -> Result<(), StoreError> {
    let unknown = value.as_object().into_iter().flat_map(Map::keys).find(|key| !known.contains(&key.as_str()));
    match unknown {
        None => Ok(()),
        Some(key) => {
            let help = did_you_mean(key, known.iter().copied()).unwrap_or_default();
            Err(StoreError::BadQuery(format!("unknown key `{key}`; {help}")))
        }
    }
}

impl Database {
    /// The groups, ordered by their values.
    ///
    /// # Errors
    /// [`StoreError::UnknownField`], [`StoreError::BadQuery`], [`StoreError::Sqlite`].
    pub fn aggregate(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        query: &AggregateQuery,
    ) -> Result<Vec<Value>, StoreError> {
        let reach = if query.rows.by_plugin { Reach::All } else { Reach::Declared };
        let mut select = Query::select();
        select.from(Alias::new(entity.table())).cond_where(query::matching(entity, scope, &query.rows)?);
        if query.group_by.len() + query.metrics.len() > MAX_COLUMNS {
            return Err(StoreError::BadQuery(format!("an aggregate has at most {MAX_COLUMNS} groups and metrics")));
        }
        let base_of = |name: &str| entity.field(name).map_or(BaseType::String, |field| field.field_type.base());
        let mut names = Vec::new();
        let mut bases = Vec::new();
        for field in &query.group_by {
            let expression = filter::field_expression(entity, field, reach, Usage::Filter)?;
            select.expr(expression.clone()).add_group_by([expression.clone()]).order_by_expr(expression, Order::Asc);
            names.push(field.clone());
            bases.push(base_of(field));
        }
        for metric in &query.metrics {
            select.expr(metric_expression(entity, metric)?);
            names.push(metric.name.clone());
            bases.push(match metric.function.as_str() {
                "min" | "max" => metric.field.as_deref().map_or(BaseType::Integer, base_of),
                _ => BaseType::Integer,
            });
        }
        select.limit(10_000);
        self.select("aggregate rows", &select, |row| {
            let mut group = Map::new();
            for (index, name) in names.iter().enumerate() {
                group.insert(name.clone(), sql_to_json(bases[index], row.get_ref(index)?));
            }
            Ok(Value::Object(group))
        })
    }
}

fn metric_expression(entity: &EntityRef, metric: &Metric) -> Result<Expr, StoreError> {
    let bad = |message: String| StoreError::BadQuery(message);
    if metric.function == "count" {
        return Ok(Expr::cust("count(*)"));
    }
    let name = metric.field.as_deref().ok_or_else(|| bad(format!("`{}` needs a field", metric.function)))?;
    let expression = filter::field_expression(entity, name, Reach::All, Usage::Filter)?;
    let base = entity.field(name).map_or(BaseType::String, |field| field.field_type.base());
    let is_number = matches!(base, BaseType::Integer | BaseType::Float | BaseType::Decimal);
    let function = match metric.function.as_str() {
        "min" | "max" => metric.function.as_str(),
        "sum" | "avg" if !is_number => {
            return Err(bad(format!("`{name}` is no number: it has no {}", metric.function)));
        }
        "sum" if base == BaseType::Decimal => "decimal_sum",
        "avg" if base == BaseType::Decimal => "decimal_avg",
        "sum" | "avg" => metric.function.as_str(),
        other => return Err(bad(format!("unknown function `{other}`; known here: count, sum, avg, min, max"))),
    };
    Ok(Expr::cust_with_expr(format!("{function}(?)"), expression))
}

fn sql_to_json(base: BaseType, value: rusqlite::types::ValueRef<'_>) -> Value {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Integer(number) if base == BaseType::Boolean => Value::from(number != 0),
        ValueRef::Integer(number) => Value::from(number),
        ValueRef::Real(number) => Value::from(number),
        ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
    }
}
