//! Errors of the databases.

use thiserror::Error;

/// The reason for which a database refused a statement or failed.
#[derive(Debug, Error)]
pub enum SqlError {
    /// An error of SQLite.
    #[cfg(feature = "sqlite")]
    #[error("{}", without_statement(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// An error of PostgreSQL.
    #[cfg(feature = "postgres")]
    #[error("{}", postgres_message(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// The address of the database is invalid or cannot be used.
    #[error("{0}")]
    Address(String),
    /// Another unit of work changed the same rows; this one can only be undone.
    #[error("another process changed the same data at the same moment")]
    Conflict,
    /// Another unit of work writes, and did not end in time.
    #[error("somebody else's work writes to the database, and was not waited for any longer")]
    Busy,
    /// A statement read for longer than allowed, or its result is no longer wanted.
    #[error("the statement read for longer than it may")]
    Stopped,
    /// The database file was deleted or replaced while it was open.
    #[error("the database's file was deleted or replaced while it was in use: nothing more is written to it")]
    Gone,
    /// An earlier statement of the unit of work failed: the text of its error.
    #[error("an earlier statement of this unit of work failed: {0}")]
    Broken(String),
    /// A number is larger than the store can represent.
    #[error("a number that is too large")]
    TooLarge,
    /// The rows would take more memory than one result may: the limit in bytes.
    #[error("the rows take more than {0} bytes of memory")]
    TooMuch(u64),
    /// A cell has another type than the caller expects.
    #[error("column {index} holds {found} and not {wanted}")]
    Column {
        /// The number of the column, from 0.
        index: usize,
        /// The type of the cell.
        found: &'static str,
        /// The expected type.
        wanted: &'static str,
    },
}

/// The kinds of failure that the store handles separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Two rows have the same values under a unique index.
    Unique,
    /// Another unit of work changed the same data at the same time.
    Conflict,
    /// A number does not fit its type.
    OutOfRange,
    /// A value is too long for an index.
    TooLong,
    /// Anything else.
    Other,
}

impl SqlError {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            #[cfg(feature = "sqlite")]
            SqlError::Sqlite(rusqlite::Error::SqliteFailure(failure, message)) => {
                sqlite_failure(*failure, message.as_deref().unwrap_or_default())
            }
            #[cfg(feature = "postgres")]
            SqlError::Postgres(error) => postgres_failure(error),
            SqlError::Conflict => Failure::Conflict,
            SqlError::TooLarge => Failure::OutOfRange,
            _ => Failure::Other,
        }
    }
}

#[cfg(feature = "sqlite")]
fn sqlite_failure(failure: rusqlite::ffi::Error, message: &str) -> Failure {
    use rusqlite::ffi::ErrorCode::{DatabaseBusy, DatabaseLocked};
    if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE {
        return Failure::Unique;
    }
    match failure.code {
        DatabaseBusy | DatabaseLocked => Failure::Conflict,
        _ if message == "integer overflow" || message == super::SUM_TOO_LARGE => Failure::OutOfRange,
        _ => Failure::Other,
    }
}

#[cfg(feature = "postgres")]
fn postgres_failure(error: &tokio_postgres::Error) -> Failure {
    use tokio_postgres::error::SqlState;
    let Some(error) = error.as_db_error() else { return Failure::Other };
    match error.code() {
        &SqlState::UNIQUE_VIOLATION => Failure::Unique,
        &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::LOCK_NOT_AVAILABLE => {
            Failure::Conflict
        }
        &SqlState::NUMERIC_VALUE_OUT_OF_RANGE => Failure::OutOfRange,
        &SqlState::PROGRAM_LIMIT_EXCEEDED => Failure::TooLong,
        _ => Failure::Other,
    }
}

/// The message of SQLite, without the statement, which stays internal.
#[cfg(feature = "sqlite")]
fn without_statement(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

#[cfg(feature = "postgres")]
fn postgres_message(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => match error.detail() {
            Some(detail) => format!("{} ({detail})", error.message()),
            None => error.message().to_owned(),
        },
        None => {
            // `error connecting to server` alone does not help.
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
            format!("{error}{cause}")
        }
    }
}
