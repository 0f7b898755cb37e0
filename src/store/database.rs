//! The connection and its transactions.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use erp_manifest::document::weight_of_fields;
use erp_manifest::{Manifest, TenantId};
use erp_storage::{Catalog, EntityRef, Row, RowChange, StatementLimit, StoreError};
use sea_query::SelectStatement;
use serde_json::Value;

use super::hits::LOOK_AFTER;
use super::seen::{Place, Seen, content_of_key, content_of_row};
#[cfg(feature = "postgres")]
use super::sql::PostgresUrl;
use super::sql::{Connection, Dialect, SqlError, SqlRow, SqlValue, bound};
use super::{Sealer, definition};
use crate::error::failed;

/// Where what was read of keys is remembered: no table has this name.
const KEYS: &str = "";
/// Statements that are noted until they are asked for.
const MAX_STATEMENTS: usize = 200;

/// A database with the entities of the installed plugins.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    catalog: Catalog,
    /// Which one of a pool the catalog is.
    generation: u64,
    changes: Vec<Arc<RowChange>>,
    /// What stays of a unit of work that is undone: numbers that may leave gaps.
    lasting: Vec<(&'static str, Vec<SqlValue>)>,
    /// Bytes that the changes of a unit of work may take, and those that they take already.
    most_changed: Option<u64>,
    changed: u64,
    /// What seals secrets; without it they are kept as they are.
    sealer: Option<Arc<Sealer>>,
    /// Statements since they were asked for; none if they are not requested.
    statements: RefCell<Option<Vec<String>>>,
    /// What the unit of work has read, where others may change it meanwhile.
    seen: RefCell<Seen>,
    /// The upgrade that the unit of work does.
    upgrade: Option<u64>,
    /// Whether the unit of work changes nothing: what it reads need not be remembered.
    only_reads: bool,
    /// Rows that were committed since the indexes of texts were last looked at, and those that the unit of work has written.
    written: u64,
    written_now: u64,
    /// Whether units of work are committed together, and one of them is open.
    group: Group,
}

/// Units of work that are committed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Group {
    /// Each unit is committed by itself.
    #[default]
    None,
    /// A transaction is open, and no unit in it.
    Open,
    /// A unit is open in it.
    InUnit,
    /// The database undid all of it by itself, as when the disk is full: nothing more is done, and nobody is told that it was.
    Lost,
}

impl Database {
    /// Opens or makes a database in a file. What was committed survives `kill -9` and a power cut.
    ///
    /// # Errors
    /// [`StoreError::Database`] where the file cannot be opened or is no database.
    #[cfg(feature = "sqlite")]
    pub fn open(file: &Path) -> Result<Database, StoreError> {
        Database::set_up(Connection::open_file(file).map_err(failed("open the database file"))?)
    }

    /// A database in memory.
    ///
    /// # Errors
    /// [`StoreError::Database`], which only a lack of memory explains.
    #[cfg(feature = "sqlite")]
    pub fn in_memory() -> Result<Database, StoreError> {
        Database::set_up(Connection::in_memory().map_err(failed("open a database in memory"))?)
    }

    /// Opens a database of PostgreSQL, and makes the platform's tables where they are not there.
    ///
    /// # Errors
    /// [`StoreError::Database`] if there is none, or nobody may use it.
    #[cfg(feature = "postgres")]
    pub fn open_postgres(url: &PostgresUrl) -> Result<Database, StoreError> {
        Database::set_up(Connection::open_postgres(url).map_err(failed("open the database"))?)
    }

    /// A database within one of PostgreSQL: a schema of its own, which goes when this value goes.
    ///
    /// # Errors
    /// As [`Database::open_postgres`].
    #[cfg(feature = "postgres")]
    pub fn scratch(url: &PostgresUrl) -> Result<Database, StoreError> {
        Database::set_up(Connection::open_scratch(url).map_err(failed("open the database"))?)
    }

    /// Opens a database that is there, to read it and nothing else.
    ///
    /// # Errors
    /// [`StoreError::Database`] if there is none, or the file is none.
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

    /// The database that the tables are in.
    pub fn dialect(&self) -> Dialect {
        self.connection.dialect()
    }

    /// Whether it is a file of SQLite.
    pub(super) fn is_file(&self) -> bool {
        self.connection.is_file()
    }

    pub(super) fn connection_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Whether the tables of a plugin's entities are there.
    pub fn has_tables_of(&self, plugin: &Arc<Manifest>) -> bool {
        EntityRef::all(plugin).all(|entity| self.has_table(&entity.table()).unwrap_or(false))
    }

    /// The upgrade that is being done.
    pub(super) fn upgrade_under_way(&self) -> Option<u64> {
        self.upgrade
    }

    pub(super) fn set_upgrade(&mut self, upgrade: Option<u64>) {
        self.upgrade = upgrade;
    }

    /// The entities that the database knows.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(super) fn catalog_mut(&mut self) -> &mut Catalog {
        &mut self.catalog
    }

    /// What the unit of work has changed so far, in order.
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

    /// Begins a unit of work that may only read: until it changes something, it is in nobody's way. Where somebody else
    /// wrote meanwhile, its first change ends it with [`StoreError::Conflict`]; made again, it begins like any other.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn begin_call(&mut self) -> Result<(), StoreError> {
        self.begin_by(Connection::begin_lazily)
    }

    /// How long a unit of work waits for somebody else's that writes.
    pub fn set_patience(&mut self, patience: std::time::Duration) {
        self.connection.set_patience(patience);
    }

    /// Holds the statements that follow to a limit: beyond it they end with [`StoreError::TooSlow`]. Returns the previous
    /// limit, with the time that its statements took.
    pub fn swap_limit(&mut self, limit: StatementLimit) -> StatementLimit {
        self.connection.swap_limit(limit)
    }

    /// Whether what is replaced is overwritten in the file, and not only marked as free.
    pub(super) fn set_thorough(&mut self, is_thorough: bool) -> Result<(), StoreError> {
        self.connection.set_thorough(is_thorough).map_err(failed("overwrite what is replaced"))
    }

    /// Reads in one state of the database, whatever others write meanwhile.
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

    /// The same database by another connection, with the same entities; none where one connection is all there is.
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

    /// Which catalog of a pool this is.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Knows the entities of a pool from now on.
    pub(super) fn follow(&mut self, generation: u64, catalog: Catalog) {
        (self.generation, self.catalog) = (generation, catalog);
    }

    /// Waits until no other call of a tenant that met another one is under way.
    pub(super) fn queue_up(&self, tenant: &TenantId) -> Result<(), StoreError> {
        self.lock_alone(&["calls", tenant.as_str()])
    }

    /// Knows other entities from now on.
    pub fn set_catalog(&mut self, catalog: Catalog) {
        self.catalog = catalog;
    }

    fn begin_by(&mut self, begin: fn(&Connection) -> Result<(), SqlError>) -> Result<(), StoreError> {
        // A unit that a panic broke off is undone here.
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

    /// Begins to commit units of work together: the disk is waited for once. False where each must be committed by
    /// itself, since another process may work on the same data.
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

    /// Makes all units of the group last, or none.
    ///
    /// # Errors
    /// [`StoreError::Database`]; nothing of the group was kept then.
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

    /// Whether the unit of work can only be undone, since another process changed the same data.
    pub fn is_doomed(&self) -> bool {
        self.connection.is_doomed()
    }

    /// Makes the unit of work last; gives what it changed, in order.
    ///
    /// # Errors
    /// [`StoreError::Database`]; nothing of the unit was kept then.
    pub fn commit(&mut self) -> Result<Vec<Arc<RowChange>>, StoreError> {
        if let Some(upgrade) = self.upgrade.take() {
            self.upgrades().note_own_rows(upgrade)?;
        }
        let written = self.written + self.written_now;
        let looks = self.written_now > 0 && written >= LOOK_AFTER && self.is_file();
        if looks {
            // The unit may have no time left, and need not succeed in this: what an index lacks is found all the same.
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

    /// Holds the unit of work that has begun to so many bytes of changed rows, before and after.
    pub fn bound_changes(&mut self, bytes: u64) {
        self.most_changed = Some(bytes);
    }

    /// Undoes the unit of work. Does nothing where none was begun.
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
                // What cannot be undone alone is undone with the group.
                self.group = if self.connection.rollback_to("unit").is_ok() { Group::Open } else { Group::Lost };
            }
            Group::None | Group::Open | Group::Lost => {}
        }
        for (sql, parameters) in std::mem::take(&mut self.lasting) {
            // A number that cannot be kept is given again, which only closes a gap.
            let _ = self.execute("keep a number", sql, parameters);
        }
    }

    /// Whether others may change what a unit of work has read before it ends. SQLite's writer is alone.
    pub(super) fn has_others(&self) -> bool {
        self.dialect() == Dialect::Postgres && !self.only_reads && self.connection.is_in_unit()
    }

    /// Remembers what a row held when the unit of work read it first.
    pub(super) fn note_seen(&self, entity: &EntityRef, row: &Row) {
        if self.has_others() {
            self.seen.borrow_mut().note_read((entity.table(), row.id.clone()), content_of_row(row));
        }
    }

    /// Remembers what the unit of work made of a row.
    pub(super) fn note_written(&self, entity: &EntityRef, row: &Row) {
        if self.has_others() {
            self.seen.borrow_mut().note_written((entity.table(), row.id.clone()), content_of_row(row));
        }
    }

    /// A row that was read is changed: what was made of what was read must be made of the row as it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where somebody else has changed it since; the unit of work can only be undone then.
    pub(super) fn hold_to_seen(&self, entity: &EntityRef, row: &Row) -> Result<(), StoreError> {
        if !self.has_others() {
            return Ok(());
        }
        self.hold(&(entity.table(), row.id.clone()), content_of_row(row))
    }

    /// The same for a key of the key-value store, which is about to be set.
    pub(super) fn hold_key_to_seen(&self, place: &str, value: Option<&Value>) -> Result<(), StoreError> {
        if !self.has_others() {
            return Ok(());
        }
        self.hold(&(KEYS.to_owned(), place.to_owned()), content_of_key(value))
    }

    /// Remembers what a key held, or was given.
    pub(super) fn note_key(&self, place: &str, value: Option<&Value>, is_written: bool) {
        if !self.has_others() {
            return;
        }
        let (place, content) = ((KEYS.to_owned(), place.to_owned()), content_of_key(value));
        let mut seen = self.seen.borrow_mut();
        if is_written { seen.note_written(place, content) } else { seen.note_read(place, content) }
    }

    fn hold(&self, place: &Place, content: u64) -> Result<(), StoreError> {
        if !self.seen.borrow().differs(place, content) {
            return Ok(());
        }
        self.connection.doom();
        Err(StoreError::Conflict)
    }

    /// Has something for itself until the unit of work ends; SQLite's writer has everything for himself.
    pub(super) fn lock_alone(&self, place: &[&str]) -> Result<(), StoreError> {
        if !self.has_others() {
            return Ok(());
        }
        let name = SqlValue::Text(place.join("\u{1f}"));
        self.rows("wait for others", "select pg_advisory_xact_lock(hashtextextended(?, 7171))", [name], |_| Ok(()))
            .map(drop)
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
        if let Some(statements) = self.statements.borrow_mut().as_mut()
            && statements.len() < MAX_STATEMENTS
        {
            statements.push(sql.to_owned());
        }
    }

    /// Rows of a statement that only reads: names of the columns, and at most `most` rows. The live rows of a
    /// plugin's entities, but for those of the tenant `without`, can be asked for by the names of the entities, their
    /// fields by those of the fields.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`] where the statement writes or cannot be read.
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

    /// Runs a statement that may be refused while the unit of work goes on: PostgreSQL would not let it.
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

    /// Keeps what happened until the unit of work ends.
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

    /// Statements that change tables.
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
