//! Ends statements that read for longer than they may.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Says whether work must end whose statements have taken so long.
type StopRule = Arc<dyn Fn(Duration) -> bool + Send + Sync>;

/// What ends the statements of a piece of work, and the time that they have taken so far.
#[derive(Clone, Default)]
pub struct StatementLimit {
    stop: Option<StopRule>,
    spent: Duration,
}

impl StatementLimit {
    /// A limit that has spent nothing.
    pub fn new(stop: StopRule) -> StatementLimit {
        StatementLimit { stop: Some(stop), spent: Duration::ZERO }
    }
}

impl fmt::Debug for StatementLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementLimit").field("spent", &self.spent).finish_non_exhaustive()
    }
}

/// What a connection asks before a statement, and while one reads. Statements that write are not ended half way: SQLite
/// would undo the whole transaction, and what follows would be committed without it.
#[derive(Debug, Default)]
pub(super) struct StatementWatch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    limit: StatementLimit,
    /// When the statement began that reads now.
    reading_since: Option<Instant>,
}

/// A statement, until it is dropped.
pub(super) struct RunningStatement<'w> {
    watch: &'w StatementWatch,
    since: Instant,
}

impl Drop for RunningStatement<'_> {
    fn drop(&mut self) {
        let mut state = self.watch.state();
        state.limit.spent += self.since.elapsed();
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

    /// Begins a statement; none where no further one may run.
    pub(super) fn begin(&self, reads: bool) -> Option<RunningStatement<'_>> {
        let since = Instant::now();
        let mut state = self.state();
        let limit = &state.limit;
        if limit.stop.as_ref().is_some_and(|stop| stop(limit.spent)) {
            return None;
        }
        state.reading_since = reads.then_some(since);
        drop(state);
        Some(RunningStatement { watch: self, since })
    }

    /// Whether the statement that reads now must end.
    pub(super) fn must_end(&self) -> bool {
        let state = self.state();
        let (Some(since), Some(stop)) = (state.reading_since, &state.limit.stop) else { return false };
        stop(state.limit.spent + since.elapsed())
    }
}
