//! Values of rows, settings, events and parameters, between JSON and Rust.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use serde_json::{Map, Value};

use super::error::{Error, Result, refuse};

/// A value that JSON can hold.
pub trait JsonValue: Sized {
    /// The value, where the JSON is one.
    fn from_json(json: &Value) -> Option<Self>;
    /// The JSON.
    fn to_json(&self) -> Value;
}

impl JsonValue for String {
    fn from_json(json: &Value) -> Option<String> {
        json.as_str().map(str::to_owned)
    }

    fn to_json(&self) -> Value {
        Value::String(self.clone())
    }
}

impl JsonValue for i64 {
    fn from_json(json: &Value) -> Option<i64> {
        json.as_i64()
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl JsonValue for u32 {
    fn from_json(json: &Value) -> Option<u32> {
        json.as_u64().and_then(|number| number.try_into().ok())
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl JsonValue for f64 {
    fn from_json(json: &Value) -> Option<f64> {
        json.as_f64()
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl JsonValue for bool {
    fn from_json(json: &Value) -> Option<bool> {
        json.as_bool()
    }

    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl JsonValue for Value {
    fn from_json(json: &Value) -> Option<Value> {
        Some(json.clone())
    }

    fn to_json(&self) -> Value {
        self.clone()
    }
}

impl<T: JsonValue> JsonValue for Option<T> {
    fn from_json(json: &Value) -> Option<Option<T>> {
        if json.is_null() { Some(None) } else { T::from_json(json).map(Some) }
    }

    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }
}

impl<T: JsonValue> JsonValue for Vec<T> {
    fn from_json(json: &Value) -> Option<Vec<T>> {
        json.as_array()?.iter().map(T::from_json).collect()
    }

    fn to_json(&self) -> Value {
        self.iter().map(T::to_json).collect()
    }
}

/// The id of a row of `E`.
pub struct Id<E>(String, PhantomData<fn() -> E>);

/// A row of whatever entity, a user, a department, a file.
pub struct Anything;

/// An id that does not say what it names.
pub type Uuid = Id<Anything>;

impl<E> Id<E> {
    /// The id with this text.
    pub fn new(text: impl Into<String>) -> Id<E> {
        Id(text.into(), PhantomData)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same id as that of another entity: for ids that come from outside.
    pub fn of<Other>(&self) -> Id<Other> {
        Id::new(self.0.clone())
    }
}

impl<E> Clone for Id<E> {
    fn clone(&self) -> Id<E> {
        Id::new(self.0.clone())
    }
}

impl<E> fmt::Debug for Id<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<E> fmt::Display for Id<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E> PartialEq for Id<E> {
    fn eq(&self, other: &Id<E>) -> bool {
        self.0 == other.0
    }
}

impl<E> Eq for Id<E> {}

impl<E> PartialOrd for Id<E> {
    fn partial_cmp(&self, other: &Id<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Id<E> {
    fn cmp(&self, other: &Id<E>) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<E> Hash for Id<E> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<E> From<&Id<E>> for Id<E> {
    fn from(id: &Id<E>) -> Id<E> {
        id.clone()
    }
}

impl<E> JsonValue for Id<E> {
    fn from_json(json: &Value) -> Option<Id<E>> {
        json.as_str().map(Id::new)
    }

    fn to_json(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// A JSON object that is read and written by its keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields(pub Map<String, Value>);

impl Fields {
    /// The object that a text holds.
    ///
    /// # Errors
    /// `plugin.bad_json`, where it holds none.
    pub fn parse(text: &str) -> Result<Fields> {
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(_) => Err(refuse("plugin.bad_json", "this is no JSON object")),
            Err(error) => Err(refuse("plugin.bad_json", error.to_string())),
        }
    }

    /// A value; what is absent counts as null.
    ///
    /// # Errors
    /// `plugin.bad_value`, where it is another kind of value.
    pub fn get<T: JsonValue>(&self, key: &str) -> Result<T> {
        let value = self.0.get(key).unwrap_or(&Value::Null);
        T::from_json(value).ok_or_else(|| bad_value(key, value))
    }

    /// Puts a value in.
    pub fn set<T: JsonValue>(&mut self, key: &str, value: &T) {
        self.0.insert(key.to_owned(), value.to_json());
    }

    /// Puts a value in, where there is one.
    pub fn set_some<T: JsonValue>(&mut self, key: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).unwrap_or_default())
    }
}

fn bad_value(key: &str, value: &Value) -> Error {
    let found = if value.is_null() { "missing".to_owned() } else { format!("no good: {value}") };
    refuse("plugin.bad_value", format!("`{key}` is {found}"))
}
