//! A version of a plugin that comes from a project and not from a package.

use std::sync::Arc;

use erp_manifest::Manifest;
use erp_runtime::LoadedPlugin;
use erp_store::PluginStatus;
use serde_json::Value;

use super::labels::Labels;
use super::state::{Installed, PluginFiles};
use super::upload::is_shown;

/// A version of a plugin that comes from a project and not from a package.
#[derive(Debug, Clone)]
pub struct ProjectVersion {
    /// Its component.
    pub loaded: LoadedPlugin,
    /// Its manifest as packages hold it, so that a later version can follow it; null where none will.
    pub json: Value,
    /// Its files.
    pub files: PluginFiles,
}

impl ProjectVersion {
    /// A version without files, which no other one follows.
    pub fn of(loaded: LoadedPlugin) -> ProjectVersion {
        ProjectVersion { loaded, json: Value::Null, files: PluginFiles::default() }
    }

    /// Whether a file of the project belongs to what users of the plugin see.
    pub fn shows(manifest: &Manifest, name: &str) -> bool {
        is_shown(manifest, name)
    }

    pub(super) fn installed(&self) -> Installed {
        let manifest = Arc::clone(self.loaded.manifest());
        Installed {
            labels: Labels::of_files(&manifest, &self.files),
            manifest,
            status: PluginStatus::Uploaded,
            error: None,
            package_sha256: String::new(),
            manifest_json: self.json.clone(),
            files: Arc::clone(&self.files),
            loaded: None,
            canary: None,
        }
    }
}
