//! Units of work that are done again, since another process changed the same data at the same moment.

use std::time::Duration;

use erp_manifest::codes::errors;
use erp_storage::StoreError;

use super::PlatformError;

/// How often a unit of work is tried.
const MOST: u32 = 12;

/// Counts attempts; each waits a little longer than the one before.
#[derive(Debug, Default)]
pub(super) struct Attempts(u32);

impl Attempts {
    /// Which one this is, from 1.
    pub(super) fn number(&self) -> u32 {
        self.0 + 1
    }

    /// Whether there is another one; waits for it.
    pub(super) fn next(&mut self) -> bool {
        self.0 += 1;
        if self.0 >= MOST {
            return false;
        }
        // Two hosts that wait for just as long would meet again.
        let own = u64::from(std::process::id() % 7) + 1;
        std::thread::sleep(Duration::from_micros(own * 300 * u64::from(self.0)));
        true
    }
}

/// What a unit of work may end with.
pub(super) trait Refusal: From<StoreError> {
    /// Whether another process was faster, so that a second try may succeed.
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
