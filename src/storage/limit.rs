//! A limit on the time that statements take.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Decides whether the work must end, from the time that its statements have taken so far.
pub type StopRule = Arc<dyn Fn(Duration) -> bool + Send + Sync>;

/// The rule that ends the statements of a piece of work, and the time that they have taken so far.
#[derive(Clone, Default)]
pub struct StatementLimit {
    stop: Option<StopRule>,
    spent: Duration,
}

impl StatementLimit {
    /// A limit with no time spent.
    pub fn new(stop: StopRule) -> StatementLimit {
        StatementLimit { stop: Some(stop), spent: Duration::ZERO }
    }

    /// Adds the time that a statement took.
    pub fn spend(&mut self, time: Duration) {
        self.spent += time;
    }

    /// Whether the limit is exceeded, if the running statement has taken `running` so far.
    pub fn is_passed(&self, running: Duration) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop(self.spent + running))
    }
}

impl fmt::Debug for StatementLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatementLimit").field("spent", &self.spent).finish_non_exhaustive()
    }
}
