//! The connection and its transactions.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, OpenFlags, Row as SqlRow, params_from_iter};
use sea_query::{SelectStatement, SqliteQueryBuilder, Value as BoundValue};
use serde_json::Value;

use super::{Catalog, Change, EntityRef, StoreError, decimal, schema};
use crate::manifest::{Manifest, TenantId};

/// Gives the id of the next new row.
pub type IdSource<'a> = &'a mut dyn FnMut() -> String;

/// A database with the entities of the installed plugins.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    catalog: Catalog,
    changes: Vec<Change>,
    /// What stays of a unit of work that is undone: numbers that may leave gaps.
    lasting: Vec<(&'static str, Vec<SqlValue>)>,
    /// Statements since they were asked for; none where nobody asks.
    statements: RefCell<Option<Vec<String>>>,
}

impl Database {
    /// SQLite counts its memory behind one lock for all threads, which a run of many cases spends its time at. Nobody
    /// asks for the count, so it is not taken.
    fn without_memory_count() {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: called once, before the first connection of this process initializes SQLite; if a library did
            // so before us, SQLite refuses the change (SQLITE_MISUSE) and goes on as it was.
            #[expect(unsafe_code, reason = "see the safety comment; rusqlite has no safe call for it")]
            unsafe {
                rusqlite::ffi::sqlite3_config(rusqlite::ffi::SQLITE_CONFIG_MEMSTATUS, 0);
            }
        });
    }

    /// Opens or makes a database in a file. What was committed survives `kill -9` and a power cut.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] where the file cannot be opened or is no database.
    pub fn open(file: &Path) -> Result<Database, StoreError> {
        Database::without_memory_count();
        let connection = Connection::open(file).map_err(StoreError::sqlite("open the database file"))?;
        connection
            .execute_batch("pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 2000;")
            .map_err(StoreError::sqlite("set up the database file"))?;
        Database::set_up(connection)
    }

    /// A database in memory.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`], which only a lack of memory explains.
    pub fn in_memory() -> Result<Database, StoreError> {
        Database::without_memory_count();
        let connection = Connection::open_in_memory().map_err(StoreError::sqlite("open a database in memory"))?;
        Database::set_up(connection)
    }

    /// The whole database as bytes, outside of a unit of work.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn image(&mut self) -> Result<Vec<u8>, StoreError> {
        let data = self.connection.serialize("main").map_err(StoreError::sqlite("copy the database"))?;
        Ok(data.to_vec())
    }

    /// A database in memory that holds what an image holds. The entities must be served again.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn of_image(image: &[u8]) -> Result<Database, StoreError> {
        Database::without_memory_count();
        let mut connection = Connection::open_in_memory().map_err(StoreError::sqlite("open a database in memory"))?;
        connection
            .deserialize_read_exact("main", image, image.len(), false)
            .map_err(StoreError::sqlite("copy the database"))?;
        Database::prepare(&connection)?;
        Ok(Database::over(connection))
    }

    /// Opens a database that is there, to read it and nothing else.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] where there is none, or the file is none.
    pub fn open_to_read(file: &Path) -> Result<Database, StoreError> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(StoreError::sqlite("open the database file"))?;
        decimal::register(&connection).map_err(StoreError::sqlite("register decimals"))?;
        let database = Database::over(connection);
        database.execute_batch("read the database file", "select count(*) from sqlite_schema")?;
        Ok(database)
    }

    fn over(connection: Connection) -> Database {
        let (changes, lasting, statements) = (Vec::new(), Vec::new(), RefCell::new(None));
        Database { connection, catalog: Catalog::default(), changes, lasting, statements }
    }

    /// Whether the tables of a plugin's entities are there.
    pub fn has_tables_of(&self, plugin: &Arc<Manifest>) -> bool {
        EntityRef::all(plugin).all(|entity| {
            let name = SqlValue::Text(entity.table());
            let found = self.rows("look for a table", "select 1 from sqlite_schema where name = ?", [name], |_| Ok(()));
            found.is_ok_and(|found| !found.is_empty())
        })
    }

    fn prepare(connection: &Connection) -> Result<(), StoreError> {
        connection.set_prepared_statement_cache_capacity(256);
        // A misspelled column must be an error and not a text.
        for option in [DbConfig::SQLITE_DBCONFIG_DQS_DML, DbConfig::SQLITE_DBCONFIG_DQS_DDL] {
            connection.set_db_config(option, false).map_err(StoreError::sqlite("set up the database"))?;
        }
        decimal::register(connection).map_err(StoreError::sqlite("register decimals"))
    }

    fn set_up(connection: Connection) -> Result<Database, StoreError> {
        Database::prepare(&connection)?;
        connection
            .execute_batch(schema::PLATFORM_TABLES)
            .map_err(StoreError::sqlite("create the platform's tables"))?;
        Ok(Database::over(connection))
    }

    /// The entities that the database knows.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(super) fn catalog_mut(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    /// What the unit of work has changed so far, in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Begins a unit of work. Units do not nest.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn begin(&mut self) -> Result<(), StoreError> {
        // A unit that a panic broke off is undone here.
        self.rollback();
        self.execute_batch("begin a transaction", "begin immediate")
    }

    /// Makes the unit of work last; gives what it changed, in order.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`]; nothing of the unit was kept then.
    pub fn commit(&mut self) -> Result<Vec<Change>, StoreError> {
        if let Err(error) = self.execute_batch("commit", "commit") {
            self.rollback();
            return Err(error);
        }
        self.lasting.clear();
        Ok(std::mem::take(&mut self.changes))
    }

    /// Undoes the unit of work. Does nothing where none was begun.
    pub fn rollback(&mut self) {
        self.changes.clear();
        if !self.connection.is_autocommit() {
            // A failing rollback means that SQLite has rolled back by itself.
            let _ = self.connection.execute_batch("rollback");
        }
        for (sql, parameters) in std::mem::take(&mut self.lasting) {
            // A number that cannot be kept is given again, which only closes a gap.
            let _ = self.execute("keep a number", sql, parameters);
        }
    }

    /// Does a statement again where the unit of work is undone.
    pub(super) fn keep_after_rollback(&mut self, sql: &'static str, parameters: Vec<SqlValue>) {
        self.lasting.push((sql, parameters));
    }

    /// Begins to note the statements that are executed, or stops.
    pub fn note_statements(&mut self, wanted: bool) {
        self.statements = RefCell::new(wanted.then(Vec::new));
    }

    /// The statements since the last time this was asked, without their values.
    pub fn take_statements(&mut self) -> Vec<String> {
        self.statements.get_mut().as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note(&self, sql: &str) {
        if let Some(statements) = self.statements.borrow_mut().as_mut() {
            statements.push(sql.to_owned());
        }
    }

    /// Copies the whole database into a file that is not there yet.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let name = file.to_string_lossy().into_owned();
        self.execute("copy the database", "vacuum into ?", [SqlValue::Text(name)]).map(|_| ())
    }

    /// Rows of a statement that only reads: names of the columns, and at most `most` rows. The live rows of a
    /// plugin's entities, but for those of the tenant `without`, can be asked for by the names of the entities, their
    /// fields by those of the fields.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] where the statement writes or cannot be read.
    pub fn inspect(
        &self,
        plugin: Option<&Arc<Manifest>>,
        without: Option<&TenantId>,
        sql: &str,
        most: usize,
    ) -> Result<(Vec<String>, Vec<Vec<Value>>), StoreError> {
        for entity in plugin.into_iter().flat_map(EntityRef::all) {
            self.execute_batch("make a view", &schema::live_view(&entity, without))?;
        }
        let found = self.inspected(sql, most);
        for entity in plugin.into_iter().flat_map(EntityRef::all) {
            self.execute_batch("take a view away", &format!("drop view if exists temp.\"{}\"", *entity.name))?;
        }
        found
    }

    fn inspected(&self, sql: &str, most: usize) -> Result<(Vec<String>, Vec<Vec<Value>>), StoreError> {
        let bad = |error: rusqlite::Error| StoreError::BadQuery(error.to_string());
        let mut statement = self.connection.prepare(sql).map_err(bad)?;
        if !statement.readonly() {
            return Err(StoreError::BadQuery("the statement writes; only reading is allowed here".to_owned()));
        }
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let columns = names.len();
        let read = |row: &SqlRow<'_>| (0..columns).map(|index| row.get_ref(index).map(json_of)).collect();
        let rows = statement.query_map([], read).map_err(bad)?.take(most).collect::<Result<_, _>>().map_err(bad)?;
        Ok((names, rows))
    }

    /// Runs `work` so that all of its writes happen, or none.
    pub(super) fn atomically<T>(
        &mut self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mark = self.changes.len();
        self.execute_batch("set a savepoint", "savepoint step")?;
        match work(self) {
            Ok(value) => {
                self.execute_batch("release a savepoint", "release step")?;
                Ok(value)
            }
            Err(error) => {
                self.changes.truncate(mark);
                self.execute_batch("go back to a savepoint", "rollback to step; release step")?;
                Err(error)
            }
        }
    }

    pub(super) fn record_change(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(super) fn execute_batch(&self, attempt: &'static str, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(sql).map_err(StoreError::sqlite(attempt))
    }

    pub(super) fn execute(
        &self,
        attempt: &'static str,
        sql: &str,
        parameters: impl IntoIterator<Item = SqlValue>,
    ) -> Result<usize, StoreError> {
        self.note(sql);
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params_from_iter(parameters)))
            .map_err(StoreError::sqlite(attempt))
    }

    pub(super) fn rows<T>(
        &self,
        attempt: &'static str,
        sql: &str,
        parameters: impl IntoIterator<Item = SqlValue>,
        read: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.note(sql);
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params_from_iter(parameters), read)?.collect())
            .map_err(StoreError::sqlite(attempt))
    }

    pub(super) fn select<T>(
        &self,
        attempt: &'static str,
        statement: &SelectStatement,
        read: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let (sql, values) = statement.build(SqliteQueryBuilder);
        self.rows(attempt, &sql, values.into_iter().map(bound), read)
    }
}

/// sea-query's value as rusqlite's. The store binds text, integers, floats and booleans only.
fn bound(value: BoundValue) -> SqlValue {
    match value {
        BoundValue::Bool(Some(flag)) => SqlValue::Integer(flag.into()),
        BoundValue::BigInt(Some(number)) => SqlValue::Integer(number),
        BoundValue::BigUnsigned(Some(number)) => SqlValue::Integer(number.cast_signed()),
        BoundValue::Int(Some(number)) => SqlValue::Integer(number.into()),
        BoundValue::Unsigned(Some(number)) => SqlValue::Integer(number.into()),
        BoundValue::Double(Some(number)) => SqlValue::Real(number),
        BoundValue::String(Some(text)) => SqlValue::Text(text),
        _ => SqlValue::Null,
    }
}

/// A value of SQLite as JSON; bytes as their number.
fn json_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::from(number),
        ValueRef::Real(number) => Value::from(number),
        ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => Value::from(format!("{} bytes", bytes.len())),
    }
}

/// Text or null.
pub(super) fn text_or_null(text: Option<&str>) -> SqlValue {
    text.map_or(SqlValue::Null, |text| SqlValue::Text(text.to_owned()))
}
