//! Limits how many guests run at a time: their instances come from the engine's pool, which has a fixed size.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::lock;

/// The most guests at a time: the pool has 256 core instances and 128 memories, and a component may have several of
/// both.
const MOST: usize = 40;

/// The places for guests; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Slots(Arc<Places>);

#[derive(Debug)]
struct Places {
    free: Mutex<usize>,
    changed: Condvar,
}

/// The place of one guest; dropping it frees the place.
pub(super) struct Slot(Slots);

impl Default for Slots {
    fn default() -> Slots {
        Slots(Arc::new(Places { free: Mutex::new(MOST), changed: Condvar::new() }))
    }
}

impl Slots {
    /// Waits for a free place and takes it.
    pub(super) fn take(&self) -> Slot {
        let mut free = lock(&self.0.free);
        while *free == 0 {
            free = self.0.changed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Slot(self.clone())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *lock(&self.0.0.free) += 1;
        self.0.0.changed.notify_one();
    }
}
