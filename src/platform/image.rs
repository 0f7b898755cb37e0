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

impl Platform {
    /// The platform as it stands now.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn image(&self) -> Result<PlatformImage, StoreError> {
        Ok(PlatformImage {
            database: Arc::new(self.database.lock().image()?),
            surroundings: lock(&self.surroundings).clone(),
            directory: self.directory.clone(),
            plugins: self.plugins.clone(),
        })
    }

    /// A platform that stands as another one did, and shares nothing with it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn of_image(runtime: Arc<Runtime>, image: &PlatformImage) -> Result<Platform, StoreError> {
        let mut database = Database::of_image(&image.database)?;
        for installed in image.plugins.values().filter(|plugin| DependencyStage::Installed.is_reached_by(plugin.status))
        {
            database.serve_schema(&installed.manifest);
        }
        let mut platform = Platform::new(runtime, database, image.surroundings.clone(), image.directory.clone());
        platform.plugins = image.plugins.clone();
        Ok(platform)
    }
}
