//! The state of a platform.

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
use super::exports::ExportCalls;
use super::gate::AdmissionCheck;
use super::labels::Labels;
use super::lane::{DeliveryLocks, Snapshot};
use super::lifecycle::{Lifecycle, plugin_record};
use super::nodes::Nodes;
use super::origin::{Origin, WorkBounds};
use super::pages::Pages;
use super::registry::RegistryStatements;
use super::{CallSettings, Directory, Gate, PlatformError, Request};

/// A platform: its plugins, users, tables and events.
pub struct Platform {
    pub(super) runtime: Arc<Runtime>,
    pub(super) database: SharedDatabase,
    pub(super) surroundings: SharedSurroundings,
    pub(super) directory: Directory,
    pub(super) plugins: BTreeMap<PluginId, Arc<Installed>>,
    /// Plugins of the database whose manifests this version cannot read.
    pub(super) unreadable: Vec<PluginRecord>,
    /// The settings for all later calls of plugins.
    pub call_settings: CallSettings,
    pub(super) counters: Arc<Mutex<BTreeMap<String, Counters>>>,
    pub(super) turns: Arc<DeliveryLocks>,
    pub(super) activity: Activity,
    pub(super) gate: Arc<Gate>,
    /// Ends the calls that have no interrupt of their own.
    pub(super) ending: Interrupt,
}

/// A plugin that the platform knows, in any state.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    pub(super) manifest: Arc<Manifest>,
    pub(super) status: PluginStatus,
    pub(super) error: Option<String>,
    pub(super) package_sha256: String,
    pub(super) manifest_json: Value,
    pub(super) labels: Labels,
    /// Files of the package or the project that users see, by their paths: labels, pages and assets.
    pub(super) files: PluginFiles,
    /// The running build; `None` if the plugin is not running.
    pub(super) loaded: Option<LoadedPlugin>,
    /// Another build that gets a share of the calls.
    pub(super) canary: Option<Canary>,
}

/// Returns the ids of the plugins in the state `error`.
pub(super) fn in_error(plugins: &BTreeMap<PluginId, Arc<Installed>>) -> Vec<&str> {
    let broken = plugins.iter().filter(|(_, installed)| installed.status == PluginStatus::Error);
    broken.map(|(id, _)| id.as_str()).collect()
}

/// Files of a plugin by their paths.
pub type PluginFiles = Arc<BTreeMap<String, Vec<u8>>>;

impl Installed {
    /// Returns a label in the language of the request. `own` is its text in the manifest.
    pub(super) fn label<'i>(&'i self, request: &Request, key: &str, own: &'i str) -> &'i str {
        self.text(request.accept_language.as_deref(), key, own)
    }

    /// Returns a label in the language of an `accept-language` header. `own` is its text in the manifest.
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
    /// Creates a platform over a database. [`Lifecycle::recover`] starts the plugins that were running
    /// before.
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

    /// Creates a platform without plugins and users.
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

    /// Returns the lifecycle of plugins: upload, install, start, upgrade, roll back, stop and remove.
    pub fn lifecycle(&mut self) -> Lifecycle<'_> {
        Lifecycle { platform: self, origin: Origin::default() }
    }

    /// Returns the checks before a plugin is installed, started, stopped or replaced.
    pub(crate) fn requirements(&self) -> Requirements<'_> {
        Requirements { platform: self }
    }

    /// Returns the part that publishes events and delivers them to the plugins that subscribed.
    pub fn events(&mut self) -> Deliveries<'_> {
        Deliveries { platform: self, origin: Origin::default() }
    }

    /// Returns the part that decides whether a package is accepted, and writes its receipt.
    pub fn admission(&self) -> AdmissionCheck<'_> {
        AdmissionCheck { platform: self }
    }

    /// Returns the platform as a registry: its key, its revocations, and rotations of publishers' keys.
    pub(crate) fn registry(&mut self) -> RegistryStatements<'_> {
        RegistryStatements { platform: self }
    }

    /// Returns the part that calls exports of plugins by their names.
    pub fn exports(&mut self) -> ExportCalls<'_> {
        ExportCalls { platform: self, origin: Origin::default() }
    }

    /// Returns the nodes of the platform and of running plugins.
    pub fn nodes(&mut self) -> Nodes<'_> {
        Nodes { platform: self, origin: Origin::default() }
    }

    /// Returns the part that draws pages for users.
    pub fn pages(&self) -> Pages<'_> {
        Pages { platform: self }
    }

    /// Returns the routes of plugins: their lifecycle, settings and secrets.
    pub(crate) fn plugin_routes(&mut self) -> PluginRoutes<'_> {
        PluginRoutes { platform: self }
    }

    /// Returns the routes of users, departments and roles.
    pub(crate) fn directory_routes(&self) -> DirectoryRoutes<'_> {
        DirectoryRoutes { platform: self }
    }

    /// Returns the routes that only a dev host has.
    pub(crate) fn dev_routes(&mut self) -> DevRoutes<'_> {
        DevRoutes { platform: self }
    }

    /// Returns the routes of nodes and processors.
    pub(crate) fn node_routes(&mut self) -> NodeRoutes<'_> {
        NodeRoutes { platform: self }
    }

    /// Returns the routes that describe entities, pages, files and the API itself.
    pub fn model_routes(&self) -> ModelRoutes<'_> {
        ModelRoutes { platform: self }
    }

    /// Takes the activity since the last call of this function.
    pub fn take_activity(&mut self) -> Activity {
        std::mem::take(&mut self.activity)
    }

    /// Returns a compiler that works without a lock on the platform.
    pub fn compiler(&self) -> PackageCompiler {
        PackageCompiler { runtime: Arc::clone(&self.runtime) }
    }

    /// Returns the package of a plugin's current version; `None` for a plugin of a project.
    pub fn package_bytes(&self, plugin: &str) -> Option<Vec<u8>> {
        let version = self.manifest(plugin)?.metadata.version.to_string();
        let record = self.database.lock().installed().package(plugin, &version).ok()?;
        record.map(|record| record.bytes)
    }

    /// Returns the package that a rollback of a plugin would restore; `None` if there is nothing to roll back.
    pub fn package_before(&self, plugin: &str) -> Option<Vec<u8>> {
        let manifest = self.manifest(plugin)?;
        let mut database = self.database.lock();
        let upgrades = database.upgrades().all(&manifest.metadata.id).ok()?;
        let latest = upgrades.into_iter().find(|upgrade| !upgrade.rolled_back)?;
        Some(database.installed().package(plugin, &latest.from_version).ok()??.bytes)
    }

    /// Returns access to rows, settings and secrets without permission checks.
    pub fn data(&mut self) -> PlatformData<'_> {
        PlatformData { platform: self }
    }

    /// Returns the users and tenants.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Returns the runtime, which can be used without a lock on the platform.
    pub fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&self.runtime)
    }

    /// Returns the build of a running plugin.
    pub fn loaded_plugin(&self, plugin: &str) -> Option<LoadedPlugin> {
        self.loaded(plugin)
    }

    /// Replaces the users and tenants, and calls the tenant hooks of running plugins for new tenants.
    ///
    /// # Errors
    /// The error of a tenant hook.
    pub fn set_directory(&mut self, directory: Directory) -> Result<(), PlatformError> {
        self.directory = directory;
        let running = self.plugins.iter().filter(|(_, installed)| installed.status == PluginStatus::Running);
        let running: Vec<(PluginId, Arc<Manifest>)> =
            running.map(|(id, installed)| (id.clone(), Arc::clone(&installed.manifest))).collect();
        running.iter().try_for_each(|(id, manifest)| self.lifecycle().call_tenant_hooks(id.as_str(), manifest))
    }

    /// Begins to commit several requests together, after waiting at most `patience` for another writer; returns `false`
    /// if the database does not support it.
    pub fn begin_group(&mut self, patience: Duration) -> bool {
        let mut database = self.database.lock();
        database.set_patience(patience);
        database.begin_group().unwrap_or(false)
    }

    /// Commits all changes of the group, or none.
    ///
    /// # Errors
    /// [`StoreError::Database`] as a [`PlatformError`]; then no change of the group was stored.
    pub fn end_group(&mut self) -> Result<(), PlatformError> {
        self.database.lock().end_group().map_err(PlatformError::from)
    }

    /// Returns the manifest of a plugin; `None` for an unknown one.
    pub fn manifest(&self, plugin: &str) -> Option<Arc<Manifest>> {
        self.plugins.get(plugin).map(|installed| Arc::clone(&installed.manifest))
    }

    /// Returns the clock, ids, randomness and faults. All calls wait while the guard is held.
    pub fn surroundings(&self) -> MutexGuard<'_, Surroundings> {
        lock(&self.surroundings)
    }

    /// Returns the current time of the platform's clock.
    pub fn now(&self) -> Moment {
        lock(&self.surroundings).now()
    }

    /// Sets the rules for uploads, and the registry that signs receipts.
    pub fn set_gate(&mut self, gate: Gate) {
        self.gate = Arc::new(gate);
    }

    /// Returns the counters of each plugin since the platform started.
    pub fn counters(&self) -> BTreeMap<String, Counters> {
        lock(&self.counters).clone()
    }

    /// Sets the interrupt that ends the calls without an interrupt of their own: the end of the process that runs the
    /// platform.
    pub fn set_ending(&mut self, ending: Interrupt) {
        self.ending = ending;
    }

    /// Works within bounds, which end with the work.
    pub fn within<T>(&mut self, bounds: &WorkBounds, work: impl FnOnce(&mut Platform) -> T) -> T {
        let _outer = bounds.begin(&self.database);
        work(self)
    }

    pub(super) fn installed(&self, plugin: &str) -> Result<&Installed, PlatformError> {
        self.plugins
            .get(plugin)
            .map(Arc::as_ref)
            .ok_or_else(|| PlatformError::new(errors::PLUGIN_NOT_FOUND, format!("there is no plugin `{plugin}`")))
    }

    /// Returns a plugin to change.
    pub(super) fn installed_mut(&mut self, plugin: &str) -> Option<&mut Installed> {
        self.plugins.get_mut(plugin).map(Arc::make_mut)
    }

    pub(super) fn put_installed(&mut self, installed: Installed) {
        self.plugins.insert(installed.manifest.metadata.id.clone().into_inner(), Arc::new(installed));
    }

    /// Returns whether an administrator disabled or uninstalled a plugin.
    pub fn is_stopped(&self, id: &str) -> bool {
        let status = self.plugins.get(id).map(|installed| installed.status);
        matches!(status, Some(PluginStatus::Disabled | PluginStatus::Uninstalled))
    }

    /// Returns the records of all plugins, ordered by id.
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

    /// Runs `work` on the database with the current time, outside a unit of work.
    pub fn with_database<T>(&mut self, work: impl FnOnce(&mut Database, Moment) -> T) -> T {
        let now = self.now();
        work(&mut self.database.lock(), now)
    }

    /// Runs a read-only statement. Returns the column names and at most `most` rows. The statement can query entities
    /// of `plugin` by their names, without the rows of the tenant `without`.
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

    /// Copies the database into a file, which must not exist.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_database(&self, file: &std::path::Path) -> Result<(), StoreError> {
        self.database.lock().copy_to(file)
    }

    /// Returns all rows of an entity of a tenant, in the order of creation; with `deleted`, also deleted
    /// rows.
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

    /// Returns the running plugins that subscribed to events of a type.
    pub fn listeners(&self, event_type: &str) -> Vec<PluginId> {
        let running = self.plugins.iter().filter(|(_, installed)| installed.status == PluginStatus::Running);
        let hears = |pattern: &Spanned<String>| event_matches(pattern, event_type);
        let listening = running.filter(|(_, installed)| installed.manifest.events.subscribe.iter().any(hears));
        listening.map(|(id, _)| id.clone()).collect()
    }

    /// Returns the event patterns of running plugins, for the error about an event without a subscriber.
    pub fn subscriptions(&self) -> Vec<&str> {
        let running = self.plugins.values().filter(|installed| installed.status == PluginStatus::Running);
        running.flat_map(|installed| &installed.manifest.events.subscribe).map(|pattern| pattern.as_str()).collect()
    }

    /// Returns the current state of the platform, for its lanes.
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

    /// Creates a lane of this platform; `None` if the database allows only one connection.
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

    /// Takes over the state of another platform.
    pub fn follow(&mut self, snapshot: &Snapshot) {
        let Snapshot { directory, plugins, unreadable, catalog, call_settings, gate } = snapshot.clone();
        self.database.lock().set_catalog(catalog);
        (self.directory, self.plugins, self.unreadable) = (directory, plugins, unreadable);
        (self.call_settings, self.gate) = (call_settings, gate);
    }
}
