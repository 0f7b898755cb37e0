//! Repeats units of work that conflict with changes of another process.

use std::time::Duration;

use erp_manifest::codes::errors;
use erp_storage::StoreError;

use super::PlatformError;

/// Maximum number of attempts of a unit of work.
const MOST: u32 = 12;

/// Counts attempts. The wait before an attempt grows with its number.
#[derive(Debug, Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// Returns the number of the current attempt, from 1.
    pub(super) fn number(&self) -> u32 {
        self.0 + 1
    }

    /// Waits for the next attempt and returns `true`, or returns `false` after the last one.
    pub(super) fn next(&mut self) -> bool {
        self.0 += 1;
        if self.0 >= MOST {
            return false;
        }
        // Two hosts that wait equally long would conflict again.
        let own = u64::from(std::process::id() % 7) + 1;
        std::thread::sleep(Duration::from_micros(own * 300 * u64::from(self.0)));
        true
    }
}

/// An error that a unit of work may end with.
pub(super) trait Refusal: From<StoreError> {
    /// Returns whether another process changed the same data first, so that another attempt may succeed.
    fn is_conflict(&self) -> bool;
}

impl Refusal for StoreError {
    fn is_conflict(&self) -> bool {
        matches!(self, StoreError::Conflict)
    }
}

impl Refusal for PlatformError {
    fn is_conflict(&self) -> bool {
        self.code == errors::DB_CONFLICT
    }
}
