//! What a unit of work has read that others may change meanwhile, where the database lets them: what is written afterwards
//! must have been made of what is still there.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use erp_storage::Row;

/// The rows and keys that were read, by what they held. What was read first counts: the guest may have reckoned with it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    contents: HashMap<Place, u64>,
    /// What each place held before, so that a savepoint can be undone without a copy of all.
    before: Vec<(Place, Option<u64>)>,
}

/// A table or the keys, and the row or key.
pub(super) type Place = (String, String);

impl Seen {
    /// Notes what was read, unless it is known.
    pub(super) fn note_read(&mut self, place: Place, content: u64) {
        if !self.contents.contains_key(&place) {
            self.note_written(place, content);
        }
    }

    /// Notes what this unit of work wrote itself.
    pub(super) fn note_written(&mut self, place: Place, content: u64) {
        let before = self.contents.insert(place.clone(), content);
        self.before.push((place, before));
    }

    /// Whether something holds other than what was read of it.
    pub(super) fn differs(&self, place: &Place, content: u64) -> bool {
        self.contents.get(place).is_some_and(|known| *known != content)
    }

    /// A moment to go back to.
    pub(super) fn mark(&self) -> usize {
        self.before.len()
    }

    /// Forgets what was noted since a moment.
    pub(super) fn go_back(&mut self, mark: usize) {
        // Nothing is left to go back to where the whole unit was undone meanwhile.
        let mark = mark.min(self.before.len());
        for (place, before) in self.before.drain(mark..).rev() {
            match before {
                Some(content) => self.contents.insert(place, content),
                None => self.contents.remove(&place),
            };
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_brings_what_was_noted_before() {
        let place = |id: &str| ("items".to_owned(), id.to_owned());
        let mut seen = Seen::default();
        seen.note_read(place("a"), 1);
        seen.note_read(place("a"), 2);
        assert!(seen.differs(&place("a"), 2) && !seen.differs(&place("a"), 1));
        let mark = seen.mark();
        seen.note_written(place("a"), 3);
        seen.note_written(place("a"), 4);
        seen.note_written(place("b"), 5);
        seen.go_back(mark);
        assert!(!seen.differs(&place("a"), 1) && seen.differs(&place("a"), 4));
        assert!(!seen.differs(&place("b"), 6), "nothing is known of it");
    }
}
