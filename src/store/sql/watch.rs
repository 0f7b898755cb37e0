//! Ends statements that read for longer than anybody waits for them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Says whether the statement that is reading must end; asked every few thousand steps of SQLite.
pub type Stop = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a connection asks while a statement runs. Statements that write are never ended half way: SQLite would undo the
/// whole transaction, and what follows would be committed without it.
#[derive(Default)]
pub(super) struct Watch {
    is_reading: AtomicBool,
    stop: Mutex<Option<Stop>>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("is_reading", &self.is_reading).finish_non_exhaustive()
    }
}

/// A statement that reads, until it is dropped.
pub(super) struct Reading<'w>(&'w Watch);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.is_reading.store(false, Ordering::Relaxed);
    }
}

impl Watch {
    /// Replaces what is asked; returns the previous one.
    pub(super) fn swap(&self, stop: Option<Stop>) -> Option<Stop> {
        std::mem::replace(&mut *self.stop.lock().unwrap_or_else(PoisonError::into_inner), stop)
    }

    pub(super) fn reading(&self) -> Reading<'_> {
        self.is_reading.store(true, Ordering::Relaxed);
        Reading(self)
    }

    pub(super) fn must_end(&self) -> bool {
        self.is_reading.load(Ordering::Relaxed)
            && self.stop.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|stop| stop())
    }
}
