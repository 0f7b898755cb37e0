//! Units of work over connections of a platform's own pool.

use std::error::Error;
use std::sync::Arc;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment};
use erp_storage::{Attempt, Catalog, Storage, StoreError};
use parking_lot::Mutex;

use super::sql::{Connection, LentClient};
use super::unit_of_work::{DatabaseHandle, TenantQueues};
use super::{Database, Sealer, UnitOfWork};

/// The source of connections to PostgreSQL: a platform's own pool.
pub trait Connections: Send + Sync {
    /// Takes a connection, for exclusive use until it is dropped. May block until one is free.
    ///
    /// # Errors
    /// Errors of the pool.
    fn take(&self) -> Result<Box<dyn LentClient>, Box<dyn Error + Send + Sync>>;
}

/// Rows of plugins in a platform's own PostgreSQL, over its own connections: each unit of work is a transaction on
/// one of them, and nothing else of the session changes.
#[derive(Debug)]
pub struct LentPool<C> {
    connections: C,
    catalog: Mutex<Catalog>,
    queues: TenantQueues,
    sealer: Option<Arc<Sealer>>,
}

impl<C: Connections> LentPool<C> {
    /// Creates the tables that all plugins share (`plugin…`, `erp_…`) if they are missing.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn new(connections: C) -> Result<LentPool<C>, StoreError> {
        let pool = LentPool { connections, catalog: Mutex::default(), queues: TenantQueues::default(), sealer: None };
        pool.database()?.make_platform_tables()?;
        Ok(pool)
    }

    /// Seals secrets of tenants; without a sealer they are stored in plain text.
    #[must_use]
    pub fn with_sealer(self, sealer: Arc<Sealer>) -> LentPool<C> {
        LentPool { sealer: Some(sealer), ..self }
    }

    /// Creates the tables of a plugin, or upgrades those of its installed version: see
    /// [`crate::EntityTables::install`].
    ///
    /// # Errors
    /// As [`crate::EntityTables::install`].
    pub fn install(&self, manifest: &Arc<Manifest>, source: &Arc<SourceFile>, now: Moment) -> Result<(), StoreError> {
        self.database()?.schema().install(manifest, source, now)?;
        self.catalog.lock().add(Arc::clone(manifest));
        Ok(())
    }

    /// Takes a connection that serves the installed entities, for work outside of calls.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn database(&self) -> Result<Database, StoreError> {
        let client = self.connections.take();
        let client = client.map_err(|source| StoreError::Database { attempt: "take a connection", source })?;
        let mut database = Database::over(Connection::lent(client));
        database.set_catalog(self.catalog.lock().clone());
        if let Some(sealer) = &self.sealer {
            database.seal_with(Arc::clone(sealer));
        }
        Ok(database)
    }
}

impl<C: Connections> Storage for LentPool<C> {
    type Unit = UnitOfWork;

    fn begin(&self, attempt: Attempt<'_>) -> Result<UnitOfWork, StoreError> {
        let turn = self.queues.wait(attempt)?;
        let mut unit = UnitOfWork::of(DatabaseHandle::Own(self.database()?));
        unit.begin_call()?;
        if turn.is_some() {
            unit.queue_up(attempt.tenant)?;
            unit.turn = turn;
        }
        Ok(unit)
    }
}
