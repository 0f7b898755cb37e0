//! Tables, events, numbers, keys and expressions of unit tests.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::super::bindings::erp::plugin::types::Error;
use super::super::entities::{TABLES, Table};
use super::{Mock, refuse, with};

/// Rows of an entity, in the order of their making.
pub type Rows = Vec<Map<String, Value>>;

/// Columns that every row has.
const STANDARD: [&str; 4] = ["id", "version", "created_at", "updated_at"];

fn table(entity: &str) -> Result<&'static Table, Error> {
    let found = TABLES.iter().find(|table| table.name == entity);
    found.ok_or_else(|| refuse("db.unknown_entity", format!("there is no entity `{entity}`")))
}

fn object(text: &str) -> Result<Map<String, Value>, Error> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(refuse("db.bad_json", "this is no JSON object")),
    }
}

fn text(row: &Map<String, Value>) -> String {
    Value::Object(row.clone()).to_string()
}

/// What the platform refuses too: what is missing, and what is there twice.
fn validate(mock: &Mock, table: &Table, row: &Map<String, Value>) -> Result<(), Error> {
    let is_known = |name: &str| STANDARD.contains(&name) || table.fields.contains(&name);
    if let Some(name) = row.keys().find(|name| !is_known(name)) {
        return Err(refuse("db.validation", format!("{} has no field `{name}`", table.name)));
    }
    for field in table.required {
        if row.get(*field).is_none_or(Value::is_null) {
            return Err(refuse("db.validation", format!("`{field}` of {} is required", table.name)));
        }
    }
    for field in table.unique {
        let taken =
            mock.rows(table.name).iter().any(|other| other["id"] != row["id"] && other.get(*field) == row.get(*field));
        if taken && row.get(*field).is_some_and(|value| !value.is_null()) {
            return Err(refuse("db.unique", format!("{} has a row with this `{field}`", table.name)));
        }
    }
    Ok(())
}

impl Mock {
    /// The rows of an entity.
    pub fn rows(&self, entity: &str) -> &[Map<String, Value>] {
        self.tables.get(entity).map_or(&[], Vec::as_slice)
    }

    fn insert(&mut self, entity: &str, data: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        let table = table(entity)?;
        let mut row = Map::new();
        row.insert("id".to_owned(), self.next_id().into());
        row.extend(data);
        // A field that is null takes its default, like one that is absent.
        let is_empty = |row: &Map<String, Value>, field: &str| row.get(field).is_none_or(Value::is_null);
        if let Ok(Value::Object(defaults)) = serde_json::from_str(table.defaults) {
            for (field, default) in defaults.into_iter().filter(|(field, _)| is_empty(&row, field)).collect::<Vec<_>>()
            {
                let value = self.default(default);
                row.insert(field, value);
            }
        }
        for (field, rule) in table.numbered {
            if is_empty(&row, field) {
                row.insert((*field).to_owned(), self.next_number(rule).into());
            }
        }
        let moment = "2026-01-01T00:00:00Z";
        for (key, value) in [("version", Value::from(1)), ("created_at", moment.into()), ("updated_at", moment.into())]
        {
            row.insert(key.to_owned(), value);
        }
        validate(self, table, &row)?;
        self.tables.entry(entity.to_owned()).or_default().push(row.clone());
        Ok(row)
    }

    fn change(
        &mut self,
        entity: &str,
        id: &str,
        expected: Option<u32>,
        change: impl FnOnce(&mut Map<String, Value>) -> Result<(), Error>,
    ) -> Result<Map<String, Value>, Error> {
        let table = table(entity)?;
        let missing = || refuse("db.not_found", format!("there is no {entity} `{id}`"));
        let mut row = self.rows(entity).iter().find(|row| row["id"] == id).cloned().ok_or_else(missing)?;
        let version = row["version"].as_u64().unwrap_or(0);
        if expected.is_some_and(|expected| u64::from(expected) != version) {
            let error = refuse("db.version_conflict", format!("{entity} `{id}` has version {version}"));
            return Err(Error { retryable: true, ..error });
        }
        change(&mut row)?;
        row.insert("version".to_owned(), (version + 1).into());
        validate(self, table, &row)?;
        let rows = self.tables.entry(entity.to_owned()).or_default();
        if let Some(stored) = rows.iter_mut().find(|row| row["id"] == id) {
            stored.clone_from(&row);
        }
        Ok(row)
    }

    fn remove(&mut self, entity: &str, id: &str, expected: Option<u32>) -> Result<Map<String, Value>, Error> {
        let row = self.change(entity, id, expected, |_| Ok(()))?;
        self.tables.entry(entity.to_owned()).or_default().retain(|row| row["id"] != id);
        Ok(row)
    }

    /// A default as the platform fills it in.
    fn default(&mut self, default: Value) -> Value {
        match default.as_str() {
            Some("$today") => "2026-01-01".into(),
            Some("$now") => "2026-01-01T00:00:00Z".into(),
            Some("$uuid") => self.next_id().into(),
            Some("$user.id") => self.user.clone().into(),
            _ => default,
        }
    }

    fn next_number(&mut self, rule: &str) -> String {
        let number = self.numbers.entry(rule.to_owned()).or_default();
        *number += 1;
        format!("{rule}-{number:04}")
    }
}

/// Refuses a filter that the host refuses: unknown fields and operators.
fn readable(table: &Table, filter: &Value) -> Result<(), Error> {
    let Some(parts) = filter.as_object() else { return Ok(()) };
    for (key, wanted) in parts {
        match key.as_str() {
            "and" | "or" => wanted.as_array().into_iter().flatten().try_for_each(|filter| readable(table, filter))?,
            "not" => readable(table, wanted)?,
            field => {
                known(table, field)?;
                let operators = ["eq", "ne", "lt", "lte", "gt", "gte", "in", "contains"];
                let mut used = wanted.as_object().into_iter().flat_map(Map::keys);
                if let Some(operator) = used.find(|operator| !operators.contains(&operator.as_str())) {
                    return Err(refuse("db.bad_query", format!("unit tests have no operator `{operator}`")));
                }
            }
        }
    }
    Ok(())
}

fn known(table: &Table, field: &str) -> Result<(), Error> {
    if STANDARD.contains(&field) || table.fields.contains(&field) {
        return Ok(());
    }
    Err(refuse("db.unknown_field", format!("{} has no field `{field}`", table.name)))
}

/// Whether a filter holds for a row.
fn holds(table: &Table, filter: &Value, row: &Map<String, Value>) -> bool {
    let Some(parts) = filter.as_object() else { return true };
    parts.iter().all(|(key, wanted)| {
        let mut each = wanted.as_array().into_iter().flatten();
        match key.as_str() {
            "and" => each.all(|filter| holds(table, filter, row)),
            "or" => each.any(|filter| holds(table, filter, row)),
            "not" => !holds(table, wanted, row),
            field => compares(table.decimals.contains(&field), row.get(field).unwrap_or(&Value::Null), wanted),
        }
    })
}

fn compares(is_decimal: bool, value: &Value, wanted: &Value) -> bool {
    let equals = |wanted: &Value| {
        value.is_null() == wanted.is_null() && order(is_decimal, value, wanted) == Some(Ordering::Equal)
    };
    let Some(operators) = wanted.as_object() else { return equals(wanted) };
    operators.iter().all(|(operator, wanted)| {
        let order = || order(is_decimal, value, wanted).filter(|_| !value.is_null());
        match operator.as_str() {
            "eq" => equals(wanted),
            "ne" => !equals(wanted),
            "lt" => order().is_some_and(Ordering::is_lt),
            "lte" => order().is_some_and(Ordering::is_le),
            "gt" => order().is_some_and(Ordering::is_gt),
            "gte" => order().is_some_and(Ordering::is_ge),
            "in" => wanted.as_array().is_some_and(|all| all.iter().any(equals)),
            "contains" => match value {
                Value::Array(items) => items.contains(wanted),
                value => value.as_str().zip(wanted.as_str()).is_some_and(|(text, part)| text.contains(part)),
            },
            _ => false,
        }
    })
}

/// Numbers by their value, decimals too, which are text; all else as text.
fn order(is_decimal: bool, one: &Value, other: &Value) -> Option<Ordering> {
    let number = |value: &Value| exact(value).filter(|_| is_decimal || value.is_number());
    match (number(one), number(other)) {
        (Some(one), Some(other)) => Some(aligned(one, other.1).cmp(&aligned(other, one.1))),
        _ => Some(one.to_string().cmp(&other.to_string())),
    }
}

/// The digits of a number, and how many of them stand behind the point: decimals are exact here too.
fn exact(value: &Value) -> Option<(i128, u32)> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let (whole, behind) = text.split_once('.').unwrap_or((&text, ""));
    let digits: i128 = format!("{whole}{behind}").parse().ok()?;
    Some((digits, u32::try_from(behind.len()).ok().filter(|scale| *scale < 20)?))
}

/// The digits with at least so many of them behind the point.
fn aligned((digits, scale): (i128, u32), wanted: u32) -> i128 {
    digits.saturating_mul(10_i128.saturating_pow(wanted.saturating_sub(scale)))
}

/// A sum, in the form of its parts: decimals are text.
fn sum(one: &Value, other: &Value) -> Value {
    if let (Some(one), Some(other)) = (one.as_i64(), other.as_i64()) {
        return (one + other).into();
    }
    let (Some(one), Some(other)) = (exact(one), exact(other)) else { return Value::Null };
    let scale = one.1.max(other.1);
    let digits = aligned(one, scale) + aligned(other, scale);
    let sign = if digits < 0 { "-" } else { "" };
    let text = format!("{:0width$}", digits.unsigned_abs(), width = scale as usize + 1);
    let (whole, behind) = text.split_at(text.len() - scale as usize);
    let point = if behind.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{behind}").into()
}

pub mod host_db {
    pub use super::super::super::bindings::erp::plugin::host_db::{Op, Page};
    use super::*;

    pub fn insert(entity: &str, row: &str) -> Result<String, Error> {
        let row = object(row)?;
        with(|mock| mock.insert(entity, row)).map(|row| super::text(&row))
    }

    pub fn get(entity: &str, id: &str) -> Result<Option<String>, Error> {
        table(entity)?;
        Ok(with(|mock| mock.rows(entity).iter().find(|row| row["id"] == id).map(super::text)))
    }

    pub fn query(entity: &str, query: &str) -> Result<Page, Error> {
        let table = table(entity)?;
        let query = object(query)?;
        let keys = ["filter", "search", "sort", "limit", "offset", "cursor", "with_total", "include_deleted"];
        if let Some(key) = query.keys().find(|key| !keys.contains(&key.as_str())) {
            return Err(refuse("db.bad_query", format!("unknown key `{key}` in the query")));
        }
        let filter = query.get("filter").unwrap_or(&Value::Null);
        readable(table, filter)?;
        let mut rows: Rows =
            with(|mock| mock.rows(entity).iter().filter(|row| holds(table, filter, row)).cloned().collect());
        if let Some(search) = query.get("search").and_then(Value::as_str) {
            rows.retain(|row| row.values().any(|value| value.as_str().is_some_and(|value| value.contains(search))));
        }
        for key in query.get("sort").and_then(Value::as_array).into_iter().flatten().rev().filter_map(Value::as_str) {
            let (name, falls) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
            known(table, name)?;
            let is_decimal = table.decimals.contains(&name);
            rows.sort_by(|one, other| {
                let (one, other) = (one.get(name).unwrap_or(&Value::Null), other.get(name).unwrap_or(&Value::Null));
                // What is absent sorts before all others.
                let order = match (one.is_null(), other.is_null()) {
                    (false, false) => super::order(is_decimal, one, other).unwrap_or(Ordering::Equal),
                    (one, other) => other.cmp(&one),
                };
                if falls { order.reverse() } else { order }
            });
        }
        let total = u64::try_from(rows.len()).ok();
        let start = query.get("cursor").and_then(Value::as_str).and_then(|cursor| cursor.parse().ok()).unwrap_or(0);
        let limit =
            query.get("limit").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20);
        let page: Vec<String> = rows.iter().skip(start).take(limit).map(super::text).collect();
        let next = start + page.len();
        let next_cursor = (next < rows.len()).then(|| next.to_string());
        Ok(Page { rows: page, next_cursor, total })
    }

    pub fn count(entity: &str, filter: Option<&str>) -> Result<u64, Error> {
        let filter = filter.map_or(Value::Null, |filter| serde_json::from_str(filter).unwrap_or_default());
        let table = table(entity)?;
        readable(table, &filter)?;
        Ok(with(|mock| mock.rows(entity).iter().filter(|row| holds(table, &filter, row)).count()) as u64)
    }

    pub fn update(entity: &str, id: &str, patch: &str, expected_version: Option<u32>) -> Result<String, Error> {
        let patch = object(patch)?;
        let changed = with(|mock| {
            mock.change(entity, id, expected_version, |row| {
                row.extend(patch);
                Ok(())
            })
        });
        changed.map(|row| super::text(&row))
    }

    pub fn restore(_entity: &str, _id: &str) -> Result<String, Error> {
        Err(refuse("db.not_mocked", "unit tests restore no rows: write a scenario"))
    }

    pub fn aggregate(_entity: &str, _query: &str) -> Result<String, Error> {
        Err(refuse("db.not_mocked", "unit tests compute no aggregates: write a scenario"))
    }

    pub fn resolve_labels(_entity: &str, _ids: &[String]) -> Result<String, Error> {
        Err(refuse("db.not_mocked", "unit tests know no labels: write a scenario"))
    }

    pub fn delete(entity: &str, id: &str, expected_version: Option<u32>) -> Result<(), Error> {
        with(|mock| mock.remove(entity, id, expected_version)).map(|_| ())
    }

    pub fn batch(ops: &[Op]) -> Result<Vec<String>, Error> {
        let before = with(|mock| mock.tables.clone());
        let mut rows = Vec::new();
        for op in ops {
            let done = step(op);
            match done {
                Ok(row) => rows.push(row),
                Err(error) => {
                    with(|mock| mock.tables = before);
                    return Err(error);
                }
            }
        }
        Ok(rows)
    }

    fn step(op: &Op) -> Result<String, Error> {
        let data = op.data.as_deref().map(object).transpose()?.unwrap_or_default();
        let id = op.id.as_deref().unwrap_or_default();
        let row = with(|mock| match op.kind.as_str() {
            "insert" => mock.insert(&op.entity, data),
            "delete" => mock.remove(&op.entity, id, op.expected_version).map(|_| Map::new()),
            "update" => mock.change(&op.entity, id, op.expected_version, |row| {
                row.extend(data);
                Ok(())
            }),
            "increment" => mock.change(&op.entity, id, op.expected_version, |row| {
                for (name, by) in data {
                    let before = row.get(&name).filter(|value| !value.is_null()).cloned().unwrap_or_else(|| 0.into());
                    row.insert(name, sum(&before, &by));
                }
                Ok(())
            }),
            other => Err(refuse("db.bad_query", format!("unknown kind of step `{other}`"))),
        })?;
        Ok(super::text(&row))
    }
}

pub mod host_events {
    use super::*;

    pub fn publish(event_type: &str, payload: &str) -> Result<(), Error> {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        if !event_type.split('.').all(|word| !word.is_empty() && word.bytes().all(is_part)) {
            return Err(refuse("event.bad_name", format!("`{event_type}` is no name of an event")));
        }
        let payload = serde_json::from_str(payload).map_err(|_| refuse("db.bad_json", "the payload is no JSON"))?;
        with(|mock| mock.events.push((event_type.to_owned(), payload)));
        Ok(())
    }
}

pub mod host_numbering {
    use super::*;

    fn known(rule: &str) -> Result<(), Error> {
        let is_known = super::super::super::numbering::RULES.contains(&rule);
        if is_known { Ok(()) } else { Err(refuse("numbering.unknown", format!("unknown numbering rule `{rule}`"))) }
    }

    pub fn next(rule: &str) -> Result<String, Error> {
        known(rule)?;
        Ok(with(|mock| mock.next_number(rule)))
    }

    pub fn peek(rule: &str) -> Result<String, Error> {
        known(rule)?;
        Ok(with(|mock| format!("{rule}-{:04}", mock.numbers.get(rule).map_or(1, |number| number + 1))))
    }
}

pub mod host_kv {
    use super::*;

    pub fn get(key: &str) -> Result<Option<String>, Error> {
        Ok(with(|mock| mock.keys.get(key).cloned()))
    }

    fn json(value: &str) -> Result<(), Error> {
        let read: Result<Value, _> = serde_json::from_str(value);
        read.map(|_| ()).map_err(|_| refuse("db.bad_json", "the value is no JSON"))
    }

    pub fn set(key: &str, value: &str, _ttl_seconds: Option<u32>) -> Result<(), Error> {
        json(value)?;
        with(|mock| mock.keys.insert(key.to_owned(), value.to_owned()));
        Ok(())
    }

    pub fn delete(key: &str) -> Result<bool, Error> {
        Ok(with(|mock| mock.keys.remove(key).is_some()))
    }

    pub fn compare_and_set(key: &str, expected: Option<&str>, value: &str) -> Result<bool, Error> {
        json(value)?;
        with(|mock| {
            let is_expected = mock.keys.get(key).map(String::as_str) == expected;
            if is_expected {
                mock.keys.insert(key.to_owned(), value.to_owned());
            }
            Ok(is_expected)
        })
    }

    pub fn increment(key: &str, by: i64) -> Result<i64, Error> {
        with(|mock| {
            let before = match mock.keys.get(key) {
                None => 0,
                Some(text) => {
                    text.parse::<i64>().map_err(|_| refuse("kv.not_a_number", format!("`{key}` holds {text}")))?
                }
            };
            let sum = before
                .checked_add(by)
                .ok_or_else(|| refuse("kv.overflow", format!("`{key}` would overflow 64 bits")))?;
            mock.keys.insert(key.to_owned(), sum.to_string());
            Ok(sum)
        })
    }
}

pub mod host_expr {
    use super::*;

    /// Unit tests have no expressions: a test says what each gives.
    pub fn eval(expression: &str, _vars: &str) -> Result<String, Error> {
        let given = with(|mock| mock.expressions.get(expression).map(ToString::to_string));
        given.ok_or_else(|| refuse("expr.bad", format!("say in `mock.expressions` what `{expression}` gives")))
    }

    /// The same for templates.
    pub fn render(template: &str, _vars: &str) -> Result<String, Error> {
        let given = with(|mock| mock.expressions.get(template).and_then(Value::as_str).map(str::to_owned));
        given.ok_or_else(|| refuse("expr.bad", format!("say in `mock.expressions` what `{template}` gives")))
    }
}
