//! Evaluation of an expression for a row.

use std::cmp::Ordering;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;
use thiserror::Error;

use super::functions::{self, day, number};
use super::syntax::{Operator, Term, TermKind};

/// A value during evaluation. Days and moments are texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    /// No value.
    Null,
    /// true or false.
    Boolean(bool),
    /// An exact number.
    Number(Decimal),
    /// Text.
    Text(String),
    /// Several values.
    List(Vec<Datum>),
    /// A value that cannot be used in an expression, and the reason.
    Unusable(String),
}

/// The reason why an expression has no result for a row, such as a division by zero or a number of more than 28 digits.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct EvaluationError(pub String);

impl Datum {
    /// Converts a value of a row. With `is_number`, text is read as a number, because decimals are stored as text.
    pub fn from_json(value: &Value, is_number: bool) -> Datum {
        match value {
            Value::Null => Datum::Null,
            Value::Object(_) => Datum::Unusable("a JSON object".to_owned()),
            Value::Bool(flag) => Datum::Boolean(*flag),
            Value::Number(number) => Datum::number(&number.to_string()),
            Value::String(text) if is_number => Datum::number(text),
            Value::String(text) => Datum::Text(text.clone()),
            Value::Array(items) => Datum::List(items.iter().map(|item| Datum::from_json(item, false)).collect()),
        }
    }

    fn number(text: &str) -> Datum {
        read_decimal(text)
            .map_or_else(|| Datum::Unusable(format!("{text}, which has more than 28 digits")), Datum::Number)
    }

    /// The value as JSON. Whole numbers of 64 bits become JSON numbers; all other numbers become decimal text.
    pub fn to_json(&self) -> Value {
        match self {
            Datum::Null | Datum::Unusable(_) => Value::Null,
            Datum::Boolean(flag) => Value::Bool(*flag),
            Datum::Number(number) => match number.normalize() {
                whole if whole.is_integer() => {
                    whole.to_i64().map_or_else(|| Value::from(whole.to_string()), Value::from)
                }
                other => Value::from(other.to_string()),
            },
            Datum::Text(text) => Value::from(text.clone()),
            Datum::List(items) => items.iter().map(Datum::to_json).collect(),
        }
    }

    /// The value as text for people; empty for null.
    pub(super) fn shown(&self) -> String {
        match self {
            Datum::Null | Datum::Unusable(_) => String::new(),
            Datum::Boolean(flag) => flag.to_string(),
            Datum::Number(number) => number.to_string(),
            Datum::Text(text) => text.clone(),
            Datum::List(items) => items.iter().map(Datum::shown).collect::<Vec<_>>().join(", "),
        }
    }
}

/// Reads a decimal, also in the notation `1e-7`. `None` if the text is no number or the number is too large; fraction
/// digits that exceed the precision are rounded.
pub fn read_decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

/// Evaluates a term. `lookup` returns the value of a name.
pub(super) fn evaluate(term: &Term, lookup: &dyn Fn(&str) -> Datum) -> Result<Datum, EvaluationError> {
    Ok(match &term.kind {
        TermKind::Literal(datum) => datum.clone(),
        TermKind::List(items) => {
            Datum::List(items.iter().map(|item| evaluate(item, lookup)).collect::<Result<_, _>>()?)
        }
        TermKind::Name(name) => looked_up(name, lookup)?,
        TermKind::RollUp(roll_up) => looked_up(roll_up.as_str(), lookup)?,
        TermKind::Not(inner) => match truth(&evaluate(inner, lookup)?) {
            Some(holds) => Datum::Boolean(!holds),
            None => Datum::Null,
        },
        TermKind::Negative(inner) => match evaluate(inner, lookup)? {
            Datum::Null => Datum::Null,
            value => Datum::Number(-number(&value)?),
        },
        TermKind::Call(name, arguments) => {
            let values = arguments.iter().map(|argument| evaluate(argument, lookup)).collect::<Result<_, _>>()?;
            functions::call(name, values)?
        }
        TermKind::Binary(operator, left, right) => {
            let one = evaluate(left, lookup)?;
            // Evaluate the right side only if it matters, so that `x != 0 and 1 / x > 2` does not fail for 0.
            match operator {
                Operator::And if truth(&one) == Some(false) => return Ok(Datum::Boolean(false)),
                Operator::Or if truth(&one) == Some(true) => return Ok(Datum::Boolean(true)),
                _ => binary(*operator, &one, &evaluate(right, lookup)?)?,
            }
        }
    })
}

fn looked_up(name: &str, lookup: &dyn Fn(&str) -> Datum) -> Result<Datum, EvaluationError> {
    match lookup(name) {
        Datum::Unusable(why) => Err(EvaluationError(format!("`{name}` is {why}"))),
        value => Ok(value),
    }
}

/// The truth of a value; `None` if it is unknown, as for null.
fn truth(value: &Datum) -> Option<bool> {
    match value {
        Datum::Boolean(flag) => Some(*flag),
        _ => None,
    }
}

fn binary(operator: Operator, one: &Datum, other: &Datum) -> Result<Datum, EvaluationError> {
    Ok(match operator {
        // `evaluate` has returned already if the left side decides. Here the right side decides, or the result is
        // unknown.
        Operator::And if truth(other) == Some(false) => Datum::Boolean(false),
        Operator::Or if truth(other) == Some(true) => Datum::Boolean(true),
        Operator::And | Operator::Or => match (truth(one), truth(other)) {
            (Some(_), Some(decided)) => Datum::Boolean(decided),
            _ => Datum::Null,
        },
        Operator::Equal => Datum::Boolean(one == other),
        Operator::NotEqual => Datum::Boolean(one != other),
        Operator::In => match other {
            Datum::List(items) => Datum::Boolean(items.contains(one)),
            _ => Datum::Boolean(false),
        },
        // The order of a value and null is unknown.
        Operator::Less => ordered(one, other, Ordering::is_lt),
        Operator::LessOrEqual => ordered(one, other, Ordering::is_le),
        Operator::Greater => ordered(one, other, Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(one, other, Ordering::is_ge),
        _ if *one == Datum::Null || *other == Datum::Null => Datum::Null,
        _ => arithmetic(operator, one, other)?,
    })
}

fn ordered(one: &Datum, other: &Datum, test: fn(Ordering) -> bool) -> Datum {
    match (one, other) {
        (Datum::Number(one), Datum::Number(other)) => Datum::Boolean(test(one.cmp(other))),
        (Datum::Text(one), Datum::Text(other)) => Datum::Boolean(test(one.cmp(other))),
        _ => Datum::Null,
    }
}

fn arithmetic(operator: Operator, one: &Datum, other: &Datum) -> Result<Datum, EvaluationError> {
    let right = number(other)?;
    if let Datum::Text(_) = one {
        // The check of types guarantees that this is a day.
        let days = right.to_i64().map(|days| jiff::Span::new().try_days(days));
        let Some(Ok(days)) = days else { return Err(EvaluationError(format!("{right} days are too many"))) };
        let moved = if operator == Operator::Add { day(one)?.checked_add(days) } else { day(one)?.checked_sub(days) };
        return moved.map(|day| Datum::Text(day.to_string())).map_err(|error| EvaluationError(error.to_string()));
    }
    let left = number(one)?;
    if right.is_zero() && matches!(operator, Operator::Divide | Operator::Remainder) {
        return Err(EvaluationError("a division by zero".to_owned()));
    }
    let result = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    result.map(Datum::Number).ok_or_else(|| EvaluationError("a number of more than 28 digits".to_owned()))
}
