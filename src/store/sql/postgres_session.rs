//! A PostgreSQL session for blocking code: one of our own, or one that a platform lends from its pool.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Socket, Statement};

use super::SqlError;

/// A connection that a platform lends from its own pool; dropping this returns it.
pub trait LentClient: Send {
    /// The connection.
    fn client(&self) -> &Client;

    /// Prepares a statement; a pool that caches prepared statements returns a cached one.
    fn prepare<'a>(
        &'a self,
        sql: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Statement, tokio_postgres::Error>> + Send + 'a>> {
        Box::pin(self.client().prepare(sql))
    }

    /// Asks the server to end the running statement, and waits until the request is sent: its time is over, or its
    /// result is no longer wanted. The default does nothing: the statement runs until it ends by itself.
    fn cancel(&self) {}
}

/// A session, our own or lent.
pub(super) enum Session {
    /// The client, and a function that asks the server to end the running statement.
    Own(Client, Box<dyn Fn() + Send>),
    DatabaseHandle(Box<dyn LentClient>),
}

impl Session {
    /// Connects. A thread of ours reads from the server, so that this works inside and outside of any executor.
    pub(super) fn open<T>(config: &Config, tls: T) -> Result<Session, SqlError>
    where
        T: MakeTlsConnect<Socket> + Clone + Send + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let config = config.clone();
        let runtime = runtime()?;
        let tls_of_cancel = tls.clone();
        let opened = runtime.spawn(async move {
            let (client, connection) = config.connect(tls).await?;
            // It ends with the client; the client's next request reports the reason.
            tokio::spawn(async move { drop(connection.await) });
            Ok::<Client, tokio_postgres::Error>(client)
        });
        let opened = wait(opened).map_err(|error| SqlError::Address(error.to_string()))?;
        let client = opened?;
        let token = client.cancel_token();
        let cancel = move || {
            let (token, tls) = (token.clone(), tls_of_cancel.clone());
            // If this fails, the statement goes on, and the caller waits for it.
            drop(wait(runtime.spawn(async move { token.cancel_query(tls).await })));
        };
        Ok(Session::Own(client, Box::new(cancel)))
    }

    /// Asks the server to end the running statement.
    pub(super) fn cancel(&self) {
        match self {
            Session::Own(_, cancel) => cancel(),
            Session::DatabaseHandle(lent) => lent.cancel(),
        }
    }

    /// Prepares a statement.
    pub(super) fn prepared(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        match self {
            Session::Own(client, _) => wait(client.prepare(sql)),
            Session::DatabaseHandle(lent) => wait(lent.prepare(sql)),
        }
    }

    /// Executes statements without parameters.
    pub(super) fn batch_execute(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        wait(Client::batch_execute(self, sql))
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        match self {
            Session::Own(client, _) => client,
            Session::DatabaseHandle(lent) => lent.client(),
        }
    }
}

/// Waits for an answer of the server. This needs no executor: another thread reads the socket.
pub(super) fn wait<F: Future>(answer: F) -> F::Output {
    pollster::block_on(answer)
}

/// Like [`wait`], but calls `look` at least once per interval `every`.
pub(super) fn wait_and_look<F: Future>(answer: F, every: Duration, mut look: impl FnMut()) -> F::Output {
    let mut answer = std::pin::pin!(answer);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(done) = answer.as_mut().poll(&mut context) {
            return done;
        }
        std::thread::park_timeout(every);
        look();
    }
}

/// Wakes a waiting thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The runtime that reads the sockets of our own sessions.
fn runtime() -> Result<&'static Runtime, SqlError> {
    static RUNTIME: OnceLock<Option<Runtime>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(1).thread_name("postgres").enable_all().build().ok()
    });
    started.as_ref().ok_or_else(|| SqlError::Address("no thread for the connection".to_owned()))
}
