//! A connection to either database.

use std::path::Path;

use erp_storage::StatementLimit;

#[cfg(feature = "postgres")]
use super::postgres::PostgresConnection;
#[cfg(feature = "postgres")]
use super::postgres_session::LentClient;
#[cfg(feature = "postgres")]
use super::postgres_url::PostgresUrl;
#[cfg(feature = "sqlite")]
use super::sqlite::SqliteConnection;
use super::{Dialect, InspectedRows, SqlError, SqlRow, SqlValue};

#[derive(Debug)]
pub(crate) struct Connection(Either);

/// The source for a copy of a database.
#[cfg(all(feature = "postgres", feature = "sqlite"))]
pub(crate) enum ConnectionImage {
    /// The content of the whole database.
    Bytes(Vec<u8>),
    /// Only the address; the rows must be copied separately.
    At(PostgresUrl),
}

#[derive(Debug)]
enum Either {
    #[cfg(feature = "sqlite")]
    Sqlite(Box<SqliteConnection>),
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresConnection>),
}

impl Connection {
    #[cfg(feature = "sqlite")]
    pub(crate) fn open_file(file: &Path) -> Result<Connection, SqlError> {
        SqliteConnection::open(file).map(|sqlite| Connection(Either::Sqlite(Box::new(sqlite))))
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn open_file_to_read(file: &Path) -> Result<Connection, SqlError> {
        SqliteConnection::open_to_read(file).map(|sqlite| Connection(Either::Sqlite(Box::new(sqlite))))
    }

    #[cfg(feature = "sqlite")]
    pub(crate) fn in_memory() -> Result<Connection, SqlError> {
        SqliteConnection::in_memory().map(|sqlite| Connection(Either::Sqlite(Box::new(sqlite))))
    }

    #[cfg(all(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn of_image(image: &[u8]) -> Result<Connection, SqlError> {
        SqliteConnection::of_image(image).map(|sqlite| Connection(Either::Sqlite(Box::new(sqlite))))
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn open_postgres(url: &PostgresUrl) -> Result<Connection, SqlError> {
        PostgresConnection::open(url).map(|postgres| Connection(Either::Postgres(Box::new(postgres))))
    }

    /// Connects to a new schema, which is dropped with the connection.
    #[cfg(feature = "postgres")]
    pub(crate) fn open_scratch(url: &PostgresUrl) -> Result<Connection, SqlError> {
        PostgresConnection::open_scratch(url).map(|postgres| Connection(Either::Postgres(Box::new(postgres))))
    }

    /// Uses a connection that a platform lends.
    #[cfg(feature = "postgres")]
    pub(crate) fn lent(client: Box<dyn LentClient>) -> Connection {
        Connection(Either::Postgres(Box::new(PostgresConnection::lent(client))))
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(_) => Dialect::Sqlite,
            #[cfg(feature = "postgres")]
            Either::Postgres(_) => Dialect::Postgres,
        }
    }

    /// The content of an SQLite database, or the address of a PostgreSQL database.
    #[cfg(all(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn image(&mut self) -> Result<ConnectionImage, SqlError> {
        match &mut self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.image().map(ConnectionImage::Bytes),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.url().cloned().map(ConnectionImage::At),
        }
    }

    pub(crate) fn is_in_unit(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.is_in_unit(),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.is_in_unit(),
        }
    }

    /// Whether the unit of work can only be undone, because another one changed the same data.
    pub(crate) fn is_doomed(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.is_doomed(),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.is_doomed(),
        }
    }

    /// Marks the unit as one that can only be undone: it is based on rows that have changed since.
    pub(crate) fn doom(&self) {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.doom(),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.doom(),
        }
    }

    /// Begins a unit that will write; on SQLite it waits until no other unit writes.
    pub(crate) fn begin(&self) -> Result<(), SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.begin(true),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.begin(),
        }
    }

    /// Begins a unit that may only read; on SQLite it waits for other writers only at its first change.
    pub(crate) fn begin_lazily(&self) -> Result<(), SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.begin(false),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.begin(),
        }
    }

    /// Whether the database is an SQLite file.
    pub(crate) fn is_file(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.is_file(),
            #[cfg(feature = "postgres")]
            Either::Postgres(_) => false,
        }
    }

    /// Opens another connection to the same database; `None` if only one is possible.
    pub(crate) fn beside(&self) -> Result<Option<Connection>, SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => Ok(sqlite.beside()?.map(|sqlite| Connection(Either::Sqlite(Box::new(sqlite))))),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => {
                postgres.beside().map(|postgres| Some(Connection(Either::Postgres(Box::new(postgres)))))
            }
        }
    }

    /// Sets how long a unit waits for another one that writes; no effect on PostgreSQL. Returns the previous time.
    pub(crate) fn set_patience(&self, patience: std::time::Duration) -> std::time::Duration {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.set_patience(patience),
            #[cfg(feature = "postgres")]
            Either::Postgres(_) => patience,
        }
    }

    /// Limits the time of the statements that follow; returns the previous limit.
    pub(crate) fn swap_limit(&self, limit: StatementLimit) -> StatementLimit {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.swap_limit(limit),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.swap_limit(limit),
        }
    }

    /// Sets whether replaced content is overwritten in the file; no effect on PostgreSQL.
    pub(crate) fn set_thorough(&self, is_thorough: bool) -> Result<(), SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.set_thorough(is_thorough),
            #[cfg(feature = "postgres")]
            Either::Postgres(_) => Ok(()),
        }
    }

    pub(crate) fn commit(&self) -> Result<(), SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.commit(),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.commit(),
        }
    }

    pub(crate) fn rollback(&self) {
        match &self.0 {
            // A failing rollback means that SQLite has rolled back by itself.
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.rollback(),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.rollback(),
        }
    }

    pub(crate) fn savepoint(&self, name: &str) -> Result<(), SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.batch(&format!("savepoint {name}")),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.savepoint(name),
        }
    }

    pub(crate) fn release(&self, name: &str) -> Result<(), SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.batch(&format!("release {name}")),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.release(name),
        }
    }

    /// Rolls back to a savepoint and releases it.
    pub(crate) fn rollback_to(&self, name: &str) -> Result<(), SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.batch(&format!("rollback to {name}; release {name}")),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.rollback_to(name),
        }
    }

    /// Executes statements without parameters that change tables.
    pub(crate) fn batch(&self, sql: &str) -> Result<(), SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.batch(sql),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.batch(sql),
        }
    }

    /// Executes a statement; returns the number of changed rows.
    pub(crate) fn execute(&self, sql: &str, parameters: &[SqlValue]) -> Result<usize, SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.execute(sql, parameters),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.execute(sql, parameters),
        }
    }

    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        parameters: &[SqlValue],
        mut read: impl FnMut(&SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => sqlite.rows(sql, parameters, &mut read),
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.rows(sql, parameters, &mut read),
        }
    }

    /// Runs a statement that a user wrote and returns at most `most` rows; `None` if it does more than read. `before`
    /// creates temporary views that it may name, `after` drops them.
    pub(crate) fn read_only(
        &mut self,
        (before, after): (&str, &str),
        sql: &str,
        most: usize,
    ) -> Result<Option<InspectedRows>, SqlError> {
        match &mut self.0 {
            #[cfg(feature = "sqlite")]
            Either::Sqlite(sqlite) => {
                sqlite.batch(before)?;
                let found = sqlite.read_only(sql, most);
                sqlite.batch(after)?;
                found
            }
            #[cfg(feature = "postgres")]
            Either::Postgres(postgres) => postgres.read_only(before, sql, most),
        }
    }
}
