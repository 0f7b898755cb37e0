//! Databases for a moment.

#[cfg(all(feature = "postgres", feature = "sqlite"))]
use std::sync::Arc;

use erp_storage::StoreError;

use super::Database;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
use super::DatabaseImage;
#[cfg(feature = "postgres")]
use super::sql::PostgresUrl;

/// Where databases are made that are not kept.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "sqlite", derive(Default))]
pub enum ScratchPlace {
    /// In memory, on SQLite.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(feature = "sqlite", default)]
    Memory,
    /// Each in a schema of its own.
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
    /// Each as another one stood at a moment.
    #[cfg(all(feature = "postgres", feature = "sqlite"))]
    Image(Arc<DatabaseImage>),
}

impl ScratchPlace {
    /// A new database with nothing in it, which goes when the value goes.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn database(&self) -> Result<Database, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            ScratchPlace::Memory => Database::in_memory(),
            #[cfg(feature = "postgres")]
            ScratchPlace::Postgres(url) => Database::scratch(url),
            #[cfg(all(feature = "postgres", feature = "sqlite"))]
            ScratchPlace::Image(image) => Database::of_image(image),
        }
    }
}
