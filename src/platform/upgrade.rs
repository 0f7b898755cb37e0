//! A plugin's tables follow its version, and go back with it.

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

/// Whether a change that rows must follow needs another schema version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionRule {
    /// It does: others have rows of the version before.
    Raised,
    /// It does not: a developer is between two versions, and the rows are theirs.
    Free,
}

/// Makes a plugin's tables those of a version, whatever version they are of, and brings the rows that come with it to
/// the tenants that have it. Part of a unit of work; where that fails, [`Lifecycle::serve_again`] must follow.
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
        if rule == VersionRule::Raised && after <= before && SchemaDiff::of(old, manifest).moves_rows() {
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

/// The rows that come with a plugin, for one tenant.
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
    /// Puts within reach what was within reach before a unit of work that failed.
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

    /// Brings the rows of `[[demo]]` to a tenant, in one transaction; gives how many rows changed.
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

    /// Takes the latest upgrade of a plugin back: the version before it runs again, on its old values. Rows that were
    /// written since are in the way, unless they may be discarded.
    ///
    /// # Errors
    /// [`PlatformError`]; nothing has changed then, but where the old version does not start on its old values: it is
    /// there, in the state `error`.
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

    /// Puts another version of a plugin in its place that comes from a project and not from a package, with all its
    /// rows; it runs then.
    ///
    /// # Errors
    /// [`PlatformError`]; what was there goes on then.
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
        // The version is in place; a tenant whose hook failed is greeted again at the next start.
        if let Err(error) = self.greet_tenants(&id, &manifest)
            && let Some(installed) = self.platform.installed_mut(&id)
        {
            installed.error = Some(format!("a tenant's hook failed: {}", error.message));
        }
        Ok(report)
    }

    /// Lets other code of the version that serves serve from now on: the same component, compiled otherwise. Nothing
    /// happens where another version serves.
    pub fn exchange_code(&mut self, loaded: &LoadedPlugin) {
        let id = loaded.manifest().metadata.id.as_str();
        if let Some(serving) = self.platform.installed_mut(id).and_then(|installed| installed.loaded.as_mut())
            && Arc::ptr_eq(serving.manifest(), loaded.manifest())
        {
            *serving = loaded.clone();
        }
    }

    /// A new version of a running plugin: its tables, its `init` and what is kept of it come in one transaction, so
    /// that a version that does not start leaves the old one running, also after a kill.
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

    /// What the migrations call that lead from the version whose tables are there to another one.
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

    /// Refuses an upgrade that calls a plugin which does not run.
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

    /// A unit of work that makes a plugin's tables; what was served before is served again where it fails.
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
