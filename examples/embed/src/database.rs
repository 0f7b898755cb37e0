//! The platform's own pool of connections to PostgreSQL, lent to the runtime one unit of work at a time.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use deadpool_postgres::{Manager, Object, Pool};
use erp_store::{Connections, LentClient};
use tokio::runtime::Handle;
use tokio_postgres::{Client, NoTls, Statement};

/// The pool, and the executor that its connections live in.
#[derive(Debug)]
pub struct PlatformPool {
    pool: Pool,
    executor: Handle,
}

impl PlatformPool {
    /// A pool of so many connections, within the executor of the caller.
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

/// A connection of the pool, which goes back when this is dropped.
struct Lent {
    client: Object,
    executor: Handle,
}

impl LentClient for Lent {
    fn client(&self) -> &Client {
        &self.client
    }

    /// The pool keeps what was prepared, for the next one who has this connection.
    fn prepare<'a>(
        &'a self,
        sql: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Statement, tokio_postgres::Error>> + Send + 'a>> {
        Box::pin(self.client.prepare_cached(sql))
    }

    fn cancel(&self) {
        // Where that fails, the statement goes on; it is waited for.
        let _ = self.executor.block_on(self.client.cancel_token().cancel_query(NoTls));
    }
}
