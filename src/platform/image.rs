//! A platform as it stood at a moment, to begin from again and again.

use std::collections::BTreeMap;
use std::sync::Arc;

use erp_manifest::PluginId;
use erp_runtime::{Runtime, Surroundings, lock};
use erp_storage::StoreError;
use erp_store::{Database, DatabaseImage};

use super::dependencies::DependencyStage;
use super::state::Installed;
use super::{Directory, Platform};

/// A platform as it stood at a moment: its database, its clock and ids, its plugins and users.
#[derive(Debug, Clone)]
pub struct PlatformImage {
    database: Arc<DatabaseImage>,
    surroundings: Surroundings,
    directory: Directory,
    plugins: BTreeMap<PluginId, Arc<Installed>>,
}

impl PlatformImage {
    /// A platform as it is now.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn of(platform: &Platform) -> Result<PlatformImage, StoreError> {
        Ok(PlatformImage {
            database: Arc::new(platform.database.lock().image()?),
            surroundings: lock(&platform.surroundings).clone(),
            directory: platform.directory.clone(),
            plugins: platform.plugins.clone(),
        })
    }

    /// A platform that stands as another one did, and shares nothing with it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn platform(&self, runtime: Arc<Runtime>) -> Result<Platform, StoreError> {
        let mut database = Database::of_image(&self.database)?;
        for installed in self.plugins.values().filter(|plugin| DependencyStage::Installed.is_reached_by(plugin.status))
        {
            database.serve_schema(&installed.manifest);
        }
        let mut platform = Platform::new(runtime, database, self.surroundings.clone(), self.directory.clone());
        platform.plugins = self.plugins.clone();
        Ok(platform)
    }
}
