//! Groups and sums.

use erp_manifest::BaseType;
use erp_manifest::document::{did_you_mean, weight_of_fields, words};
use erp_manifest::expression::read_decimal;
use rust_decimal::Decimal;
use sea_query::{Alias, Expr, NullOrdering, Order, Query};
use serde_json::{Map, Value};

use super::filter::{FilterReader, Operand, Reach, Usage};
use super::records::MemoryBudget;
use super::sql::{Cell, ColumnShape, Failure, SqlError, SqlRow};
use super::{Database, EntityRef, ListQuery, Scope, StoreError, query};

/// Groups and metrics of one query at the most.
const MAX_COLUMNS: usize = 50;

/// What to group and to sum.
#[derive(Debug, Clone, Default)]
pub struct AggregateQuery {
    /// What makes the groups; one group of all rows where it is empty.
    pub group_by: Vec<Grouping>,
    /// What to compute for each group.
    pub metrics: Vec<Metric>,
    /// Which rows, and who asks.
    pub rows: ListQuery,
}

words! {
    /// A stretch of time.
    pub enum Period {
        /// `2026`.
        Year = "year",
        /// `2026-04`.
        Month = "month",
        /// `2026-04-15`.
        Day = "day",
        /// `2026-04-15T08`, in UTC.
        Hour = "hour",
    }
}

impl Period {
    /// How many characters of a moment name it.
    fn characters(self) -> usize {
        match self {
            Period::Year => 4,
            Period::Month => 7,
            Period::Day => 10,
            Period::Hour => 13,
        }
    }
}

/// What makes groups: the values of a field, or the stretches of time that they lie in.
#[derive(Debug, Clone)]
pub struct Grouping {
    /// The field.
    pub field: String,
    /// The stretch, of a day or a moment.
    pub per: Option<Period>,
}

impl Grouping {
    fn from_json(value: &Value) -> Option<Grouping> {
        if let Some(field) = value.as_str() {
            return Some(Grouping { field: field.to_owned(), per: None });
        }
        only(value, &["field", "per"]).ok()?;
        let per = value.get("per").map(|per| Period::from_word(per.as_str()?));
        Some(Grouping { field: value["field"].as_str()?.to_owned(), per: per.map_or(Some(None), |per| per.map(Some))? })
    }
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
        let no_group = "`group_by` takes names of fields, or {\"field\": \"ordered_on\", \"per\": \"month\"} with year, month, day or hour";
        let group_by = match &value["group_by"] {
            Value::Null => Vec::new(),
            Value::Array(fields) => {
                fields.iter().map(Grouping::from_json).collect::<Option<_>>().ok_or_else(|| bad(no_group))?
            }
            field => vec![Grouping::from_json(field).ok_or_else(|| bad(no_group))?],
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
    /// [`StoreError::UnknownField`], [`StoreError::BadQuery`], [`StoreError::Database`].
    pub fn aggregate(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        query: &AggregateQuery,
    ) -> Result<Vec<Value>, StoreError> {
        if query.group_by.len() + query.metrics.len() > MAX_COLUMNS {
            return Err(StoreError::BadQuery(format!("an aggregate has at most {MAX_COLUMNS} groups and metrics")));
        }
        let dialect = self.dialect();
        let users = FilterReader { dialect, entity, reach: Reach::of(&query.rows) };
        let own = FilterReader { reach: Reach::All, ..users };
        let mut select = Query::select();
        select.from(Alias::new(entity.table())).cond_where(query::matching(dialect, entity, scope, &query.rows)?);
        let mut outputs: Vec<(&str, Output)> = Vec::new();
        for grouping in &query.group_by {
            let field = &grouping.field;
            let mut operand = users.operand(field, Usage::Filter)?;
            if operand.shape == ColumnShape::Json {
                return Err(StoreError::BadQuery(format!("`{field}` holds JSON: it makes no groups")));
            }
            if let Some(per) = grouping.per {
                operand = stretch(&users, field, &operand, per)?;
            }
            let expression = operand.expr();
            // A name of its own: PostgreSQL would order by what is shown where that had the column's name.
            let shown = Expr::cust(dialect.shown(&operand.sql, operand.shape));
            select.expr_as(shown, Alias::new(format!("_group_{}", outputs.len())));
            select.add_group_by([expression.clone()]);
            select.order_by_expr_with_nulls(expression, Order::Asc, NullOrdering::First);
            outputs.push((field, Output::of(entity, field, operand.shape)));
        }
        for metric in &query.metrics {
            let (columns, output) = metric_columns(&own, metric)?;
            for column in columns {
                select.expr(Expr::cust(column));
            }
            outputs.push((&metric.name, output));
        }
        select.limit(10_000);
        let read = || {
            let mut held = MemoryBudget::default();
            self.select("aggregate rows", &select, |row| {
                let mut group = Map::new();
                let mut index = 0;
                for (name, output) in &outputs {
                    group.insert((*name).to_owned(), output.read(row, index)?);
                    index += output.width();
                }
                held.add_bytes(weight_of_fields(&group))?;
                Ok(Value::Object(group))
            })
        };
        self.guarded(read).map_err(|error| match error.failure() {
            Failure::OutOfRange => StoreError::BadQuery("a sum is too large for a number".to_owned()),
            _ => error,
        })
    }
}

/// The stretch of time that a day or a moment lies in: the beginning of its text.
fn stretch(reader: &FilterReader<'_>, field: &str, operand: &Operand, per: Period) -> Result<Operand, StoreError> {
    let base = reader.entity.field(field).map(|field| field.field_type.base());
    let has_hours = operand.shape == ColumnShape::Moment || base == Some(BaseType::Datetime);
    if !(has_hours || (base == Some(BaseType::Date) && per != Period::Hour)) {
        let what = if base == Some(BaseType::Date) { "a day, which has no hours" } else { "no day and no moment" };
        return Err(StoreError::BadQuery(format!("`{field}` is {what}")));
    }
    let text = reader.dialect.shown(&operand.sql, operand.shape);
    Ok(Operand { sql: format!("substr({text}, 1, {})", per.characters()), shape: ColumnShape::Text })
}

/// What the columns of a group become.
#[derive(Debug, Clone, Copy)]
enum Output {
    Value(ColumnShape),
    /// A decimal without a scale: equal ones may have been written with more or fewer zeros, and which is seen is chance.
    Loose,
    /// The exact sum of decimals, with the digits that they have.
    Sum,
    /// The exact mean of decimals: their sum and their number.
    Mean,
}

impl Output {
    fn of(entity: &EntityRef, field: &str, shape: ColumnShape) -> Output {
        let has_scale = entity.field(field).is_some_and(|field| field.kept_scale().is_some());
        if shape == ColumnShape::Decimal && !has_scale { Output::Loose } else { Output::Value(shape) }
    }

    /// How many columns it is read from.
    fn width(self) -> usize {
        match self {
            Output::Value(_) | Output::Loose | Output::Sum => 1,
            Output::Mean => 2,
        }
    }

    fn read(self, row: &SqlRow<'_>, index: usize) -> Result<Value, SqlError> {
        let cell = row.cell(index)?;
        Ok(match (self, cell) {
            (Output::Value(ColumnShape::Boolean), Cell::Integer(number)) => Value::from(number != 0),
            (Output::Loose, Cell::Text(text)) => match read_decimal(text) {
                Some(decimal) => Value::from(decimal.normalize().to_string()),
                None => Value::from(text),
            },
            // PostgreSQL adds beyond the digits that a decimal has.
            (Output::Sum, Cell::Text(text)) if Decimal::from_str_exact(text).is_err() => {
                return Err(SqlError::TooLarge);
            }
            (Output::Value(_) | Output::Loose | Output::Sum, cell) => cell.to_json(),
            (Output::Mean, cell) => match (cell, row.get::<i64>(index + 1)?) {
                (Cell::Text(sum), count) if count > 0 => {
                    let sum = Decimal::from_str_exact(sum).map_err(|_| SqlError::TooLarge)?;
                    Value::from((sum / Decimal::from(count)).normalize().to_string())
                }
                _ => Value::Null,
            },
        })
    }
}

/// The columns that a metric is read from.
fn metric_columns(reader: &FilterReader<'_>, metric: &Metric) -> Result<(Vec<String>, Output), StoreError> {
    let bad = |message: String| StoreError::BadQuery(message);
    let dialect = reader.dialect;
    if metric.function == "count" {
        return Ok((vec!["count(*)".to_owned()], Output::Value(ColumnShape::Integer)));
    }
    let name = metric.field.as_deref().ok_or_else(|| bad(format!("`{}` needs a field", metric.function)))?;
    let Operand { sql, shape } = reader.operand(name, Usage::Filter)?;
    let is_number = matches!(shape, ColumnShape::Integer | ColumnShape::Float | ColumnShape::Decimal);
    match metric.function.as_str() {
        "min" | "max" if shape == ColumnShape::Json => Err(bad(format!("`{name}` holds JSON, which has no order"))),
        function @ ("min" | "max") => {
            Ok((vec![dialect.extreme(function, &sql, shape)], Output::of(reader.entity, name, shape)))
        }
        "sum" | "avg" if !is_number => Err(bad(format!("`{name}` is no number: it has no {}", metric.function))),
        "sum" if shape == ColumnShape::Decimal => Ok((vec![dialect.sum(&sql, shape)], Output::Sum)),
        "sum" => Ok((vec![dialect.sum(&sql, shape)], Output::Value(shape))),
        "avg" if shape == ColumnShape::Decimal => {
            Ok((vec![dialect.sum(&sql, shape), format!("count({sql})")], Output::Mean))
        }
        "avg" => Ok((vec![dialect.mean(&sql)], Output::Value(ColumnShape::Float))),
        other => Err(bad(format!("unknown function `{other}`; known here: count, sum, avg, min, max"))),
    }
}
