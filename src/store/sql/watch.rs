//! Ends statements that read for longer than allowed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use erp_storage::StatementLimit;

/// The time limit of a connection, checked before each statement and while one reads. Writing statements are not
/// interrupted: SQLite would undo the whole transaction, and later statements would be committed without it.
#[derive(Debug, Default)]
pub(super) struct StatementWatch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    limit: StatementLimit,
    /// When the current reading statement began.
    reading_since: Option<Instant>,
}

/// A running statement; it ends when this is dropped.
pub(super) struct RunningStatement<'w> {
    watch: &'w StatementWatch,
    since: Instant,
}

impl Drop for RunningStatement<'_> {
    fn drop(&mut self) {
        let mut state = self.watch.state();
        state.limit.spend(self.since.elapsed());
        state.reading_since = None;
    }
}

impl StatementWatch {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the limit; returns the previous one.
    pub(super) fn swap(&self, limit: StatementLimit) -> StatementLimit {
        std::mem::replace(&mut self.state().limit, limit)
    }

    /// Begins a statement; `None` if no further statement may run.
    pub(super) fn begin(&self, reads: bool) -> Option<RunningStatement<'_>> {
        let since = Instant::now();
        let mut state = self.state();
        if state.limit.is_passed(Duration::ZERO) {
            return None;
        }
        state.reading_since = reads.then_some(since);
        drop(state);
        Some(RunningStatement { watch: self, since })
    }

    /// Whether the current reading statement must end.
    pub(super) fn must_end(&self) -> bool {
        let state = self.state();
        state.reading_since.is_some_and(|since| state.limit.is_passed(since.elapsed()))
    }
}
