//! The functions of the language: their types, their meaning for the documentation, and what they do.

use jiff::civil::Date;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::evaluate::{Datum, EvaluationError};
use super::syntax::Term;
use super::types::{ExpressionProblem, FieldKind, Type, check as check_term, expect, fits};
use crate::document::did_you_mean;

/// A function.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it takes; the last type stands for all further arguments where `repeats`.
    pub takes: &'static [Type],
    /// True where the last argument may come several times.
    pub repeats: bool,
    /// What it gives; `Any` for what its last argument is.
    pub gives: Type,
    /// What it does.
    pub meaning: &'static str,
}

use Type::{Any, Boolean, Date as Day, Datetime, Number, Text};

/// Every function, sorted by name.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "abs", takes: &[Number], repeats: false, gives: Number, meaning: "the number without its sign" },
    Function {
        name: "ceil",
        takes: &[Number],
        repeats: false,
        gives: Number,
        meaning: "the least whole number that is not below",
    },
    Function {
        name: "coalesce",
        takes: &[Any],
        repeats: true,
        gives: Any,
        meaning: "the first value that is not null",
    },
    Function {
        name: "concat",
        takes: &[Any],
        repeats: true,
        gives: Text,
        meaning: "the values as one text of at most 64 KB; null adds nothing",
    },
    Function {
        name: "contains",
        takes: &[Any, Text],
        repeats: false,
        gives: Boolean,
        meaning: "whether a text or a list holds a text",
    },
    Function { name: "date", takes: &[Datetime], repeats: false, gives: Day, meaning: "the day of a moment, in UTC" },
    Function {
        name: "days",
        takes: &[Day, Day],
        repeats: false,
        gives: Number,
        meaning: "how many days lie from the first day to the second",
    },
    Function {
        name: "ends_with",
        takes: &[Text, Text],
        repeats: false,
        gives: Boolean,
        meaning: "whether a text ends with another",
    },
    Function {
        name: "floor",
        takes: &[Number],
        repeats: false,
        gives: Number,
        meaning: "the greatest whole number that is not above",
    },
    Function {
        name: "if",
        takes: &[Boolean, Any, Any],
        repeats: false,
        gives: Any,
        meaning: "the second value where the first is true, else the third",
    },
    Function {
        name: "len",
        takes: &[Any],
        repeats: false,
        gives: Number,
        meaning: "the characters of a text, or the items of a list",
    },
    Function { name: "lower", takes: &[Text], repeats: false, gives: Text, meaning: "the text in lower case" },
    Function {
        name: "max",
        takes: &[Number],
        repeats: true,
        gives: Number,
        meaning: "the greatest of the numbers; null is passed over",
    },
    Function {
        name: "min",
        takes: &[Number],
        repeats: true,
        gives: Number,
        meaning: "the least of the numbers; null is passed over",
    },
    Function { name: "month", takes: &[Day], repeats: false, gives: Number, meaning: "the month of a day, 1 to 12" },
    Function {
        name: "round",
        takes: &[Number, Number],
        repeats: false,
        gives: Number,
        meaning: "the number with so many digits behind the point, half away from zero",
    },
    Function {
        name: "starts_with",
        takes: &[Text, Text],
        repeats: false,
        gives: Boolean,
        meaning: "whether a text begins with another",
    },
    Function {
        name: "trim",
        takes: &[Text],
        repeats: false,
        gives: Text,
        meaning: "the text without white space around it",
    },
    Function { name: "upper", takes: &[Text], repeats: false, gives: Text, meaning: "the text in upper case" },
    Function { name: "year", takes: &[Day], repeats: false, gives: Number, meaning: "the year of a day" },
];

/// Looks through a call; gives what it gives.
pub(super) fn check(
    name: &str,
    arguments: &[Term],
    term: &Term,
    fields: &[FieldKind<'_>],
    problems: &mut Vec<ExpressionProblem>,
) -> Type {
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
        let known = FUNCTIONS.iter().map(|function| function.name);
        let help = did_you_mean(name, known.clone())
            .unwrap_or_else(|| format!("known: {}", known.collect::<Vec<_>>().join(", ")));
        let place = term.span.start..term.span.start + name.len();
        problems.push(ExpressionProblem::new(place, format!("there is no function `{name}`"), Some(help)));
        return Type::Any;
    };
    let wanted = function.takes.len();
    if arguments.len() != wanted && !(function.repeats && arguments.len() > wanted) {
        let message = format!(
            "`{name}` takes {}{wanted} values, not {}",
            if function.repeats { "at least " } else { "" },
            arguments.len()
        );
        problems.push(ExpressionProblem::new(term.span.clone(), message, None));
        return function.gives;
    }
    // The type of what comes out, where the function gives back what it was given.
    let mut common = Type::Any;
    for (index, argument) in arguments.iter().enumerate() {
        let takes = function.takes[index.min(wanted - 1)];
        if takes != Type::Any {
            expect(argument, takes, fields, problems);
            continue;
        }
        let found = check_term(argument, fields, problems);
        if matches!(name, "len" | "contains") && !matches!(found, Type::Text | Type::List | Type::Any) {
            problems.push(ExpressionProblem::new(
                argument.span.clone(),
                format!("this is {found}, and text or a list is needed"),
                None,
            ));
        } else if function.gives == Type::Any && !fits(found, common, argument) {
            let message = format!("this is {found}, and the value in front of it is {common}");
            problems.push(ExpressionProblem::new(argument.span.clone(), message, None));
        } else if common == Type::Any {
            common = found;
        }
    }
    if function.gives == Type::Any { common } else { function.gives }
}

/// A computed field may be made from computed fields: without a bound, four of them fill the memory.
const MAX_TEXT_BYTES: usize = 64 * 1024;

fn concat(values: &[Datum]) -> Result<Datum, EvaluationError> {
    let mut text = String::new();
    for value in values {
        text.push_str(&value.shown());
        if text.len() > MAX_TEXT_BYTES {
            return Err(EvaluationError(format!("`concat` would give more than {} KB", MAX_TEXT_BYTES / 1024)));
        }
    }
    Ok(Datum::Text(text))
}

/// What a function gives. A missing value makes the result null, except where the function says otherwise.
pub(super) fn call(name: &str, values: Vec<Datum>) -> Result<Datum, EvaluationError> {
    match name {
        "coalesce" => return Ok(values.into_iter().find(|value| *value != Datum::Null).unwrap_or(Datum::Null)),
        "concat" => return concat(&values),
        "if" => {
            let mut values = values.into_iter();
            let holds = values.next() == Some(Datum::Boolean(true));
            return Ok(values.nth(usize::from(!holds)).unwrap_or(Datum::Null));
        }
        "min" | "max" => {
            let numbers = values.iter().filter(|value| **value != Datum::Null).map(number);
            let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
            let found = if name == "min" { numbers.into_iter().min() } else { numbers.into_iter().max() };
            return Ok(found.map_or(Datum::Null, Datum::Number));
        }
        _ => {}
    }
    if values.contains(&Datum::Null) {
        return Ok(Datum::Null);
    }
    let at = |index: usize| values.get(index).unwrap_or(&Datum::Null);
    Ok(match name {
        "abs" => Datum::Number(number(at(0))?.abs()),
        "ceil" => Datum::Number(number(at(0))?.ceil()),
        "floor" => Datum::Number(number(at(0))?.floor()),
        "round" => {
            let digits = number(at(1))?;
            let digits = digits
                .to_u32()
                .filter(|digits| *digits <= 28)
                .ok_or_else(|| EvaluationError(format!("`round` keeps 0 to 28 digits, not {digits}")))?;
            Datum::Number(number(at(0))?.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero))
        }
        "len" => Datum::Number(match at(0) {
            Datum::List(items) => items.len().into(),
            value => text(value)?.chars().count().into(),
        }),
        "lower" => Datum::Text(text(at(0))?.to_lowercase()),
        "upper" => Datum::Text(text(at(0))?.to_uppercase()),
        "trim" => Datum::Text(text(at(0))?.trim().to_owned()),
        "contains" => Datum::Boolean(match at(0) {
            Datum::List(items) => items.contains(at(1)),
            value => text(value)?.contains(text(at(1))?),
        }),
        "starts_with" => Datum::Boolean(text(at(0))?.starts_with(text(at(1))?)),
        "ends_with" => Datum::Boolean(text(at(0))?.ends_with(text(at(1))?)),
        "date" => Datum::Text(text(at(0))?.get(..10).unwrap_or_default().to_owned()),
        "days" => {
            let days = day(at(1))?.since(day(at(0))?).map_err(|error| EvaluationError(error.to_string()))?.get_days();
            Datum::Number(days.into())
        }
        "month" => Datum::Number(i32::from(day(at(0))?.month()).into()),
        "year" => Datum::Number(i32::from(day(at(0))?.year()).into()),
        other => return Err(EvaluationError(format!("there is no function `{other}`"))),
    })
}

pub(super) fn number(value: &Datum) -> Result<Decimal, EvaluationError> {
    match value {
        Datum::Number(number) => Ok(*number),
        other => Err(EvaluationError(format!("`{}` is no number", other.shown()))),
    }
}

pub(super) fn text(value: &Datum) -> Result<&str, EvaluationError> {
    match value {
        Datum::Text(text) => Ok(text),
        other => Err(EvaluationError(format!("`{}` is no text", other.shown()))),
    }
}

pub(super) fn day(value: &Datum) -> Result<Date, EvaluationError> {
    text(value)?.parse().map_err(|_| EvaluationError(format!("`{}` is no day", value.shown())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_does_not_grow_without_bound() {
        let long = Datum::Text("进".repeat(MAX_TEXT_BYTES / 6));
        assert!(concat(&[long.clone(), long.clone()]).is_ok());
        let error = concat(&[long.clone(), long.clone(), long]).unwrap_err();
        assert_eq!(error.to_string(), "`concat` would give more than 64 KB");
    }
}
