//! Two SQL databases behind one connection; [`Dialect`] holds their differences.
//!
//! Statements write parameters as `?` on both. Code outside of this folder distinguishes the two only through the
//! dialect.

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
#[cfg(feature = "sqlite")]
mod writer_turn;

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

/// Column names and rows of a statement that a user wrote.
pub(crate) type InspectedRows = (Vec<String>, Vec<Vec<serde_json::Value>>);

/// The longest text or blob that such a statement may produce, and the memory of its rows (`MAX_BYTES`); in bytes.
const LONGEST: i32 = 4 << 20;
const MAX_BYTES: u64 = 16 << 20;
/// The error message for a sum of decimals with more digits than a decimal holds.
pub(super) const SUM_TOO_LARGE: &str = "a sum of more than 28 digits";
/// The collation that orders decimal text by value, in SQLite.
pub(super) const COLLATION: &str = "decimal";
