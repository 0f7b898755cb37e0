//! The connection and its transactions.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use erp_manifest::document::weight_of_fields;
use erp_manifest::{Manifest, TenantId};
use erp_storage::{Catalog, EntityRef, RowChange, StatementLimit, StoreError};
use sea_query::SelectStatement;
use serde_json::Value;

use super::hits::LOOK_AFTER;
use super::read_set::ReadSet;
#[cfg(feature = "postgres")]
use super::sql::PostgresUrl;
use super::sql::{Connection, Dialect, SqlError, SqlRow, SqlValue, bound};
use super::{Sealer, definition};
use crate::error::failed;

/// The maximum number of statements that are recorded until they are taken.
const MAX_STATEMENTS: usize = 200;

/// A database with the entities of the installed plugins.
#[derive(Debug)]
pub struct Database {
    pub(super) connection: Connection,
    catalog: Catalog,
    /// The number of the catalog among those that a pool has served.
    generation: u64,
    changes: Vec<Arc<RowChange>>,
    /// Statements to repeat if the unit of work is undone: taken numbers of rules that allow gaps.
    lasting: Vec<(&'static str, Vec<SqlValue>)>,
    /// The bytes that the changes of a unit of work may take, and those that they take so far (`changed`).
    most_changed: Option<u64>,
    changed: u64,
    /// Seals secrets; if absent, they are stored in plain text.
    sealer: Option<Arc<Sealer>>,
    /// The recorded statements; absent if none are recorded.
    statements: RefCell<Option<Vec<String>>>,
    /// What the unit of work has read and others may change before it ends.
    pub(super) seen: RefCell<ReadSet>,
    /// The upgrade that the unit of work performs.
    upgrade: Option<u64>,
    /// Whether the unit of work only reads: then nothing that it reads needs to be remembered.
    only_reads: bool,
    /// Rows committed since the last check of the indexes of texts, and rows that the unit of work has written so far.
    written: u64,
    written_now: u64,
    /// The state of units of work that are committed together.
    group: Group,
}

/// The state of units of work that are committed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Group {
    /// Each unit is committed by itself.
    #[default]
    None,
    /// A transaction is open, without a unit in it.
    Open,
    /// A transaction is open, with a unit in it.
    InUnit,
    /// The database undid the whole group by itself, for instance because the disk is full. Further units fail, and so
    /// does the commit of the group.
    Lost,
}

impl Database {
    /// Opens or creates a database in a file. Committed changes survive `kill -9` and a power cut.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file cannot be opened or is not a database.
    #[cfg(feature = "sqlite")]
    pub fn open(file: &Path) -> Result<Database, StoreError> {
        Database::set_up(Connection::open_file(file).map_err(failed("open the database file"))?)
    }

    /// Creates a database in memory.
    ///
    /// # Errors
    /// [`StoreError::Database`], only for lack of memory.
    #[cfg(feature = "sqlite")]
    pub fn in_memory() -> Result<Database, StoreError> {
        Database::set_up(Connection::in_memory().map_err(failed("open a database in memory"))?)
    }

    /// Opens a PostgreSQL database, and creates the platform's tables if they are missing.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the database does not exist or the user may not use it.
    #[cfg(feature = "postgres")]
    pub fn open_postgres(url: &PostgresUrl) -> Result<Database, StoreError> {
        Database::set_up(Connection::open_postgres(url).map_err(failed("open the database"))?)
    }

    /// Creates a schema of its own in a PostgreSQL database; dropping this value drops the schema.
    ///
    /// # Errors
    /// As [`Database::open_postgres`].
    #[cfg(feature = "postgres")]
    pub fn scratch(url: &PostgresUrl) -> Result<Database, StoreError> {
        Database::set_up(Connection::open_scratch(url).map_err(failed("open the database"))?)
    }

    /// Opens an existing database file for reading only.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file is missing or is not a database.
    #[cfg(feature = "sqlite")]
    pub fn open_to_read(file: &Path) -> Result<Database, StoreError> {
        Ok(Database::over(Connection::open_file_to_read(file).map_err(failed("open the database file"))?))
    }

    pub(super) fn over(connection: Connection) -> Database {
        let (changes, lasting, statements) = (Vec::new(), Vec::new(), RefCell::new(None));
        let (catalog, upgrade, group) = (Catalog::default(), None, Group::None);
        let (most_changed, changed) = (None, 0);
        let sealer = None;
        Database {
            connection,
            catalog,
            generation: 0,
            changes,
            lasting,
            most_changed,
            changed,
            sealer,
            statements,
            seen: RefCell::default(),
            upgrade,
            only_reads: false,
            written: 0,
            written_now: 0,
            group,
        }
    }

    fn set_up(connection: Connection) -> Result<Database, StoreError> {
        let database = Database::over(connection);
        database.make_platform_tables()?;
        Ok(database)
    }

    /// Seals secrets from now on, and opens those that were sealed with the same key.
    pub fn seal_with(&mut self, sealer: Arc<Sealer>) {
        self.sealer = Some(sealer);
    }

    pub(super) fn sealer(&self) -> Option<&Sealer> {
        self.sealer.as_deref()
    }

    /// The kind of the database.
    pub fn dialect(&self) -> Dialect {
        self.connection.dialect()
    }

    /// Whether the database is an SQLite file.
    pub(super) fn is_file(&self) -> bool {
        self.connection.is_file()
    }

    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Whether the tables of all entities of a plugin exist.
    pub fn has_tables_of(&self, plugin: &Arc<Manifest>) -> bool {
        EntityRef::all(plugin).all(|entity| self.has_table(&entity.table()).unwrap_or(false))
    }

    /// The upgrade in progress.
    pub(super) fn upgrade_under_way(&self) -> Option<u64> {
        self.upgrade
    }

    pub(super) fn set_upgrade(&mut self, upgrade: Option<u64>) {
        self.upgrade = upgrade;
    }

    /// The entities that the database serves.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(super) fn catalog_mut(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    /// The changes of the unit of work so far, in order.
    pub fn changes(&self) -> &[Arc<RowChange>] {
        &self.changes
    }

    /// Begins a unit of work. Units do not nest.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn begin(&mut self) -> Result<(), StoreError> {
        self.begin_by(Connection::begin)
    }

    /// Begins a unit of work that may only read: until its first change, it does not block others. If another unit
    /// wrote meanwhile, that change fails with [`StoreError::Conflict`]; the work must then be repeated with
    /// [`Database::begin`].
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn begin_call(&mut self) -> Result<(), StoreError> {
        self.begin_by(Connection::begin_lazily)
    }

    /// Sets how long a unit of work waits for another one that writes; no effect on PostgreSQL. Returns the previous time.
    pub fn set_patience(&mut self, patience: std::time::Duration) -> std::time::Duration {
        self.connection.set_patience(patience)
    }

    /// Limits the time of the statements that follow: beyond the limit they fail with [`StoreError::TooSlow`]. Returns
    /// the previous limit, with the time that its statements took.
    pub fn swap_limit(&mut self, limit: StatementLimit) -> StatementLimit {
        self.connection.swap_limit(limit)
    }

    /// Sets whether replaced content is overwritten in the file, instead of only marked as free.
    pub(super) fn set_thorough(&mut self, is_thorough: bool) -> Result<(), StoreError> {
        self.connection.set_thorough(is_thorough).map_err(failed("overwrite what is replaced"))
    }

    /// Runs `work`, which must only read, in a transaction. On SQLite it sees one state of the database, whatever
    /// others write; on PostgreSQL each statement sees what is committed when it begins.
    ///
    /// # Errors
    /// Those of `work`, and [`StoreError::Database`].
    pub fn reading<T, E: From<StoreError>>(&mut self, work: impl FnOnce(&Database) -> Result<T, E>) -> Result<T, E> {
        self.begin_by(Connection::begin_lazily)?;
        self.only_reads = true;
        let done = work(self);
        self.rollback();
        self.only_reads = false;
        done
    }

    /// Opens another connection to the same database, with the same entities; `None` if only one is possible.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn beside(&self) -> Result<Option<Database>, StoreError> {
        let connection = self.connection.beside().map_err(failed("open the database once more"))?;
        Ok(connection.map(|connection| {
            let mut beside = Database::over(connection);
            beside.follow(self.generation, self.catalog.clone());
            beside.sealer.clone_from(&self.sealer);
            beside
        }))
    }

    /// The number of the catalog among those that a pool has served.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Replaces the entities with those that a pool serves.
    pub(super) fn follow(&mut self, generation: u64, catalog: Catalog) {
        (self.generation, self.catalog) = (generation, catalog);
    }

    /// Waits until no other call of the tenant that waited like this is running, in any process.
    pub(super) fn queue_up(&self, tenant: &TenantId) -> Result<(), StoreError> {
        self.lock_alone(&["calls", tenant.as_str()])
    }

    /// Replaces the entities.
    pub fn set_catalog(&mut self, catalog: Catalog) {
        self.catalog = catalog;
    }

    fn begin_by(&mut self, begin: fn(&Connection) -> Result<(), SqlError>) -> Result<(), StoreError> {
        // Undoes a unit that a panic interrupted.
        self.rollback();
        self.only_reads = false;
        if self.group == Group::Lost {
            return Err(StoreError::BadQuery("the group that this belongs to was undone by the database".to_owned()));
        }
        match self.group {
            Group::None => begin(&self.connection).map_err(failed("begin a transaction")),
            Group::Open | Group::InUnit | Group::Lost => {
                self.group = Group::InUnit;
                self.connection.savepoint("unit").map_err(failed("set a savepoint"))
            }
        }
    }

    /// Begins a group of units of work that are committed together, with one wait for the disk. False on PostgreSQL,
    /// where another process may use the same data, and if a group is open already.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn begin_group(&mut self) -> Result<bool, StoreError> {
        self.rollback();
        if self.group != Group::None || self.dialect() != Dialect::Sqlite {
            return Ok(false);
        }
        self.connection.begin().map_err(failed("begin a transaction"))?;
        self.group = Group::Open;
        Ok(true)
    }

    /// Commits all units of the group, or none.
    ///
    /// # Errors
    /// [`StoreError::Database`], or [`StoreError::BadQuery`] if the database undid the group; nothing of it is kept
    /// then.
    pub fn end_group(&mut self) -> Result<(), StoreError> {
        self.rollback();
        if std::mem::take(&mut self.group) == Group::Lost {
            return Err(StoreError::BadQuery("the database undid the group: its disk may be full".to_owned()));
        }
        self.connection.commit().map_err(|error| {
            self.connection.rollback();
            failed("commit")(error)
        })
    }

    /// Whether the unit of work can only be undone, because another one changed the same data.
    pub fn is_doomed(&self) -> bool {
        self.connection.is_doomed()
    }

    /// Commits the unit of work; returns its changes, in order.
    ///
    /// # Errors
    /// [`StoreError::Database`]; nothing of the unit is kept then.
    pub fn commit(&mut self) -> Result<Vec<Arc<RowChange>>, StoreError> {
        if let Some(upgrade) = self.upgrade.take() {
            self.upgrades().note_own_rows(upgrade)?;
        }
        let written = self.written + self.written_now;
        let looks = self.written_now > 0 && written >= LOOK_AFTER && self.is_file();
        if looks {
            // The unit may have no time left. A failure here is harmless: searches also find the rows that an index
            // lacks.
            let limit = self.swap_limit(StatementLimit::default());
            let _ = self.atomically(|database| database.texts().take_up());
            self.swap_limit(limit);
        }
        let committed = match self.group {
            Group::None => self.connection.commit(),
            Group::Open | Group::InUnit | Group::Lost => self.connection.release("unit"),
        };
        if let Err(error) = committed {
            self.rollback();
            return Err(failed("commit")(error));
        }
        self.written = if looks { 0 } else { written };
        self.written_now = 0;
        if self.group == Group::InUnit {
            self.group = Group::Open;
        }
        self.lasting.clear();
        self.seen.take();
        (self.most_changed, self.changed) = (None, 0);
        Ok(std::mem::take(&mut self.changes))
    }

    /// Limits the changed rows of the current unit of work, before and after, to `bytes` in all.
    pub fn bound_changes(&mut self, bytes: u64) {
        self.most_changed = Some(bytes);
    }

    /// Undoes the unit of work; does nothing if none was begun.
    pub fn rollback(&mut self) {
        self.changes.clear();
        self.written_now = 0;
        self.seen.take();
        (self.most_changed, self.changed) = (None, 0);
        self.upgrade = None;
        match self.group {
            Group::None if self.connection.is_in_unit() => self.connection.rollback(),
            Group::InUnit | Group::Open if !self.connection.is_in_unit() => self.group = Group::Lost,
            Group::InUnit => {
                // A unit that cannot be undone alone is undone with the group.
                self.group = if self.connection.rollback_to("unit").is_ok() { Group::Open } else { Group::Lost };
            }
            Group::None | Group::Open | Group::Lost => {}
        }
        for (sql, parameters) in std::mem::take(&mut self.lasting) {
            // A number that cannot be kept is used again, which only closes a gap.
            let _ = self.execute("keep a number", sql, parameters);
        }
    }

    /// Whether others may change rows that the unit of work has read before it ends. SQLite has one writer only.
    pub(super) fn has_others(&self) -> bool {
        self.dialect() == Dialect::Postgres && !self.only_reads && self.connection.is_in_unit()
    }

    /// Takes an exclusive lock on a named place until the unit of work ends; not needed on SQLite, which has one
    /// writer.
    pub(super) fn lock_alone(&self, place: &[&str]) -> Result<(), StoreError> {
        if !self.has_others() {
            return Ok(());
        }
        let name = SqlValue::Text(place.join("\u{1f}"));
        self.rows("wait for others", "select pg_advisory_xact_lock(hashtextextended(?, 7171))", [name], |_| Ok(()))
            .map(drop)
    }

    /// Repeats a statement after the unit of work is undone.
    pub(super) fn keep_after_rollback(&mut self, sql: &'static str, parameters: Vec<SqlValue>) {
        self.lasting.push((sql, parameters));
    }

    /// Starts or stops recording the executed statements.
    pub fn note_statements(&mut self, wanted: bool) {
        self.statements = RefCell::new(wanted.then(Vec::new));
    }

    /// Returns the statements recorded since the last call, without their values.
    pub fn take_statements(&mut self) -> Vec<String> {
        self.statements.get_mut().as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn note(&self, sql: &str) {
        if let Some(statements) = self.statements.borrow_mut().as_mut()
            && statements.len() < MAX_STATEMENTS
        {
            statements.push(sql.to_owned());
        }
    }

    /// Runs a statement that only reads; returns the names of the columns, and at most `most` rows. The statement may
    /// name the entities of `plugin` and their fields as the manifest does, to read live rows of all tenants but
    /// `without`.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] if the statement is invalid, writes, or reads secrets.
    pub fn inspect(
        &mut self,
        plugin: Option<&Arc<Manifest>>,
        without: Option<&TenantId>,
        sql: &str,
        most: usize,
    ) -> Result<(Vec<String>, Vec<Vec<Value>>), StoreError> {
        let (mut before, mut after) = (String::new(), String::new());
        for entity in plugin.into_iter().flat_map(EntityRef::all) {
            before.push_str(&definition::live_view(self.dialect(), &entity, without));
            after.push_str(&format!("drop view if exists temp.\"{}\";", *entity.name));
        }
        let found = self.connection.read_only((&before, &after), sql, most);
        let found = found.map_err(|error| StoreError::BadQuery(error.to_string()))?;
        found.ok_or_else(|| {
            StoreError::BadQuery(
                "the statement writes, reads secrets, or calls instr, replace, trim or unhex: here only rows are read"
                    .to_owned(),
            )
        })
    }

    /// Runs `work` so that all of its writes happen, or none.
    pub(super) fn atomically<T>(
        &mut self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (mark, changed, seen) = (self.changes.len(), self.changed, self.seen.borrow().mark());
        self.connection.savepoint("step").map_err(failed("set a savepoint"))?;
        match work(self) {
            Ok(value) => {
                self.connection.release("step").map_err(failed("release a savepoint"))?;
                Ok(value)
            }
            Err(error) => {
                self.changes.truncate(mark);
                self.changed = changed;
                self.seen.get_mut().go_back(seen);
                self.connection.rollback_to("step").map_err(failed("go back to a savepoint"))?;
                Err(error)
            }
        }
    }

    /// Runs a statement that may fail without ending the unit of work; PostgreSQL needs a savepoint for that.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.dialect() == Dialect::Sqlite || !self.connection.is_in_unit() {
            return work();
        }
        self.connection.savepoint("statement").map_err(failed("set a savepoint"))?;
        let done = work();
        let ended = match done {
            Ok(_) => self.connection.release("statement"),
            Err(_) => self.connection.rollback_to("statement"),
        };
        done.and_then(|value| ended.map(|()| value).map_err(failed("leave a savepoint")))
    }

    /// Counts rows that an index of texts may lack.
    pub(super) fn count_written(&mut self, rows: u64) {
        self.written_now += rows;
    }

    /// Records a change until the unit of work ends.
    pub(super) fn record_change(&mut self, change: RowChange) -> Result<(), StoreError> {
        self.count_written(1);
        if let Some(most) = self.most_changed {
            let before = change.before.as_ref().map_or(0, weight_of_fields);
            self.changed += before + weight_of_fields(&change.row.data) + size_of::<RowChange>() as u64;
            if self.changed > most {
                return Err(StoreError::ChangesTooLarge(most));
            }
        }
        self.changes.push(Arc::new(change));
        Ok(())
    }

    /// Executes statements that change tables.
    pub(super) fn execute_batch(&self, attempt: &'static str, sql: &str) -> Result<(), StoreError> {
        self.connection.batch(sql).map_err(failed(attempt))
    }

    pub(super) fn execute(
        &self,
        attempt: &'static str,
        sql: &str,
        parameters: impl AsRef<[SqlValue]>,
    ) -> Result<usize, StoreError> {
        self.note(sql);
        self.connection.execute(sql, parameters.as_ref()).map_err(failed(attempt))
    }

    pub(super) fn rows<T>(
        &self,
        attempt: &'static str,
        sql: &str,
        parameters: impl AsRef<[SqlValue]>,
        read: impl FnMut(&SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, StoreError> {
        self.note(sql);
        self.connection.rows(sql, parameters.as_ref(), read).map_err(failed(attempt))
    }

    pub(super) fn select<T>(
        &self,
        attempt: &'static str,
        statement: &SelectStatement,
        read: impl FnMut(&SqlRow<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, StoreError> {
        let (sql, values) = self.dialect().build(statement);
        self.rows(attempt, &sql, values.into_iter().map(bound).collect::<Vec<_>>(), read)
    }
}
