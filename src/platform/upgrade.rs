//! Upgrades a plugin's tables to a new version, and rolls them back.

use std::sync::Arc;

use erp_manifest::codes::errors;
use erp_manifest::evolution::{SchemaDiff, migrations_from};
use erp_manifest::{Manifest, Moment, TenantId, from_json};
use erp_package::archive;
use erp_package::strict_zip::Limits;
use erp_runtime::{LoadedPlugin, SharedSurroundings, UpgradeHandler, lock};
use erp_storage::{Scope, StoreError};
use erp_store::{Database, PluginStatus, Reversal, UpgradeReport};
use serde_json::{Value, json};

use super::PlatformError;
use super::attempts::Refusal;
use super::dependencies::DependencyStage;
use super::labels::Labels;
use super::lifecycle::{Lifecycle, plugin_record};
use super::project_version::ProjectVersion;
use super::state::Installed;
use super::upload::files_of;

/// Whether a schema change that moves rows needs a higher schema version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionRule {
    /// It needs one, because other databases have rows of the earlier version.
    Raised,
    /// It needs none: a developer works between two versions, on their own rows.
    Free,
}

/// Upgrades a plugin's tables from any version to that of `manifest`, and inserts its fixtures for the tenants that
/// have the plugin. Runs inside a unit of work; if that fails, the caller must call [`Lifecycle::serve_again`].
pub(super) fn bring_up(
    database: &mut Database,
    surroundings: &SharedSurroundings,
    (manifest, json): (&Arc<Manifest>, &Value),
    rule: VersionRule,
    now: Moment,
) -> Result<UpgradeReport, StoreError> {
    let plugin = &manifest.metadata.id;
    let stored = database.installed().schema_of(plugin)?;
    let old = stored.and_then(|stored| from_json("erpx.json", &stored).0).map(Arc::new);
    if let Some(old) = &old {
        let (before, after) = (old.schema.schema_version, manifest.schema.schema_version);
        if rule == VersionRule::Raised && after <= before && SchemaDiff::of(old, manifest).changes_rows() {
            return Err(StoreError::SchemaVersion(before));
        }
    }
    let tenants = database.installed().tenants_of(plugin)?;
    database.serve_schema(manifest);
    let report = database.upgrades().upgrade(old.as_ref(), manifest, now, |database| {
        tenants.iter().try_for_each(|tenant| bring_fixtures(database, surroundings, manifest, tenant, now))
    })?;
    if !json.is_null() {
        database.installed().put_schema(plugin, json)?;
    }
    Ok(report)
}

/// Inserts the fixtures of a plugin for one tenant.
pub(super) fn bring_fixtures(
    database: &mut Database,
    surroundings: &SharedSurroundings,
    manifest: &Manifest,
    tenant: &TenantId,
    now: Moment,
) -> Result<(), StoreError> {
    let scope = Scope::of_tenant(tenant, now);
    database
        .fixtures()
        .apply_fixtures(manifest, &manifest.fixtures, &scope, &mut || lock(surroundings).uuid())
        .map(|_| ())
}

impl Lifecycle<'_> {
    /// Restores the served entities of a plugin after a unit of work that failed.
    pub(super) fn serve_again(&self, id: &str) {
        let mut database = self.platform.database.lock();
        match self.platform.plugins.get(id) {
            Some(installed) if DependencyStage::Installed.is_reached_by(installed.status) => {
                database.serve_schema(&installed.manifest);
            }
            Some(installed) => database.retire_schema(&installed.manifest.metadata.id),
            None => {}
        }
    }

    /// Inserts the rows of `[[demo]]` for a tenant, in one transaction; returns the number of changed rows.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn bring_demo(&mut self, id: &str, tenant: &TenantId) -> Result<usize, PlatformError> {
        let manifest = Arc::clone(&self.platform.installed(id)?.manifest);
        if !DependencyStage::Installed.is_reached_by(self.platform.installed(id)?.status) {
            return Err(PlatformError::new(
                errors::PLUGIN_INVALID_STATE,
                format!("the plugin `{id}` is not installed"),
            ));
        }
        let scope = Scope::of_tenant(tenant, self.platform.now());
        let brought = self.platform.unit::<_, StoreError>(|database, surroundings| {
            database.fixtures().apply_fixtures(&manifest, &manifest.demo, &scope, &mut || lock(surroundings).uuid())
        })?;
        Ok(brought)
    }

    /// Rolls back the latest upgrade of a plugin: the previous version runs again, on its old values. Rows that were
    /// written since prevent it, unless `discards` is set.
    ///
    /// # Errors
    /// [`PlatformError`]. Nothing has changed, unless the old version does not start on its old values: then it is
    /// installed, in the state `error`.
    pub fn roll_back(&mut self, id: &str, discards: bool) -> Result<Reversal, PlatformError> {
        let installed = self.platform.installed(id)?.clone();
        let new = Arc::clone(&installed.manifest);
        let plugin = &new.metadata.id;
        let latest =
            self.platform.database.lock().upgrades().all(plugin)?.into_iter().find(|upgrade| !upgrade.rolled_back);
        let latest = latest.filter(|upgrade| upgrade.to_version == *new.metadata.version).ok_or_else(|| {
            let message =
                format!("{id} {} did not come by an upgrade: there is nothing to take back", *new.metadata.version);
            PlatformError::from(StoreError::NoRollback(message))
        })?;
        let package = self.platform.database.lock().installed().package(id, &latest.from_version)?;
        let package =
            package.and_then(|record| Some((record.sha256, archive::open(&record.bytes, &Limits::default()).ok()?)));
        let Some((package_sha256, package)) = package else {
            let message = format!("the package of {id} {} is gone", latest.from_version);
            return Err(StoreError::NoRollback(message).into());
        };
        let old = Arc::new(package.manifest.clone());
        self.platform.requirements().require_still_fits(id, &latest.from_version)?;
        let was_running = installed.status == PluginStatus::Running;
        let loaded = if was_running { Some(self.load(package.component(), &old)?) } else { None };
        let mut back = installed.clone();
        back.manifest = Arc::clone(&old);
        back.manifest_json = package.manifest_json.clone();
        back.files = files_of(&package);
        back.labels = Labels::of_files(&package.manifest, &back.files);
        back.package_sha256 = package_sha256;
        back.status = PluginStatus::Installed;
        back.error = None;
        back.loaded = None;
        back.canary = None;
        let record = plugin_record(id, &back);
        let now = self.platform.now();
        let done = self.platform.unit::<_, StoreError>(|database, _| {
            let reversal = database.upgrades().roll_back(latest.upgrade, (&old, &new), discards, now)?;
            database.installed().put_schema(plugin, &back.manifest_json)?;
            database.installed().put_plugin(&record, now)?;
            Ok(reversal)
        });
        let reversal = done?;
        self.platform.put_installed(back);
        self.serve_again(id);
        if let Some(loaded) = loaded {
            self.start(id, loaded)?;
        }
        Ok(reversal)
    }

    /// Replaces a plugin by another version from a project instead of a package. The plugin keeps its rows, and the new
    /// version runs.
    ///
    /// # Errors
    /// [`PlatformError`]; the old version then keeps running.
    pub fn replace_version(
        &mut self,
        version: &ProjectVersion,
        rule: VersionRule,
    ) -> Result<UpgradeReport, PlatformError> {
        let manifest = Arc::clone(version.loaded.manifest());
        let id = manifest.metadata.id.to_string();
        self.platform.installed(&id)?;
        self.platform.requirements().require_needs(&manifest, DependencyStage::Running)?;
        self.require_free_tables(&manifest)?;
        let installed =
            Installed { status: PluginStatus::Running, loaded: Some(version.loaded.clone()), ..version.installed() };
        let (record, now) = (plugin_record(&id, &installed), self.platform.now());
        let keep = |database: &mut Database| database.installed().put_plugin(&record, now);
        let report = self.replace(&version.loaded, &version.json, rule, keep)?;
        self.platform.put_installed(installed);
        // The version is installed; a tenant hook that failed runs again at the next start.
        if let Err(error) = self.call_tenant_hooks(&id, &manifest)
            && let Some(installed) = self.platform.installed_mut(&id)
        {
            installed.error = Some(format!("a tenant's hook failed: {}", error.message));
        }
        Ok(report)
    }

    /// Replaces the code of the running version by another compilation of the same component. Does nothing if another
    /// version runs.
    pub fn exchange_code(&mut self, loaded: &LoadedPlugin) {
        let id = loaded.manifest().metadata.id.as_str();
        if let Some(serving) = self.platform.installed_mut(id).and_then(|installed| installed.loaded.as_mut())
            && Arc::ptr_eq(serving.manifest(), loaded.manifest())
        {
            *serving = loaded.clone();
        }
    }

    /// Replaces a running plugin by a new version. Its tables, its `init` and the records of `keep` share one
    /// transaction: a version that does not start leaves the old one running, also after a crash.
    pub(super) fn replace(
        &mut self,
        loaded: &LoadedPlugin,
        json: &Value,
        rule: VersionRule,
        mut keep: impl FnMut(&mut Database) -> Result<(), StoreError>,
    ) -> Result<UpgradeReport, PlatformError> {
        let (manifest, now) = (Arc::clone(loaded.manifest()), self.platform.now());
        self.platform.nodes().check_nodes_of(manifest.metadata.id.as_str(), loaded)?;
        let handlers = self.handlers(&manifest)?;
        let mut report = UpgradeReport::default();
        let surroundings = Arc::clone(&self.platform.surroundings);
        let replaced = self.init(loaded, &handlers, |database| {
            report = bring_up(database, &surroundings, (&manifest, json), rule, now)?;
            keep(database)
        });
        if replaced.is_err() {
            self.serve_again(manifest.metadata.id.as_str());
        }
        replaced.map(|()| report)
    }

    /// Returns the handlers, for each tenant, of the migrations from the stored schema version to that of `manifest`.
    fn handlers(&self, manifest: &Manifest) -> Result<Vec<UpgradeHandler>, StoreError> {
        let mut database = self.platform.database.lock();
        let stored = database.installed().schema_of(&manifest.metadata.id)?;
        let Some(old) = stored.and_then(|stored| from_json("erpx.json", &stored).0) else { return Ok(Vec::new()) };
        let tenants = database.installed().tenants_of(&manifest.metadata.id)?;
        let path = migrations_from(old.schema.schema_version, manifest);
        let named = path.into_iter().filter_map(|migration| Some((migration.handler.as_ref()?, migration)));
        let calls = named.flat_map(|(name, migration)| {
            let input = json!({ "from": *migration.from, "to": *migration.to });
            tenants.iter().map(move |tenant| UpgradeHandler {
                name: name.to_string(),
                input: input.clone(),
                tenant: tenant.clone(),
            })
        });
        Ok(calls.collect())
    }

    /// Refuses an upgrade whose migrations call handlers of the plugin, because it does not run.
    pub(super) fn refuse_handlers(&self, manifest: &Manifest) -> Result<(), PlatformError> {
        match self.handlers(manifest)?.first() {
            None => Ok(()),
            Some(handler) => {
                let id = &*manifest.metadata.id;
                let message =
                    format!("the migration calls `{}` of {id}, which does not run: enable {id} first", handler.name);
                Err(PlatformError::new(errors::PLUGIN_INVALID_STATE, message))
            }
        }
    }

    /// Runs a unit of work that changes a plugin's tables. If it fails, the entities of before are served again.
    pub(super) fn table_unit<T, E: Refusal>(
        &mut self,
        id: &str,
        work: impl FnMut(&mut Database, &SharedSurroundings) -> Result<T, E>,
    ) -> Result<T, E> {
        let done = self.platform.unit(work);
        if done.is_err() {
            self.serve_again(id);
        }
        done
    }
}
