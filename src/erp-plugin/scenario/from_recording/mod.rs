//! Creates a scenario from recorded calls: events and buttons become steps, rows that the calls used become fixtures,
//! and references between them are kept.

mod rows;

use std::collections::BTreeSet;

use erp_manifest::{Manifest, Moment};
use erp_runtime::RecordedCall;
use serde_json::{Value, json};

use self::rows::{RecordedRows, UnknownIds};
use super::accept::toml_text;

/// Returns the text of a scenario with the title `name`. Calls that happen by themselves need no step: those of the
/// plugin's lifecycle, and events that plugins published.
pub fn from_recording(name: &str, manifest: &Manifest, calls: &[RecordedCall]) -> String {
    let first = calls.iter().find(|call| !comes_by_itself(call)).or(calls.first());
    let began = first.map_or(0, |call| call.began_ms);
    let now = Moment { unix_ms: began, offset_seconds: 0 };
    let rows = RecordedRows::of(manifest, calls, now);
    let users = users(calls);
    let mut text = format!("schema = 1\nsuite = {}\n\n[world]\nnow = {now}\n", toml_text(&json!(name)));
    if !users.is_empty() {
        text.push_str("\n[world.users]\n");
    }
    for user in &users {
        let (tenant, grants) = (toml_text(&json!(user.tenant)), toml_text(&json!(user.grants)));
        text.push_str(&format!("{} = {{ tenant = {tenant}, grants = {grants} }}\n", user.name));
    }
    text.push_str(&rows.fixtures(manifest));
    text.push_str(&format!("\n[[test]]\nname = {}\n", toml_text(&json!(name))));
    let fixtures = rows.fixture_names();
    if !fixtures.is_empty() {
        text.push_str(&format!("use = {}\n", toml_text(&json!(fixtures))));
    }
    for (index, call) in calls.iter().enumerate() {
        if comes_by_itself(call) {
            continue;
        }
        // The calls that its events caused belong to the same step.
        let effects = calls[index + 1..].iter().filter(|later| comes_by_itself(later) && belong_together(call, later));
        let group: Vec<&RecordedCall> = std::iter::once(call).chain(effects).collect();
        match step(manifest, &group, &rows, &users) {
            Some(step) => text.push_str(&step),
            // A comment shows each call that has no step.
            None => text.push_str(&format!("\n# no step does this: {}\n", one_line(&call.invocation))),
        }
    }
    text
}

fn one_line(value: &Value) -> String {
    let text: String = value.to_string().chars().filter(|character| !character.is_control()).collect();
    if text.chars().count() <= 120 { text } else { text.chars().take(119).chain(['…']).collect() }
}

/// Whether a call happens in a world without a step.
fn comes_by_itself(call: &RecordedCall) -> bool {
    let said = &call.invocation;
    let own_event = said["event"]["source"].as_str().is_some_and(|source| source != "platform");
    own_event || said["init"].is_boolean() || said["tenant_created"].is_boolean()
}

/// Whether one request caused both calls.
fn belong_together(one: &RecordedCall, other: &RecordedCall) -> bool {
    let id = |call: &RecordedCall| call.context["request_id"].as_str().map(str::to_owned);
    id(one).is_some_and(|request| id(other) == Some(request))
}

/// A user for whom a call was made.
struct RecordedUser<'c> {
    /// The name in the scenario.
    name: String,
    tenant: &'c str,
    /// The id in the recording.
    id: Option<&'c str>,
    grants: BTreeSet<&'c str>,
}

/// The users of calls that become steps, in the order of their first calls.
fn users(calls: &[RecordedCall]) -> Vec<RecordedUser<'_>> {
    let mut users: Vec<RecordedUser<'_>> = Vec::new();
    for call in calls.iter().filter(|call| !comes_by_itself(call)) {
        let tenant = call.context["tenant"].as_str().unwrap_or("acme");
        let id = call.context["user"]["id"].as_str();
        if !users.iter().any(|user| user.tenant == tenant && user.id == id) {
            users.push(RecordedUser { name: numbered(users.len()), tenant, id, grants: BTreeSet::new() });
        }
        let Some(user) = users.iter_mut().find(|user| user.tenant == tenant && user.id == id) else { continue };
        user.grants
            .extend(call.context["user"]["permissions"].as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    users
}

/// `recorded`, `recorded_2`, …
fn numbered(index: usize) -> String {
    if index == 0 { "recorded".to_owned() } else { format!("recorded_{}", index + 1) }
}

/// The step for a call and the calls that it caused; none for a call that no step can make.
fn step(
    manifest: &Manifest,
    group: &[&RecordedCall],
    rows: &RecordedRows,
    users: &[RecordedUser<'_>],
) -> Option<String> {
    let call = group.first()?;
    let said = &call.invocation;
    let is_of = |user: &&RecordedUser<'_>| {
        user.tenant == call.context["tenant"].as_str().unwrap_or("acme")
            && user.id == call.context["user"]["id"].as_str()
    };
    let user = users.iter().find(is_of)?.name.as_str();
    let named = said["function"].as_str().filter(|name| name.ends_with("event-handler.handle-event"));
    let act = if let Some(event) = named.and(said["arguments"]["event"]["event-type"].as_str()) {
        // The handler was called by its name, with the payload as text.
        let payload = said["arguments"]["event"]["payload"].as_str().unwrap_or("{}");
        let payload: Value = serde_json::from_str(payload).ok()?;
        let payload = toml_text(&rows.referred(&payload, UnknownIds::Keep));
        let tenant = toml_text(&call.context["tenant"]);
        format!("event = {}\ntenant = {tenant}\npayload = {payload}\n", toml_text(&json!(event)))
    } else if let Some(event) = said["event"]["type"].as_str() {
        let payload = toml_text(&rows.referred(&said["event"]["payload"], UnknownIds::Keep));
        let tenant = toml_text(&call.context["tenant"]);
        format!("event = {}\ntenant = {tenant}\npayload = {payload}\n", toml_text(&json!(event)))
    } else if let Some(name) = said["action"].as_str() {
        let action = manifest.ui.actions.iter().find(|action| action.name.as_str() == name)?;
        let id = said["input"]["id"].as_str()?;
        let id = rows.reference(id).unwrap_or_else(|| id.to_owned());
        let mut input = said["input"].as_object().cloned().unwrap_or_default();
        input.remove("id");
        let body = toml_text(&rows.referred(&Value::Object(input), UnknownIds::Keep));
        format!("as = \"{user}\"\nhttp = \"POST /{}/{id}/actions/{name}\"\njson = {body}\n", *action.entity)
    } else if let Some(wave) = said["wave"].as_str() {
        format!("as = \"{user}\"\ncall = {}\n", toml_text(&json!(wave)))
    } else {
        return None;
    };
    let mut expect = String::new();
    match call.result.get("error") {
        Some(error) => expect.push_str(&format!("expect.error = {{ code = {} }}\n", toml_text(&error["code"]))),
        None => expect.push_str("expect.ok = true\n"),
    }
    let events = group.iter().flat_map(|call| &call.events);
    let events: Vec<Value> = events.map(|event| rows.referred(event, UnknownIds::Match)).collect();
    if !events.is_empty() {
        expect.push_str(&format!("expect.events = {}\n", toml_text(&Value::Array(events))));
    }
    let name = |call: &Value| {
        let (function, subject) = (call["function"].as_str().unwrap_or(""), call["subject"].as_str().unwrap_or(""));
        json!(format!("{function} {subject}").trim_end())
    };
    let calls: Vec<Value> = group.iter().flat_map(|call| &call.host_calls).map(name).collect();
    expect.push_str(&format!("expect.calls = {}\n", toml_text(&Value::Array(calls))));
    Some(format!("\n[[test.step]]\n{act}{expect}effects = \"open\"\n"))
}
