//! Where a dev host keeps plugins, rows and users, and how to open them without serving.

use std::path::PathBuf;
use std::sync::Arc;

use erp_platform::{Gate, Platform, Registrar};
use erp_runtime::{Compilation, Runtime, Surroundings};
use erp_store::{Database, PostgresUrl};

use super::{DevHostError, StateFolder};

/// The name of a dev host in the receipts that it signs.
pub(super) const REGISTRY: &str = "erp-plugin dev";

/// Where a dev host keeps its state.
#[derive(Debug, Clone)]
pub struct HostPlace {
    /// The state folder; one process at a time may use it.
    pub state_folder: PathBuf,
    /// The PostgreSQL database with the data. None: SQLite in the state folder.
    pub database: Option<PostgresUrl>,
    /// How components are compiled.
    pub compilation: Compilation,
}

impl HostPlace {
    /// Opens the folder, which then belongs to this process, and its database.
    ///
    /// # Errors
    /// [`DevHostError`] if another process uses the folder, or if the database cannot be opened.
    pub fn open(&self) -> Result<(StateFolder, Database), DevHostError> {
        let state_folder = StateFolder::open(&self.state_folder)?;
        let mut database = match &self.database {
            Some(url) => Database::open_postgres(url)?,
            None => {
                state_folder.close_database()?;
                Database::open(&state_folder.database())?
            }
        };
        database.seal_with(Arc::new(state_folder.sealer()?));
        database.secrets().seal_older_secrets()?;
        Ok((state_folder, database))
    }

    /// Opens the platform on that database. Plugins that were running are not started yet: see
    /// [`erp_platform::Lifecycle::recover`].
    ///
    /// # Errors
    /// As [`HostPlace::open`].
    pub fn platform(&self, surroundings: Surroundings) -> Result<(StateFolder, Platform), DevHostError> {
        let (state_folder, database) = self.open()?;
        let runtime = Arc::new(Runtime::new(self.compilation.clone())?);
        let mut platform = Platform::new(runtime, database, surroundings, state_folder.directory());
        // This host signs the receipts of all packages, whichever command uploads them.
        let registrar = Registrar { name: REGISTRY.to_owned(), key: state_folder.registry_key()? };
        platform.set_gate(Gate { registrar: Some(registrar), ..Gate::default() });
        Ok((state_folder, platform))
    }
}
