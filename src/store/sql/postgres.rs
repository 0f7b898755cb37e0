//! PostgreSQL, by its own protocol.

use std::cell::{Cell as Flag, RefCell, RefMut};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use postgres::types::{Format, FromSql as FromPostgres, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement};

use super::error::Failure;
use super::sqlite::Inspected;
use super::{Cell, SqlError, SqlRow, SqlValue};

/// Statements that a connection keeps prepared.
const PREPARED: usize = 256;

/// What every session of ours wants: no notices, one time zone, no waiting for ever.
const SESSION: &str = "set client_min_messages = warning; set timezone = 'UTC'; set lock_timeout = '5s'; \
     set idle_in_transaction_session_timeout = '120s';";

/// The address of a database, `postgres://user@host:port/name`; the password is never shown.
#[derive(Clone)]
pub struct PostgresUrl {
    config: Box<Config>,
    shown: String,
}

impl FromStr for PostgresUrl {
    type Err = SqlError;

    fn from_str(text: &str) -> Result<PostgresUrl, SqlError> {
        let config = Config::from_str(text).map_err(|error| {
            let why = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            SqlError::Address(format!("not the address of a PostgreSQL database: {why}"))
        })?;
        if config.get_password().is_some() {
            return Err(SqlError::Address(
                "the address holds a password, which every process could read: put it into PGPASSWORD".to_owned(),
            ));
        }
        if config.get_ssl_mode() == postgres::config::SslMode::Require {
            return Err(SqlError::Address(
                "sslmode=require: this version speaks to PostgreSQL without TLS; use a socket or a tunnel".to_owned(),
            ));
        }
        let host = config.get_hosts().first().map_or_else(String::new, |host| match host {
            postgres::config::Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            postgres::config::Host::Unix(folder) => folder.display().to_string(),
        });
        let name = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
        let shown = format!("postgres://{host}/{name}");
        Ok(PostgresUrl { config: Box::new(config), shown })
    }
}

impl PostgresUrl {
    /// The same, with the password of its user.
    #[must_use]
    pub fn with_password(mut self, password: Option<&str>) -> PostgresUrl {
        if let Some(password) = password {
            self.config.password(password);
        }
        self
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({})", self.shown)
    }
}

pub(super) struct PostgresConnection {
    url: PostgresUrl,
    client: RefCell<Client>,
    statements: RefCell<HashMap<String, Statement>>,
    is_in_unit: Flag<bool>,
    /// Why a statement of the unit failed, where nobody has gone back to a savepoint since.
    broken: RefCell<Option<String>>,
    /// Another process was faster; the unit can only be undone.
    is_doomed: Flag<bool>,
    /// A schema that goes with this connection.
    scratch: Option<String>,
}

impl fmt::Debug for PostgresConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConnection").field("url", &self.url).finish_non_exhaustive()
    }
}

impl PostgresConnection {
    pub(super) fn open(url: &PostgresUrl) -> Result<PostgresConnection, SqlError> {
        let mut client = connect(url, None)?;
        // Held as long as this session lives: who upgrades tables wants to be the only one.
        client.batch_execute("select pg_advisory_lock_shared(7171, hashtext(current_schema()))")?;
        Ok(PostgresConnection::over(url, client, None))
    }

    /// In a schema of its own, which goes with the connection.
    pub(super) fn open_scratch(url: &PostgresUrl) -> Result<PostgresConnection, SqlError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let schema = format!("erp_scratch_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut client = connect(url, None)?;
        client.batch_execute(&format!("drop schema if exists {schema} cascade; create schema {schema}"))?;
        client.batch_execute(&search_path(&schema))?;
        Ok(PostgresConnection::over(url, client, Some(schema)))
    }

    fn over(url: &PostgresUrl, client: Client, scratch: Option<String>) -> PostgresConnection {
        PostgresConnection {
            url: url.clone(),
            client: RefCell::new(client),
            statements: RefCell::default(),
            is_in_unit: Flag::new(false),
            broken: RefCell::default(),
            is_doomed: Flag::new(false),
            scratch,
        }
    }

    pub(super) fn url(&self) -> &PostgresUrl {
        &self.url
    }

    pub(super) fn scratch(&self) -> Option<&str> {
        self.scratch.as_deref()
    }

    pub(super) fn is_in_unit(&self) -> bool {
        self.is_in_unit.get()
    }

    pub(super) fn is_doomed(&self) -> bool {
        self.is_doomed.get()
    }

    pub(super) fn begin(&self) -> Result<(), SqlError> {
        self.broken.take();
        self.is_doomed.set(false);
        self.control("begin isolation level serializable")?;
        self.is_in_unit.set(true);
        Ok(())
    }

    /// A unit in which a statement failed is undone: PostgreSQL would do so without a word.
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
        // A connection that is gone has rolled back by itself.
        let _ = self.client.borrow_mut().batch_execute("rollback");
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
        self.client.borrow_mut().batch_execute(&back)?;
        self.broken.take();
        Ok(())
    }

    /// Statements that change tables. Plans that were made before may not fit any more.
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
        let changed = self.run(sql, |client, statement| client.execute(statement, &parameters))?;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: &[SqlValue],
        read: &mut dyn FnMut(&SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| value as _).collect();
        let found = self.run(sql, |client, statement| client.query(statement, &parameters))?;
        found.iter().map(|row| read(&SqlRow::Postgres(row))).collect()
    }

    fn run<T>(
        &self,
        sql: &str,
        work: impl FnOnce(&mut Client, &Statement) -> Result<T, postgres::Error>,
    ) -> Result<T, SqlError> {
        if self.is_doomed.get() {
            return Err(SqlError::Conflict);
        }
        let known = self.statements.borrow().get(sql).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => {
                let prepared = self.client()?.prepare(&numbered(sql));
                let statement = prepared.map_err(|error| self.judged(error))?;
                let mut statements = self.statements.borrow_mut();
                if statements.len() >= PREPARED {
                    statements.clear();
                }
                statements.insert(sql.to_owned(), statement.clone());
                statement
            }
        };
        let done = work(&mut *self.client()?, &statement);
        done.map_err(|error| self.judged(error))
    }

    /// The connection, a new one where the old one was lost between two units.
    fn client(&self) -> Result<RefMut<'_, Client>, SqlError> {
        let mut client = self.client.borrow_mut();
        if client.is_closed() && !self.is_in_unit.get() {
            self.statements.borrow_mut().clear();
            *client = connect(&self.url, self.scratch())?;
        }
        Ok(client)
    }

    fn judged(&self, error: postgres::Error) -> SqlError {
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
        if is_stale_plan { SqlError::Conflict } else { error }
    }

    /// Rows of a statement that somebody else wrote; `before` makes the views that it may name. Nothing stays.
    pub(super) fn read_only(&self, before: &str, sql: &str, most: usize) -> Result<Option<Inspected>, SqlError> {
        let mut client = self.client()?;
        let mut unit = client.transaction()?;
        unit.batch_execute(before)?;
        unit.batch_execute("set transaction read only")?;
        let sql = sql.trim().trim_end_matches(';');
        let statement = unit.prepare(sql)?;
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
        let cells: Vec<String> = cells.collect();
        let wrapped =
            format!("select {} from ({sql}) as inspected({}) limit {most}", cells.join(", "), columns.join(", "));
        let found = unit.query(wrapped.as_str(), &[])?;
        let rows = found
            .iter()
            .map(|row| (0..names.len()).map(|index| Ok(cell(row, index)?.to_json())).collect())
            .collect::<Result<_, SqlError>>()?;
        unit.rollback()?;
        Ok(Some((names, rows)))
    }
}

impl Drop for PostgresConnection {
    fn drop(&mut self) {
        if let Some(schema) = &self.scratch {
            // What is left of a process that was killed is found by its name.
            let _ = self.client.get_mut().batch_execute(&format!("rollback; drop schema if exists {schema} cascade"));
        }
    }
}

fn connect(url: &PostgresUrl, schema: Option<&str>) -> Result<Client, SqlError> {
    let mut client = url.config.connect(NoTls)?;
    client.batch_execute(SESSION)?;
    if client.query("select 1 from pg_catalog.pg_extension where extname = 'pg_trgm'", &[])?.is_empty() {
        // Who may not have it, or comes second, searches without it.
        let _ = client.batch_execute("create extension if not exists pg_trgm with schema public");
    }
    if let Some(schema) = schema {
        client.batch_execute(&search_path(schema))?;
    }
    Ok(client)
}

/// Extensions live in `public`.
fn search_path(schema: &str) -> String {
    format!("set search_path to {schema}, public")
}

/// `?` outside of quotes as `$1`, `$2`, ….
fn numbered(sql: &str) -> String {
    let mut numbered = String::with_capacity(sql.len() + 16);
    let mut quote = None;
    let mut count = 0;
    for character in sql.chars() {
        match (quote, character) {
            (None, '?') => {
                count += 1;
                numbered.push_str(&format!("${count}"));
                continue;
            }
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), closing) if open == closing => quote = None,
            _ => {}
        }
        numbered.push(character);
    }
    numbered
}

impl ToSql for SqlValue {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            SqlValue::Null => return Ok(IsNull::Yes),
            SqlValue::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
            SqlValue::Real(number) => out.extend_from_slice(number.to_string().as_bytes()),
            SqlValue::Text(text) => out.extend_from_slice(text.as_bytes()),
            SqlValue::Blob(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    /// As text, which the server reads as whatever the statement wants there: jsonb, numeric, a moment.
    fn encode_format(&self, _: &Type) -> Format {
        if matches!(self, SqlValue::Blob(_)) { Format::Binary } else { Format::Text }
    }

    to_sql_checked!();
}

impl<'a> FromPostgres<'a> for Cell<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Cell<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::BOOL => Cell::Integer(bool::from_sql(kind, raw)?.into()),
            Type::INT2 => Cell::Integer(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Cell::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Cell::Integer(i64::from_sql(kind, raw)?),
            Type::FLOAT4 => Cell::Real(f32::from_sql(kind, raw)?.into()),
            Type::FLOAT8 => Cell::Real(f64::from_sql(kind, raw)?),
            Type::BYTEA => Cell::Blob(raw),
            // The first byte is the version of the format.
            Type::JSONB => Cell::Text(std::str::from_utf8(raw.get(1..).unwrap_or_default())?),
            _ => Cell::Text(std::str::from_utf8(raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Cell<'a>, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Cell::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

pub(super) fn cell(row: &postgres::Row, index: usize) -> Result<Cell<'_>, SqlError> {
    Ok(row.try_get(index)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_become_numbers_outside_of_quotes() {
        assert_eq!(numbered("a = ? and b = '?' and \"c?\" = ?"), "a = $1 and b = '?' and \"c?\" = $2");
    }

    #[test]
    fn an_address_holds_no_password_and_shows_none() {
        assert!("postgres://ada:geheim@localhost:5432/erp".parse::<PostgresUrl>().is_err());
        let url = "postgres://ada@localhost:5432/erp".parse::<PostgresUrl>().unwrap().with_password(Some("geheim"));
        assert_eq!(url.to_string(), "postgres://localhost/erp");
        assert!(!format!("{url:?}").contains("geheim"));
    }
}
