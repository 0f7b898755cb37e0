//! Units of work over connections of a platform's own pool.

use std::error::Error;
use std::sync::Arc;

use erp_manifest::Manifest;
use erp_storage::{Attempt, Catalog, Storage, StoreError};
use parking_lot::Mutex;

use super::sql::{Connection, LentClient};
use super::unit_of_work::{Hot, Lent};
use super::{Database, UnitOfWork};

/// Where connections to PostgreSQL come from: a platform's own pool.
pub trait Connections: Send + Sync {
    /// A connection that nobody else uses until it is dropped. May block until one is free.
    ///
    /// # Errors
    /// What the pool says.
    fn take(&self) -> Result<Box<dyn LentClient>, Box<dyn Error + Send + Sync>>;
}

/// Rows of plugins in a platform's own PostgreSQL, over its own connections: each unit of work is a transaction on one of
/// them, and nothing else of the session changes.
#[derive(Debug)]
pub struct LentPool<C> {
    connections: C,
    catalog: Mutex<Catalog>,
    hot: Hot,
}

impl<C: Connections> LentPool<C> {
    /// Makes the tables that all plugins share (`erp_…`) where they are not there.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn new(connections: C) -> Result<LentPool<C>, StoreError> {
        let pool = LentPool { connections, catalog: Mutex::default(), hot: Hot::default() };
        pool.database()?.make_platform_tables()?;
        Ok(pool)
    }

    /// Makes the tables of a plugin, in a unit of work of its own, and knows its entities from now on.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn install(&self, manifest: &Arc<Manifest>) -> Result<(), StoreError> {
        let mut unit = UnitOfWork::of(Lent::Own(self.database()?));
        unit.begin()?;
        unit.install_schema(manifest)?;
        unit.commit()?;
        self.serve(manifest);
        Ok(())
    }

    /// Knows the entities of a plugin whose tables are there.
    pub fn serve(&self, manifest: &Arc<Manifest>) {
        self.catalog.lock().add(Arc::clone(manifest));
    }

    /// A connection with the tables of plugins, for whatever is no call.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn database(&self) -> Result<Database, StoreError> {
        let client = self.connections.take();
        let client = client.map_err(|source| StoreError::Database { attempt: "take a connection", source })?;
        let mut database = Database::over(Connection::lent(client));
        database.set_catalog(self.catalog.lock().clone());
        Ok(database)
    }
}

impl<C: Connections> Storage for LentPool<C> {
    type Unit = UnitOfWork;

    fn begin(&self, attempt: Attempt<'_>) -> Result<UnitOfWork, StoreError> {
        let waits = self.hot.meets(attempt);
        let mut unit = UnitOfWork::of(Lent::Own(self.database()?));
        unit.begin_call()?;
        if waits {
            unit.queue_up(attempt.tenant)?;
        }
        Ok(unit)
    }
}
