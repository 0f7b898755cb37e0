//! PostgreSQL, through its own protocol.

use std::cell::{Cell as Flag, Ref, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use erp_storage::StatementLimit;
use futures_util::TryStreamExt;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

use super::error::Failure;
use super::postgres_session::{LentClient, Session, wait, wait_and_look};
use super::postgres_url::PostgresUrl;
use super::postgres_wire::{cell, numbered};
use super::watch::StatementWatch;
use super::{InspectedRows, LONGEST, MAX_BYTES, SqlError, SqlRow, SqlValue};

/// How often a wait for the server checks whether it must end.
const LOOK: Duration = Duration::from_millis(20);
/// The number of prepared statements at which a connection forgets all of them.
const PREPARED: usize = 256;

/// The settings of our own sessions: no notices, one time zone, no endless waits.
const SESSION: &str = "set client_min_messages = warning; set timezone = 'UTC'; set lock_timeout = '5s'; \
     set idle_in_transaction_session_timeout = '120s';";

/// The settings of one unit of work on a lent connection. The shared lock makes the unit visible to upgrades.
const LENT: &str = "set local timezone = 'UTC'; set local lock_timeout = '5s'; \
     select pg_advisory_xact_lock_shared(7171, hashtext(current_schema()))";

pub(super) struct PostgresConnection {
    /// The address; absent for a lent connection.
    url: Option<PostgresUrl>,
    client: RefCell<Session>,
    statements: RefCell<HashMap<String, Statement>>,
    is_in_unit: Flag<bool>,
    /// The error of a failed statement of the unit, until a rollback to a savepoint.
    broken: RefCell<Option<String>>,
    /// Another unit of work changed the same data; this one can only be undone.
    is_doomed: Flag<bool>,
    /// The connection is lost, although it may not be closed yet.
    is_lost: Flag<bool>,
    /// The schema that this connection works in; absent for the server's default.
    schema: Option<String>,
    kind: SessionKind,
    watch: StatementWatch,
}

/// The role of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionKind {
    /// The main session of a host; its shared lock makes the host visible to upgrades.
    Host,
    /// The session of a scratch database; its schema is dropped with it.
    Scratch,
    /// A further session of a host or of a scratch database.
    Beside,
    /// A platform's session, lent for one unit of work: no setting of the session changes.
    DatabaseHandle,
}

impl fmt::Debug for PostgresConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConnection").field("url", &self.url).finish_non_exhaustive()
    }
}

impl PostgresConnection {
    pub(super) fn open(url: &PostgresUrl) -> Result<PostgresConnection, SqlError> {
        Ok(PostgresConnection::over(Some(url), connect_host(url)?, None, SessionKind::Host))
    }

    /// Connects to a new schema, which is dropped with the connection.
    pub(super) fn open_scratch(url: &PostgresUrl) -> Result<PostgresConnection, SqlError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let schema = format!("erp_scratch_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let client = connect(url, None)?;
        client.batch_execute(&format!("drop schema if exists {schema} cascade; create schema {schema}"))?;
        client.batch_execute(&search_path(&schema))?;
        Ok(PostgresConnection::over(Some(url), client, Some(schema), SessionKind::Scratch))
    }

    /// Opens another session in the same database and schema.
    pub(super) fn beside(&self) -> Result<PostgresConnection, SqlError> {
        let client = connect(self.url()?, self.schema())?;
        Ok(PostgresConnection::over(self.url.as_ref(), client, self.schema.clone(), SessionKind::Beside))
    }

    /// Uses a connection that a platform lends.
    pub(super) fn lent(client: Box<dyn LentClient>) -> PostgresConnection {
        PostgresConnection::over(None, Session::DatabaseHandle(client), None, SessionKind::DatabaseHandle)
    }

    fn over(
        url: Option<&PostgresUrl>,
        client: Session,
        schema: Option<String>,
        kind: SessionKind,
    ) -> PostgresConnection {
        PostgresConnection {
            url: url.cloned(),
            client: RefCell::new(client),
            statements: RefCell::default(),
            is_in_unit: Flag::new(false),
            broken: RefCell::default(),
            is_doomed: Flag::new(false),
            is_lost: Flag::new(false),
            schema,
            kind,
            watch: StatementWatch::default(),
        }
    }

    pub(super) fn url(&self) -> Result<&PostgresUrl, SqlError> {
        let url = self.url.as_ref();
        url.ok_or_else(|| SqlError::Address("a connection that was lent has no second one".to_owned()))
    }

    fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    pub(super) fn swap_limit(&self, limit: StatementLimit) -> StatementLimit {
        self.watch.swap(limit)
    }

    pub(super) fn is_in_unit(&self) -> bool {
        self.is_in_unit.get()
    }

    pub(super) fn is_doomed(&self) -> bool {
        self.is_doomed.get()
    }

    /// Marks the unit as one that can only be undone.
    pub(super) fn doom(&self) {
        self.is_doomed.set(true);
    }

    pub(super) fn begin(&self) -> Result<(), SqlError> {
        self.broken.take();
        self.is_doomed.set(false);
        // Rows that must not change during a unit are locked one by one: see `Database::check_unchanged`.
        const BEGIN: &str = "begin isolation level read committed";
        if self.kind == SessionKind::DatabaseHandle {
            self.control(&format!("{BEGIN}; {LENT}"))?;
            self.is_in_unit.set(true);
            return Ok(());
        }
        // A restart of the server since the last use shows up here. Nothing has been done yet, so try again.
        if let Err(error) = self.control(BEGIN) {
            if !self.is_lost() {
                return Err(error);
            }
            self.control(BEGIN)?;
        }
        self.is_in_unit.set(true);
        Ok(())
    }

    /// Commits the unit. If a statement failed, it undoes the unit and fails: PostgreSQL would undo it silently.
    pub(super) fn commit(&self) -> Result<(), SqlError> {
        if self.is_doomed.get() {
            self.rollback();
            return Err(SqlError::Conflict);
        }
        if let Some(why) = self.broken.take() {
            self.rollback();
            return Err(SqlError::Broken(why));
        }
        self.control("commit")?;
        self.is_in_unit.set(false);
        Ok(())
    }

    pub(super) fn rollback(&self) {
        // A lost connection has rolled back by itself; a lent connection outside of a unit is unchanged.
        if self.kind == SessionKind::DatabaseHandle && !self.is_in_unit.get() {
            return;
        }
        if self.client.borrow().batch_execute("rollback").is_err() {
            // The state of such a session is unknown: the next unit gets a new one.
            self.is_lost.set(true);
        }
        self.is_in_unit.set(false);
        self.broken.take();
        self.is_doomed.set(false);
    }

    pub(super) fn savepoint(&self, name: &str) -> Result<(), SqlError> {
        self.control(&format!("savepoint {name}"))
    }

    pub(super) fn release(&self, name: &str) -> Result<(), SqlError> {
        self.control(&format!("release savepoint {name}"))
    }

    pub(super) fn rollback_to(&self, name: &str) -> Result<(), SqlError> {
        let back = format!("rollback to savepoint {name}; release savepoint {name}");
        self.client.borrow().batch_execute(&back)?;
        self.broken.take();
        Ok(())
    }

    /// Executes statements that change tables. Plans that were made before may not fit any more.
    pub(super) fn batch(&self, sql: &str) -> Result<(), SqlError> {
        self.statements.borrow_mut().clear();
        self.control(sql)
    }

    fn control(&self, sql: &str) -> Result<(), SqlError> {
        if self.is_doomed.get() {
            return Err(SqlError::Conflict);
        }
        let done = self.client()?.batch_execute(sql);
        done.map_err(|error| self.judged(error))
    }

    pub(super) fn execute(&self, sql: &str, parameters: &[SqlValue]) -> Result<usize, SqlError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
        let changed = self.run(sql, |client, statement| wait(client.execute(statement, &parameters)))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: &[SqlValue],
        read: &mut dyn FnMut(&SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
        let query = || self.run(sql, |client, statement| self.watched(client.query(statement, &parameters)));
        let found = match query() {
            // Outside of a unit, a query can be repeated on a new connection.
            Err(_) if !self.is_in_unit.get() && self.is_lost() => query()?,
            found => found?,
        };
        found.iter().map(|row| read(&SqlRow::Postgres(row))).collect()
    }

    fn run<T>(
        &self,
        sql: &str,
        work: impl FnOnce(&tokio_postgres::Client, &Statement) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, SqlError> {
        if self.is_doomed.get() {
            return Err(SqlError::Conflict);
        }
        if self.watch.begin(false).is_none() {
            return Err(SqlError::Stopped);
        }
        // Reconnects first if the connection was lost: its prepared statements are lost with it.
        drop(self.client()?);
        let known = self.statements.borrow().get(sql).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => {
                let prepared = self.client()?.prepared(&numbered(sql));
                let statement = prepared.map_err(|error| self.judged(error))?;
                let mut statements = self.statements.borrow_mut();
                if statements.len() >= PREPARED {
                    statements.clear();
                }
                statements.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        let done = work(&**self.client()?, &statement);
        done.map_err(|error| self.judged(error))
    }

    /// Waits for rows as long as a statement may read; then asks the server to end the statement.
    fn watched<T>(&self, answer: impl Future<Output = T>) -> T {
        let _running = self.watch.begin(true);
        let mut is_asked = false;
        let answer = wait_and_look(answer, LOOK, || {
            if !is_asked && self.watch.must_end() {
                is_asked = true;
                self.client.borrow().cancel();
            }
        });
        if is_asked {
            // If the result was faster, the request to end it hits this statement instead of a later one.
            let _ = self.client.borrow().batch_execute("select 1");
        }
        answer
    }

    /// The connection; a new one if the old one was lost between two units.
    fn client(&self) -> Result<Ref<'_, Session>, SqlError> {
        let is_gone = self.client.borrow().is_closed() || self.is_lost.get();
        if is_gone && !self.is_in_unit.get() {
            self.statements.borrow_mut().clear();
            let made = match self.kind {
                SessionKind::Host => connect_host(self.url()?)?,
                SessionKind::Scratch | SessionKind::Beside => connect(self.url()?, self.schema())?,
                SessionKind::DatabaseHandle => return Ok(self.client.borrow()),
            };
            *self.client.borrow_mut() = made;
            self.is_lost.set(false);
        }
        Ok(self.client.borrow())
    }

    fn is_lost(&self) -> bool {
        self.is_lost.get() || self.client.borrow().is_closed()
    }

    fn judged(&self, error: tokio_postgres::Error) -> SqlError {
        let says_so = |state: &SqlState| {
            [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(state)
        };
        if error.is_closed() || error.code().is_some_and(says_so) {
            self.is_lost.set(true);
        }
        let is_stopped = error.code() == Some(&SqlState::QUERY_CANCELED);
        let is_stale_plan = error.as_db_error().is_some_and(|error| error.message().starts_with("cached plan"));
        if is_stale_plan {
            // Another process has changed the table.
            self.statements.borrow_mut().clear();
        }
        let error = SqlError::Postgres(error);
        if self.is_in_unit.get() {
            self.broken.borrow_mut().get_or_insert_with(|| error.to_string());
            if is_stale_plan || error.failure() == Failure::Conflict {
                self.is_doomed.set(true);
            }
        }
        match error {
            _ if is_stale_plan => SqlError::Conflict,
            _ if is_stopped => SqlError::Stopped,
            error => error,
        }
    }

    /// Runs a statement that a user wrote; `before` creates the views that it may name. No change is kept.
    pub(super) fn read_only(&self, before: &str, sql: &str, most: usize) -> Result<Option<InspectedRows>, SqlError> {
        // SQLite reports what a statement reads; here only its text can be checked. A statement that evades the check
        // finds secrets as they are stored: sealed, if the host has a key.
        if sql.to_ascii_lowercase().contains("erp_secrets") {
            return Ok(None);
        }
        // A session of its own: changes to its settings end with it.
        let client = connect(self.url()?, self.schema())?;
        client.batch_execute("begin; set local statement_timeout = '1s'; set local work_mem = '8MB'")?;
        client.batch_execute(before)?;
        client.batch_execute("set transaction read only")?;
        let sql = sql.trim().trim_end_matches(';');
        let statement = wait(client.prepare(sql))?;
        if statement.columns().is_empty() {
            return Ok(None);
        }
        let names: Vec<String> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        let columns: Vec<String> = (0..names.len()).map(|index| format!("c{index}")).collect();
        let cells = statement.columns().iter().zip(&columns).map(|(column, name)| match *column.type_() {
            Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::TEXT
            | Type::VARCHAR
            | Type::BYTEA
            | Type::JSONB => name.clone(),
            // Numerics are exact only as text.
            _ => format!("{name}::text"),
        });
        // A cell is transferred whole or not at all: a cell that is too large stays on the server.
        let guard = |name: &String| format!("coalesce(octet_length({name}::text), 0) <= {LONGEST}");
        let guards: Vec<String> = columns.iter().map(guard).collect();
        let cells: Vec<String> =
            cells.zip(&guards).map(|(cell, guard)| format!("case when {guard} then {cell} end")).collect();
        let is_whole = guards.join(" and ");
        let wrapped = format!(
            "select {}, {is_whole} from ({sql}\n) as inspected({}) limit {most}",
            cells.join(", "),
            columns.join(", ")
        );
        let mut rows = Vec::new();
        let found = wait(client.query_raw(wrapped.as_str(), std::iter::empty::<&(dyn ToSql + Sync)>()))?;
        let mut found = std::pin::pin!(found);
        let mut bytes = 0;
        while let Some(row) = wait(found.as_mut().try_next())? {
            bytes += row.raw_size_bytes() as u64;
            if bytes > MAX_BYTES || !row.try_get::<_, bool>(names.len())? {
                return Err(SqlError::TooMuch(MAX_BYTES));
            }
            let cells = (0..names.len()).map(|index| Ok(cell(&row, index)?.to_json()));
            rows.push(cells.collect::<Result<_, SqlError>>()?);
        }
        Ok(Some((names, rows)))
    }
}

impl Drop for PostgresConnection {
    fn drop(&mut self) {
        // A lent connection is returned unchanged.
        if self.kind == SessionKind::DatabaseHandle && self.is_in_unit.get() {
            self.rollback();
        }
        if let (SessionKind::Scratch, Some(schema)) = (self.kind, &self.schema) {
            // The schema of a killed process can be found by its name.
            let _ = self.client.borrow().batch_execute(&format!("rollback; drop schema if exists {schema} cascade"));
        }
    }
}

fn connect(url: &PostgresUrl, schema: Option<&str>) -> Result<Session, SqlError> {
    let client = url.encryption.connect(&url.config)?;
    client.batch_execute(SESSION)?;
    let known = wait(client.query("select 1 from pg_catalog.pg_extension where extname = 'pg_trgm'", &[]))?;
    if known.is_empty() {
        // This fails without the right to create it, or if another session creates it now: searches work anyway.
        let _ = client.batch_execute("create extension if not exists pg_trgm with schema public");
    }
    if let Some(schema) = schema {
        client.batch_execute(&search_path(schema))?;
    }
    Ok(client)
}

/// Connects the main session of a host. Its shared lock, held until it ends, makes the host visible to upgrades.
fn connect_host(url: &PostgresUrl) -> Result<Session, SqlError> {
    let client = connect(url, None)?;
    client.batch_execute("select pg_advisory_lock_shared(7171, hashtext(current_schema()))")?;
    Ok(client)
}

/// The statement that sets the search path; extensions are in `public`.
fn search_path(schema: &str) -> String {
    format!("set search_path to {schema}, public")
}
