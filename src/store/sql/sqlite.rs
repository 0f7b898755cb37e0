//! SQLite, in a file or in memory.

use std::cell::{Cell as Flag, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use erp_storage::StatementLimit;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::watch::StatementWatch;
use super::writer_turn::{WriterQueue, WriterTurn};
use super::{Cell, InspectedRows, LONGEST, MAX_BYTES, SqlError, SqlRow, SqlValue};
use crate::{decimal, grams};

/// How long a statement that a user wrote may take, and the SQLite steps between two looks at the clock (`STEPS`).
const PATIENCE: Duration = Duration::from_secs(1);
const STEPS: i32 = 1_000;
/// How long a connection waits for another one that writes, unless [`SqliteConnection::set_patience`] is called.
const WRITERS_PATIENCE: Duration = Duration::from_secs(2);
/// SQLite steps between two checks of the time limit, for the host's own statements.
const OWN_STEPS: i32 = 10_000;
/// Functions that a user's statement may not call, and the longest pattern that it may look for (`PATTERN`).
const SLOW: [&str; 6] = ["instr", "replace", "trim", "ltrim", "rtrim", "unhex"];
const PATTERN: i32 = 200;

#[derive(Debug)]
pub(super) struct SqliteConnection {
    connection: Connection,
    /// The file, and its identity when it was opened.
    file: Option<(PathBuf, Option<FileId>)>,
    /// Another connection wrote since the unit began to read; the unit can only be undone.
    is_doomed: Flag<bool>,
    watch: Arc<StatementWatch>,
    /// Shared by the connections to one file; in memory nothing waits.
    writers: WriterQueue,
    /// The turn to write, from the first change of a unit to its end.
    turn: RefCell<Option<WriterTurn>>,
    patience: Flag<Duration>,
}

/// The identity of a file: device and inode. It differs from that of a later file with the same name.
type FileId = (u64, u64);

fn file_id(file: &Path) -> Option<FileId> {
    let metadata = fs_err::metadata(file).ok()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        Some((0, 0))
    }
}

impl SqliteConnection {
    /// Opens or creates a file. Committed changes survive `kill -9` and a power cut.
    pub(super) fn open(file: &Path) -> Result<SqliteConnection, SqlError> {
        SqliteConnection::open_with(file, OpenFlags::default())
    }

    fn open_existing(file: &Path) -> Result<SqliteConnection, SqlError> {
        SqliteConnection::open_with(file, OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE)
    }

    fn open_with(file: &Path, flags: OpenFlags) -> Result<SqliteConnection, SqlError> {
        without_memory_count();
        let connection = Connection::open_with_flags(file, flags)?;
        connection
            .execute_batch("pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -131072;")?;
        connection.busy_timeout(WRITERS_PATIENCE)?;
        let mut opened = SqliteConnection::prepared(connection)?;
        opened.file = Some((file.to_path_buf(), file_id(file)));
        Ok(opened)
    }

    /// Sets whether replaced content is overwritten in the file, instead of only marked as free. Switching it off also
    /// empties the write-ahead log.
    pub(super) fn set_thorough(&self, is_thorough: bool) -> Result<(), SqlError> {
        let pragmas = if is_thorough {
            "pragma secure_delete = on"
        } else {
            "pragma secure_delete = off; pragma wal_checkpoint(truncate)"
        };
        Ok(self.connection.execute_batch(pragmas)?)
    }

    /// Whether the database is a file, which outlives the process.
    pub(super) fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Opens another connection to the same file; `None` for a database in memory.
    pub(super) fn beside(&self) -> Result<Option<SqliteConnection>, SqlError> {
        let Some((file, id)) = &self.file else { return Ok(None) };
        // A file that was deleted meanwhile must not be created again.
        if file_id(file) != *id {
            return Err(SqlError::Gone);
        }
        let mut beside = SqliteConnection::open_existing(file)?;
        beside.file.clone_from(&self.file);
        beside.writers = self.writers.clone();
        // A further connection has a cache of 16 MiB; the first one has 128 MiB.
        beside.connection.execute_batch("pragma cache_size = -16384;")?;
        Ok(Some(beside))
    }

    /// Sets how long the connection waits for another one that writes; returns the previous time.
    pub(super) fn set_patience(&self, patience: Duration) -> Duration {
        // If this fails, the connection keeps its timeout.
        let _ = self.connection.busy_timeout(patience);
        self.patience.replace(patience)
    }

    pub(super) fn doom(&self) {
        self.is_doomed.set(true);
    }

    pub(super) fn is_doomed(&self) -> bool {
        self.is_doomed.get()
    }

    /// Takes the turn to write, unless this connection has it.
    fn wait_for_turn(&self) -> Result<(), SqlError> {
        let mut turn = self.turn.borrow_mut();
        if turn.is_none() && self.file.is_some() {
            *turn = Some(self.writers.wait(self.patience.get()).ok_or(SqlError::Busy)?);
        }
        Ok(())
    }

    /// The same for the first change of a unit that began to read.
    fn wait_to_change(&self, is_readonly: bool) -> Result<(), SqlError> {
        if is_readonly || !self.is_in_unit() {
            return Ok(());
        }
        self.wait_for_turn().map_err(|_| {
            self.is_doomed.set(true);
            SqlError::Conflict
        })
    }

    /// Begins a unit that writes, or one that only reads until its first change.
    pub(super) fn begin(&self, is_writer: bool) -> Result<(), SqlError> {
        self.is_doomed.set(false);
        if let Some((file, id)) = &self.file
            && file_id(file) != *id
        {
            return Err(SqlError::Gone);
        }
        *self.turn.borrow_mut() = None;
        if is_writer {
            self.wait_for_turn()?;
        }
        match self.connection.execute_batch(if is_writer { "begin immediate" } else { "begin deferred" }) {
            Err(error) => {
                *self.turn.borrow_mut() = None;
                Err(if is_busy(&error) { SqlError::Busy } else { error.into() })
            }
            Ok(()) => Ok(()),
        }
    }

    pub(super) fn commit(&self) -> Result<(), SqlError> {
        if self.is_doomed.get() {
            self.rollback();
            return Err(SqlError::Conflict);
        }
        self.connection.execute_batch("commit")?;
        *self.turn.borrow_mut() = None;
        Ok(())
    }

    pub(super) fn rollback(&self) {
        self.is_doomed.set(false);
        // A failing rollback means that SQLite has rolled back by itself.
        drop(self.connection.execute_batch("rollback"));
        *self.turn.borrow_mut() = None;
    }

    /// Converts the result of a statement. A conflict with another unit leaves a unit that can only be undone.
    fn judged<T>(&self, done: Result<T, rusqlite::Error>) -> Result<T, SqlError> {
        match done {
            Err(error) if is_busy(&error) && self.is_in_unit() => {
                self.is_doomed.set(true);
                Err(SqlError::Conflict)
            }
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::OperationInterrupted => {
                Err(SqlError::Stopped)
            }
            done => Ok(done?),
        }
    }

    pub(super) fn in_memory() -> Result<SqliteConnection, SqlError> {
        without_memory_count();
        SqliteConnection::prepared(Connection::open_in_memory()?)
    }

    pub(super) fn open_to_read(file: &Path) -> Result<SqliteConnection, SqlError> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        register(&connection)?;
        connection.execute_batch("select count(*) from sqlite_schema")?;
        Ok(SqliteConnection::over(connection))
    }

    pub(super) fn of_image(image: &[u8]) -> Result<SqliteConnection, SqlError> {
        without_memory_count();
        let mut connection = Connection::open_in_memory()?;
        connection.deserialize_read_exact("main", image, image.len(), false)?;
        SqliteConnection::prepared(connection)
    }

    pub(super) fn image(&mut self) -> Result<Vec<u8>, SqlError> {
        Ok(self.connection.serialize("main")?.to_vec())
    }

    fn over(connection: Connection) -> SqliteConnection {
        SqliteConnection {
            connection,
            file: None,
            is_doomed: Flag::new(false),
            watch: Arc::default(),
            writers: WriterQueue::default(),
            turn: RefCell::default(),
            patience: Flag::new(WRITERS_PATIENCE),
        }
    }

    fn prepared(connection: Connection) -> Result<SqliteConnection, SqlError> {
        connection.set_prepared_statement_cache_capacity(256);
        // A misspelled column must be an error, not a text.
        for option in [DbConfig::SQLITE_DBCONFIG_DQS_DML, DbConfig::SQLITE_DBCONFIG_DQS_DDL] {
            connection.set_db_config(option, false)?;
        }
        // Plans must not depend on the values of parameters: SQLite would prepare each known statement again for every
        // other tenant or user.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        register(&connection)?;
        let mut opened = SqliteConnection::over(connection);
        opened.ask_the_watch()?;
        Ok(opened)
    }

    fn ask_the_watch(&mut self) -> Result<(), rusqlite::Error> {
        let watch = Arc::clone(&self.watch);
        self.connection.progress_handler(OWN_STEPS, Some(move || watch.must_end()))
    }

    /// Limits the time of the statements that follow; returns the previous limit.
    pub(super) fn swap_limit(&self, limit: StatementLimit) -> StatementLimit {
        self.watch.swap(limit)
    }

    pub(super) fn is_in_unit(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(super) fn batch(&self, sql: &str) -> Result<(), SqlError> {
        self.judged(self.connection.execute_batch(sql))
    }

    pub(super) fn execute(&self, sql: &str, parameters: &[SqlValue]) -> Result<usize, SqlError> {
        if self.is_doomed.get() {
            return Err(SqlError::Conflict);
        }
        let mut statement = self.judged(self.connection.prepare_cached(sql))?;
        self.wait_to_change(statement.readonly())?;
        let _running = self.watch.begin(false).ok_or(SqlError::Stopped)?;
        self.judged(statement.execute(params_from_iter(parameters)))
    }

    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: &[SqlValue],
        read: &mut dyn FnMut(&SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        let mut statement = self.judged(self.connection.prepare_cached(sql))?;
        self.wait_to_change(statement.readonly())?;
        let _running = self.watch.begin(statement.readonly()).ok_or(SqlError::Stopped)?;
        let mut rows = self.judged(statement.query(params_from_iter(parameters)))?;
        let mut found = Vec::new();
        while let Some(row) = self.judged(rows.next())? {
            found.push(read(&SqlRow::Sqlite(row))?);
        }
        Ok(found)
    }

    /// Runs a statement that a user wrote; `None` if it does more than read. It may read tables and call functions, and
    /// nothing else: no pragma, no other file, no transaction. It may take as long as [`PATIENCE`].
    pub(super) fn read_only(&mut self, sql: &str, most: usize) -> Result<Option<InspectedRows>, SqlError> {
        let allowed = |context: AuthContext<'_>| match context.action {
            // No statement may read secrets here, sealed or not.
            AuthAction::Read { table_name, .. } if table_name.eq_ignore_ascii_case("erp_secrets") => {
                Authorization::Deny
            }
            // One call of these compares each byte of one text with each byte of another, and cannot be interrupted.
            AuthAction::Function { function_name }
                if SLOW.iter().any(|slow| function_name.eq_ignore_ascii_case(slow)) =>
            {
                Authorization::Deny
            }
            AuthAction::Select | AuthAction::Read { .. } | AuthAction::Function { .. } | AuthAction::Recursive => {
                Authorization::Allow
            }
            _ => Authorization::Deny,
        };
        self.connection.authorizer(Some(allowed))?;
        let began = Instant::now();
        self.connection.progress_handler(STEPS, Some(move || began.elapsed() > PATIENCE))?;
        let longest = self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST)?;
        let pattern = self.connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN)?;
        let found = self.read_rows(sql, most);
        let _ = self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest);
        let _ = self.connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, pattern);
        let _ = self.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
        self.ask_the_watch()?;
        match found {
            Err(rusqlite::Error::SqliteFailure(error, _))
                if error.code == ErrorCode::AuthorizationForStatementDenied =>
            {
                Ok(None)
            }
            found => self.judged(found),
        }
    }

    fn read_rows(&self, sql: &str, most: usize) -> Result<Option<InspectedRows>, rusqlite::Error> {
        let mut statement = self.connection.prepare(sql)?;
        if !statement.readonly() {
            return Ok(None);
        }
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([])?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if found.len() == most {
                break;
            }
            bytes += SqlRow::Sqlite(row).weight();
            if bytes > MAX_BYTES {
                return Err(rusqlite::Error::UserFunctionError(Box::new(SqlError::TooMuch(MAX_BYTES))));
            }
            let mut cells = Vec::with_capacity(names.len());
            for index in 0..names.len() {
                cells.push(Cell::from(row.get_ref(index)?).to_json());
            }
            found.push(cells);
        }
        Ok(Some((names, found)))
    }
}

pub(super) fn cell<'r>(row: &'r rusqlite::Row<'_>, index: usize) -> Result<Cell<'r>, SqlError> {
    Ok(row.get_ref(index)?.into())
}

impl<'r> From<ValueRef<'r>> for Cell<'r> {
    fn from(value: ValueRef<'r>) -> Cell<'r> {
        match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Integer(number),
            ValueRef::Real(number) => Cell::Real(number),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Cell::Text(text),
                // Not UTF-8, so written from outside: returned as bytes.
                Err(_) => Cell::Blob(text),
            },
            ValueRef::Blob(bytes) => Cell::Blob(bytes),
        }
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            SqlValue::Null => ToSqlOutput::Owned(Value::Null),
            SqlValue::Integer(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            SqlValue::Real(number) => ToSqlOutput::Owned(Value::Real(*number)),
            SqlValue::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            SqlValue::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

/// Registers our collation and functions.
fn register(connection: &Connection) -> Result<(), rusqlite::Error> {
    decimal::register(connection)?;
    grams::register(connection)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error, rusqlite::Error::SqliteFailure(failure, _) if matches!(failure.code, DatabaseBusy | DatabaseLocked))
}

/// Switches off SQLite's memory statistics. They need one lock for all threads, which slows down a run of many cases,
/// and no code reads them.
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_statement_that_reads_ends_when_it_is_told_to_and_its_unit_goes_on() {
        let sqlite = SqliteConnection::in_memory().unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let asked = move |spent: Duration| spent > Duration::ZERO && told.load(Ordering::Relaxed);
        let numbers = "with recursive n(i) as (select 1 union all select i + 1 from n limit 200000)";
        let count = |sqlite: &SqliteConnection| {
            sqlite.rows(&format!("{numbers} select count(*) from n"), &[], &mut |row| row.get::<i64>(0))
        };
        sqlite.batch("create table t (i integer)").unwrap();
        sqlite.begin(true).unwrap();
        ends.store(true, Ordering::Relaxed);
        let fresh = || StatementLimit::new(Arc::new(asked.clone()));
        sqlite.swap_limit(fresh());
        // A writing statement is not interrupted; the next statement does not begin.
        let insert = format!("insert into t {numbers} select i from n");
        assert_eq!(sqlite.execute(&insert, &[]).unwrap(), 200_000);
        assert!(matches!(sqlite.execute("delete from t", &[]), Err(SqlError::Stopped)));
        // A reading statement is interrupted.
        sqlite.swap_limit(fresh());
        assert!(matches!(count(&sqlite), Err(SqlError::Stopped)));
        assert!(sqlite.is_in_unit());
        sqlite.commit().unwrap();
        sqlite.swap_limit(StatementLimit::default());
        assert_eq!(sqlite.rows("select count(*) from t", &[], &mut |row| row.get::<i64>(0)).unwrap(), [200_000]);
    }

    #[test]
    fn one_connection_to_a_file_writes_at_a_time_and_gives_its_turn_back_however_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = SqliteConnection::open(&folder.path().join("rows.sqlite")).unwrap();
        first.batch("create table t (i integer)").unwrap();
        let second = first.beside().unwrap().unwrap();
        first.set_patience(Duration::ZERO);
        second.set_patience(Duration::ZERO);
        let write = |connection: &SqliteConnection| connection.execute("insert into t values (1)", &[]);
        let read = |connection: &SqliteConnection| {
            connection.rows("select count(*) from t", &[], &mut |row| row.get::<i64>(0)).unwrap()[0]
        };
        let others_wait = |holder: &SqliteConnection, other: &SqliteConnection| {
            assert!(matches!(other.begin(true), Err(SqlError::Busy)));
            other.begin(false).unwrap();
            read(other);
            assert!(matches!(write(other), Err(SqlError::Conflict)));
            other.rollback();
            assert!(holder.is_in_unit());
        };
        // A unit that begins as a writer has the turn at once; one that may only read, from its first change.
        first.begin(true).unwrap();
        others_wait(&first, &second);
        first.commit().unwrap();
        second.begin(false).unwrap();
        write(&second).unwrap();
        others_wait(&second, &first);
        second.rollback();
        // A change that comes too late conflicts, and leaves no turn behind.
        second.begin(false).unwrap();
        let before = read(&second);
        first.begin(true).unwrap();
        write(&first).unwrap();
        first.commit().unwrap();
        assert!(matches!(write(&second), Err(SqlError::Conflict)));
        second.rollback();
        first.begin(true).unwrap();
        drop(first);
        second.begin(true).unwrap();
        assert_eq!(read(&second), before + 1);
    }
}
