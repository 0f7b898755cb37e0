//! Temporary databases.

#[cfg(all(feature = "postgres", feature = "sqlite"))]
use std::sync::Arc;

use erp_storage::StoreError;

use super::Database;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
use super::DatabaseImage;
#[cfg(feature = "postgres")]
use super::sql::PostgresUrl;

/// Where temporary databases are created.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "sqlite", derive(Default))]
pub enum ScratchPlace {
    /// In memory, on SQLite.
    #[cfg(feature = "sqlite")]
    #[cfg_attr(feature = "sqlite", default)]
    Memory,
    /// On PostgreSQL, each in a schema of its own.
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
    /// Copies of an image.
    #[cfg(all(feature = "postgres", feature = "sqlite"))]
    Image(Arc<DatabaseImage>),
}

impl ScratchPlace {
    /// Creates a database: empty, or with the content of the image. It is deleted when the value is dropped.
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
