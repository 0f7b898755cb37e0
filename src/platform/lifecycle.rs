//! A plugin's lifecycle: uploaded → installed → running ⇄ disabled → uninstalled.

use std::sync::Arc;

use erp_manifest::codes::errors;
use erp_manifest::{Manifest, TenantId, from_json};
use erp_package::archive;
use erp_package::strict_zip::Limits;
use erp_runtime::{Invocation, LoadedPlugin, Surroundings, Trigger, UpgradeHandler};
use erp_storage::StoreError;
use erp_store::{Database, PluginRecord, PluginStatus};

use super::call::Occasion;
use super::dependencies::DependencyStage;
use super::labels::Labels;
use super::project_version::ProjectVersion;
use super::state::Installed;
use super::upgrade::{VersionRule, bring_fixtures, bring_up};
use super::upload::files_of;
use super::{Origin, Platform, PlatformError};

/// A plugin's lifecycle: uploads packages, and installs, starts, upgrades, rolls back, stops and removes versions.
#[derive(Debug)]
pub struct Lifecycle<'p> {
    pub(crate) platform: &'p mut Platform,
    pub(crate) origin: Origin,
}

impl Lifecycle<'_> {
    /// Works for a request. Plugins are called in their own language: their lifecycle does not depend on who started it.
    #[must_use]
    pub fn on_behalf_of(self, origin: Origin) -> Self {
        Self { origin: Origin { language: None, ..origin }, ..self }
    }

    /// Creates or upgrades a plugin's tables and registers it as installed.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn install(&mut self, id: &str) -> Result<(), PlatformError> {
        let mut installed = self.platform.installed(id)?.clone();
        if installed.status == PluginStatus::Running {
            return Err(wrong_state(id, &installed, "uploaded, installed or disabled"));
        }
        self.platform.requirements().require_platform(&installed.manifest)?;
        self.platform.requirements().require_needs(&installed.manifest, DependencyStage::Installed)?;
        self.require_free_tables(&installed.manifest)?;
        installed.status = PluginStatus::Installed;
        installed.error = None;
        let record = plugin_record(id, &installed);
        let manifest = Arc::clone(&installed.manifest);
        self.refuse_handlers(&manifest)?;
        let now = self.platform.now();
        let report = self.table_unit::<_, StoreError>(id, |database, surroundings| {
            let report =
                bring_up(database, surroundings, (&manifest, &installed.manifest_json), VersionRule::Raised, now)?;
            database.installed().put_plugin(&record, now)?;
            Ok(report)
        })?;
        self.platform.activity.upgrades.push(report);
        self.platform.put_installed(installed);
        Ok(())
    }

    /// Starts a plugin, and installs it before if needed. Calls its `init`, and its tenant hook for each new tenant.
    ///
    /// # Errors
    /// [`PlatformError`]. If loading or starting failed, the plugin is in the state `error`, with the reason.
    pub fn enable(&mut self, id: &str) -> Result<(), PlatformError> {
        if self.platform.installed(id)?.status == PluginStatus::Uploaded {
            self.install(id)?;
        }
        let installed = self.platform.installed(id)?.clone();
        match installed.status {
            PluginStatus::Running => return Ok(()),
            status if DependencyStage::Installed.is_reached_by(status) => {}
            _ => return Err(wrong_state(id, &installed, "installed or disabled")),
        }
        self.platform.requirements().require_platform(&installed.manifest)?;
        self.platform.requirements().require_needs(&installed.manifest, DependencyStage::Running)?;
        self.launch(id)
    }

    /// Loads the component of the installed version and starts it.
    pub(super) fn launch(&mut self, id: &str) -> Result<(), PlatformError> {
        let installed = self.platform.installed(id)?.clone();
        let version = installed.manifest.metadata.version.to_string();
        let package = self.platform.database.lock().installed().package(id, &version)?;
        let package = package.ok_or_else(|| {
            PlatformError::new(errors::PLUGIN_NOT_FOUND, format!("the package of {id} {version} is gone"))
        })?;
        let opened = archive::open(&package.bytes, &Limits::default()).map_err(|problems| {
            let why = problems.first().map_or_else(String::new, |problem| problem.message.clone());
            let message = format!("the stored package of {id} {version} cannot be read by this version: {why}");
            PlatformError::new(errors::PLUGIN_LOAD, message)
        });
        let loaded = opened.and_then(|package| self.load(package.component(), &installed.manifest));
        match loaded {
            Ok(loaded) => self.start(id, loaded),
            Err(error) => {
                self.fail(id, &error)?;
                Err(error)
            }
        }
    }

    pub(super) fn load(&self, component: &[u8], manifest: &Arc<Manifest>) -> Result<LoadedPlugin, PlatformError> {
        let loaded = self.platform.runtime.load(component, Arc::clone(manifest));
        loaded.map_err(|error| PlatformError::new(error.code(), error.to_string()))
    }

    /// Installs and starts a plugin from a project instead of a package.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn run_loaded(&mut self, loaded: &LoadedPlugin) -> Result<(), PlatformError> {
        self.run_version(&ProjectVersion::of(loaded.clone()))
    }

    /// Installs and starts a plugin from a project, with its manifest and its files.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn run_version(&mut self, version: &ProjectVersion) -> Result<(), PlatformError> {
        let id = version.loaded.manifest().metadata.id.to_string();
        self.platform.put_installed(version.installed());
        self.install(&id)?;
        self.start(&id, version.loaded.clone())
    }

    /// Starts an installed plugin of a project again, after it was disabled or after a restart of the platform.
    ///
    /// # Errors
    /// As [`Lifecycle::enable`].
    pub fn run_again(&mut self, loaded: &LoadedPlugin) -> Result<(), PlatformError> {
        let id = loaded.manifest().metadata.id.to_string();
        let installed = self.platform.installed(&id)?.clone();
        if !DependencyStage::Installed.is_reached_by(installed.status) {
            return Err(wrong_state(&id, &installed, "installed or disabled"));
        }
        self.platform.stop(&id);
        self.start(&id, loaded.clone())
    }

    pub(super) fn start(&mut self, id: &str, loaded: LoadedPlugin) -> Result<(), PlatformError> {
        let manifest = Arc::clone(loaded.manifest());
        if let Err(error) = self.platform.nodes().check_nodes_of(id, &loaded) {
            self.fail(id, &error)?;
            return Err(error);
        }
        if let Some(installed) = self.platform.installed_mut(id) {
            installed.loaded = Some(loaded);
        }
        let started =
            self.platform.set_status(id, PluginStatus::Running, None).and_then(|()| self.greet(id, &manifest));
        if let Err(error) = &started {
            self.fail(id, error)?;
        }
        started
    }

    pub(super) fn fail(&mut self, id: &str, error: &PlatformError) -> Result<(), PlatformError> {
        self.platform.stop(id);
        self.platform.set_status(id, PluginStatus::Error, Some(error.message.clone()))
    }

    /// Calls `init`, and the tenant hook for each new tenant.
    pub(super) fn greet(&mut self, id: &str, manifest: &Manifest) -> Result<(), PlatformError> {
        if let Some(loaded) = self.platform.installed(id)?.loaded.clone() {
            self.init(&loaded, &[], |_| Ok(()))?;
        }
        self.call_tenant_hooks(id, manifest)
    }

    /// Calls `init`, then the handlers of migrations. `prepare` runs in the same transaction before the guest.
    /// On a platform without tenants only `prepare` runs.
    pub(super) fn init(
        &mut self,
        loaded: &LoadedPlugin,
        handlers: &[UpgradeHandler],
        mut prepare: impl FnMut(&mut Database) -> Result<(), StoreError>,
    ) -> Result<(), PlatformError> {
        let tenants = self.platform.directory.tenants().to_vec();
        let Some(first) = tenants.first() else {
            return self.platform.unit::<_, StoreError>(|database, _| prepare(database)).map_err(PlatformError::from);
        };
        // `init` runs without a tenant, because the tenant hook creates their data. Upgrade handlers change rows.
        let nobody = TenantId::nil();
        let (tenant, invocation) = if handlers.is_empty() {
            (&nobody, Invocation::Init)
        } else {
            (first, Invocation::Upgrade(handlers.to_vec()))
        };
        let occasion = Occasion::of(tenant, Trigger::Lifecycle).caused_by(&self.origin);
        self.platform.call_loaded(loaded, &occasion, &invocation, &mut prepare, |_| Ok(()))?;
        Ok(())
    }

    pub(super) fn call_tenant_hooks(&mut self, id: &str, manifest: &Manifest) -> Result<(), PlatformError> {
        let tenants = self.platform.directory.tenants().to_vec();
        tenants.iter().try_for_each(|tenant| self.call_tenant_hook(id, manifest, tenant))
    }

    fn call_tenant_hook(&mut self, id: &str, manifest: &Manifest, tenant: &TenantId) -> Result<(), PlatformError> {
        let plugin = &manifest.metadata.id;
        if !self.platform.database.lock().installed().has_tenant(plugin, tenant)? {
            // The tenant is recorded in the hook's own transaction, so that a failed hook is called again.
            let occasion = Occasion::of(tenant, Trigger::Lifecycle).caused_by(&self.origin);
            let Some(loaded) = self.platform.loaded(id) else { return Ok(()) };
            let (now, surroundings) = (self.platform.now(), Arc::clone(&self.platform.surroundings));
            let fixtures = |database: &mut Database| bring_fixtures(database, &surroundings, manifest, tenant, now);
            let note = |database: &mut Database| database.installed().add_tenant(plugin, tenant);
            self.platform.call_loaded(&loaded, &occasion, &Invocation::TenantCreated, fixtures, note)?;
        }
        Ok(())
    }

    /// Stops a plugin and keeps its data.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn disable(&mut self, id: &str) -> Result<(), PlatformError> {
        let installed = self.platform.installed(id)?;
        if !DependencyStage::Installed.is_reached_by(installed.status) {
            return Err(wrong_state(id, installed, "running"));
        }
        self.platform.requirements().require_not_needed(id, DependencyStage::Running)?;
        self.platform.stop(id);
        self.platform.set_status(id, PluginStatus::Disabled, None)
    }

    /// Uninstalls a plugin and keeps its tables and rows.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn uninstall(&mut self, id: &str) -> Result<(), PlatformError> {
        self.platform.installed(id)?;
        self.platform.requirements().require_not_needed(id, DependencyStage::Installed)?;
        self.platform.stop(id);
        self.platform.set_status(id, PluginStatus::Uninstalled, None)?;
        let plugin = self.platform.installed(id)?.manifest.metadata.id.clone();
        self.platform.database.lock().retire_schema(&plugin);
        Ok(())
    }

    /// Starts a version once on a temporary database.
    ///
    /// # Errors
    /// The reason why it does not start. Missing plugins that it needs are no error.
    pub fn rehearse(&self, version: &ProjectVersion) -> Result<(), PlatformError> {
        let database = Database::in_memory()?;
        let directory = self.platform.directory().clone();
        let mut alone = Platform::new(self.platform.runtime(), database, Surroundings::of_this_machine(), directory);
        alone.gate = Arc::clone(&self.platform.gate);
        match alone.lifecycle().run_version(version) {
            Err(error) if error.code == errors::PLUGIN_DEPENDENCY => Ok(()),
            started => started,
        }
    }

    /// Deletes a plugin of a project with all its rows, in any state. Only for rows that a developer gave up.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn reset(&mut self, id: &str) -> Result<(), PlatformError> {
        self.platform.stop(id);
        self.platform.set_status(id, PluginStatus::Uninstalled, None)?;
        self.purge(id)
    }

    /// Deletes an uninstalled plugin's tables with all rows of all tenants.
    ///
    /// # Errors
    /// [`PlatformError`], also if the plugin is not uninstalled.
    pub fn purge(&mut self, id: &str) -> Result<(), PlatformError> {
        let installed = self.platform.installed(id)?.clone();
        if installed.status != PluginStatus::Uninstalled {
            return Err(wrong_state(id, &installed, "uninstalled"));
        }
        self.platform.unit::<_, StoreError>(|database, _| {
            database.schema().drop_schema(&installed.manifest.metadata.id)?;
            database.installed().forget_plugin(&installed.manifest.metadata.id)
        })?;
        self.platform.plugins.remove(id);
        Ok(())
    }

    /// Starts the plugins that ran when the platform last stopped, and delivers pending events. A plugin
    /// that cannot start gets the state `error`, with the reason.
    ///
    /// # Errors
    /// [`PlatformError`] if the database fails.
    pub fn recover(&mut self) -> Result<(), PlatformError> {
        self.recover_except(&[])
    }

    /// Does the same as [`Lifecycle::recover`], but does not start followed plugins: they start from their projects.
    ///
    /// # Errors
    /// As [`Lifecycle::recover`].
    pub fn recover_except(&mut self, followed: &[String]) -> Result<(), PlatformError> {
        let records = self.platform.database.lock().installed().plugins()?;
        let mut refused: Vec<(String, PlatformError)> = Vec::new();
        for record in &records {
            let (manifest, findings) = from_json("erpx.json", &record.manifest);
            let Some(manifest) = manifest else {
                // Keep the record: its tables exist, and a newer binary may be able to read the manifest.
                let why = findings.diagnostics().first().map_or_else(String::new, |finding| finding.message.clone());
                let error = format!("this version of the host cannot read its manifest: {why}");
                let unreadable = PluginRecord { status: PluginStatus::Error, error: Some(error), ..record.clone() };
                self.platform.unreadable.push(unreadable);
                continue;
            };
            let manifest = Arc::new(manifest);
            let package = self.platform.database.lock().installed().package(&record.id, &record.version)?;
            let package = package.and_then(|package| archive::open(&package.bytes, &Limits::default()).ok());
            let files = package.as_ref().map(files_of).unwrap_or_default();
            let labels =
                package.as_ref().map(|package| Labels::of_files(&package.manifest, &files)).unwrap_or_default();
            // The package's manifest also has the rows of its fixture files.
            let manifest = package.map_or(manifest, |package| Arc::new(package.manifest));
            if DependencyStage::Installed.is_reached_by(record.status) {
                // A newer binary may need more tables or columns; they are created now.
                let made =
                    self.platform.unit::<_, StoreError>(|database, _| database.schema().install_schema(&manifest));
                refused.extend(made.err().map(|error| (record.id.clone(), error.into())));
                self.platform.database.lock().serve_schema(&manifest);
            }
            self.platform.put_installed(Installed {
                manifest,
                status: if record.status == PluginStatus::Running { PluginStatus::Installed } else { record.status },
                error: record.error.clone(),
                package_sha256: record.package_sha256.clone(),
                manifest_json: record.manifest.clone(),
                labels,
                files,
                loaded: None,
                canary: None,
            });
        }
        for (id, error) in &refused {
            self.fail(id, error)?;
        }
        let running = records.iter().filter(|record| record.status == PluginStatus::Running);
        let running = running.filter(|record| refused.iter().all(|(id, _)| *id != record.id));
        let running = running
            .filter(|record| self.platform.plugins.contains_key(record.id.as_str()) && !followed.contains(&record.id));
        let running: Vec<String> = running.map(|record| record.id.clone()).collect();
        for id in self.platform.requirements().start_order(&running) {
            if let Err(error) = self.enable(&id) {
                self.fail(&id, &error)?;
            }
        }
        self.platform.events().on_behalf_of(self.origin.clone()).deliver_events()?;
        Ok(())
    }
}

pub(super) fn plugin_record(id: &str, installed: &Installed) -> PluginRecord {
    PluginRecord {
        id: id.to_owned(),
        name: installed.manifest.metadata.name.to_string(),
        version: installed.manifest.metadata.version.to_string(),
        status: installed.status,
        error: installed.error.clone(),
        package_sha256: installed.package_sha256.clone(),
        manifest: installed.manifest_json.clone(),
    }
}

fn wrong_state(id: &str, installed: &Installed, wanted: &str) -> PlatformError {
    let message = format!("the plugin `{id}` is {}, it must be {wanted}", installed.status.word());
    PlatformError::new(errors::PLUGIN_INVALID_STATE, message)
}
