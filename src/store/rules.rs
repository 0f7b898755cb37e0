//! The manifest's rules for a row: computed fields, conditions, constraints, trees.

use erp_manifest::Field;
use erp_storage::{EntityRef, FieldProblem, RollUps, Scope, StoreError, compute_and_check};
use serde_json::{Map, Value};

use super::records::RowWriter;

/// The maximum depth of a tree, in rows.
const MAX_TREE_DEPTH: usize = 1_000;

impl RowWriter<'_> {
    /// Fills in the computed fields, and rejects a row that breaks a rule. `data` is the whole row as it will be
    /// stored; `id` is absent for a new row.
    ///
    /// # Errors
    /// [`StoreError::Validation`] with all problems.
    pub(super) fn settle(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        id: Option<&str>,
        data: &mut Map<String, Value>,
    ) -> Result<(), StoreError> {
        let roll_ups = match id {
            Some(id) => self.roll_ups(entity, scope, id)?,
            None => RollUps::of_no_children(entity),
        };
        let mut problems = compute_and_check(entity, scope, data, Some(&roll_ups));
        for field in entity.fields.iter().filter(|field| field.no_cycle.as_ref().is_some_and(|circle| **circle)) {
            if let Some(message) = self.circle(entity, scope, id, field, data)? {
                problems.push(FieldProblem { field: field.name.to_string(), message });
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Validation { entity: entity.name.to_string(), problems })
        }
    }

    /// Walks up from the row that a field names; returns a problem if that leads back to the row itself or too far.
    fn circle(
        &self,
        entity: &EntityRef,
        scope: &Scope,
        id: Option<&str>,
        field: &Field,
        data: &Map<String, Value>,
    ) -> Result<Option<String>, StoreError> {
        let name = field.name.as_str();
        // Without the lock, two rows that move at the same time could end up below each other.
        self.database.lock_alone(&["tree", &entity.table(), scope.tenant.as_str(), name])?;
        let mut next = data.get(name).and_then(Value::as_str).map(str::to_owned);
        for _ in 0..MAX_TREE_DEPTH {
            let Some(above) = next else { return Ok(None) };
            if Some(above.as_str()) == id {
                return Ok(Some("leads back to the row itself".to_owned()));
            }
            next = match self.database.reader().get(entity, scope, &above) {
                Ok(row) => row.data.get(name).and_then(Value::as_str).map(str::to_owned),
                Err(StoreError::NotFound { .. }) => None,
                Err(error) => return Err(error),
            };
        }
        Ok(Some(format!("has more than {MAX_TREE_DEPTH} rows above it")))
    }
}
