//! Two SQL databases behind one connection: what they share is said once, where they differ is in [`Dialect`].
//!
//! Statements name parameters by `?` in both. Nothing outside of this folder knows which of the two it talks to,
//! but by asking for the dialect.

mod connection;
mod dialect;
mod error;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_session;
#[cfg(feature = "postgres")]
mod postgres_tls;
#[cfg(feature = "postgres")]
mod postgres_url;
#[cfg(feature = "postgres")]
mod postgres_wire;
#[cfg(feature = "sqlite")]
mod sqlite;
mod value;
mod watch;

pub(super) use connection::Connection;
#[cfg(all(feature = "postgres", feature = "sqlite"))]
pub(super) use connection::ConnectionImage;
pub use dialect::Dialect;
pub(super) use dialect::{ColumnShape, RowLock, TRIGRAM};
pub(super) use error::Failure;
pub use error::SqlError;
#[cfg(feature = "postgres")]
pub use postgres_session::LentClient;
#[cfg(feature = "postgres")]
pub use postgres_url::PostgresUrl;
pub(super) use value::{Cell, SqlRow, SqlValue, bound};

/// Names of the columns, and rows, of a statement that somebody else wrote.
pub(crate) type InspectedRows = (Vec<String>, Vec<Vec<serde_json::Value>>);

/// The longest text or blob that such a statement may make, and what its rows may take in memory, in bytes.
const LONGEST: i32 = 4 << 20;
const MAX_BYTES: u64 = 16 << 20;
/// What a sum of decimals says that has more digits than one holds.
pub(super) const SUM_TOO_LARGE: &str = "a sum of more than 28 digits";
/// The collation that orders decimal text by value, in SQLite.
pub(super) const COLLATION: &str = "decimal";
