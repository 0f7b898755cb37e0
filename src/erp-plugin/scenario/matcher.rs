//! Matchers, which are texts in angle brackets that accept many values, and comparisons such as `<= 250_000`.

use std::str::FromStr;

use erp_manifest::Moment;
use erp_manifest::pattern::Pattern;
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

/// Every matcher in its written form, and what it accepts; the page of scenarios is generated from it.
pub const MATCHERS: &[(&str, &str)] = &[
    ("<any>", "any value that is not null"),
    ("<uuid>", "a UUID"),
    ("<now>", "a moment within the time that the step took; `<now+30m>` and `<now-1h>` move it"),
    ("<absent>", "no such key"),
    ("<null>", "null"),
    ("<int>", "a whole number; `<int 1..100>` one of a range"),
    ("<decimal>", "a decimal as text; `<decimal 2>` one with two digits behind the point"),
    ("<len 3>", "a text, list or object of this length"),
    ("<contains x>", "a text with this part"),
    ("<matches re>", "a text that the pattern matches"),
    ("<one-of a|b>", "one of these texts"),
    ("<not uuid>", "everything that another matcher, or a text, is not"),
    ("<snapshot>", "nothing: `test --accept` replaces it by the value"),
];

/// A condition on a value.
#[derive(Debug, Clone)]
pub(super) enum Matcher {
    Any,
    Uuid,
    /// A time within the step, moved by this many milliseconds.
    Now(i64),
    Absent,
    Null,
    Int(Option<(i64, i64)>),
    Decimal(Option<u32>),
    Length(usize),
    Contains(String),
    Matches(Pattern),
    OneOf(Vec<String>),
    Not(Box<Matcher>),
    Literal(String),
    /// Accepts nothing: `--accept` replaces it by the value.
    Snapshot,
}

/// The start and the end of a step, between which `<now>` is.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepTime {
    pub(super) start: Moment,
    pub(super) end: Moment,
}

/// Parses a matcher; `None` for plain text, an error for an unknown word.
pub(super) fn parse(text: &str) -> Result<Option<Matcher>, String> {
    if let Some(literal) = text.strip_prefix("<<") {
        return Ok(Some(Matcher::Literal(format!("<{literal}"))));
    }
    let Some(inner) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) else { return Ok(None) };
    word(inner).map(Some)
}

/// The words of the table: no other matcher can be written.
fn known_words() -> impl Iterator<Item = &'static str> + Clone {
    MATCHERS.iter().map(|(form, _)| form.split(['<', '>', ' ']).nth(1).unwrap_or_default())
}

fn word(inner: &str) -> Result<Matcher, String> {
    let (word, argument) = inner.split_once(' ').unwrap_or((inner, ""));
    let unknown = || {
        let help = erp_manifest::document::did_you_mean(word, known_words()).unwrap_or_default();
        Err(format!("unknown matcher `<{inner}>`; {help}"))
    };
    if !known_words().any(|known| known == word) && !word.starts_with("now") {
        return unknown();
    }
    Ok(match word {
        "any" => Matcher::Any,
        "snapshot" => Matcher::Snapshot,
        "uuid" => Matcher::Uuid,
        "absent" => Matcher::Absent,
        "null" => Matcher::Null,
        "int" if argument.is_empty() => Matcher::Int(None),
        "int" => {
            let (low, high) = argument.split_once("..").ok_or("write a range like <int 1..100>")?;
            let number = |text: &str| text.trim().parse::<i64>().map_err(|_| format!("`{text}` is no number"));
            Matcher::Int(Some((number(low)?, number(high)?)))
        }
        "decimal" if argument.is_empty() => Matcher::Decimal(None),
        "decimal" => {
            Matcher::Decimal(Some(argument.parse().map_err(|_| format!("`{argument}` is no number of digits"))?))
        }
        "len" => Matcher::Length(argument.parse().map_err(|_| format!("`{argument}` is no length"))?),
        "contains" => Matcher::Contains(argument.to_owned()),
        "matches" => {
            Matcher::Matches(Pattern::parse(argument).map_err(|error| format!("the pattern cannot be read: {error}"))?)
        }
        "one-of" => Matcher::OneOf(argument.split('|').map(str::to_owned).collect()),
        "not" => match self::parse(argument)? {
            Some(matcher) => Matcher::Not(Box::new(matcher)),
            None => {
                Matcher::Not(Box::new(self::word(argument).unwrap_or_else(|_| Matcher::Literal(argument.to_owned()))))
            }
        },
        now if now.starts_with("now") => {
            let shift = &now[3..];
            let milliseconds = match shift.strip_prefix(['+', '-']) {
                None if shift.is_empty() => 0,
                Some(length) => {
                    let length = erp_manifest::Timeout::parse(length)
                        .ok_or_else(|| format!("`{length}` is no length of time"))?;
                    let milliseconds = i64::try_from(length.0.as_millis()).unwrap_or(i64::MAX);
                    if shift.starts_with('-') { -milliseconds } else { milliseconds }
                }
                None => return Err(format!("unknown matcher `<{inner}>`")),
            };
            Matcher::Now(milliseconds)
        }
        _ => return unknown(),
    })
}

impl Matcher {
    /// True where the matcher accepts the value; `None` is an absent key.
    pub(super) fn accepts(&self, value: Option<&Value>, time: StepTime) -> bool {
        let text = value.and_then(Value::as_str);
        match self {
            Matcher::Absent => value.is_none(),
            Matcher::Not(inner) => !inner.accepts(value, time),
            Matcher::Null => value.is_some_and(Value::is_null),
            Matcher::Snapshot => false,
            Matcher::Any => value.is_some_and(|value| !value.is_null()),
            Matcher::Uuid => text.is_some_and(|text| Uuid::parse_str(text).is_ok()),
            Matcher::Now(shift) => text.and_then(Moment::parse).is_some_and(|moment| {
                let from = time.start.plus_ms(*shift).unix_ms;
                let to = time.end.plus_ms(*shift).unix_ms;
                (from..=to).contains(&moment.unix_ms)
            }),
            Matcher::Int(range) => value
                .and_then(Value::as_i64)
                .is_some_and(|number| range.is_none_or(|(low, high)| (low..=high).contains(&number))),
            Matcher::Decimal(scale) => text
                .and_then(|text| Decimal::from_str(text).ok())
                .is_some_and(|decimal| scale.is_none_or(|scale| decimal.scale() == scale)),
            Matcher::Length(length) => match value {
                Some(Value::String(text)) => text.chars().count() == *length,
                Some(Value::Array(items)) => items.len() == *length,
                Some(Value::Object(fields)) => fields.len() == *length,
                _ => false,
            },
            Matcher::Contains(part) => text.is_some_and(|text| text.contains(part)),
            Matcher::Matches(pattern) => text.is_some_and(|text| pattern.matches(text)),
            Matcher::OneOf(words) => text.is_some_and(|text| words.iter().any(|word| word == text)),
            Matcher::Literal(literal) => text == Some(literal),
        }
    }
}

/// True where a number meets `<= 250_000`, `2 MiB` or an exact number; an error where the condition cannot be read.
pub(super) fn compares(number: u64, condition: &str) -> Result<bool, String> {
    let condition = condition.trim();
    let (operator, bound) = ["<=", ">=", "<", ">", "="]
        .into_iter()
        .find_map(|operator| Some((operator, condition.strip_prefix(operator)?)))
        .unwrap_or(("=", condition));
    let bound = erp_manifest::ByteSize::parse(bound.trim())
        .ok_or_else(|| format!("`{condition}` is no bound such as `<= 250_000`"))?
        .0;
    Ok(match operator {
        "<=" => number <= bound,
        ">=" => number >= bound,
        "<" => number < bound,
        ">" => number > bound,
        _ => number == bound,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_page_is_read_and_no_other_word() {
        for (form, _) in MATCHERS {
            assert!(matches!(parse(form), Ok(Some(_))), "{form}");
        }
        assert!(parse("<uuids>").unwrap_err().contains("uuid"));
    }
    use serde_json::json;

    fn accepts(matcher: &str, value: &Value) -> bool {
        let start = Moment::parse("2026-04-15T08:00:00Z").unwrap();
        let time = StepTime { start, end: start.plus_ms(5) };
        parse(matcher).unwrap().unwrap().accepts(Some(value), time)
    }

    #[test]
    fn matchers_accept_what_they_say() {
        assert!(accepts("<uuid>", &json!("0190a8f0-0000-7000-8000-000000000000")));
        assert!(accepts("<now>", &json!("2026-04-15T08:00:00.003Z")));
        assert!(!accepts("<now>", &json!("2026-04-15T08:00:01.000Z")));
        assert!(accepts("<now+30m>", &json!("2026-04-15T08:30:00.000Z")));
        assert!(accepts("<int 1..3>", &json!(2)) && !accepts("<int 1..3>", &json!(4)));
        assert!(accepts("<decimal 2>", &json!("0.35")) && !accepts("<decimal 2>", &json!("0.350")));
        assert!(accepts("<len 2>", &json!("螺丝")));
        assert!(accepts("<contains b>", &json!("abc")) && accepts("<matches a.c>", &json!("abc")));
        assert!(accepts("<one-of a|b>", &json!("b")) && accepts("<not one-of a|b>", &json!("c")));
        assert!(accepts("<<x>", &json!("<x>")));
        assert!(parse("plain").unwrap().is_none());
        assert!(parse("<uid>").is_err());
    }

    #[test]
    fn bounds_are_compared() {
        assert!(compares(249_000, "<= 250_000").unwrap());
        assert!(!compares(3 << 20, "<= 2 MiB").unwrap());
        assert!(compares(5, "many").is_err());
    }
}
