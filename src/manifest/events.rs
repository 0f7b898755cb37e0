//! Names and patterns of events.

use super::{Entity, Manifest, PluginId, TriggerEvent};

/// True where an event name matches a pattern: an exact name, `a.*` for all that begin with `a.`,
/// or `*` for all.
pub fn event_matches(pattern: &str, event_type: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(prefix) if prefix.ends_with('.') => event_type.len() > prefix.len() && event_type.starts_with(prefix),
        _ => pattern == event_type,
    }
}

/// True for words of lower-case letters, digits, `_` and `-`, joined by dots.
pub fn is_event_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
    name.split('.').all(|word| !word.is_empty() && word.bytes().all(is_part))
}

/// The name of the event that a trigger publishes.
pub fn trigger_name(plugin: &PluginId, entity: &Entity, trigger: &TriggerEvent) -> String {
    match &trigger.name {
        Some(name) => (**name).clone(),
        None => format!("{plugin}.{}.{}", *entity.name, *trigger.on),
    }
}

/// True where a trigger may publish an event: one of the plugin's own name, or one that it may publish.
pub fn may_trigger(manifest: &Manifest, name: &str) -> bool {
    let own = name.strip_prefix(manifest.metadata.id.as_str()).is_some_and(|rest| rest.starts_with('.'));
    own || manifest.capabilities.may_publish(name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
