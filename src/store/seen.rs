//! What a unit of work has read that others may change meanwhile, where the database lets them: what is written afterwards
//! must have been made of what is still there.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use erp_storage::Row;

/// The rows and keys that were read, by what they held. What was read first counts: the guest may have reckoned with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(HashMap<(String, String), u64>);

impl Seen {
    /// Notes what was read, unless it is known.
    pub(super) fn note_read(&mut self, place: (String, String), content: u64) {
        self.0.entry(place).or_insert(content);
    }

    /// Notes what this unit of work wrote itself.
    pub(super) fn note_written(&mut self, place: (String, String), content: u64) {
        self.0.insert(place, content);
    }

    /// Whether something holds other than what was read of it.
    pub(super) fn differs(&self, place: &(String, String), content: u64) -> bool {
        self.0.get(place).is_some_and(|known| *known != content)
    }
}

/// What a row holds: its version, and its values, since sums over child rows change without it.
pub(super) fn content_of_row(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row.version, row.deleted_at.is_some()).hash(&mut hasher);
    for (name, value) in &row.data {
        (name, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

/// What a key holds.
pub(super) fn content_of_key(value: Option<&serde_json::Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.map(serde_json::Value::to_string).hash(&mut hasher);
    hasher.finish()
}
