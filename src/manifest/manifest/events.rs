//! Names and patterns of events.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use super::{Entity, Manifest, PluginId, TriggerEvent};

/// Returns whether an event name matches a pattern: an exact name, `a.*` for all names that begin with `a.`, or `*` for
/// all names.
pub fn event_matches(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(prefix) if prefix.ends_with('.') => event_type.len() > prefix.len() && event_type.starts_with(prefix),
        _ => pattern == event_type,
    }
}

/// True for words of lower-case letters, digits, `_` and `-`, joined by dots, of at most 200 bytes in all.
pub fn is_event_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    name.len() <= MAX_EVENT_TYPE && name.split('.').all(|word| !word.is_empty() && word.bytes().all(is_part))
}

/// The maximum length of an event name, in bytes.
const MAX_EVENT_TYPE: usize = 200;

/// The name of an event, such as `inventory.low_stock`. Publishers convert text to this type, which checks the rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EventType(Cow<'static, str>);

impl EventType {
    /// Creates a name; `None` if the text does not follow the rule of [`is_event_name`].
    pub fn new(text: impl Into<String>) -> Option<EventType> {
        let text = text.into();
        is_event_name(&text).then_some(EventType(Cow::Owned(text)))
    }

    /// Creates the name of an event of the platform itself. The text must follow the rule; it is not checked here.
    pub const fn of_platform(name: &'static str) -> EventType {
        EventType(Cow::Borrowed(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of the event that a trigger publishes; `<plugin id>.<entity>.<on>` if the trigger has no name.
pub fn trigger_name(plugin: &PluginId, entity: &Entity, trigger: &TriggerEvent) -> String {
    match &trigger.name {
        Some(name) => (**name).clone(),
        None => format!("{plugin}.{}.{}", *entity.name, *trigger.on),
    }
}

/// Returns whether a trigger may publish an event: its name begins with the plugin's id and a dot, or `[capabilities]`
/// grants it.
pub fn may_trigger(manifest: &Manifest, name: &str) -> bool {
    let own = name.strip_prefix(manifest.metadata.id.as_str()).is_some_and(|rest| rest.starts_with('.'));
    own || manifest.capabilities.may_publish(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_joined_by_dots() {
        for good in ["order.created", "a", "erp-x.low_stock.2"] {
            assert_eq!(EventType::new(good).map(|name| name.to_string()).as_deref(), Some(good));
        }
        for bad in ["", ".", "a.", "Order.created", "a b", "a..b", "订单.created", &"a".repeat(MAX_EVENT_TYPE + 1)] {
            assert_eq!(EventType::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn patterns_match_whole_words_only() {
        assert!(event_matches("order.*", "order.created"));
        assert!(event_matches("order.*", "order.line.added"));
        assert!(!event_matches("order.*", "order."));
        assert!(!event_matches("order.*", "orders.created"));
        assert!(!event_matches("order.created", "order.created.twice"));
        assert!(event_matches("*", "anything"));
    }
}
