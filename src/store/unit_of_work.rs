//! Units of work and their sources: one shared database, or a pool of connections to one.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use erp_manifest::TenantId;
use erp_storage::{Attempt, Catalog, RowChange, StatementLimit, Storage, StoreError};
use parking_lot::{ArcMutexGuard, Condvar, Mutex, MutexGuard, RawMutex};

use super::Database;

/// How long a unit of work waits for a connection of a pool, or for the turn of its tenant.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long calls of a tenant run one after the other once two of them conflicted.
const HOT: Duration = Duration::from_millis(500);
/// The number of remembered tenants at which outdated ones are removed.
const MOST_HOT: usize = 1_000;

/// A database that threads use in turn: for single reads, and for whole units of work. A thread that needs it while a
/// unit of work is open waits until that has ended.
///
/// A thread that holds the database must not request it again: it would wait for itself.
#[derive(Debug, Clone)]
pub struct SharedDatabase(Arc<Mutex<Database>>);

impl SharedDatabase {
    /// Shares a database.
    pub fn new(database: Database) -> SharedDatabase {
        SharedDatabase(Arc::new(Mutex::new(database)))
    }

    /// Locks the database, for work that needs no unit of work.
    pub fn lock(&self) -> MutexGuard<'_, Database> {
        self.0.lock()
    }

    /// Begins a unit of work that writes.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn begin_to_write(&self) -> Result<UnitOfWork, StoreError> {
        let mut database = self.0.lock_arc();
        database.begin()?;
        Ok(UnitOfWork::of(DatabaseHandle::Shared(database)))
    }
}

impl Storage for SharedDatabase {
    type Unit = UnitOfWork;

    /// Begins the first attempt as a unit that may only read: see [`Database::begin_call`].
    fn begin(&self, attempt: Attempt<'_>) -> Result<UnitOfWork, StoreError> {
        let mut database = self.0.lock_arc();
        if attempt.number > 1 {
            database.begin()?;
        } else {
            database.begin_call()?;
        }
        Ok(UnitOfWork::of(DatabaseHandle::Shared(database)))
    }
}

/// Connections to one database, for calls that run in parallel: each call has one for itself until it ends. Clones
/// share the pool.
///
/// Calls that conflict are repeated. After a conflict, the calls of that tenant run one after the other for half a
/// second: a call that waits at its beginning does no work in vain.
#[derive(Debug, Clone)]
pub struct Pool(Arc<PoolState>);

#[derive(Debug)]
pub(super) struct PoolState {
    connections: Mutex<Connections>,
    is_free: Condvar,
    queues: TenantQueues,
}

/// Tenants with a recent conflict: their calls run one after the other, and wait before they take a connection.
#[derive(Debug, Default)]
pub(super) struct TenantQueues(Mutex<HashMap<TenantId, TenantQueue>>);

#[derive(Debug)]
struct TenantQueue {
    until: Instant,
    turn: Arc<Mutex<()>>,
}

/// A tenant's turn, held until it is dropped.
pub(super) type TenantTurn = ArcMutexGuard<RawMutex, ()>;

impl TenantQueues {
    /// Waits for the turn of an attempt; `None` if its tenant had no recent conflict.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if the other calls took too long.
    pub(super) fn wait(&self, attempt: Attempt<'_>) -> Result<Option<TenantTurn>, StoreError> {
        let turn = {
            let (now, mut queues) = (Instant::now(), self.0.lock());
            if attempt.number > 1 {
                if queues.len() >= MOST_HOT {
                    queues.retain(|_, queue| queue.until > now);
                }
                let queue = queues
                    .entry(attempt.tenant.clone())
                    .or_insert_with(|| TenantQueue { until: now, turn: Arc::default() });
                queue.until = now + HOT;
            }
            match queues.get(attempt.tenant) {
                Some(queue) if queue.until > now => Arc::clone(&queue.turn),
                _ => return Ok(None),
            }
        };
        turn.try_lock_arc_for(PATIENCE).map(Some).ok_or(StoreError::Busy)
    }
}

#[derive(Debug)]
struct Connections {
    free: Vec<Database>,
    /// The entities that all connections serve; the number grows with each change.
    catalog: (u64, Catalog),
}

impl Pool {
    /// Creates a pool of `size` connections, including `first`; they are opened now. A database in memory has only one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn new(first: Database, size: usize) -> Result<Pool, StoreError> {
        let catalog = (first.generation(), first.catalog().clone());
        let mut free = Vec::with_capacity(size);
        while free.len() + 1 < size {
            match first.beside()? {
                Some(beside) => free.push(beside),
                None => break,
            }
        }
        free.push(first);
        let connections = Mutex::new(Connections { free, catalog });
        Ok(Pool(Arc::new(PoolState { connections, is_free: Condvar::new(), queues: TenantQueues::default() })))
    }

    /// Sets the entities that units of work use from now on.
    pub fn serve(&self, catalog: Catalog) {
        let mut connections = self.0.connections.lock();
        connections.catalog = (connections.catalog.0 + 1, catalog);
    }

    /// Takes a connection, for work outside of calls.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if all are taken for five seconds.
    pub fn take(&self) -> Result<PooledDatabase, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        let mut connections = self.0.connections.lock();
        loop {
            if let Some(mut database) = connections.free.pop() {
                let (generation, catalog) = &connections.catalog;
                if database.generation() != *generation {
                    database.follow(*generation, catalog.clone());
                }
                return Ok(PooledDatabase { database: Some(database), pool: Arc::clone(&self.0) });
            }
            if self.0.is_free.wait_until(&mut connections, deadline).timed_out() {
                return Err(StoreError::Busy);
            }
        }
    }
}

/// A connection of a [`Pool`]; it returns to the pool, without an open unit of work, when this is dropped.
#[derive(Debug)]
pub struct PooledDatabase {
    /// Present until this is dropped.
    database: Option<Database>,
    pool: Arc<PoolState>,
}

impl Deref for PooledDatabase {
    type Target = Database;

    #[expect(clippy::expect_used, reason = "it is taken away in `drop` alone")]
    fn deref(&self) -> &Database {
        self.database.as_ref().expect("there until it is dropped")
    }
}

impl DerefMut for PooledDatabase {
    #[expect(clippy::expect_used, reason = "it is taken away in `drop` alone")]
    fn deref_mut(&mut self) -> &mut Database {
        self.database.as_mut().expect("there until it is dropped")
    }
}

impl Drop for PooledDatabase {
    fn drop(&mut self) {
        if let Some(mut database) = self.database.take() {
            database.rollback();
            self.pool.connections.lock().free.push(database);
            self.pool.is_free.notify_one();
        }
    }
}

impl Storage for Pool {
    type Unit = UnitOfWork;

    fn begin(&self, attempt: Attempt<'_>) -> Result<UnitOfWork, StoreError> {
        let turn = self.0.queues.wait(attempt)?;
        let mut database = self.take()?;
        if turn.is_some() {
            Database::begin(&mut database)?;
        } else {
            database.begin_call()?;
        }
        let mut unit = UnitOfWork::of(DatabaseHandle::Pooled(database));
        if turn.is_some() {
            unit.queue_up(attempt.tenant)?;
            unit.turn = turn;
        }
        Ok(unit)
    }
}

/// A unit of work that has begun, with a connection for itself until it ends. If it is dropped before the commit,
/// nothing of it is kept.
pub struct UnitOfWork {
    database: DatabaseHandle,
    /// The limit of the statements before this unit of work.
    limit_before: Option<StatementLimit>,
    /// The turn of the tenant: its other queued calls wait meanwhile.
    pub(super) turn: Option<TenantTurn>,
}

/// How a unit of work holds its database.
pub(super) enum DatabaseHandle {
    /// It is dropped with the unit of work.
    Own(Database),
    Shared(ArcMutexGuard<RawMutex, Database>),
    Pooled(PooledDatabase),
}

impl UnitOfWork {
    pub(super) fn of(database: DatabaseHandle) -> UnitOfWork {
        UnitOfWork { database, limit_before: None, turn: None }
    }

    /// Limits the time of this unit of work's statements.
    pub fn limit_statements(&mut self, limit: StatementLimit) {
        let before = self.swap_limit(limit);
        self.limit_before.get_or_insert(before);
    }

    /// Commits the unit of work; returns its changes, in order.
    ///
    /// # Errors
    /// [`StoreError::Database`], or [`StoreError::Conflict`] if the work can be repeated; nothing of it is kept then.
    pub fn commit(mut self) -> Result<Vec<Arc<RowChange>>, StoreError> {
        let database = &mut *self;
        let done = database.commit();
        done.map_err(|error| if self.is_doomed() { StoreError::Conflict } else { error })
    }
}

impl Drop for UnitOfWork {
    fn drop(&mut self) {
        // After a commit there is nothing to undo.
        self.rollback();
        self.note_statements(false);
        if let Some(limit) = self.limit_before.take() {
            self.swap_limit(limit);
        }
    }
}

impl Deref for UnitOfWork {
    type Target = Database;

    fn deref(&self) -> &Database {
        match &self.database {
            DatabaseHandle::Own(database) => database,
            DatabaseHandle::Shared(database) => database,
            DatabaseHandle::Pooled(database) => database,
        }
    }
}

impl DerefMut for UnitOfWork {
    fn deref_mut(&mut self) -> &mut Database {
        match &mut self.database {
            DatabaseHandle::Own(database) => database,
            DatabaseHandle::Shared(database) => database,
            DatabaseHandle::Pooled(database) => database,
        }
    }
}

impl std::fmt::Debug for UnitOfWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnitOfWork").field("changes", &self.changes().len()).finish_non_exhaustive()
    }
}
