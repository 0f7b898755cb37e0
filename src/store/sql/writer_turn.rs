//! The turn of the connections that write to one SQLite file.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{ArcMutexGuard, Mutex, RawMutex};

/// The queue of the connections of this process that want to write to one file. SQLite lets one connection write at a
/// time; the others poll, with sleeps of up to 100 ms. Here they wait, and continue as soon as it is their turn. For
/// other processes SQLite's own way remains.
#[derive(Debug, Clone, Default)]
pub(super) struct WriterQueue(Arc<Mutex<()>>);

/// The turn of a connection, until this is dropped.
pub(super) struct WriterTurn {
    _guard: ArcMutexGuard<RawMutex, ()>,
}

impl std::fmt::Debug for WriterTurn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterTurn").finish_non_exhaustive()
    }
}

impl WriterQueue {
    /// Waits for the turn; `None` if it takes longer than `patience`.
    pub(super) fn wait(&self, patience: Duration) -> Option<WriterTurn> {
        self.0.try_lock_arc_for(patience).map(|guard| WriterTurn { _guard: guard })
    }
}
