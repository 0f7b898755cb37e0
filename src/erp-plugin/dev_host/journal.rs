//! The journal of a dev host: everything that happens, in one order. The stream reads it.
//!
//! Writers never wait for readers. A reader that is too slow gets the range of the records that it missed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

/// The most records that are kept, and the most bytes of them.
const KEPT: usize = 16_384;
const KEPT_BYTES: usize = 4 << 20;
/// Bytes that a record takes besides its text.
const ENTRY_BYTES: usize = 96;
/// The most records of one batch, and about how many bytes: a client that stops reading holds that much memory.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 256 << 10;

/// A record of the journal.
#[derive(Debug)]
pub(super) struct JournalEntry {
    /// Counted from 1, over all kinds.
    pub(super) id: u64,
    /// `build`, `reload`, `request`, `call`, `host`, `log`, `event`, `change`, `schema` or `test`.
    pub(super) kind: &'static str,
    /// Milliseconds since 1970, by this machine's clock.
    at_ms: i64,
    /// JSON as text, which takes a tenth of the memory of values.
    data: Box<str>,
}

impl JournalEntry {
    /// The JSON that a stream sends.
    pub(super) fn text(&self) -> String {
        let JournalEntry { id, kind, at_ms, data } = self;
        format!("{{\"id\":{id},\"kind\":\"{kind}\",\"at_ms\":{at_ms},\"data\":{data}}}")
    }
}

/// The records after a position.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The first and the last record that were dropped before they were read; none if no record is missing.
    pub(super) gap: Option<(u64, u64)>,
    pub(super) entries: Vec<Arc<JournalEntry>>,
    /// The position to continue from.
    pub(super) last: u64,
}

/// The latest records.
#[derive(Debug)]
pub(super) struct Journal {
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Arc<JournalEntry>>,
    last: u64,
    bytes: usize,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal { ring: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Journal {
    /// Appends a record and returns its number.
    pub(super) fn append(&self, kind: &'static str, data: &Value) -> u64 {
        let data = data.to_string().into_boxed_str();
        let at_ms = erp_manifest::Moment::of_system_clock().unix_ms;
        let id = {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.last += 1;
            let id = ring.last;
            ring.bytes += data.len() + ENTRY_BYTES;
            while ring.entries.len() >= KEPT || ring.bytes > KEPT_BYTES {
                let Some(oldest) = ring.entries.pop_front() else { break };
                ring.bytes -= oldest.data.len() + ENTRY_BYTES;
            }
            ring.entries.push_back(Arc::new(JournalEntry { id, kind, at_ms, data }));
            id
        };
        self.newest.send_replace(id);
        id
    }

    /// The number of the last record; 0 if there is none.
    pub(super) fn last(&self) -> u64 {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// The records after a position; of all kinds if `kinds` is empty.
    pub(super) fn after(&self, place: u64, kinds: &[String]) -> Batch {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = ring.entries.front().map_or(ring.last + 1, |entry| entry.id);
        // A position beyond the last record comes from another process: the reader has missed every record of this one.
        let is_foreign = place > ring.last;
        let next = if is_foreign { oldest } else { place + 1 };
        let gap = (is_foreign || next < oldest).then(|| (next.min(oldest.saturating_sub(1)), oldest.saturating_sub(1)));
        let start = usize::try_from(next.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let mut batch = Batch { gap, entries: Vec::new(), last: ring.last };
        let mut bytes = 0;
        for entry in ring.entries.iter().skip(start) {
            if batch.entries.len() == MOST || bytes > MOST_BYTES {
                batch.last = entry.id - 1;
                break;
            }
            if kinds.is_empty() || kinds.iter().any(|kind| kind == entry.kind) {
                bytes += entry.data.len();
                batch.entries.push(Arc::clone(entry));
            }
        }
        batch
    }

    /// Returns a receiver that is notified of new records.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_is_too_slow_is_told() {
        let journal = Journal::default();
        assert_eq!(journal.append("log", &json!(1)), 1);
        journal.append("call", &json!(2));
        let batch = journal.after(0, &["call".to_owned()]);
        assert_eq!((batch.gap, batch.last), (None, 2));
        assert_eq!(batch.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [2]);
        for _ in 0..KEPT {
            journal.append("log", &Value::Null);
        }
        let batch = journal.after(1, &[]);
        assert_eq!(batch.gap, Some((2, 2)));
        assert_eq!(batch.entries.len(), MOST);
        assert_eq!(journal.after(batch.last, &[]).entries[0].id, batch.last + 1);
        assert!(journal.after(journal.last(), &[]).entries.is_empty());
        assert!(journal.after(u64::MAX, &[]).gap.is_some(), "a place of another process");
    }
}
