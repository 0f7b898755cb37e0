//! Events that the plugin receives and publishes.

use std::collections::BTreeSet;

use erp_manifest::codes::codes;
use erp_manifest::contract::BASE_EVENTS;
use erp_manifest::diagnostics::Spanned;
use erp_manifest::document::codes::{DUPLICATE, INVALID_VALUE};
use erp_manifest::document::{closest, did_you_mean};
use erp_manifest::{FieldType, event_matches, is_event_name, may_trigger, trigger_name};

use super::super::{CheckSubject, Findings};

codes! {
    EVENT_LOOP = "manifest/event-loop", finding(Warning), "The plugin subscribes to an event that it publishes itself.",
        why: "A handler that publishes the event that it handles starts itself again; the platform ends such chains, and the work of the last link is lost.",
        fix: "Subscribe to the exact events that you need, or make the handler publish nothing where it was called by its own event.";
    SUBSCRIPTION = "manifest/subscription", finding(Warning), "A subscription that matches everything, or nothing.",
        why: "`*` calls the plugin for every event of every plugin, its own included; a pattern of the plugin's own name that matches none of its events, or a misspelled event of the platform, calls it never.",
        fix: "Name the events that the plugin handles.";
    UNKNOWN_EVENT = "manifest/unknown-event", finding(Hint), "A subscription to an event of which nothing is known here.",
        why: "It is none of the platform's and none of the plugin's own, and no dependency is declared that may publish it: a misspelled name would never match.",
        fix: "Declare the plugin that publishes it in `[[dependencies.plugins]]`, with `optional = true` where this one works without it.";
    EVENT_PATTERN = "manifest/event-pattern", finding(Error), "An event name or pattern that matches nothing.",
        why: "Events are words joined by dots. A subscription is an exact name, `a.*` for all that begin with `a.`, or `*` for all; any other star is a plain character.",
        fix: "Write the pattern in one of the three forms.";
    EVENT_NOT_GRANTED = "manifest/event-not-granted", finding(Error), "The plugin declares an event that its capabilities do not let it publish.",
        why: "The host would refuse the event at run time, and with it the call that publishes it.",
        fix: "Add the event, or a pattern that matches it, to `publish` in `[capabilities]`.";
}

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let mut subscribed = BTreeSet::new();
    for pattern in &manifest.events.subscribe {
        if is_pattern(pattern, findings) && !subscribed.insert(pattern.as_str()) {
            findings.add(DUPLICATE, pattern.span(), format!("`{pattern}` is subscribed to twice"), "again", None);
        }
        subscription(subject, pattern, findings);
    }
    for pattern in manifest.capabilities.publish.iter().chain(&manifest.capabilities.deny.publish) {
        is_pattern(pattern, findings);
    }
    triggers(subject, findings);
    let mut published = BTreeSet::new();
    for event in &manifest.events.publishes {
        let name = &event.r#type;
        if !published.insert(name.as_str()) {
            findings.add(DUPLICATE, name.span(), format!("the event `{name}` is declared twice"), "again", None);
        }
        if !is_event_name(name) {
            let help = "write words joined by dots, such as `inventory.low_stock`".to_owned();
            findings.add(EVENT_PATTERN, name.span(), format!("`{name}` is no name of an event"), "no name", Some(help));
        } else if !manifest.capabilities.may_publish(name) {
            let message = format!("the plugin declares `{name}`, but may not publish it");
            let help = format!("add `publish = [\"{name}\"]` to [capabilities]");
            findings.add(EVENT_NOT_GRANTED, name.span(), message, "not granted", Some(help));
            findings.report.fix_last(
                subject.edit(|text| text.add_item(&format!("grant `{name}`"), "capabilities", "publish", name)),
            );
        }
        // A plugin that subscribes to its own event by its exact name does so on purpose.
        let mut stars = manifest.events.subscribe.iter().filter(|pattern| pattern.ends_with('*'));
        let heard = stars.find(|pattern| event_matches(pattern, name));
        if let Some(pattern) = heard {
            let message = format!("the plugin subscribes to its own event `{name}`");
            let help =
                "a handler that publishes the event that it handles runs again and again until the platform ends the chain".to_owned();
            findings.add(EVENT_LOOP, pattern.span(), message, "matches its own event", Some(help));
        }
        for kind in event.payload.values().filter(|kind| FieldType::from_word(kind).is_none()) {
            let help = did_you_mean(kind, FieldType::WORDS.iter().copied());
            findings.add(INVALID_VALUE, kind.span(), format!("`{kind}` is no field type"), "unknown type", help);
        }
    }
}

/// Checks that a known publisher has an event that a pattern matches.
fn subscription(subject: &CheckSubject<'_>, pattern: &Spanned<String>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    if **pattern == "*" {
        let help = "name the events that the handler knows: every other one costs a call".to_owned();
        let message = "`*` matches every event of every plugin, also those that this one publishes";
        return findings.add(SUBSCRIPTION, pattern.span(), message, "everything", Some(help));
    }
    let own_triggers = manifest.schema.entities.iter().flat_map(|entity| {
        entity.trigger_events.iter().map(|trigger| trigger_name(&manifest.metadata.id, entity, trigger))
    });
    let own: Vec<String> =
        manifest.events.publishes.iter().map(|event| (*event.r#type).clone()).chain(own_triggers).collect();
    let known: Vec<&str> = own.iter().map(String::as_str).chain(BASE_EVENTS.iter().map(|(name, _)| *name)).collect();
    if known.iter().any(|event| event_matches(pattern, event)) {
        return;
    }
    let first = |text: &str| text.split('.').next().unwrap_or_default().to_owned();
    let own_id = manifest.metadata.id.as_str();
    let near = closest(pattern, known.iter().copied());
    let is_misspelled = near.is_some_and(|near| first(near) == first(pattern));
    if first(pattern) == own_id || is_misspelled {
        let help = near.map_or_else(
            || "the plugin publishes no such event: declare it in [[events.publishes]], or correct the name".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let message = format!("nothing publishes `{pattern}`");
        findings.add(SUBSCRIPTION, pattern.span(), message, "never heard", Some(help));
    } else if manifest.needs().next().is_none()
        && manifest.optional_dependencies().next().is_none()
        && !manifest.is_legacy()
    {
        let help = "name the plugin that publishes it: [[dependencies.plugins]] with `optional = true`".to_owned();
        let message = format!("no known plugin publishes `{pattern}`");
        findings.add(UNKNOWN_EVENT, pattern.span(), message, "of no declared plugin", Some(help));
    }
}

/// Checks the events that the platform publishes for the plugin: only events under its own name need no grant.
fn triggers(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    for entity in &manifest.schema.entities {
        let mut seen = BTreeSet::new();
        for trigger in &entity.trigger_events {
            let name = trigger_name(&manifest.metadata.id, entity, trigger);
            let span = trigger.name.as_ref().map_or_else(|| trigger.on.span(), Spanned::span);
            if trigger.when.is_none() && !seen.insert((name.clone(), trigger.on.word())) {
                let message = format!("`{name}` is told twice for the same change");
                findings.add(DUPLICATE, span.clone(), message, "again", None);
            }
            if trigger.name.is_none() {
                continue;
            }
            if !is_event_name(&name) {
                let help = Some("write words joined by dots, such as `inventory.low_stock`".to_owned());
                findings.add(EVENT_PATTERN, span, format!("`{name}` is no name of an event"), "no name", help);
            } else if !may_trigger(manifest, &name) {
                let message =
                    format!("the platform would publish `{name}` for the plugin, which may not publish it itself");
                let help = format!(
                    "add it to `publish` in [capabilities], or begin its name with `{}.`",
                    *manifest.metadata.id
                );
                findings.add(EVENT_NOT_GRANTED, span, message, "not granted", Some(help));
                findings.report.fix_last(
                    subject.edit(|text| text.add_item(&format!("grant `{name}`"), "capabilities", "publish", &name)),
                );
            }
        }
    }
}

fn is_pattern(pattern: &Spanned<String>, findings: &mut Findings<'_>) -> bool {
    let good = match pattern.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => prefix.strip_suffix('.').is_some_and(is_event_name),
        None => is_event_name(pattern),
    };
    if !good {
        let help = "write an exact name, `order.*`, or `*`".to_owned();
        findings.add(EVENT_PATTERN, pattern.span(), format!("`{pattern}` matches no event"), "no pattern", Some(help));
    }
    good
}
