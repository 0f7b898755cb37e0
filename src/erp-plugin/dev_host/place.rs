//! Where a dev host's plugins, rows and users are, to be opened without serving them.

use std::path::PathBuf;
use std::sync::Arc;

use erp_platform::{Gate, Platform, Registrar};
use erp_runtime::{Compilation, Runtime, Surroundings};
use erp_store::{Database, PostgresUrl};

use super::{DevHostError, StateFolder};

/// What a dev host calls itself in the receipts that it signs.
pub(super) const REGISTRY: &str = "erp-plugin dev";

/// Where the state of a dev host is.
#[derive(Debug, Clone)]
pub struct HostPlace {
    /// The folder of the state; one process at a time uses it.
    pub state_folder: PathBuf,
    /// Where the data are; in the state folder where it is none.
    pub database: Option<PostgresUrl>,
    /// How components are compiled.
    pub compilation: Compilation,
}

impl HostPlace {
    /// The folder, which belongs to this process then, and its database.
    ///
    /// # Errors
    /// [`DevHostError`] where another process uses it, or the database cannot be opened.
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

    /// The platform over it. Plugins that were running are not started yet: see [`erp_platform::Lifecycle::recover`].
    ///
    /// # Errors
    /// As [`HostPlace::open`].
    pub fn platform(&self, surroundings: Surroundings) -> Result<(StateFolder, Platform), DevHostError> {
        let (state_folder, database) = self.open()?;
        let runtime = Arc::new(Runtime::new(self.compilation.clone())?);
        let mut platform = Platform::new(runtime, database, surroundings, state_folder.directory());
        // Whoever brings packages here, their receipts are this host's.
        let registrar = Registrar { name: REGISTRY.to_owned(), key: state_folder.registry_key()? };
        platform.set_gate(Gate { registrar: Some(registrar), ..Gate::default() });
        Ok((state_folder, platform))
    }
}
