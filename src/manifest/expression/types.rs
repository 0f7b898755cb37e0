//! Static checks of expressions, before any row exists.

use std::fmt;
use std::ops::Range;

use super::evaluate::Datum;
use super::functions;
use super::syntax::{Operator, Term, TermKind};
use crate::document::did_you_mean;

/// The type of a term. Every type includes null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// true or false.
    Boolean,
    /// An exact decimal.
    Number,
    /// Text; also ids and times of day.
    Text,
    /// A day.
    Date,
    /// A moment.
    Datetime,
    /// Several texts.
    List,
    /// Only null, or a value of unknown type.
    Any,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Boolean => "true or false",
            Type::Number => "a number",
            Type::Text => "text",
            Type::Date => "a date",
            Type::Datetime => "a date-time",
            Type::List => "a list",
            Type::Any => "any value",
        })
    }
}

/// A field that an expression may name.
#[derive(Debug, Clone)]
pub struct FieldKind<'f> {
    /// The name.
    pub name: &'f str,
    /// The type of its values.
    pub holds: Type,
    /// The options of the field; empty if it takes any value.
    pub options: Vec<&'f str>,
    /// True for a number without a fraction.
    pub is_whole: bool,
}

/// A problem of an expression, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionProblem {
    /// The bytes in the text of the expression.
    pub span: Range<usize>,
    /// What is wrong, as a phrase.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// True for a name that is not a field, as opposed to a problem of types.
    pub is_unknown_name: bool,
}

impl ExpressionProblem {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, help: Option<String>) -> ExpressionProblem {
        ExpressionProblem { span, message: message.into(), help, is_unknown_name: false }
    }
}

/// The words for values outside the row, with their types.
pub(super) const WORDS: [(&str, Type); 3] =
    [("$today", Type::Date), ("$now", Type::Datetime), ("$user.id", Type::Text)];

/// Checks a term and returns its type. Adds problems to `problems`.
pub(super) fn check(term: &Term, fields: &[FieldKind<'_>], problems: &mut Vec<ExpressionProblem>) -> Type {
    match &term.kind {
        TermKind::Literal(datum) => type_of(datum),
        TermKind::List(items) => {
            for item in items {
                check(item, fields, problems);
            }
            Type::List
        }
        TermKind::Name(name) => type_of_name(name, term, fields, problems),
        TermKind::RollUp(roll_up) => {
            let known = fields.iter().find(|field| field.name == roll_up.as_str());
            known.map_or_else(
                || {
                    let help = "let a computed field hold it, and name that field here".to_owned();
                    let message = format!("`{roll_up}` is over other rows, which only `computed` can be");
                    problems.push(ExpressionProblem::new(term.span.clone(), message, Some(help)));
                    Type::Any
                },
                |field| field.holds,
            )
        }
        TermKind::Not(inner) => {
            expect(inner, Type::Boolean, fields, problems);
            Type::Boolean
        }
        TermKind::Negative(inner) => {
            expect(inner, Type::Number, fields, problems);
            Type::Number
        }
        TermKind::Binary(operator, left, right) => binary(*operator, left, right, fields, problems),
        TermKind::Call(name, arguments) => functions::check(name, arguments, term, fields, problems),
    }
}

/// Checks a term whose value is stored in a field: the result must be a valid value of the field.
pub(super) fn check_stored(
    term: &Term,
    field: &FieldKind<'_>,
    fields: &[FieldKind<'_>],
    problems: &mut Vec<ExpressionProblem>,
) {
    expect(term, field.holds, fields, problems);
    for result in results(term) {
        match &result.kind {
            TermKind::Literal(Datum::Text(text))
                if !field.options.is_empty() && !field.options.contains(&text.as_str()) =>
            {
                let help = did_you_mean(text, field.options.iter().copied())
                    .unwrap_or_else(|| format!("its options: {}", field.options.join(", ")));
                problems.push(ExpressionProblem::new(
                    result.span.clone(),
                    format!("`{}` has no option `{text}`", field.name),
                    Some(help),
                ));
            }
            _ if field.is_whole && may_have_fraction(result, fields) => {
                let message = format!("this may have a fraction, and `{}` takes whole numbers", field.name);
                problems.push(ExpressionProblem::new(
                    result.span.clone(),
                    message,
                    Some("write `round(…, 0)`, or make it a decimal".to_owned()),
                ));
            }
            _ => {}
        }
    }
}

/// The terms that can become the value: both branches of an `if`, every value of a `coalesce`.
fn results(term: &Term) -> Vec<&Term> {
    match &term.kind {
        TermKind::Call(name, arguments) if name == "if" => arguments.iter().skip(1).flat_map(results).collect(),
        TermKind::Call(name, arguments) if name == "coalesce" => arguments.iter().flat_map(results).collect(),
        _ => vec![term],
    }
}

fn is_fraction(name: &str, fields: &[FieldKind<'_>]) -> bool {
    fields.iter().any(|field| field.name == name && field.holds == Type::Number && !field.is_whole)
}

fn may_have_fraction(term: &Term, fields: &[FieldKind<'_>]) -> bool {
    match &term.kind {
        TermKind::Literal(Datum::Number(number)) => !number.is_integer(),
        TermKind::Name(name) => is_fraction(name, fields),
        TermKind::RollUp(roll_up) => is_fraction(roll_up.as_str(), fields),
        TermKind::Negative(inner) => may_have_fraction(inner, fields),
        TermKind::Binary(Operator::Divide, ..) => true,
        TermKind::Binary(_, left, right) => may_have_fraction(left, fields) || may_have_fraction(right, fields),
        TermKind::Call(name, arguments) => match name.as_str() {
            "round" => {
                !matches!(arguments.get(1).map(|digits| &digits.kind), Some(TermKind::Literal(Datum::Number(digits))) if digits.is_zero())
            }
            "abs" | "min" | "max" | "if" | "coalesce" => {
                arguments.iter().any(|argument| may_have_fraction(argument, fields))
            }
            _ => false,
        },
        _ => false,
    }
}

/// Checks a term that must have the type `wanted`.
pub(super) fn expect(term: &Term, wanted: Type, fields: &[FieldKind<'_>], problems: &mut Vec<ExpressionProblem>) {
    let found = check(term, fields, problems);
    if !fits(found, wanted, term) {
        problems.push(ExpressionProblem::new(
            term.span.clone(),
            format!("this is {found}, and {wanted} is needed"),
            None,
        ));
    }
}

/// Returns whether a term of type `found` fits the type `wanted`. A text literal in the form of a date fits a date.
pub(super) fn fits(found: Type, wanted: Type, term: &Term) -> bool {
    found == wanted
        || found == Type::Any
        || wanted == Type::Any
        || (wanted == Type::Date && matches!(&term.kind, TermKind::Literal(Datum::Text(text)) if is_date(text)))
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::civil::Date>().is_ok_and(|date| date.to_string() == text)
}

fn type_of(datum: &Datum) -> Type {
    match datum {
        Datum::Null | Datum::Unusable(_) => Type::Any,
        Datum::Boolean(_) => Type::Boolean,
        Datum::Number(_) => Type::Number,
        Datum::Text(_) => Type::Text,
        Datum::List(_) => Type::List,
    }
}

fn type_of_name(name: &str, term: &Term, fields: &[FieldKind<'_>], problems: &mut Vec<ExpressionProblem>) -> Type {
    if let Some(field) = fields.iter().find(|field| field.name == name) {
        return field.holds;
    }
    if let Some((_, holds)) = WORDS.iter().find(|(word, _)| *word == name) {
        return *holds;
    }
    let known = fields.iter().map(|field| field.name).chain(WORDS.iter().map(|(word, _)| *word));
    let help = did_you_mean(name, known).or_else(|| Some(format!("text is written in quotes: '{name}'")));
    let problem = ExpressionProblem::new(term.span.clone(), format!("there is no field `{name}`"), help);
    problems.push(ExpressionProblem { is_unknown_name: true, ..problem });
    Type::Any
}

fn binary(
    operator: Operator,
    left: &Term,
    right: &Term,
    fields: &[FieldKind<'_>],
    problems: &mut Vec<ExpressionProblem>,
) -> Type {
    match operator {
        Operator::Or | Operator::And => {
            expect(left, Type::Boolean, fields, problems);
            expect(right, Type::Boolean, fields, problems);
            Type::Boolean
        }
        Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
            arithmetic(operator, left, right, fields, problems)
        }
        Operator::In => {
            let one = check(left, fields, problems);
            expect(right, Type::List, fields, problems);
            if let TermKind::List(items) = &right.kind {
                for item in items {
                    let other = check(item, fields, &mut Vec::new());
                    if !fits(one, other, left) && !fits(other, one, item) {
                        problems.push(ExpressionProblem::new(
                            item.span.clone(),
                            format!("{other} is looked for as {one}"),
                            None,
                        ));
                    }
                    known_option(left, item, fields, problems);
                }
            }
            Type::Boolean
        }
        _ => {
            let (one, other) = (check(left, fields, problems), check(right, fields, problems));
            let is_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
            if !fits(one, other, left) && !fits(other, one, right) {
                let span = left.span.start..right.span.end;
                let help = match (one, other) {
                    (Type::Datetime, _) | (_, Type::Datetime) => {
                        Some("compare days: `date(field) >= '2026-04-15'`".to_owned())
                    }
                    (Type::Date, _) | (_, Type::Date) => Some("a day is written '2026-04-15'".to_owned()),
                    _ => None,
                };
                problems.push(ExpressionProblem::new(span, format!("{one} is compared with {other}"), help));
            } else if is_order && (one == Type::Boolean || one == Type::List) {
                problems.push(ExpressionProblem::new(
                    left.span.clone(),
                    format!("{one} is neither less nor greater"),
                    None,
                ));
            }
            known_option(left, right, fields, problems);
            known_option(right, left, fields, problems);
            Type::Boolean
        }
    }
}

/// Checks arithmetic. A date plus or minus a number of days is a date; everything else is a number.
fn arithmetic(
    operator: Operator,
    left: &Term,
    right: &Term,
    fields: &[FieldKind<'_>],
    problems: &mut Vec<ExpressionProblem>,
) -> Type {
    let one = check(left, fields, problems);
    if one == Type::Date && matches!(operator, Operator::Add | Operator::Subtract) {
        expect(right, Type::Number, fields, problems);
        return Type::Date;
    }
    if one == Type::Text && operator == Operator::Add {
        let help = "texts are put together by `concat(a, b)`".to_owned();
        problems.push(ExpressionProblem::new(left.span.clone(), "text cannot be added", Some(help)));
        return Type::Text;
    }
    if !fits(one, Type::Number, left) {
        problems.push(ExpressionProblem::new(
            left.span.clone(),
            format!("this is {one}, and a number is needed"),
            None,
        ));
    }
    expect(right, Type::Number, fields, problems);
    Type::Number
}

/// Reports a comparison of a `select` with a value that it never has.
fn known_option(field: &Term, value: &Term, fields: &[FieldKind<'_>], problems: &mut Vec<ExpressionProblem>) {
    let (TermKind::Name(name), TermKind::Literal(Datum::Text(text))) = (&field.kind, &value.kind) else { return };
    let Some(field) = fields.iter().find(|known| known.name == name && !known.options.is_empty()) else { return };
    if !field.options.contains(&text.as_str()) {
        let help = did_you_mean(text, field.options.iter().copied())
            .unwrap_or_else(|| format!("its options: {}", field.options.join(", ")));
        problems.push(ExpressionProblem::new(
            value.span.clone(),
            format!("`{name}` has no option `{text}`"),
            Some(help),
        ));
    }
}
