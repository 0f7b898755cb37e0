//! What a unit of work has read and others may change meanwhile, if the database allows that. A later write must be
//! based on what is still stored.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use erp_storage::{EntityRef, Row, StoreError};
use serde_json::Value;

use super::Database;

/// The table name under which read keys of the key-value store are remembered: no table has this name.
const KEYS: &str = "";

/// The rows and keys that were read, by hashes of their content. The first read counts: the guest may have used it.
#[derive(Debug, Default)]
pub(super) struct ReadSet {
    contents: HashMap<Place, u64>,
    /// The previous content of each place, so that a savepoint can be undone without a copy of all contents.
    before: Vec<(Place, Option<u64>)>,
}

/// The table and the id of a row; for a key of the key-value store, an empty text and the key.
pub(super) type Place = (String, String);

impl ReadSet {
    /// Remembers the content of a place that was read, unless the place is known.
    pub(super) fn note_read(&mut self, place: Place, content: u64) {
        if !self.contents.contains_key(&place) {
            self.note_written(place, content);
        }
    }

    /// Remembers the content of a place that this unit of work wrote.
    pub(super) fn note_written(&mut self, place: Place, content: u64) {
        let before = self.contents.insert(place.clone(), content);
        self.before.push((place, before));
    }

    /// Whether a place has other content than the remembered one.
    pub(super) fn differs(&self, place: &Place, content: u64) -> bool {
        self.contents.get(place).is_some_and(|known| *known != content)
    }

    /// A mark to go back to.
    pub(super) fn mark(&self) -> usize {
        self.before.len()
    }

    /// Forgets what was remembered since a mark.
    pub(super) fn go_back(&mut self, mark: usize) {
        // If the whole unit was undone meanwhile, nothing is left to go back to.
        let mark = mark.min(self.before.len());
        for (place, before) in self.before.drain(mark..).rev() {
            match before {
                Some(content) => self.contents.insert(place, content),
                None => self.contents.remove(&place),
            };
        }
    }
}

/// The hash of a row: its version, and its values, since sums over child rows change without a new version.
pub(super) fn content_of_row(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row.version, row.deleted_at.is_some()).hash(&mut hasher);
    for (name, value) in &row.data {
        (name, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

/// The hash of a key's value.
pub(super) fn content_of_key(value: Option<&serde_json::Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.map(serde_json::Value::to_string).hash(&mut hasher);
    hasher.finish()
}

impl Database {
    /// Remembers the content of a row when the unit of work first reads it.
    pub(super) fn note_seen(&self, entity: &EntityRef, row: &Row) {
        if self.has_others() {
            self.seen.borrow_mut().note_read((entity.table(), row.id.clone()), content_of_row(row));
        }
    }

    /// Remembers the content of a row that the unit of work wrote.
    pub(super) fn note_written(&self, entity: &EntityRef, row: &Row) {
        if self.has_others() {
            self.seen.borrow_mut().note_written((entity.table(), row.id.clone()), content_of_row(row));
        }
    }

    /// Checks a row that will be changed: it must still have the content that the unit of work has read.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another unit has changed it since; this unit can only be undone then.
    pub(super) fn check_unchanged(&self, entity: &EntityRef, row: &Row) -> Result<(), StoreError> {
        if !self.has_others() {
            return Ok(());
        }
        self.hold(&(entity.table(), row.id.clone()), content_of_row(row))
    }

    /// The same check for a key of the key-value store that will be set.
    pub(super) fn check_key_unchanged(&self, place: &str, value: Option<&Value>) -> Result<(), StoreError> {
        if !self.has_others() {
            return Ok(());
        }
        self.hold(&(KEYS.to_owned(), place.to_owned()), content_of_key(value))
    }

    /// Remembers the value that a key had, or that it was set to.
    pub(super) fn note_key(&self, place: &str, value: Option<&Value>, is_written: bool) {
        if !self.has_others() {
            return;
        }
        let (place, content) = ((KEYS.to_owned(), place.to_owned()), content_of_key(value));
        let mut seen = self.seen.borrow_mut();
        if is_written { seen.note_written(place, content) } else { seen.note_read(place, content) }
    }

    fn hold(&self, place: &Place, content: u64) -> Result<(), StoreError> {
        if !self.seen.borrow().differs(place, content) {
            return Ok(());
        }
        self.connection.doom();
        Err(StoreError::Conflict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_back_brings_what_was_noted_before() {
        let place = |id: &str| ("items".to_owned(), id.to_owned());
        let mut seen = ReadSet::default();
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
