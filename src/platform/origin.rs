//! On whose behalf the platform works, and for how long it may.

use std::sync::Arc;
use std::time::Duration;

use erp_runtime::Interrupt;
use erp_storage::StatementLimit;
use erp_store::SharedDatabase;

use super::Request;

/// The request behind a piece of work. Every call of a plugin that the work causes carries it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The id of the request. Without one, each call gets an id of its own.
    pub request_id: Option<String>,
    /// The language that the user prefers, a tag as in `accept-language`; without one, the plugin's own.
    pub language: Option<String>,
    /// Ends the calls that the work causes; without one, [`Platform::set_ending`](crate::Platform::set_ending) applies.
    pub interrupt: Option<Interrupt>,
}

impl Origin {
    /// The origin of what a request causes.
    pub fn of(request: &Request) -> Origin {
        let first = request.accept_language.as_deref().and_then(|ranges| ranges.split(',').next());
        let tag = first.and_then(|range| range.split(';').next()).map(str::trim);
        let language = tag.filter(|tag| !tag.is_empty() && *tag != "*").map(str::to_owned);
        Origin { request_id: request.request_id.clone(), language, interrupt: request.interrupt.clone() }
    }
}

/// How long a piece of work may wait for the database.
#[derive(Debug, Clone)]
pub struct WorkBounds {
    /// Ends the statements as soon as it is set.
    pub interrupt: Interrupt,
    /// Time that the statements may take together; without a bound they take as long as they need. The statements of
    /// plugins' calls have a bound of their own.
    pub statements: Option<Duration>,
    /// Time that each unit of work waits for another one that writes.
    pub patience: Duration,
}

impl WorkBounds {
    /// Sets the bounds of a database until the returned value is dropped.
    pub(super) fn begin(&self, database: &SharedDatabase) -> OuterBounds {
        let (interrupt, time) = (self.interrupt.clone(), self.statements);
        let limit =
            StatementLimit::new(Arc::new(move |spent| interrupt.is_set() || time.is_some_and(|time| spent >= time)));
        let mut locked = database.lock();
        let (patience, limit) = (locked.set_patience(self.patience), locked.swap_limit(limit));
        drop(locked);
        OuterBounds { database: database.clone(), patience, limit }
    }
}

/// The bounds that apply again when this is dropped.
pub(super) struct OuterBounds {
    database: SharedDatabase,
    patience: Duration,
    limit: StatementLimit,
}

impl Drop for OuterBounds {
    fn drop(&mut self) {
        let mut database = self.database.lock();
        database.set_patience(self.patience);
        database.swap_limit(std::mem::take(&mut self.limit));
    }
}
