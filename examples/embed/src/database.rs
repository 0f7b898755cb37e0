//! The platform's own pool of connections to PostgreSQL, lent to the runtime one unit of work at a time.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::{Manager, Object, Pool};
use erp_store::{Connections, LentClient};
use tokio::runtime::Handle;
use tokio_postgres::{Client, NoTls, Statement};

/// The pool, and the executor that drives its connections.
#[derive(Debug)]
pub struct PlatformPool {
    pool: Pool,
    executor: Handle,
}

impl PlatformPool {
    /// Creates a pool of at most `size` connections; the caller's executor drives them.
    pub fn connect(url: &str, size: usize) -> Result<PlatformPool, Box<dyn Error + Send + Sync>> {
        let pool = Pool::builder(Manager::new(url.parse()?, NoTls)).max_size(size).build()?;
        Ok(PlatformPool { pool, executor: Handle::current() })
    }
}

impl Connections for PlatformPool {
    /// Called by the threads that run guests, never by the executor's own.
    fn take(&self) -> Result<Box<dyn LentClient>, Box<dyn Error + Send + Sync>> {
        let client = self.executor.block_on(self.pool.get())?;
        Ok(Box::new(Lent { client, executor: self.executor.clone() }))
    }
}

/// A connection of the pool, which goes back to the pool when this is dropped.
struct Lent {
    client: Object,
    executor: Handle,
}

impl LentClient for Lent {
    fn client(&self) -> &Client {
        &self.client
    }

    /// The pool keeps prepared statements for the next user of this connection.
    fn prepare<'a>(
        &'a self,
        sql: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Statement, tokio_postgres::Error>> + Send + 'a>> {
        Box::pin(self.client.prepare_cached(sql))
    }

    fn cancel(&self) {
        // If this fails, the statement continues, and its caller waits for it.
        let _ = self.executor.block_on(self.client.cancel_token().cancel_query(NoTls));
    }
}
