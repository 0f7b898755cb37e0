//! A copy of a platform's state, from which any number of platforms can start.

use std::collections::BTreeMap;
use std::sync::Arc;

use erp_manifest::PluginId;
use erp_runtime::{Runtime, Surroundings, lock};
use erp_storage::StoreError;
use erp_store::{Database, DatabaseImage};

use super::dependencies::DependencyStage;
use super::state::Installed;
use super::{Directory, Platform};

/// A copy of a platform's state: its database, its clock and ids, its plugins and users.
#[derive(Debug, Clone)]
pub struct PlatformImage {
    database: Arc<DatabaseImage>,
    surroundings: Surroundings,
    directory: Directory,
    plugins: BTreeMap<PluginId, Arc<Installed>>,
}

impl PlatformImage {
    /// Copies the current state of a platform.
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

    /// Creates a platform in the copied state, with a database of its own.
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
