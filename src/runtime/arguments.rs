//! Converts JSON to the arguments of an export, by the types of its parameters.

use serde_json::{Map, Value};
use wasmtime::component::{Type, Val};

/// Converts a JSON value to a value of a component type. Names are those of the WIT. A variant is written as its name,
/// or as an object with its name as the only key; a result as `{"ok": …}` or `{"err": …}`.
pub(super) fn value_of(ty: &Type, json: &Value, place: &str) -> Result<Val, String> {
    let wrong = |wanted: &str| Err(format!("{place} must be {wanted}, not {json}"));
    let whole = || json.as_i64().map(i128::from).or_else(|| json.as_u64().map(i128::from));
    macro_rules! integer {
        ($type:ty, $case:path) => {
            match whole().and_then(|number| <$type>::try_from(number).ok()) {
                Some(number) => Ok($case(number)),
                None => wrong(concat!("a whole number that fits ", stringify!($type))),
            }
        };
    }
    match ty {
        Type::Bool => json.as_bool().map_or_else(|| wrong("true or false"), |flag| Ok(Val::Bool(flag))),
        Type::S8 => integer!(i8, Val::S8),
        Type::U8 => integer!(u8, Val::U8),
        Type::S16 => integer!(i16, Val::S16),
        Type::U16 => integer!(u16, Val::U16),
        Type::S32 => integer!(i32, Val::S32),
        Type::U32 => integer!(u32, Val::U32),
        Type::S64 => integer!(i64, Val::S64),
        Type::U64 => integer!(u64, Val::U64),
        #[expect(clippy::cast_possible_truncation, reason = "the parameter has 32 bits")]
        Type::Float32 => json.as_f64().map_or_else(|| wrong("a number"), |number| Ok(Val::Float32(number as f32))),
        Type::Float64 => json.as_f64().map_or_else(|| wrong("a number"), |number| Ok(Val::Float64(number))),
        Type::Char => {
            let mut characters = json.as_str().unwrap_or_default().chars();
            match (characters.next(), characters.next()) {
                (Some(character), None) => Ok(Val::Char(character)),
                _ => wrong("one character"),
            }
        }
        Type::String => json.as_str().map_or_else(|| wrong("text"), |text| Ok(Val::String(text.to_owned()))),
        Type::List(list) => match json {
            Value::Array(items) => {
                let item = |(index, item): (usize, &Value)| value_of(&list.ty(), item, &format!("{place}[{index}]"));
                Ok(Val::List(items.iter().enumerate().map(item).collect::<Result<_, _>>()?))
            }
            // A list of bytes may be written as text.
            Value::String(text) if list.ty() == Type::U8 => Ok(Val::List(text.bytes().map(Val::U8).collect())),
            _ => wrong("an array"),
        },
        Type::Tuple(tuple) => match json {
            Value::Array(items) if items.len() == tuple.types().len() => {
                let parts = tuple.types().zip(items).enumerate();
                let part =
                    |(index, (ty, item)): (usize, (Type, &Value))| value_of(&ty, item, &format!("{place}[{index}]"));
                Ok(Val::Tuple(parts.map(part).collect::<Result<_, _>>()?))
            }
            _ => wrong(&format!("an array of {}", tuple.types().len())),
        },
        Type::Record(record) => {
            let Value::Object(fields) = json else { return wrong("an object") };
            only(fields, record.fields().map(|field| field.name), place)?;
            let field = |field: wasmtime::component::types::Field<'_>| {
                let value = fields.get(field.name).unwrap_or(&Value::Null);
                let place = format!("{place}.{}", field.name);
                value_of(&field.ty, value, &place).map(|value| (field.name.to_owned(), value))
            };
            Ok(Val::Record(record.fields().map(field).collect::<Result<_, _>>()?))
        }
        Type::Option(option) => match json {
            Value::Null => Ok(Val::Option(None)),
            value => Ok(Val::Option(Some(Box::new(value_of(&option.ty(), value, place)?)))),
        },
        Type::Enum(cases) => match json.as_str().filter(|name| cases.names().any(|known| known == *name)) {
            Some(name) => Ok(Val::Enum(name.to_owned())),
            None => wrong(&format!("one of {}", cases.names().collect::<Vec<_>>().join(", "))),
        },
        Type::Flags(flags) => {
            let names: Option<Vec<&str>> = json.as_array().and_then(|items| items.iter().map(Value::as_str).collect());
            match names.filter(|names| names.iter().all(|name| flags.names().any(|known| known == *name))) {
                Some(names) => Ok(Val::Flags(names.into_iter().map(str::to_owned).collect())),
                None => wrong(&format!("an array of {}", flags.names().collect::<Vec<_>>().join(", "))),
            }
        }
        Type::Variant(variant) => {
            let (name, payload) = named(json);
            let case = variant.cases().find(|case| Some(case.name) == name);
            match case.map(|case| (case.name.to_owned(), case.ty)) {
                Some((name, Some(ty))) => {
                    let value = value_of(&ty, payload, &format!("{place}.{name}"))?;
                    Ok(Val::Variant(name, Some(Box::new(value))))
                }
                Some((name, None)) => Ok(Val::Variant(name, None)),
                None => {
                    let known: Vec<&str> = variant.cases().map(|case| case.name).collect();
                    wrong(&format!("one of {}", known.join(", ")))
                }
            }
        }
        Type::Result(result) => {
            let payload =
                |ty: Option<Type>, value: &Value| ty.map(|ty| value_of(&ty, value, place).map(Box::new)).transpose();
            match named(json) {
                (Some("ok"), value) => Ok(Val::Result(Ok(payload(result.ok(), value)?))),
                (Some("err"), value) => Ok(Val::Result(Err(payload(result.err(), value)?))),
                _ => wrong("{\"ok\": …} or {\"err\": …}"),
            }
        }
        _ => wrong("of another kind: handles cannot be written as JSON"),
    }
}

/// Splits `"name"` or `{"name": payload}` into name and payload; returns no name for any other value.
fn named(json: &Value) -> (Option<&str>, &Value) {
    match json {
        Value::String(name) => (Some(name), &Value::Null),
        Value::Object(fields) if fields.len() == 1 => {
            fields.iter().next().map_or((None, &Value::Null), |(name, value)| (Some(name.as_str()), value))
        }
        _ => (None, &Value::Null),
    }
}

/// Rejects keys that are not among the known names.
pub(super) fn only<'n>(
    given: &Map<String, Value>,
    known: impl Iterator<Item = &'n str>,
    place: &str,
) -> Result<(), String> {
    let known: Vec<&str> = known.collect();
    match given.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(format!("{place} has no `{key}`; it has {}", known.join(", "))),
    }
}
