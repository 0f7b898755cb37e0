//! The platform itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::activity::{Activity, CallRecord, Counters};
use super::attempts::{Attempts, CONFLICT, Refusal};
use super::labels::Labels;
use super::triggers::tell_changes;
use super::{Directory, Gate, Identity, PlatformError, Request};
use crate::digest::sha256_hex;
use crate::host::{
    CallContext, CallError, CallLimits, CallRequest, Caller, Detail, Fault, Invocation, LimitOverrides, LoadedPlugin,
    Probe, RecordedCall, RecordedRequest, Runtime, SharedDatabase, SharedSurroundings, Surroundings, Trigger, lock,
};
use crate::manifest::{Manifest, TenantId};
use crate::store::{Database, ListQuery, Moment, PluginRecord, PluginStatus, Row, Scope, StoreError};

/// Plugins, users, tables and events.
pub struct Platform {
    pub(super) runtime: Arc<Runtime>,
    pub(super) database: SharedDatabase,
    pub(super) surroundings: SharedSurroundings,
    pub(super) directory: Directory,
    pub(super) plugins: BTreeMap<String, Installed>,
    /// Plugins of the database whose manifests this version cannot read.
    pub(super) unreadable: Vec<PluginRecord>,
    pub(super) limits: LimitOverrides,
    pub(super) detail: Detail,
    pub(super) probe: Option<Probe>,
    pub(super) counters: BTreeMap<String, Counters>,
    pub(super) activity: Activity,
    pub(super) gate: Gate,
    /// The request that is being answered, where it has a name: all that it causes bears it.
    pub(super) request_id: Option<String>,
    /// Whether every event is delivered twice, as a broker does now and then.
    pub(super) doubles_events: bool,
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

/// Files of a plugin by their paths.
pub type PluginFiles = Arc<BTreeMap<String, Vec<u8>>>;

/// A build that is tried on a share of the calls.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    pub(super) loaded: LoadedPlugin,
    /// Of a hundred.
    pub(super) percent: u8,
}

impl Canary {
    /// Whether a request is one of its share: the same request always is, or never.
    fn takes(&self, request_id: &str) -> bool {
        let digest = sha256_hex(request_id.as_bytes());
        u32::from_str_radix(&digest[..6], 16).is_ok_and(|number| number % 100 < u32::from(self.percent))
    }
}

/// Why a plugin is called, and for whom.
#[derive(Debug, Clone)]
pub(super) struct Occasion {
    tenant: TenantId,
    caller: Option<Caller>,
    trigger: Trigger,
    event_depth: u32,
}

impl Occasion {
    /// Something that the platform does by itself.
    pub(super) fn of(tenant: &TenantId, trigger: Trigger) -> Occasion {
        Occasion { tenant: tenant.clone(), caller: None, trigger, event_depth: 0 }
    }

    /// Something that a user does.
    pub(super) fn by(self, caller: &Caller) -> Occasion {
        Occasion { caller: Some(caller.clone()), ..self }
    }

    /// Something that so many events led to.
    pub(super) fn after_events(self, event_depth: u32) -> Occasion {
        Occasion { event_depth, ..self }
    }
}

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
        Platform {
            runtime,
            database: Arc::new(Mutex::new(database)),
            surroundings: Arc::new(Mutex::new(surroundings)),
            directory,
            plugins: BTreeMap::new(),
            unreadable: Vec::new(),
            limits: LimitOverrides::default(),
            detail: Detail::default(),
            probe: None,
            counters: BTreeMap::new(),
            activity: Activity::default(),
            gate: Gate::default(),
            request_id: None,
            doubles_events: false,
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
        let running: Vec<(String, Arc<Manifest>)> =
            running.map(|(id, installed)| (id.clone(), Arc::clone(&installed.manifest))).collect();
        running.iter().try_for_each(|(id, manifest)| self.greet_tenants(id, manifest))
    }

    /// Begins to commit several requests together; false where the database cannot.
    pub fn begin_group(&mut self) -> bool {
        lock(&self.database).begin_group().unwrap_or(false)
    }

    /// Makes what the group did last, all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Database`] as the platform tells it; nothing of the group was kept then.
    pub fn end_group(&mut self) -> Result<(), PlatformError> {
        lock(&self.database).end_group().map_err(PlatformError::from)
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

    /// Imitates known defects of the platform of today, or is strict again.
    pub fn imitate_quirks(&mut self, wanted: bool) {
        lock(&self.surroundings).imitate_quirks(wanted);
    }

    /// Whether known defects of the platform of today are imitated.
    pub fn imitates_quirks(&self) -> bool {
        lock(&self.surroundings).imitates_quirks()
    }

    /// Delivers every event twice, or once again.
    pub fn double_events(&mut self, wanted: bool) {
        self.doubles_events = wanted;
    }

    /// Whether every event is delivered twice.
    pub fn doubles_events(&self) -> bool {
        self.doubles_events
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

    /// Bounds of the next calls, in the place of the manifests' own.
    pub fn limits(&self) -> &LimitOverrides {
        &self.limits
    }

    /// Sets bounds of the next calls, in the place of the manifests' own.
    pub fn set_limits(&mut self, limits: LimitOverrides) {
        self.limits = limits;
    }

    /// How much is kept of the next calls.
    pub fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }

    /// Watches the next calls; the runtime must be one for probes.
    pub fn set_probe(&mut self, probe: Option<Probe>) {
        self.probe = probe;
    }

    /// How each plugin has done since the platform started.
    pub fn counters(&self) -> &BTreeMap<String, Counters> {
        &self.counters
    }

    /// Copies the database into a file that is not there yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn copy_database(&self, file: &std::path::Path) -> Result<(), StoreError> {
        lock(&self.database).copy_to(file)
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
        lock(&self.database).inspect(manifest.as_ref(), without, sql, most)
    }

    /// Changes clock, ids and randomness for those of another world; gives the old ones back.
    pub fn swap_surroundings(&mut self, other: Surroundings) -> Surroundings {
        std::mem::replace(&mut *lock(&self.surroundings), other)
    }

    /// Calls an export by its name, with arguments in WAVE; gives the result as WAVE.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call_by_name(&mut self, plugin: &str, identity: &Identity, call: &str) -> Result<Value, CallError> {
        let occasion = Occasion::of(&identity.tenant, Trigger::Call).by(&identity.caller);
        self.call(plugin, &occasion, &Invocation::Wave(call), |_| Ok(()))
    }

    /// Calls an export by its name, with arguments by their names; gives the result as WAVE.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call_named(
        &mut self,
        plugin: &str,
        identity: &Identity,
        function: &str,
        arguments: &serde_json::Map<String, Value>,
    ) -> Result<Value, CallError> {
        let occasion = Occasion::of(&identity.tenant, Trigger::Call).by(&identity.caller);
        self.call(plugin, &occasion, &Invocation::Named { function, arguments }, |_| Ok(()))
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
        let entity = lock(&self.database).catalog().entity(&plugin.metadata.id, entity)?;
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
        let database = lock(&self.database);
        let entity = database.catalog().entity(&plugin.metadata.id, entity)?;
        let mut rows = Vec::new();
        let mut query =
            ListQuery { limit: Some(200), include_deleted: deleted, by_plugin: true, ..ListQuery::default() };
        loop {
            let page = database.list(&entity, &scope, &query)?;
            rows.extend(page.rows.iter().map(Row::to_flat));
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return Ok(rows);
            }
        }
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

    /// One call of a running plugin, noted in the activity. `finish` runs in its transaction.
    pub(super) fn call(
        &mut self,
        plugin: &str,
        occasion: &Occasion,
        invocation: &Invocation<'_>,
        finish: impl FnMut(&mut Database) -> Result<(), StoreError>,
    ) -> Result<Value, CallError> {
        let Some(loaded) = self.routed(plugin) else {
            return Err(CallError::BadCall(format!("the plugin `{plugin}` is not running")));
        };
        self.call_loaded(&loaded, occasion, invocation, |_| Ok(()), finish)
    }

    /// A plugin that is running.
    pub(super) fn loaded(&self, plugin: &str) -> Option<LoadedPlugin> {
        self.plugins.get(plugin).and_then(|installed| installed.loaded.clone())
    }

    /// The build that answers this request: the plugin's own, or the one that is tried on a share.
    fn routed(&self, plugin: &str) -> Option<LoadedPlugin> {
        let installed = self.plugins.get(plugin)?;
        let own = installed.loaded.clone()?;
        let tried = installed.canary.as_ref().zip(self.request_id.as_deref());
        Some(tried.filter(|(canary, id)| canary.takes(id)).map_or(own, |(canary, _)| canary.loaded.clone()))
    }

    /// Sends a share of the calls of requests to another build, by the id of the request; to none with 0.
    ///
    /// # Errors
    /// 409 where its tables are not those that are there.
    pub fn set_canary(&mut self, loaded: &LoadedPlugin, percent: u8) -> Result<(), PlatformError> {
        let id = loaded.manifest().metadata.id.to_string();
        let installed = self.installed(&id)?;
        let diff = crate::evolution::SchemaDiff::of(&installed.manifest, loaded.manifest());
        if percent > 0 && !diff.changes.is_empty() {
            let message = "the two builds have other tables: a share of the calls cannot go to either";
            return Err(PlatformError::new(409, "plugin.canary", message));
        }
        if let Some(installed) = self.plugins.get_mut(&id) {
            installed.canary = (percent > 0).then(|| Canary { loaded: loaded.clone(), percent });
        }
        Ok(())
    }

    /// One call of a plugin that may not be in place yet. `prepare` runs in its transaction before the guest. Where
    /// another process changed the same data meanwhile, the call is made again.
    pub(super) fn call_loaded(
        &mut self,
        loaded: &LoadedPlugin,
        occasion: &Occasion,
        invocation: &Invocation<'_>,
        mut prepare: impl FnMut(&mut Database) -> Result<(), StoreError>,
        mut finish: impl FnMut(&mut Database) -> Result<(), StoreError>,
    ) -> Result<Value, CallError> {
        let mut attempts = Attempts::default();
        loop {
            let called = self.call_once(loaded, occasion.clone(), invocation.clone(), &mut prepare, &mut finish);
            let has_left = self.activity.calls.last().is_some_and(|call| call.trace.has_left_the_host());
            match called {
                Err(CallError::Host(error)) if error.code == CONFLICT && !has_left && attempts.next() => {}
                called => return called,
            }
        }
    }

    fn call_once(
        &mut self,
        loaded: &LoadedPlugin,
        occasion: Occasion,
        invocation: Invocation<'_>,
        prepare: impl FnOnce(&mut Database) -> Result<(), StoreError>,
        finish: impl FnOnce(&mut Database) -> Result<(), StoreError>,
    ) -> Result<Value, CallError> {
        let Occasion { tenant, caller, trigger, event_depth } = occasion;
        let label = label(&invocation);
        let request_id = self.request_id.clone().unwrap_or_else(|| lock(&self.surroundings).uuid());
        let began_ms = self.now().unix_ms;
        let user = caller.as_ref().map(|caller| caller.id.clone());
        let request = CallRequest {
            context: CallContext {
                request_id: request_id.clone(),
                tenant: tenant.clone(),
                caller,
                trigger,
                locale: loaded.manifest().i18n.default_locale.clone(),
                event_depth,
            },
            limits: CallLimits::of(loaded.manifest()).with(&self.limits),
            detail: self.detail,
            probe: self.probe.clone(),
            invocation,
        };
        let said = (self.detail >= Detail::Full).then(|| RecordedRequest::of(&request));
        let most_deep = request.limits.event_depth();
        let surroundings = Arc::clone(&self.surroundings);
        let mut told = Vec::new();
        let finish = |database: &mut Database| {
            told = tell_changes(database, &surroundings, event_depth + 1, most_deep)?;
            finish(database)
        };
        let outcome = self.runtime.call(loaded, request, &self.database, &self.surroundings, prepare, finish);
        let mut trace = outcome.trace;
        let recorded = said.map(|said| {
            let metadata = &loaded.manifest().metadata;
            let (error, result) = (outcome.result.as_ref().err(), outcome.result.as_ref().ok());
            RecordedCall::new(metadata.id.as_str(), &metadata.version, began_ms, said, error, result, &trace)
        });
        self.activity.changes.extend(trace.changes.iter().cloned());
        self.activity.events.extend(trace.events.drain(..).map(|event| (tenant.clone(), event)));
        if outcome.result.is_ok() {
            self.activity.events.extend(told);
        }
        // What was denied is kept whatever became of the call.
        if !trace.denials.is_empty() {
            let plugin = &loaded.manifest().metadata.id;
            let scope = Scope { user: user.clone(), ..Scope::of_tenant(&tenant, self.now()) };
            let kept = self.quiet_unit(|database, _| {
                trace.denials.iter().try_for_each(|denial| {
                    database.record_denial(plugin, &scope, denial.function, &denial.subject, &denial.message)
                })
            });
            kept.map_err(|error| CallError::Host(error.into()))?;
        }
        let error = outcome.result.as_ref().err().cloned();
        let plugin = loaded.manifest().metadata.id.to_string();
        let version = loaded.manifest().metadata.version.to_string();
        let call = CallRecord { plugin: plugin.clone(), version, tenant, user, request_id, began_ms, label, error, trace, recorded };
        self.counters.entry(plugin).or_default().add(&call);
        self.activity.calls.push(call);
        outcome.result
    }

    /// A unit of work that nobody hears of.
    fn quiet_unit<T>(
        &mut self,
        mut work: impl FnMut(&mut Database, &SharedSurroundings) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut attempts = Attempts::default();
        loop {
            let mut database = lock(&self.database);
            database.begin()?;
            match work(&mut database, &self.surroundings).and_then(|value| database.commit().map(|_| value)) {
                Ok(value) => return Ok(value),
                Err(error) => {
                    database.rollback();
                    if !(error.is_conflict() && attempts.next()) {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// A unit of work without a plugin: what it changes is noted in the activity. It is done again where another
    /// process changed the same data meanwhile.
    pub(super) fn unit<T, E: Refusal>(
        &mut self,
        mut work: impl FnMut(&mut Database, &SharedSurroundings) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut attempts = Attempts::default();
        loop {
            match self.unit_once(&mut work) {
                Err(error) if error.is_conflict() && attempts.next() => {}
                done => return done,
            }
        }
    }

    fn unit_once<T, E: Refusal>(
        &mut self,
        work: impl FnOnce(&mut Database, &SharedSurroundings) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut database = lock(&self.database);
        database.begin()?;
        let worked = work(&mut database, &self.surroundings).and_then(|value| {
            // What no event led to begins a chain.
            let told = tell_changes(&mut database, &self.surroundings, 0, 0)?;
            let changes = database.commit()?;
            Ok((value, told, changes))
        });
        match worked {
            Ok((value, told, changes)) => {
                self.activity.events.extend(told);
                self.activity.changes.extend(changes);
                Ok(value)
            }
            Err(error) => {
                database.rollback();
                Err(error)
            }
        }
    }

    pub(super) fn installed(&self, plugin: &str) -> Result<&Installed, PlatformError> {
        self.plugins
            .get(plugin)
            .ok_or_else(|| PlatformError::new(404, "plugin.not_found", format!("there is no plugin `{plugin}`")))
    }
}

fn label(invocation: &Invocation<'_>) -> String {
    match invocation {
        Invocation::Init => "init".to_owned(),
        Invocation::Upgrade(handlers) => {
            let names = handlers.iter().map(|handler| format!(", {} for {}", handler.name, handler.tenant));
            format!("init{}", names.collect::<String>())
        }
        Invocation::TenantCreated => "tenant created".to_owned(),
        Invocation::Event { event, .. } => format!("event {}", event.event_type),
        Invocation::Action { name, .. } => format!("action {name}"),
        Invocation::NodeDefinitions => "node definitions".to_owned(),
        Invocation::Node(call) => format!("node {}", call.kind),
        Invocation::Process(call) => format!("process {}", call.content_type),
        Invocation::Wave(call) => format!("call {call}"),
        Invocation::Named { function, .. } => format!("call {function}"),
    }
}
