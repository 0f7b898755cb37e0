//! A plugin's life: uploaded → installed → running ⇄ disabled → uninstalled.

use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dependencies::Stage;
use super::labels::Labels;
use super::state::{Installed, Occasion};
use super::{Platform, PlatformError};
use crate::archive::{self, Limits, Package};
use crate::check::{RULE_SET, check_package};
use crate::diagnostics::{DiagnosticJson, Severity};
use crate::digest::sha256_hex;
use crate::host::{Invocation, LoadedPlugin, Trigger, lock};
use crate::manifest::{Manifest, TenantId, from_json, table_name};
use crate::signing::{SignatureStatus, TrustStore};
use crate::store::{Database, Moment, PackageRecord, PluginRecord, PluginStatus, StoreError};

/// What the platform gives for an accepted package; the same each time the same file comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Receipt {
    /// The plugin's id.
    pub id: String,
    /// The plugin's version.
    pub version: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// SHA-256 of the signed statement, in hexadecimal.
    pub content_id: String,
    /// When it was accepted; RFC 3339, UTC.
    pub accepted_at: String,
    /// Ids of the keys that signed it.
    pub signed_by: Vec<String>,
}

impl Platform {
    /// Takes a package: verifies it, holds it against every rule, and keeps it. With `trust`, a good
    /// signature by a trusted key is demanded.
    ///
    /// # Errors
    /// [`PlatformError`] with all problems in its details.
    pub fn upload(&mut self, bytes: &[u8], trust: Option<&TrustStore>) -> Result<Receipt, PlatformError> {
        let package = archive::open(bytes, &Limits::default()).map_err(|problems| {
            let first = problems.first().cloned();
            let (code, message) = first.map_or_else(Default::default, |problem| (problem.code, problem.message));
            let all: Vec<Value> =
                problems.iter().map(|problem| json!({ "code": problem.code, "message": problem.message })).collect();
            PlatformError::new(422, &code, message).with_details(json!({ "problems": all }))
        })?;
        require_signature(&package, trust)?;
        require_fit(&package)?;

        let labels = labels_of(&package);
        let manifest = Arc::new(package.manifest.clone());
        let (id, version) = (manifest.metadata.id.to_string(), manifest.metadata.version.to_string());
        let sha256 = sha256_hex(bytes);
        let now = self.now();
        let record = PackageRecord {
            sha256: sha256.clone(),
            content_id: package.content_id.clone(),
            size: bytes.len() as u64,
            signed_by: package.envelope.signatures.iter().map(|signature| signature.key_id.to_string()).collect(),
            accepted_at: now.to_string(),
            bytes: bytes.to_vec(),
        };
        let known = lock(&self.database).package(&id, &version)?;
        if known.as_ref().is_some_and(|known| known.sha256 != sha256) {
            return Err(version_is_taken(&id, &version));
        }
        let before = self.plugins.get(&id);
        if let (Some(known), Some(_)) = (&known, before) {
            return Ok(receipt(&id, &version, known.clone()));
        }
        if let Some(before) = before.filter(|before| is_downgrade(&before.manifest.metadata.version, &version)) {
            let message = format!("version {} is there already, {version} is older", *before.manifest.metadata.version);
            return Err(PlatformError::new(409, "plugin.downgrade", message));
        }
        self.require_free_tables(&manifest)?;
        self.require_still_fits(&id, &version)?;
        // What is installed stays so, with the tables of the new version: others may rest upon it.
        let is_installed = before.is_some_and(|before| Stage::Installed.is_reached_by(before.status));
        let before = before.filter(|before| before.status == PluginStatus::Running).cloned();
        let mut installed = Installed {
            manifest: Arc::clone(&manifest),
            status: match (&before, is_installed) {
                (Some(_), _) => PluginStatus::Running,
                (None, true) => PluginStatus::Installed,
                (None, false) => PluginStatus::Uploaded,
            },
            error: None,
            package_sha256: sha256,
            manifest_json: package.manifest_json.clone(),
            labels,
            loaded: None,
        };
        let plugin_record = plugin_record(&id, &installed);
        let keep = |database: &mut Database| {
            // A plugin that was purged left its packages behind, so that no version is used twice.
            if known.is_none() {
                database.add_package(&manifest.metadata.id, &version, &record)?;
            }
            database.put_plugin(&plugin_record, now)
        };
        let Some(before) = before else {
            if is_installed {
                self.require_needs(&manifest, Stage::Installed)?;
            }
            self.unit::<_, StoreError>(|database, _| {
                if is_installed {
                    database.install_schema(&manifest)?;
                    database.register_plugin(&manifest, now)?;
                }
                keep(database)
            })?;
            if is_installed {
                lock(&self.database).serve_schema(&manifest);
            }
            self.plugins.insert(id.clone(), installed);
            return Ok(receipt(&id, &version, known.unwrap_or(record)));
        };
        // A new version of a running plugin takes its place at once: in the transaction of its own `init`, so that
        // a version that does not start leaves the old one running, also after a kill.
        self.require_needs(&manifest, Stage::Running)?;
        let loaded = self.load(package.component(), &manifest)?;
        lock(&self.database).serve_schema(&manifest);
        let replaced = self.init(&loaded, |database| {
            database.install_schema(&manifest)?;
            database.register_plugin(&manifest, now)?;
            keep(database)
        });
        if let Err(error) = replaced {
            lock(&self.database).serve_schema(&before.manifest);
            let message = format!(
                "version {version} does not start, and {} goes on: {}",
                *before.manifest.metadata.version, error.message
            );
            return Err(PlatformError::new(422, "plugin.start", message).with_details(json!({ "code": error.code })));
        }
        installed.loaded = Some(loaded);
        self.plugins.insert(id.clone(), installed);
        if let Err(error) = self.greet_tenants(&id, &manifest) {
            self.fail(&id, &error)?;
        }
        Ok(receipt(&id, &version, known.unwrap_or(record)))
    }

    /// The receipt of a version that was accepted before.
    ///
    /// # Errors
    /// 404 where it was not.
    pub fn receipt(&self, id: &str, version: &str) -> Result<Receipt, PlatformError> {
        let record = lock(&self.database).package(id, version)?;
        let record = record
            .ok_or_else(|| PlatformError::new(404, "plugin.not_found", format!("{id} {version} was not uploaded")))?;
        Ok(receipt(id, version, record))
    }

    /// Makes a plugin's tables and registers it.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn install(&mut self, id: &str) -> Result<(), PlatformError> {
        let mut installed = self.installed(id)?.clone();
        if installed.status == PluginStatus::Running {
            return Err(wrong_state(id, &installed, "uploaded, installed or disabled"));
        }
        self.require_needs(&installed.manifest, Stage::Installed)?;
        self.require_free_tables(&installed.manifest)?;
        installed.status = PluginStatus::Installed;
        installed.error = None;
        let record = plugin_record(id, &installed);
        let manifest = Arc::clone(&installed.manifest);
        let now = self.now();
        self.unit::<_, StoreError>(|database, _| {
            database.install_schema(&manifest)?;
            database.register_plugin(&manifest, now)?;
            database.put_plugin(&record, now)
        })?;
        lock(&self.database).serve_schema(&manifest);
        self.plugins.insert(id.to_owned(), installed);
        Ok(())
    }

    /// Refuses a plugin whose tables bear the names of another plugin's.
    fn require_free_tables(&self, manifest: &Manifest) -> Result<(), PlatformError> {
        let plugin = &manifest.metadata.id;
        for entity in &manifest.schema.entities {
            let table = table_name(plugin, &entity.name);
            if let Some(owner) = lock(&self.database).other_owner(plugin, &table)? {
                let message = format!("the table `{table}` of `{}` belongs to the plugin `{owner}`", *entity.name);
                return Err(PlatformError::new(409, "plugin.table_taken", message));
            }
        }
        Ok(())
    }

    /// Loads a plugin, calls its `init` and, for each tenant that is new to it, its tenant hook.
    ///
    /// # Errors
    /// [`PlatformError`]; the plugin is then in the state `error`, with the reason.
    pub fn enable(&mut self, id: &str) -> Result<(), PlatformError> {
        let installed = self.installed(id)?.clone();
        match installed.status {
            PluginStatus::Running => return Ok(()),
            status if Stage::Installed.is_reached_by(status) => {}
            _ => return Err(wrong_state(id, &installed, "installed or disabled")),
        }
        self.require_needs(&installed.manifest, Stage::Running)?;
        self.launch(id)
    }

    /// Loads the component of the version that is there, and starts it.
    fn launch(&mut self, id: &str) -> Result<(), PlatformError> {
        let installed = self.installed(id)?.clone();
        let version = installed.manifest.metadata.version.to_string();
        let package = lock(&self.database).package(id, &version)?;
        let package = package.ok_or_else(|| {
            PlatformError::new(404, "plugin.not_found", format!("the package of {id} {version} is gone"))
        })?;
        let opened = archive::open(&package.bytes, &Limits::default()).map_err(|problems| {
            let why = problems.first().map_or_else(String::new, |problem| problem.message.clone());
            let message = format!("the stored package of {id} {version} cannot be read by this version: {why}");
            PlatformError::new(422, "plugin.load", message)
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

    fn load(&self, component: &[u8], manifest: &Arc<Manifest>) -> Result<LoadedPlugin, PlatformError> {
        let loaded = self.runtime.load(component, Arc::clone(manifest));
        loaded.map_err(|error| PlatformError::new(422, "plugin.load", error.to_string()))
    }

    /// Puts a plugin in place that comes from a project and not from a package, and starts it.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn run_loaded(&mut self, loaded: &LoadedPlugin) -> Result<(), PlatformError> {
        let id = loaded.manifest().metadata.id.to_string();
        self.plugins.insert(
            id.clone(),
            Installed {
                manifest: Arc::clone(loaded.manifest()),
                status: PluginStatus::Uploaded,
                error: None,
                package_sha256: String::new(),
                manifest_json: Value::Null,
                labels: Labels::default(),
                loaded: None,
            },
        );
        self.install(&id)?;
        self.start(&id, loaded.clone())
    }

    /// Starts a plugin again that came from a project: after it was disabled, or as after a restart of the platform.
    ///
    /// # Errors
    /// As [`Platform::enable`].
    pub fn run_again(&mut self, loaded: &LoadedPlugin) -> Result<(), PlatformError> {
        let id = loaded.manifest().metadata.id.to_string();
        let installed = self.installed(&id)?.clone();
        if !Stage::Installed.is_reached_by(installed.status) {
            return Err(wrong_state(&id, &installed, "installed or disabled"));
        }
        self.stop(&id);
        self.start(&id, loaded.clone())
    }

    fn start(&mut self, id: &str, loaded: LoadedPlugin) -> Result<(), PlatformError> {
        let manifest = Arc::clone(loaded.manifest());
        if let Some(installed) = self.plugins.get_mut(id) {
            installed.loaded = Some(loaded);
        }
        let started = self.set_status(id, PluginStatus::Running, None).and_then(|()| self.greet(id, &manifest));
        if let Err(error) = &started {
            self.fail(id, error)?;
        }
        started
    }

    fn fail(&mut self, id: &str, error: &PlatformError) -> Result<(), PlatformError> {
        self.stop(id);
        self.set_status(id, PluginStatus::Error, Some(error.message.clone()))
    }

    /// `init`, and the tenant hook for those who are new.
    fn greet(&mut self, id: &str, manifest: &Manifest) -> Result<(), PlatformError> {
        if let Some(loaded) = self.installed(id)?.loaded.clone() {
            self.init(&loaded, |_| Ok(()))?;
        }
        self.greet_tenants(id, manifest)
    }

    /// Calls `init`; `prepare` runs in its transaction, before the guest.
    fn init(
        &mut self,
        loaded: &LoadedPlugin,
        prepare: impl FnOnce(&mut Database) -> Result<(), StoreError>,
    ) -> Result<(), PlatformError> {
        let tenants = self.directory.tenants().to_vec();
        let Some(first) = tenants.first() else {
            return self.unit::<_, StoreError>(|database, _| prepare(database)).map_err(PlatformError::from);
        };
        let occasion = Occasion::of(first, Trigger::Lifecycle);
        self.call_loaded(loaded, occasion, Invocation::Init, prepare, |_| Ok(()))?;
        Ok(())
    }

    fn greet_tenants(&mut self, id: &str, manifest: &Manifest) -> Result<(), PlatformError> {
        let tenants = self.directory.tenants().to_vec();
        tenants.iter().try_for_each(|tenant| self.greet_tenant(id, manifest, tenant))
    }

    fn greet_tenant(&mut self, id: &str, manifest: &Manifest, tenant: &TenantId) -> Result<(), PlatformError> {
        let plugin = &manifest.metadata.id;
        if !lock(&self.database).has_tenant(plugin, tenant)? {
            // Noted in the hook's own transaction: a hook that fails is called again.
            let occasion = Occasion::of(tenant, Trigger::Lifecycle);
            self.call(id, occasion, Invocation::TenantCreated, |database| database.add_tenant(plugin, tenant))?;
        }
        Ok(())
    }

    /// Stops a plugin; its data stay.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn disable(&mut self, id: &str) -> Result<(), PlatformError> {
        let installed = self.installed(id)?;
        if !Stage::Installed.is_reached_by(installed.status) {
            return Err(wrong_state(id, installed, "running"));
        }
        self.require_not_needed(id, Stage::Running)?;
        self.stop(id);
        self.set_status(id, PluginStatus::Disabled, None)
    }

    /// Takes a plugin out of service; its tables and rows stay.
    ///
    /// # Errors
    /// [`PlatformError`].
    pub fn uninstall(&mut self, id: &str) -> Result<(), PlatformError> {
        self.installed(id)?;
        self.require_not_needed(id, Stage::Installed)?;
        self.stop(id);
        self.set_status(id, PluginStatus::Uninstalled, None)?;
        let plugin = self.installed(id)?.manifest.metadata.id.clone();
        lock(&self.database).retire_schema(&plugin);
        Ok(())
    }

    /// Deletes an uninstalled plugin's tables with all rows of all tenants.
    ///
    /// # Errors
    /// [`PlatformError`], also where the plugin is still installed.
    pub fn purge(&mut self, id: &str) -> Result<(), PlatformError> {
        let installed = self.installed(id)?.clone();
        if installed.status != PluginStatus::Uninstalled {
            return Err(wrong_state(id, &installed, "uninstalled"));
        }
        self.unit::<_, StoreError>(|database, _| {
            database.drop_schema(&installed.manifest.metadata.id)?;
            database.forget_plugin(&installed.manifest.metadata.id)
        })?;
        self.plugins.remove(id);
        Ok(())
    }

    /// Brings back what ran when the platform last stopped, and delivers what was on its way. What
    /// cannot be started is skipped; its state says why.
    ///
    /// # Errors
    /// [`PlatformError`] where the database fails.
    pub fn recover(&mut self) -> Result<(), PlatformError> {
        let records = lock(&self.database).plugins()?;
        let mut refused: Vec<(String, PlatformError)> = Vec::new();
        for record in &records {
            let (manifest, findings) = from_json("erpx.json", &record.manifest);
            let Some(manifest) = manifest else {
                // It must not vanish: its tables are there, and a newer binary may read it again.
                let why = findings.diagnostics().first().map_or_else(String::new, |finding| finding.message.clone());
                let error = format!("this version of the host cannot read its manifest: {why}");
                let unreadable = PluginRecord { status: PluginStatus::Error, error: Some(error), ..record.clone() };
                self.unreadable.push(unreadable);
                continue;
            };
            let manifest = Arc::new(manifest);
            let package = lock(&self.database).package(&record.id, &record.version)?;
            let package = package.and_then(|package| archive::open(&package.bytes, &Limits::default()).ok());
            let labels = package.as_ref().map(labels_of).unwrap_or_default();
            if Stage::Installed.is_reached_by(record.status) {
                // Where a newer binary wants more of the tables, they get it now.
                let made = self.unit::<_, StoreError>(|database, _| database.install_schema(&manifest));
                refused.extend(made.err().map(|error| (record.id.clone(), error.into())));
                lock(&self.database).serve_schema(&manifest);
            }
            self.plugins.insert(
                record.id.clone(),
                Installed {
                    manifest,
                    status: if record.status == PluginStatus::Running {
                        PluginStatus::Installed
                    } else {
                        record.status
                    },
                    error: record.error.clone(),
                    package_sha256: record.package_sha256.clone(),
                    manifest_json: record.manifest.clone(),
                    labels,
                    loaded: None,
                },
            );
        }
        for (id, error) in &refused {
            self.fail(id, error)?;
        }
        let running = records.iter().filter(|record| record.status == PluginStatus::Running);
        let running = running.filter(|record| refused.iter().all(|(id, _)| *id != record.id));
        let running: Vec<String> = running.map(|record| record.id.clone()).collect();
        for id in self.start_order(&running) {
            if let Err(error) = self.enable(&id) {
                self.fail(&id, &error)?;
            }
        }
        self.deliver_events()?;
        Ok(())
    }

    /// What the platform knows of its plugins, ordered by id.
    pub fn plugins(&self) -> Vec<PluginRecord> {
        let known = self.plugins.iter().map(|(id, installed)| plugin_record(id, installed));
        let unreadable = self.unreadable.iter().filter(|record| !self.plugins.contains_key(&record.id)).cloned();
        let mut all: Vec<PluginRecord> = known.chain(unreadable).collect();
        all.sort_by(|left, right| left.id.cmp(&right.id));
        all
    }

    fn stop(&mut self, id: &str) {
        if let Some(installed) = self.plugins.get_mut(id) {
            installed.loaded = None;
        }
    }

    fn set_status(&mut self, id: &str, status: PluginStatus, error: Option<String>) -> Result<(), PlatformError> {
        let mut installed = self.installed(id)?.clone();
        installed.status = status;
        installed.error = error;
        let record = plugin_record(id, &installed);
        let now: Moment = self.now();
        self.unit::<_, StoreError>(|database, _| database.put_plugin(&record, now))?;
        self.plugins.insert(id.to_owned(), installed);
        Ok(())
    }
}

fn labels_of(package: &Package) -> Labels {
    Labels::read(&package.manifest, |name| package.file(name).map(<[u8]>::to_vec))
}

fn plugin_record(id: &str, installed: &Installed) -> PluginRecord {
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
    PlatformError::new(409, "plugin.invalid_state", message)
}

fn version_is_taken(id: &str, version: &str) -> PlatformError {
    let message = format!("{id} {version} was uploaded before with another content: raise the version");
    PlatformError::new(409, "plugin.version_taken", message)
}

fn is_downgrade(installed: &str, uploaded: &str) -> bool {
    match (Version::parse(installed), Version::parse(uploaded)) {
        (Ok(installed), Ok(uploaded)) => uploaded < installed,
        _ => false,
    }
}

fn receipt(id: &str, version: &str, record: PackageRecord) -> Receipt {
    Receipt {
        id: id.to_owned(),
        version: version.to_owned(),
        sha256: record.sha256,
        content_id: record.content_id,
        accepted_at: record.accepted_at,
        signed_by: record.signed_by,
    }
}

fn require_signature(package: &Package, trust: Option<&TrustStore>) -> Result<(), PlatformError> {
    let Some(trust) = trust else { return Ok(()) };
    let judged = trust.judge(&package.envelope, package.manifest.metadata.id.as_str());
    if judged.iter().any(|(_, status)| matches!(status, SignatureStatus::Good { .. })) {
        return Ok(());
    }
    let (code, message) = match judged.first() {
        None => {
            ("signature/unsigned", "the package is not signed, and this platform takes signed ones only".to_owned())
        }
        Some((key, SignatureStatus::Bad)) => {
            ("signature/bad", format!("the signature of key {} is not good", key.short()))
        }
        Some((key, SignatureStatus::Revoked { reason })) => {
            ("signature/revoked", format!("the key {} was revoked: {reason}", key.short()))
        }
        Some((key, SignatureStatus::OutOfScope { scopes })) => {
            ("signature/out-of-scope", format!("the key {} may only sign {}", key.short(), scopes.join(", ")))
        }
        Some((key, _)) => ("signature/untrusted", format!("the key {} is not trusted here", key.short())),
    };
    Err(PlatformError::new(403, code, message))
}

/// The same rules as `erp-plugin check`, so that the platform is never the first to say no.
fn require_fit(package: &Package) -> Result<(), PlatformError> {
    let report = check_package(package).report;
    if !report.has_errors() {
        return Ok(());
    }
    let errors: Vec<DiagnosticJson> = report
        .diagnostics()
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(DiagnosticJson::from)
        .collect();
    let mut message = errors.first().map(|first| first.message.clone()).unwrap_or_default();
    if package.statement.predicate.rule_set != RULE_SET {
        message.push_str(
            " (the package was checked by other rules than the platform's: pack it with the platform's version)",
        );
    }
    let details = json!({ "problems": errors, "rule_set": RULE_SET });
    Err(PlatformError::new(422, "plugin.invalid", message).with_details(details))
}
