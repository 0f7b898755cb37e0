//! The platform itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use erp_manifest::codes::errors;
use erp_manifest::diagnostics::Spanned;
use erp_manifest::{Manifest, Moment, PluginId, TenantId, event_matches};
use erp_runtime::{Interrupt, LoadedPlugin, Runtime, SharedSurroundings, Surroundings, lock};
use erp_storage::{ListQuery, Row, Scope, StoreError};
use erp_store::{Database, PluginRecord, PluginStatus, SharedDatabase};
use serde_json::Value;

use super::activity::{Activity, Counters};
use super::api::{DevRoutes, DirectoryRoutes, ModelRoutes, NodeRoutes, PluginRoutes};
use super::call::Canary;
use super::compiler::PackageCompiler;
use super::data::PlatformData;
use super::delivery::Deliveries;
use super::dependencies::Requirements;
use super::gate::AdmissionCheck;
use super::labels::Labels;
use super::lane::{Snapshot, Turns};
use super::lifecycle::{Lifecycle, plugin_record};
use super::nodes::Nodes;
use super::origin::Origin;
use super::pages::Pages;
use super::registry::RegistryStatements;
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
    /// Ends the calls that have no interrupt of their own.
    pub(super) ending: Interrupt,
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
    /// [`Lifecycle::recover`].
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
            ending: Interrupt::default(),
        }
    }

    /// A plugin's life: packages that come, versions that are installed, started, upgraded, rolled back, stopped and removed.
    pub fn lifecycle(&mut self) -> Lifecycle<'_> {
        Lifecycle { platform: self, origin: Origin::default() }
    }

    /// What must hold before a plugin is installed, started, stopped or replaced.
    pub(crate) fn requirements(&self) -> Requirements<'_> {
        Requirements { platform: self }
    }

    /// Events: published, and delivered to the plugins that subscribed.
    pub fn events(&mut self) -> Deliveries<'_> {
        Deliveries { platform: self, origin: Origin::default() }
    }

    /// Whether a package may come in, and its receipt.
    pub fn admission(&self) -> AdmissionCheck<'_> {
        AdmissionCheck { platform: self }
    }

    /// What the platform says as a registry: its key, what it revoked, and which keys replaced others.
    pub(crate) fn registry(&mut self) -> RegistryStatements<'_> {
        RegistryStatements { platform: self }
    }

    /// The nodes of the plugins that run, and of the platform.
    pub fn nodes(&mut self) -> Nodes<'_> {
        Nodes { platform: self, origin: Origin::default() }
    }

    /// Pages as a user sees them.
    pub fn pages(&self) -> Pages<'_> {
        Pages { platform: self }
    }

    /// Routes of plugins: their life, settings and secrets.
    pub(crate) fn plugin_routes(&mut self) -> PluginRoutes<'_> {
        PluginRoutes { platform: self }
    }

    /// Routes of users, departments and roles.
    pub(crate) fn directory_routes(&self) -> DirectoryRoutes<'_> {
        DirectoryRoutes { platform: self }
    }

    /// Routes that only a dev host has.
    pub(crate) fn dev_routes(&mut self) -> DevRoutes<'_> {
        DevRoutes { platform: self }
    }

    /// Routes of nodes and processors.
    pub(crate) fn node_routes(&mut self) -> NodeRoutes<'_> {
        NodeRoutes { platform: self }
    }

    /// Routes that describe entities, pages, files and the API itself.
    pub fn model_routes(&self) -> ModelRoutes<'_> {
        ModelRoutes { platform: self }
    }

    /// What happened since the last time this was asked.
    pub fn take_activity(&mut self) -> Activity {
        std::mem::take(&mut self.activity)
    }

    /// A compiler that needs no lock of the platform.
    pub fn compiler(&self) -> PackageCompiler {
        PackageCompiler { runtime: Arc::clone(&self.runtime) }
    }

    /// The package that a plugin was uploaded in; none for one of a project.
    pub fn package_bytes(&self, plugin: &str) -> Option<Vec<u8>> {
        let version = self.manifest(plugin)?.metadata.version.to_string();
        let record = self.database.lock().installed().package(plugin, &version).ok()?;
        record.map(|record| record.bytes)
    }

    /// The package that a rollback of a plugin would bring back; none if there is nothing to roll back.
    pub fn package_before(&self, plugin: &str) -> Option<Vec<u8>> {
        let manifest = self.manifest(plugin)?;
        let mut database = self.database.lock();
        let upgrades = database.upgrades().all(&manifest.metadata.id).ok()?;
        let latest = upgrades.into_iter().find(|upgrade| !upgrade.rolled_back)?;
        Some(database.installed().package(plugin, &latest.from_version).ok()??.bytes)
    }

    /// Rows, settings and secrets, without asking anyone.
    pub fn data(&mut self) -> PlatformData<'_> {
        PlatformData { platform: self }
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
        running.iter().try_for_each(|(id, manifest)| self.lifecycle().greet_tenants(id.as_str(), manifest))
    }

    /// Begins to commit several requests together, after waiting at most `patience` for another writer; false where the
    /// database cannot.
    pub fn begin_group(&mut self, patience: Duration) -> bool {
        let mut database = self.database.lock();
        database.set_patience(patience);
        database.begin_group().unwrap_or(false)
    }

    /// Makes what the group did last, all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`] as the platform tells it; nothing of the group was kept then.
    pub fn end_group(&mut self) -> Result<(), PlatformError> {
        self.database.lock().end_group().map_err(PlatformError::from)
    }

    /// The manifest of a plugin that is known here.
    pub fn manifest(&self, plugin: &str) -> Option<Arc<Manifest>> {
        self.plugins.get(plugin).map(|installed| Arc::clone(&installed.manifest))
    }

    /// The clock, ids, randomness and faults; whoever has them holds up all calls.
    pub fn surroundings(&self) -> MutexGuard<'_, Surroundings> {
        lock(&self.surroundings)
    }

    /// Now, by the platform's clock.
    pub fn now(&self) -> Moment {
        lock(&self.surroundings).now()
    }

    /// Sets who may bring packages, and who signs their receipts.
    pub fn set_gate(&mut self, gate: Gate) {
        self.gate = Arc::new(gate);
    }

    /// How each plugin has done since the platform started.
    pub fn counters(&self) -> BTreeMap<String, Counters> {
        lock(&self.counters).clone()
    }

    /// Sets what ends all calls that have no interrupt of their own: the end of the process that runs the platform.
    pub fn set_ending(&mut self, ending: Interrupt) {
        self.ending = ending;
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

    /// Whether an administrator took a plugin out of service.
    pub fn is_stopped(&self, id: &str) -> bool {
        let status = self.plugins.get(id).map(|installed| installed.status);
        matches!(status, Some(PluginStatus::Disabled | PluginStatus::Uninstalled))
    }

    /// What the platform knows of its plugins, ordered by id.
    pub fn plugins(&self) -> Vec<PluginRecord> {
        let known = self.plugins.iter().map(|(id, installed)| plugin_record(id.as_str(), installed));
        let unreadable =
            self.unreadable.iter().filter(|record| !self.plugins.contains_key(record.id.as_str())).cloned();
        let mut all: Vec<PluginRecord> = known.chain(unreadable).collect();
        all.sort_by(|left, right| left.id.cmp(&right.id));
        all
    }

    pub(super) fn stop(&mut self, id: &str) {
        if let Some(installed) = self.installed_mut(id) {
            installed.loaded = None;
            installed.canary = None;
        }
    }

    pub(super) fn set_status(
        &mut self,
        id: &str,
        status: PluginStatus,
        error: Option<String>,
    ) -> Result<(), PlatformError> {
        let mut installed = self.installed(id)?.clone();
        installed.status = status;
        installed.error = error;
        let record = plugin_record(id, &installed);
        let now: Moment = self.now();
        self.unit::<_, StoreError>(|database, _| database.installed().put_plugin(&record, now))?;
        self.put_installed(installed);
        Ok(())
    }

    /// Works on the database as it stands, with now.
    pub fn with_database<T>(&mut self, work: impl FnOnce(&mut Database, Moment) -> T) -> T {
        let now = self.now();
        work(&mut self.database.lock(), now)
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

    /// Copies the database into a file that is not there yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_database(&self, file: &std::path::Path) -> Result<(), StoreError> {
        self.database.lock().copy_to(file)
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
        let rows = database.reader().list_all(&entity, &scope, query, usize::MAX)?;
        Ok(rows.into_iter().map(Row::into_flat).collect())
    }

    /// The running plugins that subscribed to events of a type.
    pub fn listeners(&self, event_type: &str) -> Vec<PluginId> {
        let running = self.plugins.iter().filter(|(_, installed)| installed.status == PluginStatus::Running);
        let hears = |pattern: &Spanned<String>| event_matches(pattern, event_type);
        let listening = running.filter(|(_, installed)| installed.manifest.events.subscribe.iter().any(hears));
        listening.map(|(id, _)| id.clone()).collect()
    }

    /// What the running plugins subscribed to, for one who published an event without a subscriber.
    pub fn subscriptions(&self) -> Vec<&str> {
        let running = self.plugins.values().filter(|installed| installed.status == PluginStatus::Running);
        running.flat_map(|installed| &installed.manifest.events.subscribe).map(|pattern| pattern.as_str()).collect()
    }

    /// What the platform knows now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            directory: self.directory.clone(),
            plugins: self.plugins.clone(),
            unreadable: self.unreadable.clone(),
            catalog: self.database.lock().catalog().clone(),
            call_settings: CallSettings { probe: None, ..self.call_settings.clone() },
            gate: Arc::clone(&self.gate),
        }
    }

    /// A lane beside this platform; none where the database takes one connection alone.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn lane(&self) -> Result<Option<Platform>, StoreError> {
        let Some(database) = self.database.lock().beside()? else { return Ok(None) };
        let database = SharedDatabase::new(database);
        let mut lane = Platform {
            counters: Arc::clone(&self.counters),
            turns: Arc::clone(&self.turns),
            ending: self.ending.clone(),
            ..Platform::bare(Arc::clone(&self.runtime), database, Arc::clone(&self.surroundings))
        };
        lane.follow(&self.snapshot());
        Ok(Some(lane))
    }

    /// Works with what another platform knows from now on.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let Snapshot { directory, plugins, unreadable, catalog, call_settings, gate } = snapshot.clone();
        self.database.lock().set_catalog(catalog);
        (self.directory, self.plugins, self.unreadable) = (directory, plugins, unreadable);
        (self.call_settings, self.gate) = (call_settings, gate);
    }
}
