//! Units of work without a plugin.

use erp_runtime::SharedSurroundings;
use erp_storage::StoreError;
use erp_store::Database;

use super::Platform;
use super::attempts::{Attempts, Refusal};
use super::triggers::publish_changes;

/// Bytes of changed rows that a unit of work keeps until it ends, before and after.
const MAX_CHANGES: u64 = 96 << 20;

impl Platform {
    /// A unit of work without activity.
    pub(super) fn quiet_unit<T>(
        &mut self,
        mut work: impl FnMut(&mut Database, &SharedSurroundings) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut attempts = Attempts::default();
        loop {
            let mut unit = self.database.begin_to_write()?;
            let worked = work(&mut unit, &self.surroundings);
            match worked.and_then(|value| unit.commit().map(|_| value)) {
                Err(error) if error.is_conflict() && attempts.next() => {}
                done => return done,
            }
        }
    }

    /// A unit of work without a plugin: what it changes is noted in the activity. It is done again where another
    /// process changed the same data meanwhile.
    pub(super) fn unit<T, E: Refusal>(
        &mut self,
        mut work: impl FnMut(&mut Database, &SharedSurroundings) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut attempts = Attempts::default();
        loop {
            match self.unit_once(&mut work) {
                Err(error) if error.is_conflict() && attempts.next() => {}
                done => return done,
            }
        }
    }

    fn unit_once<T, E: Refusal>(
        &mut self,
        work: impl FnOnce(&mut Database, &SharedSurroundings) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut unit = self.database.begin_to_write()?;
        unit.bound_changes(MAX_CHANGES);
        let value = work(&mut unit, &self.surroundings)?;
        // What no event led to begins a chain.
        let told = publish_changes(&mut unit, &self.surroundings, 0, 0)?;
        let changes = unit.commit()?;
        self.activity.events.extend(told);
        self.activity.changes.extend(changes);
        Ok(value)
    }
}
