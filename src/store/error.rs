//! What the database refuses, in the words of storage.

use erp_storage::StoreError;

use super::sql::{Failure, SqlError};

/// A wrapper for `map_err` that says what was tried.
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

/// What the database's refusal was about, where it says so.
pub(crate) fn failure_of(error: &StoreError) -> Failure {
    match error {
        StoreError::Database { source, .. } => source.downcast_ref().map_or(Failure::Other, SqlError::failure),
        StoreError::Conflict => Failure::Conflict,
        _ => Failure::Other,
    }
}
