//! The platform itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use erp_manifest::codes::errors;
use erp_manifest::{Manifest, Moment, PluginId, TenantId};
use erp_runtime::{Fault, Interrupt, LoadedPlugin, Runtime, SharedSurroundings, Surroundings, lock};
use erp_storage::{ListQuery, Row, Scope, StatementLimit, StoreError};
use erp_store::{Database, PluginRecord, PluginStatus, SharedDatabase};
use serde_json::Value;

use super::activity::{Activity, Counters};
use super::call::Canary;
use super::labels::Labels;
use super::lane::Turns;
use super::{CallSettings, Directory, Gate, PlatformError, Request};

/// Plugins, users, tables and events.
pub struct Platform {
    pub(super) runtime: Arc<Runtime>,
    pub(super) database: SharedDatabase,
    pub(super) surroundings: SharedSurroundings,
    pub(super) directory: Directory,
    pub(super) plugins: BTreeMap<PluginId, Arc<Installed>>,
    /// Plugins of the database whose manifests this version cannot read.
    pub(super) unreadable: Vec<PluginRecord>,
    /// How plugins are called from now on.
    pub call_settings: CallSettings,
    pub(super) counters: Arc<Mutex<BTreeMap<String, Counters>>>,
    pub(super) turns: Arc<Turns>,
    pub(super) activity: Activity,
    pub(super) gate: Arc<Gate>,
    /// What ends the running call early.
    pub(super) interrupt: Interrupt,
    /// The request that is being answered.
    pub(super) asked: AskedBy,
    /// Whether requests are committed together.
    pub(super) in_group: bool,
}

/// What of a request goes into the calls that it causes.
#[derive(Debug, Clone, Default)]
pub(super) struct AskedBy {
    /// Its name, where it has one: all that it causes bears it.
    pub(super) request_id: Option<String>,
    /// The language that its user prefers, as in `accept-language`.
    pub(super) language: Option<String>,
}

impl AskedBy {
    pub(super) fn request(request: &Request) -> AskedBy {
        let first = request.accept_language.as_deref().and_then(|ranges| ranges.split(',').next());
        let tag = first.and_then(|range| range.split(';').next()).map(str::trim);
        let language = tag.filter(|tag| !tag.is_empty() && *tag != "*").map(str::to_owned);
        AskedBy { request_id: request.request_id.clone(), language }
    }
}

/// A plugin that the platform knows.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    pub(super) manifest: Arc<Manifest>,
    pub(super) status: PluginStatus,
    pub(super) error: Option<String>,
    pub(super) package_sha256: String,
    pub(super) manifest_json: Value,
    pub(super) labels: Labels,
    /// Files of the package or the project, by their paths: pages and what they show.
    pub(super) files: PluginFiles,
    /// None for a plugin that is not running.
    pub(super) loaded: Option<LoadedPlugin>,
    /// Another build that a share of the calls goes to.
    pub(super) canary: Option<Canary>,
}

/// The ids of plugins in the state `error`.
pub(super) fn in_error(plugins: &BTreeMap<PluginId, Arc<Installed>>) -> Vec<&str> {
    let broken = plugins.iter().filter(|(_, installed)| installed.status == PluginStatus::Error);
    broken.map(|(id, _)| id.as_str()).collect()
}

/// Files of a plugin by their paths.
pub type PluginFiles = Arc<BTreeMap<String, Vec<u8>>>;

impl Installed {
    /// A label in the language of the request; `own` is its text in the manifest.
    pub(super) fn label<'i>(&'i self, request: &Request, key: &str, own: &'i str) -> &'i str {
        self.text(request.accept_language.as_deref(), key, own)
    }

    /// The same, for an `accept-language`.
    pub(super) fn text<'i>(&'i self, language: Option<&str>, key: &str, own: &'i str) -> &'i str {
        self.labels.text(language, key, (&self.manifest.i18n.default_locale, own))
    }
}

impl std::fmt::Debug for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Platform").field("plugins", &self.plugins.keys()).finish_non_exhaustive()
    }
}

impl Platform {
    /// A platform over a database. Plugins that were running are not started yet: see
    /// [`Platform::recover`].
    pub fn new(
        runtime: Arc<Runtime>,
        database: Database,
        surroundings: Surroundings,
        directory: Directory,
    ) -> Platform {
        let surroundings = Arc::new(Mutex::new(surroundings));
        let database = SharedDatabase::new(database);
        Platform { directory, ..Platform::bare(runtime, database, surroundings) }
    }

    /// A platform that knows neither plugins nor users.
    pub(super) fn bare(runtime: Arc<Runtime>, database: SharedDatabase, surroundings: SharedSurroundings) -> Platform {
        Platform {
            runtime,
            database,
            surroundings,
            directory: Directory::default(),
            plugins: BTreeMap::new(),
            unreadable: Vec::new(),
            call_settings: CallSettings::default(),
            counters: Arc::default(),
            turns: Arc::default(),
            activity: Activity::default(),
            gate: Arc::default(),
            interrupt: Interrupt::default(),
            asked: AskedBy::default(),
            in_group: false,
        }
    }

    /// What happened since the last time this was asked.
    pub fn take_activity(&mut self) -> Activity {
        std::mem::take(&mut self.activity)
    }

    /// The users and tenants.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The runtime, which works beside the platform.
    pub fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&self.runtime)
    }

    /// The build of a plugin that is running.
    pub fn loaded_plugin(&self, plugin: &str) -> Option<LoadedPlugin> {
        self.loaded(plugin)
    }

    /// Other users from now on; tenants that are new come to the plugins that run.
    ///
    /// # Errors
    /// What a plugin said to a tenant that is new to it.
    pub fn set_directory(&mut self, directory: Directory) -> Result<(), PlatformError> {
        self.directory = directory;
        let running = self.plugins.iter().filter(|(_, installed)| installed.status == PluginStatus::Running);
        let running: Vec<(PluginId, Arc<Manifest>)> =
            running.map(|(id, installed)| (id.clone(), Arc::clone(&installed.manifest))).collect();
        running.iter().try_for_each(|(id, manifest)| self.greet_tenants(id.as_str(), manifest))
    }

    /// Begins to commit several requests together; false where the database cannot.
    pub fn begin_group(&mut self) -> bool {
        self.in_group = self.database.lock().begin_group().unwrap_or(false);
        self.in_group
    }

    /// Makes what the group did last, all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`] as the platform tells it; nothing of the group was kept then.
    pub fn end_group(&mut self) -> Result<(), PlatformError> {
        self.in_group = false;
        self.database.lock().end_group().map_err(PlatformError::from)
    }

    /// The manifest of a plugin that is known here.
    pub fn manifest(&self, plugin: &str) -> Option<Arc<Manifest>> {
        self.plugins.get(plugin).map(|installed| Arc::clone(&installed.manifest))
    }

    /// Now, by the platform's clock.
    pub fn now(&self) -> Moment {
        lock(&self.surroundings).now()
    }

    /// Moves a virtual clock.
    pub fn advance(&mut self, milliseconds: u64) {
        lock(&self.surroundings).advance(milliseconds);
    }

    /// Moves any clock, also this machine's; less than zero goes into the past.
    pub fn shift_clock(&mut self, milliseconds: i64) {
        lock(&self.surroundings).shift(milliseconds);
    }

    /// By how many milliseconds the clock is ahead of the machine's own.
    pub fn clock_ahead_ms(&self) -> i64 {
        lock(&self.surroundings).ahead_ms()
    }

    /// Imitates known defects of the platform of today, or is strict again.
    pub fn imitate_quirks(&mut self, wanted: bool) {
        lock(&self.surroundings).imitate_quirks(wanted);
    }

    /// Whether known defects of the platform of today are imitated.
    pub fn imitates_quirks(&self) -> bool {
        lock(&self.surroundings).imitates_quirks()
    }

    /// Faults that are still to come.
    pub fn faults(&self) -> Vec<Fault> {
        lock(&self.surroundings).faults().to_vec()
    }

    /// Makes something go wrong.
    pub fn add_fault(&mut self, fault: Fault) {
        lock(&self.surroundings).add_fault(fault);
    }

    /// Forgets the faults that did not happen; gives them.
    pub fn clear_faults(&mut self) -> Vec<Fault> {
        lock(&self.surroundings).clear_faults()
    }

    /// How each plugin has done since the platform started.
    pub fn counters(&self) -> BTreeMap<String, Counters> {
        lock(&self.counters).clone()
    }

    /// Ends calls that run from now on as soon as it says so.
    pub fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.interrupt = interrupt;
    }

    /// Bounds the time that the statements which follow take together, beside those of plugins' calls, which have a time
    /// of their own. They also end when the interrupt is set. Without a bound they may take as long as they need.
    pub fn bound_statements(&mut self, time: Option<Duration>) {
        let interrupt = self.interrupt.clone();
        let limit = time.map_or_else(StatementLimit::default, |time| {
            StatementLimit::new(Arc::new(move |spent| interrupt.is_set() || spent >= time))
        });
        self.database.lock().swap_limit(limit);
    }

    /// How long the next units of work wait for somebody else's that writes.
    pub fn set_patience(&mut self, patience: Duration) {
        self.database.lock().set_patience(patience);
    }

    /// Copies the database into a file that is not there yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_database(&self, file: &std::path::Path) -> Result<(), StoreError> {
        self.database.lock().copy_to(file)
    }

    /// Rows of a statement that only reads: names of the columns, and at most `most` rows. Entities of `plugin` can
    /// be asked for by their names.
    ///
    /// # Errors
    /// [`StoreError::BadQuery`].
    pub fn inspect(
        &self,
        plugin: Option<&str>,
        without: Option<&TenantId>,
        sql: &str,
        most: usize,
    ) -> Result<(Vec<String>, Vec<Vec<Value>>), StoreError> {
        let manifest = plugin.and_then(|plugin| self.manifest(plugin));
        self.database.lock().inspect(manifest.as_ref(), without, sql, most)
    }

    /// Changes clock, ids and randomness for those of another world; gives the old ones back.
    pub fn swap_surroundings(&mut self, other: Surroundings) -> Surroundings {
        std::mem::replace(&mut *lock(&self.surroundings), other)
    }

    /// Inserts a row without asking anyone: how fixtures come in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn insert_fixture(
        &mut self,
        plugin: &Manifest,
        entity: &str,
        tenant: &TenantId,
        row: &serde_json::Map<String, Value>,
    ) -> Result<String, StoreError> {
        let scope = Scope::of_tenant(tenant, self.now());
        let entity = self.database.lock().catalog().entity(&plugin.metadata.id, entity)?;
        self.quiet_unit(|database, surroundings| {
            let row = database.insert(&entity, &scope, row, &mut || lock(surroundings).uuid())?;
            Ok(row.id)
        })
    }

    /// Every row of an entity that a tenant has, in the order of their making; with `deleted`, those
    /// that were deleted too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn all_rows(
        &self,
        plugin: &Manifest,
        entity: &str,
        tenant: &TenantId,
        deleted: bool,
    ) -> Result<Vec<Value>, StoreError> {
        let scope = Scope::of_tenant(tenant, self.now());
        let database = self.database.lock();
        let entity = database.catalog().entity(&plugin.metadata.id, entity)?;
        let query = ListQuery { include_deleted: deleted, by_plugin: true, ..ListQuery::default() };
        let rows = database.list_all(&entity, &scope, query, usize::MAX)?;
        Ok(rows.into_iter().map(Row::into_flat).collect())
    }

    /// Sets keys of the platform's own configuration.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_config(&mut self, values: &BTreeMap<String, Value>) -> Result<(), StoreError> {
        self.unit(|database, _| values.iter().try_for_each(|(key, value)| database.set_config(key, value)))
    }

    /// Sets settings of a plugin for every tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_settings(
        &mut self,
        plugin: &Manifest,
        values: &serde_json::Map<String, Value>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let tenants = self.directory.tenants().to_vec();
        self.unit(|database, _| {
            tenants.iter().try_for_each(|tenant| database.set_settings(plugin, &Scope::of_tenant(tenant, now), values))
        })
    }

    /// Sets secrets of a plugin for every tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_secrets(&mut self, plugin: &Manifest, values: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let now = self.now();
        let tenants = self.directory.tenants().to_vec();
        self.unit(|database, _| {
            tenants.iter().try_for_each(|tenant| {
                let scope = Scope::of_tenant(tenant, now);
                values.iter().try_for_each(|(key, value)| database.set_secret(&plugin.metadata.id, &scope, key, value))
            })
        })
    }

    pub(super) fn installed(&self, plugin: &str) -> Result<&Installed, PlatformError> {
        self.plugins
            .get(plugin)
            .map(Arc::as_ref)
            .ok_or_else(|| PlatformError::new(errors::PLUGIN_NOT_FOUND, format!("there is no plugin `{plugin}`")))
    }

    /// A plugin that is to be changed.
    pub(super) fn installed_mut(&mut self, plugin: &str) -> Option<&mut Installed> {
        self.plugins.get_mut(plugin).map(Arc::make_mut)
    }

    pub(super) fn put_installed(&mut self, installed: Installed) {
        self.plugins.insert(installed.manifest.metadata.id.clone().into_inner(), Arc::new(installed));
    }
}
