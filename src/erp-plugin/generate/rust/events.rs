//! `erp/events.rs`: the events that the plugin publishes, with their payloads.

use erp_manifest::{FieldType, Manifest, PublishedEvent};

use super::code::SourceWriter;
use super::names::{TakenNames, camel, short_names, snake};
use super::types::of_type;

/// An event that the plugin subscribes to.
pub(super) struct SubscribedEvent<'m> {
    /// The event type; none for the events that only a pattern matches.
    pub(super) name: Option<&'m str>,
    /// The method that receives the event.
    pub(super) method: String,
    /// The struct of its payload; none where another plugin publishes the event.
    pub(super) payload: Option<String>,
}

/// Every event that the plugin publishes or subscribes to by its full name, with its short name.
fn named(manifest: &Manifest) -> Vec<NamedEvent<'_>> {
    let published = manifest.events.publishes.iter().map(|event| event.r#type.as_str());
    let subscribed =
        manifest.events.subscribe.iter().map(|pattern| pattern.as_str()).filter(|name| !name.ends_with('*'));
    let mut names: Vec<&str> = published.chain(subscribed).collect();
    names.sort_unstable();
    names.dedup();
    let short = short_names(&names);
    let (mut structs, mut methods) = (TakenNames::default(), TakenNames::reserving(&["other"]));
    let mut all = Vec::new();
    for (name, short) in names.into_iter().zip(short) {
        let (payload, method) = (structs.take(&camel(&short), "Event"), methods.take(&short, "_event"));
        all.push(NamedEvent { name, payload, method });
    }
    all
}

/// An event with its own Rust names.
struct NamedEvent<'m> {
    name: &'m str,
    /// The struct of its payload.
    payload: String,
    /// The method that receives the event.
    method: String,
}

/// The events that the plugin subscribes to, in the order of the manifest.
pub(super) fn subscribed(manifest: &Manifest) -> Vec<SubscribedEvent<'_>> {
    let named = named(manifest);
    let declared = |name: &str| manifest.events.publishes.iter().any(|event| event.r#type.as_str() == name);
    let mut subscribed: Vec<SubscribedEvent<'_>> = Vec::new();
    for pattern in &manifest.events.subscribe {
        if let Some(NamedEvent { name, payload, method }) = named.iter().find(|named| named.name == pattern.as_str()) {
            let payload = declared(name).then(|| format!("events::{payload}"));
            subscribed.push(SubscribedEvent { name: Some(name), method: method.clone(), payload });
        }
    }
    if manifest.events.subscribe.iter().any(|pattern| pattern.ends_with('*')) {
        subscribed.push(SubscribedEvent { name: None, method: "other".to_owned(), payload: None });
    }
    subscribed
}

/// The text of the file.
pub(super) fn file(manifest: &Manifest, has_decimals: bool) -> String {
    let mut code = SourceWriter::file("The events that the plugin tells.");
    code.line("use serde_json::Value;");
    code.blank();
    code.line("use super::calendar::{Date, DateTime, Time};");
    if has_decimals {
        code.line("use super::decimal::Decimal;");
    }
    code.line("use super::error::Result;");
    code.line("use super::host::host_events;");
    code.line("use super::value::{Fields, Id, JsonValue, Uuid};");
    let named = named(manifest);
    for event in &manifest.events.publishes {
        if let Some(named) = named.iter().find(|named| named.name == event.r#type.as_str()) {
            self::event(&mut code, event, &named.payload);
        }
    }
    code.finish()
}

fn event(code: &mut SourceWriter, event: &PublishedEvent, name: &str) {
    let fields: Vec<(&str, String, &str)> = event
        .payload
        .iter()
        .map(|(key, kind)| (key.as_str(), snake(key), FieldType::from_word(kind).map_or("Value", of_type)))
        .collect();
    code.blank();
    code.doc(event.description.as_deref().unwrap_or_default());
    code.line("#[derive(Debug, Clone, PartialEq)]");
    code.block(format!("pub struct {name}"), |code| {
        for (_, field, ty) in &fields {
            code.line(format!("pub {field}: {ty},"));
        }
    });
    code.blank();
    code.block(format!("impl {name}"), |code| {
        code.line(format!("pub const TYPE: &'static str = {:?};", event.r#type.as_str()));
        code.blank();
        code.doc("Tells the event. It leaves when the call is committed, and never where the call fails.");
        code.block("pub fn publish(&self) -> Result<()>", |code| {
            if fields.is_empty() {
                code.line("let payload = Fields::default();");
            } else {
                code.line("let mut payload = Fields::default();");
            }
            for (key, field, _) in &fields {
                code.line(format!("payload.set({key:?}, &self.{field});"));
            }
            code.line("host_events::publish(Self::TYPE, &payload.to_string())");
        });
        code.blank();
        code.doc("The event of a payload.");
        let parameter = if fields.is_empty() { "_" } else { "payload" };
        code.block(format!("pub fn read({parameter}: &Fields) -> Result<{name}>"), |code| {
            code.block_ending(format!("Ok({name}"), "})", |code| {
                for (key, field, _) in &fields {
                    code.line(format!("{field}: payload.get({key:?})?,"));
                }
            });
        });
    });
}
