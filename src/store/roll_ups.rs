//! Roll-ups: values of computed fields over child rows, updated by the unit of work that changes a child row.

use std::collections::BTreeSet;

use erp_manifest::expression::{Datum, Type};
use erp_manifest::{ChildRows, Entity};
use erp_storage::{AggregateQuery, EntityRef, ListQuery, Metric, RollUps, Scope, StoreError, compute_and_check};
use serde_json::{Map, Value, json};

use super::records;
use super::records::RowWriter;
use super::sql::{RowLock, SqlValue};

/// The maximum number of levels above a row that are recomputed: in a tree, sums go up to its root.
pub(super) const MAX_LEVELS: usize = 100;

/// The parent rows that a change of child rows affects, by entity and id.
type Parents = BTreeSet<(String, String)>;

impl RowWriter<'_> {
    /// The values of an entity's roll-ups for a row: over all its live children, whatever the caller may see.
    pub(super) fn roll_ups(&self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<RollUps, StoreError> {
        let mut values = RollUps::of_no_children(entity);
        let manifest = entity.manifest();
        for roll_up in entity.roll_ups() {
            let Ok(ChildRows { entity: child, key }) = manifest.child_rows(entity, &roll_up.children) else { continue };
            // Not from the catalog: during an upgrade, that may have the entities of another version.
            let Some(child) = sibling(entity, child.name.as_str()) else { continue };
            let name = roll_up.as_str();
            let metric = Metric {
                function: roll_up.function.word().to_owned(),
                field: roll_up.field.clone(),
                name: name.to_owned(),
            };
            let rows = ListQuery { filter: json!({ key.name.as_str(): id }), by_plugin: true, ..ListQuery::default() };
            let query = AggregateQuery { group_by: Vec::new(), metrics: vec![metric], rows };
            let groups = self.database.reader().aggregate(&child, &scope.of_all_rows(), &query)?;
            let found = groups.first().map_or(&Value::Null, |group| &group[name]);
            let field = roll_up.field.as_deref().and_then(|field| child.field(field));
            let is_number = field.is_none_or(|field| field.kind().holds == Type::Number);
            // Without children, the value is set already.
            if !found.is_null() {
                values.set(name, Datum::from_json(found, is_number));
            }
        }
        Ok(values)
    }

    /// Whether roll-ups cover the rows of an entity.
    pub(super) fn is_rolled_up(child: &EntityRef) -> bool {
        child.manifest().schema.entities.iter().any(|parent| rolled_up(child, parent).next().is_some())
    }

    /// The parent rows whose roll-ups cover a row of an entity, for these states of the row.
    pub(super) fn parents(child: &EntityRef, states: &[&Map<String, Value>]) -> Parents {
        let mut parents = Parents::new();
        for parent in &child.manifest().schema.entities {
            for rows in rolled_up(child, parent) {
                let ids = states.iter().filter_map(|data| data.get(rows.key.name.as_str())?.as_str());
                parents.extend(ids.map(|id| (parent.name.to_string(), id.to_owned())));
            }
        }
        parents
    }

    /// Recomputes rows whose children changed, and the rows above them. Their versions stay: no user edited them.
    ///
    /// # Errors
    /// [`StoreError::Validation`] if such a row now breaks a rule, [`StoreError::BadQuery`] beyond [`MAX_LEVELS`], and
    /// those of a write.
    pub(super) fn refresh(&mut self, child: &EntityRef, scope: &Scope, parents: Parents) -> Result<(), StoreError> {
        let scope = scope.of_all_rows();
        let mut level = parents;
        for _ in 0..MAX_LEVELS {
            let mut above = Parents::new();
            for (name, id) in std::mem::take(&mut level) {
                let Some(entity) = sibling(child, &name) else { continue };
                above.extend(self.refresh_row(&entity, &scope, &id)?);
            }
            if above.is_empty() {
                return Ok(());
            }
            level = above;
        }
        let message = format!("roll-ups go up more than {MAX_LEVELS} rows: do they lead back to the row itself?");
        Err(StoreError::BadQuery(message))
    }

    /// Recomputes one row; returns the rows above it if its values changed.
    fn refresh_row(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Parents, StoreError> {
        // Locked before its children are summed: a unit that changes another child waits until this one has ended.
        let mut row = match self.database.reader().read_locked(entity, scope, id, RowLock::Change) {
            Ok(row) if row.deleted_at.is_none() => row,
            Ok(_) => return Ok(Parents::new()),
            // It was deleted or never existed: nothing is to be updated.
            Err(StoreError::NotFound { .. }) => return Ok(Parents::new()),
            Err(error) => return Err(error),
        };
        let before = row.data.clone();
        let roll_ups = self.roll_ups(entity, scope, id)?;
        let problems = compute_and_check(entity, scope, &mut row.data, Some(&roll_ups));
        if !problems.is_empty() {
            return Err(StoreError::Validation { entity: entity.name.to_string(), problems });
        }
        row.data.retain(|_, value| !value.is_null());
        row.data = records::in_order(entity, row.data);
        if row.data == before {
            return Ok(Parents::new());
        }
        let sql = format!("update \"{}\" set data = ? where tenant_id = ? and id = ?", entity.table());
        let parameters = vec![
            SqlValue::Text(Value::Object(row.data.clone()).to_string()),
            SqlValue::text(scope.tenant.as_str()),
            SqlValue::text(id),
        ];
        self.database.note_written(entity, &row);
        self.write_guarded("keep a roll-up", (entity, scope, &row), &sql, parameters)?;
        Ok(RowWriter::parents(entity, &[&before, &row.data]))
    }
}

/// The child rows of an entity that a parent's roll-ups cover.
fn rolled_up<'m>(child: &'m EntityRef, parent: &'m Entity) -> impl Iterator<Item = ChildRows<'m>> {
    let rows = parent.roll_ups().into_iter();
    let rows = rows.filter_map(|roll_up| child.manifest().child_rows(parent, &roll_up.children).ok());
    rows.filter(|rows| *rows.entity.name == *child.name)
}

/// Another entity of the same manifest.
fn sibling(entity: &EntityRef, name: &str) -> Option<EntityRef> {
    EntityRef::all(entity.manifest()).find(|known| known.name.as_str() == name)
}
