//! Units of work outside plugin calls.

use erp_runtime::SharedSurroundings;
use erp_storage::StoreError;
use erp_store::Database;

use super::Platform;
use super::attempts::{Attempts, Refusal};
use super::triggers::publish_changes;

/// Maximum size in bytes of the changed rows (old and new values) that a unit of work keeps until it ends.
const MAX_CHANGES: u64 = 96 << 20;

impl Platform {
    /// Runs a unit of work without trigger events and without a record in the activity. Repeats it after a conflict.
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

    /// Runs a unit of work outside a plugin call. Publishes its trigger events, and records events and changes in
    /// the activity. Repeats it after a conflict with another process.
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
        // No event caused these changes, so their events start a chain.
        let published = publish_changes(&mut unit, &self.surroundings, 0, 0)?;
        let changes = unit.commit()?;
        self.activity.events.extend(published);
        self.activity.changes.extend(changes);
        Ok(value)
    }
}
