//! Every order in which two or three calls can go through their units of work, on the real runtime and the real store.
//! Each step of a call (begin, host call, commit, end of the unit) waits until the schedule allows it. All schedules
//! are tried one after the other, for all pairs of fates; a third call commits or panics.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use erp_manifest::{EventType, Manifest, Moment, PluginId, TenantId};
use erp_runtime::{CallOutcome, CallRequest, Interrupt, LoadedPlugin};
use erp_storage::{
    AggregateQuery, Attempt, BatchStep, BlobStorage, Catalog, ConfigStorage, EntityRef, EventStorage, IdSource,
    KeyValueStorage, ListQuery, ListedRows, MemoryStorage, Row, RowChange, RowReach, RowStorage, Scope, StatementLimit,
    Storage, StoreError, Unit,
};
use erp_store::{Database, Pool, UnitOfWork};
use serde_json::{Map, Value};

use crate::support::Sandbox;
use crate::support::hostile::{GuestText, Host};

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It commits its changes.
    Keeps,
    /// Its guest traps.
    Traps,
    /// The client leaves while the call works.
    IsCancelled,
    /// The host panics in a host call.
    Panics,
    /// No connection is free.
    CannotBegin,
    /// The commit fails.
    CannotCommit,
}

const ALL: [Fate; 6] =
    [Fate::Keeps, Fate::Traps, Fate::IsCancelled, Fate::Panics, Fate::CannotBegin, Fate::CannotCommit];

/// The step for which a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Begin,
    Insert,
    Commit,
    /// The unit ends: after its commit, or without one.
    End,
}

/// Lets one call at a time take its next step.
#[derive(Default)]
struct Turns {
    state: Mutex<TurnState>,
    changed: Condvar,
}

#[derive(Default)]
struct TurnState {
    waiting: BTreeMap<usize, Step>,
    going: Option<usize>,
    done: BTreeSet<usize>,
    /// Calls that have an open unit.
    open: BTreeSet<usize>,
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, TurnState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the schedule allows this call to take its step.
    fn take(&self, call: usize, step: Step) {
        let mut state = self.state();
        state.waiting.insert(call, step);
        // The call has taken the step that it was allowed.
        if state.going == Some(call) {
            state.going = None;
        }
        self.changed.notify_all();
        while state.going != Some(call) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.remove(&call);
    }

    fn finish(&self, call: usize) {
        let mut state = self.state();
        state.done.insert(call);
        state.going = state.going.filter(|going| *going != call);
        self.changed.notify_all();
    }
}

/// All schedules: a path of choices, each with the number of options at that point.
#[derive(Default)]
struct Schedules {
    path: Vec<(usize, usize)>,
}

impl Schedules {
    /// Goes to the next schedule; returns false after the last one.
    fn next(&mut self) -> bool {
        while let Some((choice, options)) = self.path.pop() {
            if choice + 1 < options {
                self.path.push((choice + 1, options));
                return true;
            }
        }
        false
    }

    /// Lets the calls take their steps by this schedule until all are done. `excludes`: only one unit at a time can be
    /// open.
    fn run(&mut self, turns: &Turns, calls: usize, excludes: bool) {
        let mut depth = 0;
        loop {
            let mut state = turns.state();
            while state.going.is_some() || state.waiting.len() + state.done.len() < calls {
                let (next, late) =
                    turns.changed.wait_timeout(state, Duration::from_secs(20)).unwrap_or_else(PoisonError::into_inner);
                assert!(!late.timed_out(), "a call neither goes on nor waits for its turn: {:?}", next.waiting);
                state = next;
            }
            if state.done.len() == calls {
                return;
            }
            let may_go = |(_, step): &(&usize, &Step)| !(excludes && **step == Step::Begin && !state.open.is_empty());
            let options: Vec<usize> = state.waiting.iter().filter(may_go).map(|(call, _)| *call).collect();
            assert!(!options.is_empty(), "nobody can go on: {:?}", state.waiting);
            if depth == self.path.len() {
                self.path.push((0, options.len()));
            }
            assert_eq!(self.path[depth].1, options.len(), "the same choices lead to the same place");
            state.going = Some(options[self.path[depth].0]);
            depth += 1;
            turns.changed.notify_all();
        }
    }
}

/// A storage whose units wait for their turn at each step.
struct Scheduled<'s, S> {
    inner: &'s S,
    turns: Arc<Turns>,
    call: usize,
    fate: Fate,
    interrupt: Interrupt,
}

/// A unit that is dropped in its turn: however a unit ends, its end is a step of the schedule.
#[derive(Debug)]
struct ScheduledUnit {
    inner: Option<UnitOfWork>,
    turns: TurnsOf,
    fate: Fate,
    interrupt: Interrupt,
    inserts: usize,
}

struct TurnsOf(Arc<Turns>, usize);

impl std::fmt::Debug for TurnsOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "call {}", self.1)
    }
}

impl<S: Storage<Unit = UnitOfWork>> Storage for Scheduled<'_, S> {
    type Unit = ScheduledUnit;

    fn begin(&self, attempt: Attempt<'_>) -> Result<ScheduledUnit, StoreError> {
        self.turns.take(self.call, Step::Begin);
        if self.fate == Fate::CannotBegin {
            return Err(StoreError::Busy);
        }
        let unit = self.inner.begin(attempt)?;
        self.turns.state().open.insert(self.call);
        Ok(ScheduledUnit {
            inner: Some(unit),
            turns: TurnsOf(Arc::clone(&self.turns), self.call),
            fate: self.fate,
            interrupt: self.interrupt.clone(),
            inserts: 0,
        })
    }
}

impl Drop for ScheduledUnit {
    fn drop(&mut self) {
        if let Some(unit) = self.inner.take() {
            self.turns.0.take(self.turns.1, Step::End);
            drop(unit);
            self.turns.0.state().open.remove(&self.turns.1);
        }
    }
}

impl Deref for ScheduledUnit {
    type Target = UnitOfWork;

    fn deref(&self) -> &UnitOfWork {
        self.inner.as_ref().unwrap()
    }
}

impl DerefMut for ScheduledUnit {
    fn deref_mut(&mut self) -> &mut UnitOfWork {
        self.inner.as_mut().unwrap()
    }
}

impl Unit for ScheduledUnit {
    fn commit(mut self: Box<Self>) -> Result<Vec<Arc<RowChange>>, StoreError> {
        self.turns.0.take(self.turns.1, Step::Commit);
        if self.fate == Fate::CannotCommit {
            return Err(StoreError::Conflict);
        }
        let unit = self.inner.take().unwrap();
        let done = UnitOfWork::commit(unit);
        self.turns.0.state().open.remove(&self.turns.1);
        done
    }

    fn changes(&self) -> &[Arc<RowChange>] {
        Database::changes(self)
    }

    fn is_doomed(&self) -> bool {
        Database::is_doomed(self)
    }

    fn bound_changes(&mut self, bytes: u64) {
        Database::bound_changes(self, bytes);
    }

    fn limit_statements(&mut self, limit: StatementLimit) {
        UnitOfWork::limit_statements(self, limit);
    }
}

impl RowStorage for ScheduledUnit {
    fn catalog(&self) -> &Catalog {
        Database::catalog(self)
    }

    fn insert(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        new_id: IdSource<'_>,
    ) -> Result<Row, StoreError> {
        self.turns.0.take(self.turns.1, Step::Insert);
        self.inserts += 1;
        if self.inserts == 2 {
            match self.fate {
                Fate::IsCancelled => self.interrupt.set(),
                Fate::Panics => panic!("on purpose"),
                _ => {}
            }
        }
        self.writer().insert(entity, scope, data, new_id)
    }

    fn get(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        self.reader().get(entity, scope, id)
    }

    fn list(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<ListedRows, StoreError> {
        self.reader().list(entity, scope, query)
    }

    fn count(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<u64, StoreError> {
        self.reader().count(entity, scope, query)
    }

    fn update(
        &mut self,
        _: &EntityRef,
        _: &Scope,
        _: &str,
        _: &Map<String, Value>,
        _: Option<u32>,
    ) -> Result<Row, StoreError> {
        Err(StoreError::Unsupported("updates"))
    }

    fn delete(&mut self, _: &EntityRef, _: &Scope, _: &str, _: Option<u32>) -> Result<usize, StoreError> {
        Err(StoreError::Unsupported("deletions"))
    }

    fn restore(&mut self, _: &EntityRef, _: &Scope, _: &str) -> Result<Row, StoreError> {
        Err(StoreError::Unsupported("restoring"))
    }

    fn aggregate(&mut self, _: &EntityRef, _: &Scope, _: &AggregateQuery) -> Result<Vec<Value>, StoreError> {
        Err(StoreError::Unsupported("aggregates"))
    }

    fn batch(
        &mut self,
        _: &PluginId,
        _: &Scope,
        _: &[RowReach],
        _: &[BatchStep],
        _: IdSource<'_>,
    ) -> Result<(Vec<Value>, usize), StoreError> {
        Err(StoreError::Unsupported("batches"))
    }

    fn labels(&mut self, _: &EntityRef, _: &Scope, _: &[String]) -> Result<Map<String, Value>, StoreError> {
        Err(StoreError::Unsupported("labels"))
    }
}

impl KeyValueStorage for ScheduledUnit {
    fn key_value(&mut self, _: &PluginId, _: &Scope, _: &str) -> Result<Option<Value>, StoreError> {
        Err(StoreError::Unsupported("keys"))
    }

    fn set_key_value(&mut self, _: &PluginId, _: &Scope, _: &str, _: &Value, _: Option<u32>) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("keys"))
    }

    fn key_value_to_change(&mut self, _: &PluginId, _: &Scope, _: &str) -> Result<Option<Value>, StoreError> {
        Err(StoreError::Unsupported("keys"))
    }

    fn change_key_value(&mut self, _: &PluginId, _: &Scope, _: &str, _: &Value) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("keys"))
    }

    fn delete_key_value(&mut self, _: &PluginId, _: &Scope, _: &str) -> Result<bool, StoreError> {
        Err(StoreError::Unsupported("keys"))
    }
}

impl BlobStorage for ScheduledUnit {}

impl MemoryStorage for ScheduledUnit {}

impl ConfigStorage for ScheduledUnit {
    fn config(&mut self, _: &str) -> Result<Option<Value>, StoreError> {
        Err(StoreError::Unsupported("configuration"))
    }

    fn setting(&mut self, _: &Manifest, _: &Scope, _: &str) -> Result<Value, StoreError> {
        Err(StoreError::Unsupported("settings"))
    }

    fn next_number(&mut self, _: &Manifest, _: &str, _: &Scope) -> Result<String, StoreError> {
        Err(StoreError::Unsupported("numbers"))
    }

    fn peek_number(&mut self, _: &Manifest, _: &str, _: &Scope) -> Result<String, StoreError> {
        Err(StoreError::Unsupported("numbers"))
    }
}

impl EventStorage for ScheduledUnit {
    fn add_event(&mut self, _: &Scope, _: &str, _: &EventType, _: &str, _: &Value, _: u32) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("events"))
    }
}

/// Returns the number of rows.
fn rows(database: &Database, entity: &EntityRef) -> u64 {
    let scope = Scope::of_tenant(&TenantId::new("acme").unwrap(), Moment::parse("2026-04-15T08:00:00Z").unwrap());
    database.reader().count(entity, &scope, &ListQuery { by_plugin: true, ..ListQuery::default() }).unwrap()
}

const INSERT: &str = "(call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032))";

/// Returns the guests: one inserts two rows and succeeds, the other one inserts two rows and traps.
fn guests(host: &Host) -> (LoadedPlugin, LoadedPlugin) {
    let of = |end: &str| GuestText::of(Box::leak(format!("{INSERT} {INSERT} {end}").into_boxed_str())).component();
    (host.load(&of("(call $ok)")).unwrap(), host.load(&of("(unreachable)")).unwrap())
}

/// Runs all schedules of calls with these fates; returns how many there were.
fn try_all<S: Storage<Unit = UnitOfWork>>(
    host: &Host,
    (keeps, traps): &(LoadedPlugin, LoadedPlugin),
    storage: &S,
    fates: &[Fate],
    excludes: bool,
    count: impl Fn() -> u64,
) -> usize {
    let (mut schedules, mut tried) = (Schedules::default(), 0);
    loop {
        let before = count();
        let turns = Arc::new(Turns::default());
        let outcomes: Vec<Option<CallOutcome>> = std::thread::scope(|scope| {
            let calls: Vec<_> = fates
                .iter()
                .enumerate()
                .map(|(call, &fate)| {
                    let turns = Arc::clone(&turns);
                    scope.spawn(move || {
                        let interrupt = Interrupt::default();
                        let plugin = if fate == Fate::Traps { traps } else { keeps };
                        let scheduled = Scheduled {
                            inner: storage,
                            turns: Arc::clone(&turns),
                            call,
                            fate,
                            interrupt: interrupt.clone(),
                        };
                        let request = CallRequest { interrupt, ..host.request(&[]) };
                        let nothing = |_: &mut ScheduledUnit| Ok(());
                        let called =
                            || host.runtime.call(plugin, request, &scheduled, &host.surroundings, nothing, nothing);
                        let outcome = catch_unwind(AssertUnwindSafe(called)).ok();
                        turns.finish(call);
                        outcome
                    })
                })
                .collect();
            schedules.run(&turns, fates.len(), excludes);
            calls.into_iter().map(|call| call.join().unwrap()).collect()
        });
        let mut kept = 0;
        for (fate, outcome) in fates.iter().zip(&outcomes) {
            match outcome {
                Some(outcome) if outcome.result.is_ok() => {
                    assert_eq!(*fate, Fate::Keeps);
                    assert_eq!(outcome.trace.changes.len(), 2, "its own rows");
                    kept += 2;
                }
                Some(outcome) => {
                    // With one connection, no call is refused because of another; with several, two writers can
                    // conflict.
                    let error = outcome.result.as_ref().unwrap_err();
                    assert!(!excludes || *fate != Fate::Keeps, "{error}");
                    assert!(outcome.trace.changes.is_empty());
                }
                None => assert_eq!(*fate, Fate::Panics),
            }
        }
        // A call that meets another one may be refused, even if that one then fails. But two calls cannot refuse each
        // other.
        let all_keep = fates.iter().all(|fate| *fate == Fate::Keeps);
        assert!(kept > 0 || !all_keep, "{fates:?} by {:?}", schedules.path);
        assert_eq!(count(), before + kept, "{fates:?} by {:?}", schedules.path);
        tried += 1;
        if !schedules.next() {
            return tried;
        }
    }
}

#[test]
fn in_every_order_a_call_keeps_all_that_it_did_or_nothing() {
    let host = Host::new();
    let guests = guests(&host);
    let entity = EntityRef::all(&host.manifest).next().unwrap();
    let count = || rows(&host.database.lock(), &entity);
    let mut tried = 0;
    for first in ALL {
        for second in ALL {
            tried += try_all(&host, &guests, &host.database, &[first, second], true, count);
            for third in [Fate::Keeps, Fate::Panics] {
                tried += try_all(&host, &guests, &host.database, &[first, second, third], true, count);
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn in_every_order_two_connections_keep_what_was_acknowledged() {
    let host = Host::new();
    let guests = guests(&host);
    let folder = Sandbox::new();
    let mut database = Database::open(&folder.path("rows.sqlite")).unwrap();
    database.begin().unwrap();
    database.schema().install_schema(&host.manifest).unwrap();
    database.commit().unwrap();
    database.serve_schema(&host.manifest);
    let pool = Pool::new(database, 2).unwrap();
    // A call that cannot write is refused at once: a schedule has no clock.
    let units = [pool.take().unwrap(), pool.take().unwrap()];
    for mut unit in units {
        unit.set_patience(Duration::ZERO);
    }
    let entity = EntityRef::all(&host.manifest).next().unwrap();
    let count = || rows(&pool.take().unwrap(), &entity);
    let mut tried = 0;
    for (first, second) in [
        (Fate::Keeps, Fate::Keeps),
        (Fate::Keeps, Fate::Traps),
        (Fate::Keeps, Fate::Panics),
        (Fate::IsCancelled, Fate::CannotCommit),
    ] {
        tried += try_all(&host, &guests, &pool, &[first, second], false, count);
    }
    assert!(tried > 100, "{tried}");
}
