//! Uploads of packages: checks them with every rule, and stores them.

use std::sync::Arc;

use erp_check::RULE_SET;
use erp_manifest::codes::{Code, errors};
use erp_manifest::diagnostics::SourceFile;
use erp_manifest::digest::sha256_hex;
use erp_manifest::{Manifest, Moment, contract, document, parse, table_name};
use erp_package::archive::{self, Package, PackageParts};
use erp_package::strict_zip::ArchiveEntry;
use erp_package::verification::is_older;
use erp_storage::StoreError;
use erp_store::{Database, PackageRecord, PluginStatus, UpgradeReport};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::PlatformError;
use super::dependencies::DependencyStage;
use super::gate::AdmittedPackage;
use super::labels::Labels;
use super::lifecycle::{Lifecycle, plugin_record};
use super::state::{Installed, PluginFiles};
use super::upgrade::{VersionRule, bring_up};

/// Errors that refuse an upgrade and leave the running version unchanged. They are returned as they are.
const UPGRADE_REFUSALS: [Code; 5] = [
    errors::HOST_DATABASE,
    errors::MIGRATION_IN_USE,
    errors::MIGRATION_NO_ROLLBACK,
    errors::MIGRATION_ROWS_AT_STAKE,
    errors::MIGRATION_SCHEMA_VERSION,
];

/// What the platform gives for an accepted package; the same each time the same file comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UploadReceipt {
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
    /// The same, signed by the registry: a DSSE envelope; none where this platform signs no receipts.
    #[schemars(with = "Value")]
    pub envelope: Value,
}

/// Builds an unsigned package from a component, the text of its manifest (TOML or JSON), and further files by their
/// paths. The parts come from the platform's upload form or from a folder.
///
/// # Errors
/// [`PlatformError`] if the manifest has errors or names an unknown host API, or if the package cannot be built.
pub fn package_of_parts(
    component: Vec<u8>,
    manifest: &str,
    files: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> Result<Vec<u8>, PlatformError> {
    let invalid = |message: String| PlatformError::new(errors::PLUGIN_INVALID, message);
    let name = if manifest.trim_start().starts_with('{') { "manifest.json" } else { "plugin.toml" };
    let source = SourceFile::new(name, manifest);
    let (read, report) = parse(&source);
    let read = read.filter(|_| !report.has_errors()).ok_or_else(|| {
        let first = report.diagnostics().first().map_or_else(String::new, |finding| finding.message.clone());
        invalid(format!("the manifest has errors: {}: {first}", report.summary()))
    })?;
    let host_api = contract::find(&read.runtime.abi)
        .ok_or_else(|| invalid(format!("there is no host API `{}`", *read.runtime.abi)))?;
    let world = read.runtime.world.as_ref().map_or(host_api.default_world, |world| world.as_str());
    let parts = PackageParts {
        manifest: document::parse(&source).0.to_json(),
        id: read.metadata.id.to_string(),
        version: read.metadata.version.to_string(),
        abi: host_api.abi.to_owned(),
        world: world.to_owned(),
        wit: host_api.wit.to_owned(),
        component,
        files: files.into_iter().map(|(name, bytes)| ArchiveEntry { name, bytes }).collect(),
        rule_set: RULE_SET.to_owned(),
        tool: concat!("erp-plugin/", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    archive::build(&parts).map_err(|error| invalid(error.to_string()))
}

impl Lifecycle<'_> {
    /// Verifies a package, checks it with every rule, and stores it. The gate decides which signatures it needs.
    ///
    /// # Errors
    /// [`PlatformError`] with all problems in its details.
    pub fn upload(&mut self, bytes: &[u8]) -> Result<UploadReceipt, PlatformError> {
        let admitted = self.platform.admission().admit(bytes)?;
        self.take_package(bytes, &admitted)
    }

    /// Stores a package that was admitted before. Admits it again if stored keys or revocations have changed since.
    pub(super) fn upload_admitted(
        &mut self,
        bytes: &[u8],
        admitted: &AdmittedPackage,
    ) -> Result<UploadReceipt, PlatformError> {
        if self.platform.admission().still_admits(admitted)? {
            self.take_package(bytes, admitted)
        } else {
            self.upload(bytes)
        }
    }

    fn take_package(&mut self, bytes: &[u8], admitted: &AdmittedPackage) -> Result<UploadReceipt, PlatformError> {
        let AdmittedPackage { package, pins, .. } = admitted;
        let files = files_of(package);
        let labels = Labels::of_files(&package.manifest, &files);
        let manifest = Arc::new(package.manifest.clone());
        let (id, version) = (manifest.metadata.id.to_string(), manifest.metadata.version.to_string());
        let sha256 = sha256_hex(bytes);
        let now = self.platform.now();
        let record = package_record(package, &sha256, bytes, now);
        let known = self.platform.database.lock().installed().package(&id, &version)?;
        if known.as_ref().is_some_and(|known| known.sha256 != sha256) {
            return Err(version_is_taken(&id, &version));
        }
        let before = self.platform.plugins.get(id.as_str());
        // The same file again: nothing to do, unless the version was rolled back since.
        let came_after = |before: &Installed| {
            Version::parse(&version).is_ok_and(|version| is_older(&before.manifest.metadata.version, &version))
        };
        let is_there = before.is_some_and(|before| !came_after(before));
        if known.is_some() && is_there {
            return self.receipt(&id, &version);
        }
        if let Some(before) = before.filter(|before| is_downgrade(before, &version)) {
            let message = format!("version {} is there already, {version} is older", *before.manifest.metadata.version);
            return Err(PlatformError::new(errors::PLUGIN_DOWNGRADE, message));
        }
        self.platform.requirements().require_platform(&manifest)?;
        self.require_free_tables(&manifest)?;
        self.platform.requirements().require_still_fits(&id, &version)?;
        // An installed plugin stays installed, with the tables of the new version: others may depend on it.
        let is_installed = before.is_some_and(|before| DependencyStage::Installed.is_reached_by(before.status));
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
            files,
            loaded: None,
            canary: None,
        };
        let plugin_record = plugin_record(&id, &installed);
        let signed = self.platform.admission().write_receipt(package, &record)?;
        let keep = |database: &mut Database| {
            // The packages of a purged plugin are kept, so that no version number is used twice.
            if known.is_none() {
                let plugin = &manifest.metadata.id;
                database.installed().add_package(plugin, &version, &record)?;
                signed.as_ref().map_or(Ok(()), |signed| database.receipts().add_receipt(plugin, &version, signed))?;
                pins.iter().try_for_each(|key| database.receipts().add_pin(plugin, &key.to_pem()))?;
            }
            database.installed().put_plugin(&plugin_record, now)
        };
        let Some(before) = before else {
            if is_installed {
                self.platform.requirements().require_needs(&manifest, DependencyStage::Installed)?;
            }
            if is_installed {
                self.refuse_handlers(&manifest)?;
            }
            let report = self.table_unit::<_, StoreError>(&id, |database, surroundings| {
                let report = if is_installed {
                    bring_up(database, surroundings, (&manifest, &package.manifest_json), VersionRule::Raised, now)?
                } else {
                    UpgradeReport::default()
                };
                keep(database)?;
                Ok(report)
            })?;
            self.platform.activity.upgrades.push(report);
            self.platform.put_installed(installed);
            return self.receipt(&id, &version);
        };
        // A new version replaces a running plugin at once, in the transaction of its own `init`: a version that
        // does not start leaves the old one running, also after a crash.
        self.platform.requirements().require_needs(&manifest, DependencyStage::Running)?;
        let loaded = self.load(package.component(), &manifest)?;
        let replaced = self.replace(&loaded, &package.manifest_json, VersionRule::Raised, keep);
        let report = replaced.map_err(|error| {
            if error.code.declared().is_some_and(|code| UPGRADE_REFUSALS.contains(&code)) {
                return error;
            }
            let message = format!(
                "version {version} does not start, and {} goes on: {}",
                *before.manifest.metadata.version, error.message
            );
            PlatformError::new(errors::PLUGIN_START, message).with_details(json!({ "code": error.code }))
        })?;
        self.platform.activity.upgrades.push(report);
        installed.loaded = Some(loaded);
        self.platform.put_installed(installed);
        if let Err(error) = self.call_tenant_hooks(&id, &manifest) {
            self.fail(&id, &error)?;
        }
        self.receipt(&id, &version)
    }

    /// Returns the receipt of an accepted version.
    ///
    /// # Errors
    /// 404 if the version was not uploaded.
    pub fn receipt(&self, id: &str, version: &str) -> Result<UploadReceipt, PlatformError> {
        let record = self.platform.database.lock().installed().package(id, version)?;
        let record = record
            .ok_or_else(|| PlatformError::new(errors::PLUGIN_NOT_FOUND, format!("{id} {version} was not uploaded")))?;
        let signed = self.platform.database.lock().receipts().receipt(id, version)?;
        Ok(UploadReceipt {
            id: id.to_owned(),
            version: version.to_owned(),
            sha256: record.sha256,
            content_id: record.content_id,
            accepted_at: record.accepted_at,
            signed_by: record.signed_by,
            envelope: signed.and_then(|signed| serde_json::from_str(&signed.envelope).ok()).unwrap_or(Value::Null),
        })
    }

    /// Refuses a plugin if one of its tables has the name of another plugin's table.
    pub(super) fn require_free_tables(&self, manifest: &Manifest) -> Result<(), PlatformError> {
        let plugin = &manifest.metadata.id;
        for entity in &manifest.schema.entities {
            let table = table_name(plugin, &entity.name);
            if let Some(owner) = self.platform.database.lock().schema().other_owner(plugin, &table)? {
                let message = format!("the table `{table}` of `{}` belongs to the plugin `{owner}`", *entity.name);
                return Err(PlatformError::new(errors::PLUGIN_TABLE_TAKEN, message));
            }
        }
        Ok(())
    }
}

/// Returns the files of a package that users of the plugin see: its labels, its pages and their assets.
pub(super) fn files_of(package: &Package) -> PluginFiles {
    let is_shown = |name: &str| is_shown(&package.manifest, name);
    let shown = package.entries.iter().filter(|entry| is_shown(&entry.name));
    Arc::new(shown.map(|entry| (entry.name.clone(), entry.bytes.clone())).collect())
}

/// Returns whether users of a plugin see a file: labels, files of pages, and all of `pages/` and `assets/`.
pub(super) fn is_shown(manifest: &Manifest, name: &str) -> bool {
    let folder = name.split('/').next().unwrap_or_default();
    let is_page = manifest.ui.pages.iter().any(|page| page.file.as_ref().is_some_and(|file| file.as_str() == name));
    is_page || matches!(folder, "pages" | "assets") || folder == manifest.i18n.dir
}

/// Returns the record of a package for the store.
fn package_record(package: &Package, sha256: &str, bytes: &[u8], now: Moment) -> PackageRecord {
    PackageRecord {
        sha256: sha256.to_owned(),
        content_id: package.content_id.clone(),
        size: bytes.len() as u64,
        signed_by: package.envelope.signatures.iter().map(|signature| signature.key_id.to_string()).collect(),
        accepted_at: now.to_string(),
        bytes: bytes.to_vec(),
    }
}

fn version_is_taken(id: &str, version: &str) -> PlatformError {
    let message = format!("{id} {version} was uploaded before with another content: raise the version");
    PlatformError::new(errors::PLUGIN_VERSION_TAKEN, message)
}

fn is_downgrade(before: &Installed, version: &str) -> bool {
    Version::parse(&before.manifest.metadata.version).is_ok_and(|installed| is_older(version, &installed))
}
