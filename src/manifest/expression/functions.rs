//! The functions of the expression language: their types, their meaning for the documentation, and their
//! implementation.

use jiff::civil::Date;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::evaluate::{Datum, EvaluationError};
use super::roll_up::RollUpFunction;
use super::syntax::Term;
use super::types::{ExpressionProblem, FieldKind, Type, check as check_term, expect, fits};
use crate::document::did_you_mean;

/// A function of the expression language.
#[derive(Debug)]
pub struct Function {
    /// The name in expressions.
    pub name: &'static str,
    /// The types of the arguments. If `repeats`, the last type applies to all further arguments.
    pub takes: &'static [Type],
    /// True if the last argument may come several times.
    pub repeats: bool,
    /// The type of the result; `Any` for the common type of the arguments that take `Any`.
    pub gives: Type,
    /// The meaning, for documentation.
    pub meaning: &'static str,
}

use Type::{Any, Boolean, Date as Day, Datetime, Number, Text};

/// Every function, sorted by name.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "abs", takes: &[Number], repeats: false, gives: Number, meaning: "the number without its sign" },
    Function {
        name: "add_months",
        takes: &[Day, Number],
        repeats: false,
        gives: Day,
        meaning: "the day so many months later; the last of the month where it has no such day",
    },
    Function {
        name: "add_years",
        takes: &[Day, Number],
        repeats: false,
        gives: Day,
        meaning: "the day so many years later; 28 February for 29 February where there is none",
    },
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
    Function {
        name: "date",
        takes: &[Datetime],
        repeats: false,
        gives: Day,
        meaning: "the day of a moment, in UTC; or with three numbers the day of a year, a month and a day: `date(2026, 4, 15)`",
    },
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
        name: "month_end",
        takes: &[Day],
        repeats: false,
        gives: Day,
        meaning: "the last day of the day's month",
    },
    Function {
        name: "months",
        takes: &[Day, Day],
        repeats: false,
        gives: Number,
        meaning: "how many whole months lie from the first day to the second",
    },
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
    Function {
        name: "weekday",
        takes: &[Day],
        repeats: false,
        gives: Number,
        meaning: "the day of the week, 1 for Monday to 7 for Sunday",
    },
    Function { name: "year", takes: &[Day], repeats: false, gives: Number, meaning: "the year of a day" },
];

/// Checks a call and returns the type of its result.
pub(super) fn check(
    name: &str,
    arguments: &[Term],
    term: &Term,
    fields: &[FieldKind<'_>],
    problems: &mut Vec<ExpressionProblem>,
) -> Type {
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
        let known = FUNCTIONS.iter().map(|function| function.name);
        if RollUpFunction::from_word(name).is_some() {
            let message = format!("`{name}` goes over child rows");
            let example = if name == "count" { "count(lines)" } else { "sum(lines.amount)" };
            let help =
                format!("write `{example}` with a relation or a child entity; values of one row are added by `+`");
            problems.push(ExpressionProblem::new(term.span.clone(), message, Some(help)));
            return Type::Number;
        }
        let help = did_you_mean(name, known.clone())
            .unwrap_or_else(|| format!("known: {}", known.collect::<Vec<_>>().join(", ")));
        let place = term.span.start..term.span.start + name.len();
        problems.push(ExpressionProblem::new(place, format!("there is no function `{name}`"), Some(help)));
        return Type::Any;
    };
    if name == "date" && arguments.len() == 3 {
        for argument in arguments {
            expect(argument, Type::Number, fields, problems);
        }
        return function.gives;
    }
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
    // The type of the result, if the function returns one of its arguments.
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

/// The maximum length of a text from `concat`, in bytes. Computed fields may use computed fields: without a limit, four
/// of them could exhaust the memory.
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

/// Calls a function. A null argument makes the result null, except for `coalesce`, `concat`, `if`, `min` and `max`.
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
        "add_months" => moved(day(at(0))?, at(1), |count| jiff::Span::new().try_months(count))?,
        "add_years" => moved(day(at(0))?, at(1), |count| jiff::Span::new().try_years(count))?,
        "month_end" => Datum::Text(day(at(0))?.last_of_month().to_string()),
        "months" => {
            let between = day(at(0))?.until((jiff::Unit::Month, day(at(1))?));
            Datum::Number(between.map_err(|error| EvaluationError(error.to_string()))?.get_months().into())
        }
        "weekday" => Datum::Number(i32::from(day(at(0))?.weekday().to_monday_one_offset()).into()),
        "date" if values.len() == 3 => {
            let part = |index: usize| whole(at(index));
            let (year, month, of_month) = (part(0)?, part(1)?, part(2)?);
            let found = i16::try_from(year).ok().zip(i8::try_from(month).ok()).zip(i8::try_from(of_month).ok());
            let found = found.and_then(|((year, month), of_month)| Date::new(year, month, of_month).ok());
            let shown = format!("{year:04}-{month:02}-{of_month:02}");
            Datum::Text(found.ok_or_else(|| EvaluationError(format!("there is no day {shown}")))?.to_string())
        }
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

/// Adds a whole number of months or years to a day.
fn moved(
    day: Date,
    by: &Datum,
    span: impl Fn(i64) -> Result<jiff::Span, jiff::Error>,
) -> Result<Datum, EvaluationError> {
    let moved = span(whole(by)?).and_then(|span| day.checked_add(span));
    moved.map(|day| Datum::Text(day.to_string())).map_err(|error| EvaluationError(error.to_string()))
}

fn whole(value: &Datum) -> Result<i64, EvaluationError> {
    let number = number(value)?;
    let whole = number.to_i64().filter(|_| number.is_integer());
    whole.ok_or_else(|| EvaluationError(format!("`{number}` is no whole number")))
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
    fn the_calendar_knows_months_and_their_ends() {
        let day = |text: &str| Datum::Text(text.to_owned());
        let of = |number: i64| Datum::Number(number.into());
        let call = |name: &str, values: Vec<Datum>| call(name, values).map_err(|error| error.to_string());
        assert_eq!(call("add_months", vec![day("2026-01-31"), of(1)]), Ok(day("2026-02-28")));
        assert_eq!(call("add_months", vec![day("2026-01-01"), of(12)]), Ok(day("2027-01-01")));
        assert_eq!(call("add_months", vec![day("2026-03-31"), of(-1)]), Ok(day("2026-02-28")));
        assert_eq!(call("add_years", vec![day("2024-02-29"), of(1)]), Ok(day("2025-02-28")));
        assert_eq!(call("month_end", vec![day("2024-02-01")]), Ok(day("2024-02-29")));
        assert_eq!(call("months", vec![day("2026-01-31"), day("2026-03-30")]), Ok(of(1)));
        assert_eq!(call("months", vec![day("2026-03-15"), day("2026-01-15")]), Ok(of(-2)));
        assert_eq!(call("weekday", vec![day("2026-11-30")]), Ok(of(1)));
        assert_eq!(call("date", vec![of(2026), of(4), of(15)]), Ok(day("2026-04-15")));
        assert_eq!(call("date", vec![day("2026-04-15T08:00:00Z")]), Ok(day("2026-04-15")));
        assert!(call("date", vec![of(2026), of(2), of(30)]).unwrap_err().contains("no day 2026-02-30"));
        let half = Datum::Number(Decimal::new(15, 1));
        assert!(call("add_months", vec![day("2026-01-31"), half]).unwrap_err().contains("no whole number"));
        assert_eq!(call("add_months", vec![Datum::Null, of(1)]), Ok(Datum::Null));
    }

    #[test]
    fn functions_are_sorted_by_name() {
        assert!(FUNCTIONS.is_sorted_by_key(|function| function.name));
    }

    #[test]
    fn a_text_does_not_grow_without_bound() {
        let long = Datum::Text("进".repeat(MAX_TEXT_BYTES / 6));
        assert!(concat(&[long.clone(), long.clone()]).is_ok());
        let error = concat(&[long.clone(), long.clone(), long]).unwrap_err();
        assert_eq!(error.to_string(), "`concat` would give more than 64 KB");
    }
}
