//! Two SQL databases behind one connection: what they share is said once, where they differ is in [`Dialect`].
//!
//! Statements name parameters by `?` in both. Nothing outside of this folder knows which of the two it talks to,
//! but by asking for the dialect.

mod connection;
mod dialect;
mod error;
mod postgres;
mod postgres_session;
mod postgres_tls;
mod postgres_url;
mod postgres_wire;
mod sqlite;
mod value;
mod watch;

pub(super) use connection::{Connection, ConnectionImage};
pub use dialect::Dialect;
pub(super) use dialect::{ColumnShape, RowLock};
pub(super) use error::Failure;
pub use error::SqlError;
pub use postgres_session::LentClient;
pub use postgres_url::PostgresUrl;
pub(super) use value::{Cell, SqlRow, SqlValue, bound};
