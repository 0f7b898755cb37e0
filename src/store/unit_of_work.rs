//! A database that threads share, and units of work, each of which has it for itself.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::{ArcMutexGuard, Mutex, MutexGuard, RawMutex};

use super::{Database, RowChange, StoreError};

/// A database that threads use in turn: for single reads, and for whole units of work. Whoever comes while a unit of work is
/// open waits until it has ended.
///
/// A thread that has the database must not ask for it again: it would wait for itself.
#[derive(Debug, Clone)]
pub struct SharedDatabase(Arc<Mutex<Database>>);

impl SharedDatabase {
    /// Shares a database.
    pub fn new(database: Database) -> SharedDatabase {
        SharedDatabase(Arc::new(Mutex::new(database)))
    }

    /// The database, for what needs no unit of work.
    pub fn lock(&self) -> MutexGuard<'_, Database> {
        self.0.lock()
    }

    /// Begins a unit of work that writes.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn begin(&self) -> Result<UnitOfWork, StoreError> {
        self.begin_by(Database::begin)
    }

    /// Begins a unit of work that may only read: see [`Database::begin_call`].
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn begin_call(&self) -> Result<UnitOfWork, StoreError> {
        self.begin_by(Database::begin_call)
    }

    fn begin_by(&self, begin: fn(&mut Database) -> Result<(), StoreError>) -> Result<UnitOfWork, StoreError> {
        let mut database = self.0.lock_arc();
        begin(&mut database)?;
        Ok(UnitOfWork { database })
    }
}

/// A unit of work that has begun: it has the database for itself until it is committed. Dropped before, nothing of it stays.
pub struct UnitOfWork {
    database: ArcMutexGuard<RawMutex, Database>,
}

impl UnitOfWork {
    /// Makes it last; gives what it changed, in order.
    ///
    /// # Errors
    /// [`StoreError::Database`], or [`StoreError::Conflict`] where it can be done again; nothing of it was kept then.
    pub fn commit(mut self) -> Result<Vec<Arc<RowChange>>, StoreError> {
        let done = self.database.commit();
        done.map_err(|error| if self.database.is_doomed() { StoreError::Conflict } else { error })
    }
}

impl Drop for UnitOfWork {
    fn drop(&mut self) {
        // After a commit there is nothing to undo.
        self.database.rollback();
    }
}

impl Deref for UnitOfWork {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl DerefMut for UnitOfWork {
    fn deref_mut(&mut self) -> &mut Database {
        &mut self.database
    }
}

impl std::fmt::Debug for UnitOfWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnitOfWork").field("changes", &self.changes().len()).finish_non_exhaustive()
    }
}
