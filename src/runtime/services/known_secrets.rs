//! Secrets that a guest was given, to be kept out of everything that others read.

use serde_json::Value;

/// Shorter secrets are not looked for in texts: half of every text would be stars.
const MIN_REDACTED: usize = 6;

/// The secrets that the guest of a call was given.
#[derive(Debug, Default)]
pub(in crate::services) struct KnownSecrets {
    /// The longest first: replacing a part of a secret first would leave the rest of it.
    parts: Vec<String>,
}

impl KnownSecrets {
    /// Remembers a secret: the whole value, and each of its lines, as a log writes them.
    pub(in crate::services) fn add(&mut self, secret: &str) {
        let parts = [secret, secret.trim()].into_iter().chain(secret.lines().map(str::trim));
        for part in parts.filter(|part| part.len() >= MIN_REDACTED) {
            if !self.parts.iter().any(|known| known == part) {
                self.parts.push(part.to_owned());
            }
        }
        self.parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    }

    /// Bytes of the longest part.
    pub(in crate::services) fn longest(&self) -> usize {
        self.parts.first().map_or(0, String::len)
    }

    /// The text, with stars in place of secrets.
    pub(in crate::services) fn redact_text(&self, text: String) -> String {
        self.parts.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***"))
    }

    /// The value, with stars in place of secrets, in keys too.
    pub(in crate::services) fn redact(&self, value: Value) -> Value {
        if self.parts.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.redact_text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.redact(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(key, value)| (self.redact_text(key), self.redact(value))).collect()
            }
            other => other,
        }
    }
}
