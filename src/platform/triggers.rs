//! Events that the platform publishes for the `trigger_events` of a manifest.

use std::sync::Arc;

use erp_manifest::{EventType, TenantId, TriggerKind, may_trigger, trigger_name};
use erp_runtime::{EmittedEvent, SharedSurroundings, lock};
use erp_storage::{RowChange, RowChangeKind, Scope, StoreError, condition_holds};
use erp_store::Database;
use serde_json::json;

/// Writes the events for the rows that the unit of work has changed so far, in the same unit, and returns them.
/// The length of a chain of events is limited to `most_deep`, as for events of guests: a plugin's reaction
/// to an event may trigger the same event again.
pub(super) fn publish_changes(
    database: &mut Database,
    surroundings: &SharedSurroundings,
    depth: u32,
    most_deep: u64,
) -> Result<Vec<(TenantId, EmittedEvent)>, StoreError> {
    let mut published = Vec::new();
    let changes: Vec<Arc<RowChange>> = database.changes().to_vec();
    for change in changes {
        let Some(entity) = database.catalog().by_qualified_name(&change.entity) else { continue };
        let happened = match change.kind {
            RowChangeKind::Insert | RowChangeKind::Restore => TriggerKind::Create,
            RowChangeKind::Update => TriggerKind::Update,
            RowChangeKind::Delete => TriggerKind::Delete,
        };
        for trigger in entity.trigger_events.iter().filter(|trigger| *trigger.on == happened) {
            let (id, now) = {
                let mut surroundings = lock(surroundings);
                (surroundings.uuid(), surroundings.now())
            };
            let scope = Scope::of_tenant(&change.tenant, now);
            let scope = match &change.row.updated_by {
                Some(user) => scope.by(user),
                None => scope,
            };
            if trigger.when.as_ref().is_some_and(|when| !condition_holds(when, &entity, &scope, &change.row.data)) {
                continue;
            }
            let name = trigger_name(entity.plugin(), &entity, trigger);
            let payload = json!({ "entity": entity.name.as_str(), "id": change.row.id, "data": change.row.data });
            // `check` reports such names earlier; manifests that were not checked are restricted too.
            let Some(event_type) = EventType::new(&*name).filter(|_| may_trigger(entity.manifest(), &name)) else {
                continue;
            };
            if u64::from(depth) > most_deep {
                return Err(StoreError::EventDepth(most_deep));
            }
            database.events().add_event(&scope, &id, &event_type, entity.plugin().as_str(), &payload, depth)?;
            published.push((change.tenant.clone(), EmittedEvent { id, event_type, payload }));
        }
    }
    Ok(published)
}
