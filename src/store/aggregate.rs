//! Groups and sums.

use erp_manifest::BaseType;
use erp_manifest::document::weight_of_fields;
use erp_manifest::expression::read_decimal;
use erp_storage::{AggregateQuery, EntityRef, Metric, Period, Scope, StoreError};
use rust_decimal::Decimal;
use sea_query::{Alias, Expr, NullOrdering, Order, Query};
use serde_json::{Map, Value};

use super::filter::{FilterReader, Operand, Reach, Usage};
use super::lookup::RowReader;
use super::records::MemoryBudget;
use super::sql::{Cell, ColumnShape, Failure, SqlError, SqlRow};
use crate::error::failure_of;

/// The maximum number of groups and metrics of one query.
const MAX_COLUMNS: usize = 50;

impl RowReader<'_> {
    /// Groups rows and computes metrics; the groups are ordered by their values.
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
        let dialect = self.database.dialect();
        let users = FilterReader { dialect, entity, reach: Reach::of(&query.rows) };
        let own = FilterReader { reach: Reach::All, ..users };
        let mut select = Query::select();
        select.from(Alias::new(entity.table())).cond_where(self.matching(entity, scope, &query.rows)?);
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
            // A name of its own: with the column's name, PostgreSQL would order by the text that is returned.
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
            self.database.select("aggregate rows", &select, |row| {
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
        self.database.guarded(read).map_err(|error| match failure_of(&error) {
            Failure::OutOfRange => StoreError::BadQuery("a sum is too large for a number".to_owned()),
            _ => error,
        })
    }
}

/// The period that a day or a moment lies in: the beginning of its text.
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

/// How a value of a group is read from its columns.
#[derive(Debug, Clone, Copy)]
enum Output {
    Value(ColumnShape),
    /// A decimal without a scale: equal ones may have different trailing zeros, so these are removed.
    Loose,
    /// The exact sum of decimals, with all of its digits.
    Sum,
    /// The mean of decimals, from two columns: their exact sum and their number.
    Mean,
}

impl Output {
    fn of(entity: &EntityRef, field: &str, shape: ColumnShape) -> Output {
        let has_scale = entity.field(field).is_some_and(|field| field.kept_scale().is_some());
        if shape == ColumnShape::Decimal && !has_scale { Output::Loose } else { Output::Value(shape) }
    }

    /// The number of columns that the value is read from.
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
            // PostgreSQL's sums may have more digits than a decimal holds.
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
