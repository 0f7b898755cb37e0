//! A scenario from recorded calls: events and buttons become steps, rows that they read become a fixture, and ids
//! that belong together stay together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::accept::toml_text;
use crate::contract::HostFunction;
use crate::host::RecordedCall;
use crate::manifest::{BaseType, Manifest};
use crate::store::Moment;

/// The text of a scenario; `name` says what it shows. Calls of the plugin's own life need no step: they come by
/// themselves.
pub fn from_recording(name: &str, manifest: &Manifest, calls: &[RecordedCall]) -> String {
    let mut rows = Rows::default();
    for call in calls {
        rows.read(manifest, call);
    }
    let began = calls.first().map_or(0, |call| call.began_ms);
    let now = Moment { unix_ms: began, offset_seconds: 0 };
    let tenants: BTreeSet<&str> = calls.iter().filter_map(|call| call.context["tenant"].as_str()).collect();
    let tenant = tenants.first().copied().unwrap_or("acme");
    let mut text = format!("schema = 1\nsuite = {}\n\n[world]\nnow = {now}\n", toml_text(&json!(name)));
    text.push_str(&format!(
        "\n[world.users]\nrecorded = {{ tenant = {}, grants = {} }}\n",
        toml_text(&json!(tenant)),
        toml_text(&grants(calls))
    ));
    let fixture = rows.fixture(manifest, tenant);
    text.push_str(&fixture);
    text.push_str(&format!("\n[[test]]\nname = {}\n", toml_text(&json!(name))));
    if !fixture.is_empty() {
        text.push_str("use = [\"recorded\"]\n");
    }
    for call in calls {
        match step(manifest, call, &rows) {
            Some(step) => text.push_str(&step),
            // What was left out must be seen to be.
            None => text.push_str(&format!("\n# no step does this: {}\n", one_line(&call.invocation))),
        }
    }
    text
}

fn one_line(value: &Value) -> String {
    let text: String = value.to_string().chars().filter(|character| !character.is_control()).collect();
    if text.chars().count() <= 120 { text } else { text.chars().take(119).chain(['…']).collect() }
}

/// What the users of the calls could do together.
fn grants(calls: &[RecordedCall]) -> Value {
    let mut grants: BTreeSet<String> = BTreeSet::new();
    for call in calls {
        let own = call.context["user"]["permissions"].as_array().into_iter().flatten();
        grants.extend(own.filter_map(|grant| grant.as_str().map(str::to_owned)));
    }
    json!(grants)
}

/// Rows that were there before: those that a call read and none had written.
#[derive(Default)]
struct Rows {
    /// For each entity the rows, in the order in which they were read.
    read: BTreeMap<String, Vec<Map<String, Value>>>,
    written: BTreeSet<String>,
}

impl Rows {
    fn read(&mut self, manifest: &Manifest, call: &RecordedCall) {
        for host_call in call.host_calls.iter().filter(|call| call["error"].is_null()) {
            let entity = host_call["subject"].as_str().unwrap_or_default();
            let result = &host_call["result"];
            match host_call["function"].as_str().and_then(HostFunction::find) {
                Some(HostFunction::DbGet) => self.add(manifest, entity, result),
                Some(HostFunction::DbQuery) => {
                    for row in result["rows"].as_array().or_else(|| result.as_array()).into_iter().flatten() {
                        self.add(manifest, entity, row);
                    }
                }
                Some(HostFunction::DbInsert | HostFunction::DbUpdate | HostFunction::DbRestore) => self.write(result),
                Some(HostFunction::DbBatch) => result.as_array().into_iter().flatten().for_each(|row| self.write(row)),
                _ => {}
            }
        }
    }

    fn write(&mut self, row: &Value) {
        self.written.extend(row["id"].as_str().map(str::to_owned));
    }

    fn add(&mut self, manifest: &Manifest, entity: &str, row: &Value) {
        let (Some(_), Some(row)) = (manifest.entity(entity), row.as_object()) else { return };
        let Some(id) = row.get("id").and_then(Value::as_str) else { return };
        let known = self.read.entry(entity.to_owned()).or_default();
        let is_known = known.iter().any(|known| known.get("id").and_then(Value::as_str) == Some(id));
        if !is_known && !self.written.contains(id) {
            known.push(row.clone());
        }
    }

    /// How scenarios refer to a row, by its id.
    fn reference(&self, id: &str) -> Option<String> {
        self.read.iter().find_map(|(entity, rows)| {
            let at = rows.iter().position(|row| row.get("id").and_then(Value::as_str) == Some(id))?;
            Some(format!("@recorded.{entity}.{at}"))
        })
    }

    /// A value with references instead of ids that are known, and matchers instead of all others.
    fn referred(&self, value: &Value, others: Others) -> Value {
        match value {
            Value::String(text) if is_uuid(text) => match self.reference(text) {
                Some(reference) => Value::String(reference),
                None if others == Others::Match => Value::String("<uuid>".to_owned()),
                None => value.clone(),
            },
            Value::String(text) if others == Others::Match && Moment::parse(text).is_some() => json!("<any>"),
            Value::Array(items) => items.iter().map(|item| self.referred(item, others)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), self.referred(value, others))).collect()
            }
            other => other.clone(),
        }
    }

    /// The rows as a fixture; empty if there are none.
    fn fixture(&self, manifest: &Manifest, tenant: &str) -> String {
        let mut text = String::new();
        // Parents first, as fixtures are inserted.
        for entity in &manifest.schema.entities {
            let Some(rows) = self.read.get(entity.name.as_str()).filter(|rows| !rows.is_empty()) else { continue };
            let fields = entity.fields.iter().filter(|field| field.computed.is_none());
            let names: Vec<&str> = fields
                .filter(|field| field.field_type.base() != BaseType::Json)
                .map(|field| field.name.as_str())
                .filter(|name| rows.iter().any(|row| row.get(*name).is_some_and(|value| !value.is_null())))
                .collect();
            text.push_str(&format!("rows.{} = '''\n  | {} |\n", *entity.name, names.join(" | ")));
            for row in rows {
                let cell = |name: &&str| match row.get(*name).map(|value| self.referred(value, Others::Keep)) {
                    None | Some(Value::Null) => "~".to_owned(),
                    // What a table cannot hold is left out; a reference is one, and nothing else begins like one.
                    Some(Value::String(text)) if !text.starts_with("@recorded.") && !is_plain_cell(&text) => {
                        "~".to_owned()
                    }
                    Some(Value::String(text)) => text,
                    Some(other) => other.to_string(),
                };
                let cells: Vec<String> = names.iter().map(cell).collect();
                text.push_str(&format!("  | {} |\n", cells.join(" | ")));
            }
            text.push_str("'''\n");
        }
        if text.is_empty() {
            text
        } else {
            format!("\n[fixture.recorded]\ntenant = {}\n{text}", toml_text(&json!(tenant)))
        }
    }
}

fn is_plain_cell(text: &str) -> bool {
    let is_value = !text.is_empty() && text.trim() == text && text != "~" && !text.starts_with(['<', '@']);
    is_value && !text.contains(['|', '\n', '\r']) && !text.contains("'''") && !text.contains("${")
}

/// What becomes of ids and moments that nothing refers to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    Keep,
    Match,
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// One call as a step; none for calls that no step makes.
fn step(manifest: &Manifest, call: &RecordedCall, rows: &Rows) -> Option<String> {
    let said = &call.invocation;
    let named = said["function"].as_str().filter(|name| name.ends_with("event-handler.handle-event"));
    let act = if let Some(event) = named.and(said["arguments"]["event"]["event-type"].as_str()) {
        // The handler was called by its name, with the payload as text.
        let payload = said["arguments"]["event"]["payload"].as_str().unwrap_or("{}");
        let payload: Value = serde_json::from_str(payload).ok()?;
        let payload = toml_text(&rows.referred(&payload, Others::Keep));
        let tenant = toml_text(&call.context["tenant"]);
        format!("event = {}\ntenant = {tenant}\npayload = {payload}\n", toml_text(&json!(event)))
    } else if let Some(event) = said["event"]["type"].as_str() {
        // What a plugin told itself comes again by itself.
        if said["event"]["source"].as_str() != Some("platform") {
            return None;
        }
        let payload = toml_text(&rows.referred(&said["event"]["payload"], Others::Keep));
        let tenant = toml_text(&call.context["tenant"]);
        format!("event = {}\ntenant = {tenant}\npayload = {payload}\n", toml_text(&json!(event)))
    } else if let Some(name) = said["action"].as_str() {
        let action = manifest.ui.actions.iter().find(|action| action.name.as_str() == name)?;
        let id = said["input"]["id"].as_str()?;
        let id = rows.reference(id).unwrap_or_else(|| id.to_owned());
        let mut input = said["input"].as_object().cloned().unwrap_or_default();
        input.remove("id");
        let body = toml_text(&rows.referred(&Value::Object(input), Others::Keep));
        format!("as = \"recorded\"\nhttp = \"POST /{}/{id}/actions/{name}\"\njson = {body}\n", *action.entity)
    } else if let Some(wave) = said["wave"].as_str() {
        format!("as = \"recorded\"\ncall = {}\n", toml_text(&json!(wave)))
    } else {
        return None;
    };
    let mut expect = String::new();
    match call.result.get("error") {
        Some(error) => expect.push_str(&format!("expect.error = {{ code = {} }}\n", toml_text(&error["code"]))),
        None => expect.push_str("expect.ok = true\n"),
    }
    if !call.events.is_empty() {
        let events: Vec<Value> = call.events.iter().map(|event| rows.referred(event, Others::Match)).collect();
        expect.push_str(&format!("expect.events = {}\n", toml_text(&Value::Array(events))));
    }
    let name = |call: &Value| {
        let (function, subject) = (call["function"].as_str().unwrap_or(""), call["subject"].as_str().unwrap_or(""));
        json!(format!("{function} {subject}").trim_end())
    };
    let calls: Vec<Value> = call.host_calls.iter().map(name).collect();
    expect.push_str(&format!("expect.calls = {}\n", toml_text(&Value::Array(calls))));
    Some(format!("\n[[test.step]]\n{act}{expect}effects = \"open\"\n"))
}
