//! Keeps the indexes of texts up to date.

use erp_storage::{EntityRef, StoreError};

use super::hits::MOST_NEW;
use super::{Database, definition};

/// The indexes of texts in SQLite.
#[derive(Debug)]
pub(crate) struct TextIndexes<'d> {
    pub(crate) database: &'d mut Database,
}

impl TextIndexes<'_> {
    /// Brings those indexes of texts up to date that lack many rows, as part of the unit of work that wrote the last of
    /// these rows.
    pub(super) fn take_up(&mut self) -> Result<(), StoreError> {
        let entities: Vec<EntityRef> = self.database.catalog().manifests().flat_map(EntityRef::all).collect();
        for index in entities.iter().filter_map(definition::grams_index) {
            if !self.database.has_table(&index.name)? {
                continue;
            }
            let new = self.database.rows("count new texts", &index.count_new(), [], |row| row.get::<i64>(0))?;
            if new.first().is_some_and(|new| new.unsigned_abs() > MOST_NEW) {
                self.database.execute_batch("take up new texts", &index.take_up_statement())?;
            }
        }
        Ok(())
    }
}
