//! Finds errors in a step before it runs.

use erp_check::scenarios::{SCENARIO_NAME, SCENARIO_STEP, SCENARIO_VALUE};
use erp_manifest::document::{Node, NodeValue, Reader, did_you_mean};
use erp_manifest::{Manifest, Timeout, event_matches, is_event_name};
use erp_runtime::{LIMITS, LimitError, LimitOverrides};

use super::model::{ScenarioFile, Step};
use super::plan::{tenant, unknown};
use super::substitute::used_names;
use super::{fault, matcher};

/// Methods of the HTTP API.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

pub(super) fn look_through(file: &ScenarioFile, step: &Step, manifest: &Manifest, reader: &mut Reader) {
    act(step, reader);
    if let Some(user) =
        step.r#as.as_ref().filter(|user| !user.contains("${") && !file.world.users.contains_key(user.as_str()))
    {
        let users: Vec<&str> = file.world.users.keys().map(String::as_str).collect();
        unknown("user", user, user.span(), &users, reader);
    }
    if let Some(name) = &step.tenant {
        tenant(file, name, reader);
    }
    values(step, reader);
    heard(step, manifest, reader);
    if let Some(bounds) = &step.budget {
        budget(bounds, reader);
    }
    if let Some((span, why)) =
        step.fault.as_ref().filter(|node| !holds_name(node)).and_then(|node| fault::read(node).err())
    {
        reader.find(SCENARIO_VALUE, span, why, "cannot be read", None);
    }
    if let Some((name, node)) = step.page.as_ref().and_then(fixed_text)
        && manifest.page(name).is_none()
    {
        let pages: Vec<&str> = manifest.all_pages().map(erp_manifest::Page::route).collect();
        unknown("page", name, node.span.clone(), &pages, reader);
    }
    if let Some(target) = &step.http {
        request_line(target, manifest, reader);
    }
    if let Some(expect) = &step.expect {
        matchers(expect, reader);
    }
    for entry in step.expect.as_ref().and_then(|expect| expect.get("db")).into_iter().flat_map(Node::entries) {
        if manifest.entity(&entry.key).is_none() {
            let entities: Vec<&str> = manifest.schema.entities.iter().map(|entity| entity.name.as_str()).collect();
            unknown("entity", &entry.key, entry.key_span.clone(), &entities, reader);
        }
    }
}

/// The acts that a step can have, by their keys.
pub(super) fn acts(step: &Step) -> [(&'static str, &Option<Node>); 7] {
    [
        ("http", &step.http),
        ("event", &step.event),
        ("call", &step.call),
        ("page", &step.page),
        ("sql", &step.sql),
        ("lifecycle", &step.lifecycle),
        ("advance", &step.advance),
    ]
}

/// Reports a step without exactly one act, and an act that lacks a key.
fn act(step: &Step, reader: &mut Reader) {
    let done: Vec<&str> = acts(step).into_iter().filter(|(_, act)| act.is_some()).map(|(name, _)| name).collect();
    match done.as_slice() {
        [act] => {
            if matches!(*act, "http" | "call" | "page") && step.r#as.is_none() {
                let help = Some("write `as = \"…\"` with a user of [world.users]".to_owned());
                reader.find(SCENARIO_STEP, step.span.clone(), format!("nobody does this `{act}`"), "no user", help);
            }
            if *act == "call"
                && step.json.is_some()
                && step.call.as_ref().is_some_and(|call| scalar(call).contains('('))
            {
                let help = Some("write the arguments in brackets, or take the brackets away".to_owned());
                let message = "the call has its arguments in brackets, and in `json` too";
                reader.find(SCENARIO_STEP, step.span.clone(), message, "twice", help);
            }
            if *act == "event" && step.tenant.is_none() {
                let help = Some("write `tenant = \"…\"`".to_owned());
                reader.find(SCENARIO_STEP, step.span.clone(), "the event belongs to no tenant", "no tenant", help);
            }
        }
        [] => {
            let names = acts(step).map(|(name, _)| format!("`{name}`")).join(", ");
            let help = Some(format!("write one of {names}"));
            reader.find(SCENARIO_STEP, step.span.clone(), "the step does nothing", "no act", help);
        }
        several => {
            let message = format!("the step does {} things: {}", several.len(), several.join(", "));
            let help = Some("make a step of each, so that its expectations are its own".to_owned());
            reader.find(SCENARIO_STEP, step.span.clone(), message, "more than one act", help);
        }
    }
}

/// Reports an event that the plugin does not subscribe to. Plugins that it needs may subscribe to it, which only the
/// run shows.
fn heard(step: &Step, manifest: &Manifest, reader: &mut Reader) {
    let Some((text, node)) = step.event.as_ref().and_then(fixed_text).filter(|(text, _)| is_event_name(text)) else {
        return;
    };
    let expects = step.expect.as_ref().is_some_and(|expect| expect.get("heard").is_some());
    let patterns = &manifest.events.subscribe;
    let is_heard = patterns.iter().any(|one| event_matches(one, text));
    if expects || is_heard || manifest.needs().next().is_some() {
        return;
    }
    let known: Vec<&str> = patterns.iter().map(|pattern| pattern.as_str()).collect();
    let known =
        did_you_mean(text, known.iter().copied()).unwrap_or_else(|| "the plugin subscribes to nothing".to_owned());
    let help = format!("{known}; where nobody is meant to hear it, write `expect.heard = 0`");
    reader.find(SCENARIO_NAME, node.span.clone(), format!("nobody hears `{text}`"), "no subscription", Some(help));
}

/// Reports names, durations and paths that cannot be read.
fn values(step: &Step, reader: &mut Reader) {
    if let Some((text, node)) = step.event.as_ref().and_then(fixed_text)
        && !is_event_name(text)
    {
        let help = Some("write words joined by dots, such as `inventory.low_stock`".to_owned());
        let message = format!("`{text}` is no name of an event");
        reader.find(SCENARIO_VALUE, node.span.clone(), message, "no name", help);
    }
    if let Some((text, node)) = step.advance.as_ref().and_then(fixed_text)
        && Timeout::parse(text).is_none()
    {
        let help = Some("write it like `30m`, `2h` or `1d`".to_owned());
        let message = format!("`{text}` is no length of time");
        reader.find(SCENARIO_VALUE, node.span.clone(), message, "cannot be read", help);
    }
    for path in step.capture.values().filter(|path| !is_path(path)) {
        let help = Some("write it like `$.id` or `$.items[0].data.name`".to_owned());
        reader.find(SCENARIO_VALUE, path.span(), format!("`{path}` is no path"), "cannot be read", help);
    }
    if *step.repeat == 0 || *step.repeat > 1_000 {
        reader.find(SCENARIO_VALUE, step.repeat.span(), "an event is told 1 to 1,000 times", "out of bounds", None);
    }
}

/// Whether a value contains a name that a case fills in.
fn holds_name(node: &Node) -> bool {
    let mut names = std::collections::BTreeSet::new();
    used_names(node, &mut names);
    !names.is_empty()
}

/// Reports unknown limits and values that they cannot have.
pub(super) fn budget(budget: &Node, reader: &mut Reader) {
    if !matches!(budget.value, NodeValue::String(_)) {
        reader.unknown_keys(budget, &LIMITS.map(|limit| limit.name));
        for entry in budget.entries() {
            let text = scalar(&entry.node);
            if let (false, Err(error @ LimitError::Value { .. })) =
                (text.contains("${"), LimitOverrides::default().add(&entry.key, &text))
            {
                let help = Some("write `fuel = 60_000`, `memory = \"8MB\"`, `time = \"50ms\"`".to_owned());
                let span = entry.node.span.clone();
                reader.find(SCENARIO_VALUE, span, error.to_string(), "cannot be read", help);
            }
        }
    }
}

/// The text of a node, or its value as JSON.
pub(super) fn scalar(node: &Node) -> String {
    let value = node.to_json();
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The text of a node without names that a case fills in.
fn fixed_text(node: &Node) -> Option<(&str, &Node)> {
    node.as_str().filter(|text| !text.contains("${")).map(|text| (text, node))
}

/// Whether a text is a path such as `$.a.b[0]`.
fn is_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('$') else { return false };
    rest.is_empty()
        || (rest.starts_with(['.', '['])
            && rest.split('.').skip(usize::from(rest.starts_with('.'))).all(|part| {
                let (name, indexes) = part.split_once('[').map_or((part, ""), |(name, rest)| (name, rest));
                let closed = indexes.is_empty() && !part.contains('[')
                    || indexes.split('[').all(|index| {
                        index
                            .strip_suffix(']')
                            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
                    });
                closed && (!name.is_empty() || part.starts_with('['))
            }))
}

/// Reports texts in angle brackets that are not matchers.
fn matchers(node: &Node, reader: &mut Reader) {
    match &node.value {
        NodeValue::String(text) if !text.contains("${") => {
            if let Err(why) = matcher::parse(text) {
                reader.find(SCENARIO_VALUE, node.span.clone(), why, "no matcher", None);
            }
        }
        NodeValue::Array(items) => items.iter().for_each(|item| matchers(item, reader)),
        NodeValue::Table(entries) => entries.iter().for_each(|entry| matchers(&entry.node, reader)),
        _ => {}
    }
}

/// Reports an unknown method or entity, where no case fills it in.
fn request_line(target: &Node, manifest: &Manifest, reader: &mut Reader) {
    let Some((method, path)) = target.as_str().and_then(|text| text.trim().split_once(' ')) else { return };
    if !method.contains("${") && !METHODS.contains(&method) {
        unknown("method", method, target.span.clone(), &METHODS, reader);
    }
    let path = path.trim();
    let entity = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
    let is_relative = !path.starts_with("/api/") && !path.starts_with("/_dev/") && entity != "pages";
    if is_relative && !entity.contains("${") && manifest.entity(entity).is_none() {
        let entities: Vec<&str> = manifest.schema.entities.iter().map(|entity| entity.name.as_str()).collect();
        unknown("entity", entity, target.span.clone(), &entities, reader);
    }
}
