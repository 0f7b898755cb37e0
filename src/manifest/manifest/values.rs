//! The only place where field values are validated and converted to their stored form.

use std::str::FromStr;

use jiff::civil;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{BaseType, Field, Moment, TextFormat, Validation, ValueShape};
use crate::expression::{Datum, read_decimal};
use crate::pattern::{MAX_MATCHED, Pattern};

/// The maximum length of a text in an ordered field, in bytes. A row of an index of PostgreSQL holds at most 2,704
/// bytes.
pub const MAX_ORDERED_BYTES: usize = 2_000;

const NO_NUL: &str = "holds the character U+0000, which no database keeps";

/// Returns the stored form of a value, or the reason why it is refused.
///
/// # Errors
/// A sentence without a subject, such as `must be text, not a number`.
pub fn normal_value(field: &Field, value: &Value) -> Result<Value, String> {
    let normal = by_type(field, value)?;
    if field.is_ordered() && normal.as_str().is_some_and(|text| text.len() > MAX_ORDERED_BYTES) {
        return Err(format!("has more than {MAX_ORDERED_BYTES} bytes, too many for a field that rows are found by"));
    }
    if let Some(validation) = &field.validation {
        validate(validation, &normal)?;
    }
    Ok(normal)
}

/// Returns the stored form of an expression's result for a field.
///
/// # Errors
/// As [`normal_value`].
pub fn normal_computed(field: &Field, value: &Datum) -> Result<Value, String> {
    let value = match (field.field_type.base(), value) {
        // Decimals are stored as text with the scale of the field. A computed value is rounded to that scale.
        (BaseType::Decimal, Datum::Number(number)) => match field.kept_scale() {
            Some(scale) => {
                let mut rounded = number.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero);
                rounded.rescale(scale);
                Value::String(rounded.to_string())
            }
            None => Value::String(number.normalize().to_string()),
        },
        (BaseType::Float, Datum::Number(number)) => number.to_f64().map_or(Value::Null, Value::from),
        (_, value) => value.to_json(),
    };
    normal_value(field, &value)
}

fn by_type(field: &Field, value: &Value) -> Result<Value, String> {
    let text = || value.as_str().ok_or_else(|| format!("must be text, not {}", kind(value)));
    match field.field_type.shape() {
        ValueShape::Option => {
            let text = text()?;
            one_of_options(field, text)?;
            Ok(value.clone())
        }
        ValueShape::Options => {
            for item in array_of_text(value)? {
                one_of_options(field, item)?;
            }
            Ok(value.clone())
        }
        ValueShape::Texts => array_of_text(value).and_then(|_| stored_json(value)),
        ValueShape::Ids => {
            array_of_text(value)?.into_iter().map(normal_uuid).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        ValueShape::Place => match (value["lat"].as_f64(), value["lng"].as_f64()) {
            (Some(lat), Some(lng)) if lat.abs() <= 90.0 && lng.abs() <= 180.0 => stored_json(value),
            _ => Err("must be { \"lat\": …, \"lng\": … } in degrees".to_owned()),
        },
        ValueShape::Text(TextFormat::Email) if !text()?.contains('@') => Err("must be an e-mail address".to_owned()),
        ValueShape::Text(TextFormat::Url) if !text()?.starts_with("http://") && !text()?.starts_with("https://") => {
            Err("must be a URL that starts with http:// or https://".to_owned())
        }
        ValueShape::Text(TextFormat::Time) => {
            let time = civil::Time::from_str(text()?).map_err(|_| "must be a time such as 08:30:00".to_owned())?;
            Ok(Value::String(time.strftime("%H:%M:%S").to_string()))
        }
        ValueShape::Decimal => normal_decimal(field, value).map(Value::String),
        other => of_base_type(other.base(), value),
    }
}

/// Returns the form of a value for a comparison with a field. A JSON field accepts any JSON here, not only the shape of
/// its type.
///
/// # Errors
/// As [`normal_value`].
pub fn comparable(field: &Field, value: &Value) -> Result<Value, String> {
    match (field.field_type.shape(), field.field_type.base()) {
        (ValueShape::Text(TextFormat::Time), _) => by_type(field, value),
        // A filter may hold a JSON number with a fraction, because the number is compared and never stored.
        (_, BaseType::Decimal) => match decimal_of(value) {
            Some(decimal) => Ok(Value::String(decimal.to_string())),
            None => Err("must be a decimal".to_owned()),
        },
        (_, base) => of_base_type(base, value),
    }
}

/// Returns the stored form of a value of a base type. A decimal keeps its own scale, because no field defines one.
///
/// # Errors
/// As [`normal_value`].
pub fn of_base_type(base: BaseType, value: &Value) -> Result<Value, String> {
    match base {
        BaseType::Json => stored_json(value),
        BaseType::String if value.as_str().is_some_and(|text| text.contains('\0')) => Err(NO_NUL.to_owned()),
        BaseType::String if value.is_string() => Ok(value.clone()),
        BaseType::String => Err(format!("must be text, not {}", kind(value))),
        BaseType::Boolean if value.is_boolean() => Ok(value.clone()),
        BaseType::Boolean => Err(format!("must be true or false, not {}", kind(value))),
        BaseType::Integer => match value.as_i64() {
            Some(number) => Ok(Value::from(number)),
            None => Err("must be a whole number of 64 bits".to_owned()),
        },
        BaseType::Float => match value.as_f64() {
            // Store negative zero as zero.
            Some(number) => Ok(Value::from(if number == 0.0 { 0.0 } else { number })),
            None => Err(format!("must be a number, not {}", kind(value))),
        },
        BaseType::Decimal => exact_decimal(value).map(|decimal| Value::String(decimal.to_string())),
        BaseType::Uuid => normal_uuid(value.as_str().ok_or("must be a UUID")?).map(Value::String),
        BaseType::Date => {
            let date = value.as_str().and_then(|text| civil::Date::from_str(text).ok());
            date.map(|date| Value::String(date.to_string()))
                .ok_or_else(|| "must be a date such as 2026-04-15".to_owned())
        }
        BaseType::Datetime => {
            let moment = value.as_str().and_then(Moment::parse);
            moment
                .map(|moment| Value::String(moment.to_string()))
                .ok_or_else(|| "must be a date-time such as 2026-04-15T08:00:00Z".to_owned())
        }
    }
}

/// Returns JSON as PostgreSQL's `jsonb` returns it, so that both databases store the same value. Object keys are in its
/// order (by length, then by bytes). Whole numbers that fit into 64 bits have no exponent.
fn stored_json(value: &Value) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) if text.contains('\0') => return Err(NO_NUL.to_owned()),
        Value::Number(number) if number.is_f64() => match number.as_f64() {
            Some(0.0) => Value::from(0.0),
            Some(whole) if whole.fract() == 0.0 && whole.abs() >= 1e16 => {
                let exact = Decimal::from_f64_retain(whole);
                match exact.and_then(|exact| exact.to_i64().map(Value::from).or(exact.to_u64().map(Value::from))) {
                    Some(integer) => integer,
                    None => value.clone(),
                }
            }
            _ => value.clone(),
        },
        Value::Array(items) => Value::Array(items.iter().map(stored_json).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| (key.len(), key.as_bytes()));
            let mut stored = Map::with_capacity(sorted.len());
            for (key, value) in sorted {
                if key.contains('\0') {
                    return Err(NO_NUL.to_owned());
                }
                stored.insert(key.clone(), stored_json(value)?);
            }
            Value::Object(stored)
        }
        value => value.clone(),
    })
}

/// Restores the stored form of a value from the database. `jsonb` returns 1e20 as its digits, so the value of a float
/// field becomes a float again.
pub fn restore_stored(field: &Field, value: Value) -> Value {
    match (&value, field.field_type.base()) {
        (Value::Number(number), BaseType::Float) => number.as_f64().map_or(value, Value::from),
        _ => value,
    }
}

/// Returns decimal text with the scale of the field. A value with more digits is refused, never rounded.
fn normal_decimal(field: &Field, value: &Value) -> Result<String, String> {
    let mut decimal = exact_decimal(value)?;
    let scale = field.kept_scale();
    if let Some(scale) = scale {
        if decimal.normalize().scale() > scale {
            return Err(format!("has more than {scale} digits behind the point"));
        }
        decimal.rescale(scale);
    }
    if let Some(precision) = field.precision {
        let whole_digits = decimal.trunc().abs().to_string().trim_start_matches('0').len();
        if whole_digits > precision.saturating_sub(scale.unwrap_or(0)) as usize {
            return Err(format!("has more than {precision} digits"));
        }
    }
    Ok(decimal.to_string())
}

fn exact_decimal(value: &Value) -> Result<Decimal, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        Value::Number(_) => {
            return Err("must be decimal text such as \"0.35\": a JSON number with a fraction is not exact".to_owned());
        }
        _ => return Err(format!("must be decimal text, not {}", kind(value))),
    };
    Decimal::from_str_exact(&text).map_err(|_| format!("must be a decimal of at most 28 digits, not `{text}`"))
}

fn normal_uuid(text: &str) -> Result<String, String> {
    Uuid::parse_str(text).map(|uuid| uuid.to_string()).map_err(|_| format!("must be a UUID, not `{text}`"))
}

fn one_of_options(field: &Field, text: &str) -> Result<(), String> {
    if field.options.iter().any(|option| option.value == text) {
        return Ok(());
    }
    let known: Vec<&str> = field.options.iter().map(|option| option.value.as_str()).collect();
    Err(format!("must be one of {}, not `{text}`", known.join(", ")))
}

fn array_of_text(value: &Value) -> Result<Vec<&str>, String> {
    value
        .as_array()
        .and_then(|items| items.iter().map(Value::as_str).collect())
        .ok_or_else(|| "must be an array of texts".to_owned())
}

fn validate(validation: &Validation, value: &Value) -> Result<(), String> {
    let refused = |why: String| Err(validation.message.clone().unwrap_or(why));
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        if validation.min_length.is_some_and(|least| length < least)
            || validation.max_length.is_some_and(|most| length > most)
        {
            return refused(format!("has {length} characters"));
        }
        if let Some(pattern) = &validation.pattern
            && !Pattern::parse(pattern).is_ok_and(|pattern| pattern.matches(text))
        {
            if text.len() > MAX_MATCHED {
                return refused(format!("has more than {MAX_MATCHED} bytes, too many for its pattern"));
            }
            return refused(format!("does not match `{pattern}`"));
        }
    }
    let bound = |bound: &Option<crate::diagnostics::Spanned<Value>>| bound.as_ref().and_then(|bound| decimal_of(bound));
    if let Some(number) = decimal_of(value) {
        if let Some(least) = bound(&validation.min).filter(|least| number < *least) {
            return refused(format!("must be at least {least}"));
        }
        if let Some(most) = bound(&validation.max).filter(|most| number > *most) {
            return refused(format!("must be at most {most}"));
        }
    } else if let Some(number) = value.as_f64() {
        // A number that a decimal cannot hold, in size or in digits, is compared as a float.
        if let Some(least) = bound(&validation.min).filter(|least| least.to_f64().is_some_and(|least| number < least)) {
            return refused(format!("must be at least {least}"));
        }
        if let Some(most) = bound(&validation.max).filter(|most| most.to_f64().is_some_and(|most| number > most)) {
            return refused(format!("must be at most {most}"));
        }
    }
    Ok(())
}

/// Reads a JSON number or decimal text; `None` for any other value.
pub fn decimal_of(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => read_decimal(&number.to_string()),
        Value::String(text) => read_decimal(text),
        _ => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Converts a value to the stored form of a field. Where the type of the field needs it, text is parsed and other
/// values become text.
///
/// # Errors
/// As [`normal_value`], for the converted value, or for the original one if no conversion exists.
pub fn converted(field: &Field, value: &Value) -> Result<Value, String> {
    if let Ok(fits) = normal_value(field, value) {
        return Ok(fits);
    }
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        value => value.to_string(),
    };
    let number = || read_decimal(&text);
    let other = match field.field_type.base() {
        BaseType::String => Some(Value::String(text.clone())),
        BaseType::Integer => {
            number().filter(|number| number.fract().is_zero()).and_then(|number| number.to_i64()).map(Value::from)
        }
        BaseType::Float => number().and_then(|number| number.to_f64()).map(Value::from),
        // Keep the digits: a value with more digits than the field stores is refused, not rounded.
        BaseType::Decimal => number().map(|number| Value::String(number.normalize().to_string())),
        BaseType::Boolean => match text.as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        // A date-time becomes its date, and a date becomes its midnight, both in UTC.
        BaseType::Date => text.get(..10).map(Value::from),
        BaseType::Datetime if text.len() == 10 => Some(Value::String(format!("{text}T00:00:00.000Z"))),
        BaseType::Json if text.starts_with(['[', '{']) => serde_json::from_str(&text).ok(),
        BaseType::Json | BaseType::Datetime | BaseType::Uuid => None,
    };
    normal_value(field, &other.unwrap_or_else(|| value.clone()))
}
