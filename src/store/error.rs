//! Converts errors of the databases to errors of storage.

use erp_storage::StoreError;

use super::sql::{Failure, SqlError};

/// Returns a conversion for `map_err`; `attempt` names the operation that failed.
pub(crate) fn failed(attempt: &'static str) -> impl FnOnce(SqlError) -> StoreError {
    move |source| match source.failure() {
        Failure::Conflict => StoreError::Conflict,
        _ => match source {
            SqlError::TooMuch(most) => StoreError::ResultTooLarge(most),
            SqlError::Busy => StoreError::Busy,
            SqlError::Stopped => StoreError::TooSlow,
            source => StoreError::Database { attempt, source: Box::new(source) },
        },
    }
}

/// The kind of database failure behind an error.
pub(crate) fn failure_of(error: &StoreError) -> Failure {
    match error {
        StoreError::Database { source, .. } => source.downcast_ref().map_or(Failure::Other, SqlError::failure),
        StoreError::Conflict => Failure::Conflict,
        _ => Failure::Other,
    }
}
