//! A version of a plugin that comes from a project instead of a package.

use std::sync::Arc;

use erp_manifest::Manifest;
use erp_runtime::LoadedPlugin;
use erp_store::PluginStatus;
use serde_json::Value;

use super::labels::Labels;
use super::state::{Installed, PluginFiles};
use super::upload::is_shown;

/// A version of a plugin that comes from a project instead of a package.
#[derive(Debug, Clone)]
pub struct ProjectVersion {
    /// The loaded component.
    pub loaded: LoadedPlugin,
    /// The manifest as JSON, as in a package; a later version needs it. Null if no later version follows.
    pub json: Value,
    /// The files that users of the plugin see.
    pub files: PluginFiles,
}

impl ProjectVersion {
    /// Creates a version without files, which no later version follows.
    pub fn of(loaded: LoadedPlugin) -> ProjectVersion {
        ProjectVersion { loaded, json: Value::Null, files: PluginFiles::default() }
    }

    /// Returns whether users of the plugin see a file of the project.
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
