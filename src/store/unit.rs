//! What a guest does in a unit of work, done in the database.

use std::sync::Arc;

use erp_manifest::{EventType, Manifest, PluginId};
use erp_storage::{
    AggregateQuery, BatchStep, BlobInfo, BlobStorage, Catalog, ConfigStorage, EntityRef, EventStorage, IdSource,
    KeyValueStorage, ListQuery, ListedRows, MemoryStorage, Row, RowChange, RowReach, RowStorage, Scope, StatementLimit,
    StoreError, Unit,
};
use serde_json::{Map, Value};

use super::{Database, UnitOfWork};

impl Unit for UnitOfWork {
    fn commit(self: Box<Self>) -> Result<Vec<Arc<RowChange>>, StoreError> {
        UnitOfWork::commit(*self)
    }

    fn changes(&self) -> &[Arc<RowChange>] {
        Database::changes(self)
    }

    fn is_doomed(&self) -> bool {
        Database::is_doomed(self)
    }

    fn bound_changes(&mut self, bytes: u64) {
        Database::bound_changes(self, bytes);
    }

    fn limit_statements(&mut self, limit: StatementLimit) {
        UnitOfWork::limit_statements(self, limit);
    }

    fn note_statements(&mut self) {
        Database::note_statements(self, true);
    }

    fn take_statements(&mut self) -> Vec<String> {
        Database::take_statements(self)
    }
}

impl RowStorage for UnitOfWork {
    fn catalog(&self) -> &Catalog {
        Database::catalog(self)
    }

    fn insert(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        new_id: IdSource<'_>,
    ) -> Result<Row, StoreError> {
        Database::insert(self, entity, scope, data, new_id)
    }

    fn get(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        Database::get(self, entity, scope, id)
    }

    fn list(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<ListedRows, StoreError> {
        Database::list(self, entity, scope, query)
    }

    fn count(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<u64, StoreError> {
        Database::count(self, entity, scope, query)
    }

    fn update(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        patch: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, StoreError> {
        Database::update(self, entity, scope, id, patch, expected_version)
    }

    fn delete(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        expected_version: Option<u32>,
    ) -> Result<usize, StoreError> {
        Database::delete(self, entity, scope, id, expected_version)
    }

    fn restore(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        Database::restore(self, entity, scope, id)
    }

    fn aggregate(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        query: &AggregateQuery,
    ) -> Result<Vec<Value>, StoreError> {
        Database::aggregate(self, entity, scope, query)
    }

    fn batch(
        &mut self,
        own: &PluginId,
        scope: &Scope,
        reaches: &[RowReach],
        steps: &[BatchStep],
        new_id: IdSource<'_>,
    ) -> Result<(Vec<Value>, usize), StoreError> {
        Database::batch(self, own, scope, reaches, steps, new_id)
    }

    fn labels(&mut self, entity: &EntityRef, scope: &Scope, ids: &[String]) -> Result<Map<String, Value>, StoreError> {
        Database::labels(self, entity, scope, ids, None)
    }
}

impl KeyValueStorage for UnitOfWork {
    fn key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<Option<Value>, StoreError> {
        Database::key_value(self, plugin, scope, key)
    }

    fn set_key_value(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
        value: &Value,
        ttl_seconds: Option<u32>,
    ) -> Result<(), StoreError> {
        Database::set_key_value(self, plugin, scope, key, value, ttl_seconds)
    }

    fn key_value_to_change(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
    ) -> Result<Option<Value>, StoreError> {
        Database::key_value_to_change(self, plugin, scope, key)
    }

    fn change_key_value(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
        value: &Value,
    ) -> Result<(), StoreError> {
        Database::change_key_value(self, plugin, scope, key, value)
    }

    fn delete_key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<bool, StoreError> {
        Database::delete_key_value(self, plugin, scope, key)
    }
}

impl BlobStorage for UnitOfWork {
    fn put_blob(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        name_and_mime: (&str, &str),
        content: Vec<u8>,
        new_id: IdSource<'_>,
    ) -> Result<BlobInfo, StoreError> {
        Database::put_blob(self, plugin, scope, name_and_mime, content, new_id)
    }

    fn blob_info(&mut self, plugin: &PluginId, scope: &Scope, id: &str) -> Result<BlobInfo, StoreError> {
        Database::blob_info(self, plugin, scope, id)
    }

    fn blob_part(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        id: &str,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, StoreError> {
        Database::blob_part(self, plugin, scope, id, offset, length)
    }

    fn delete_blob(&mut self, plugin: &PluginId, scope: &Scope, id: &str) -> Result<(), StoreError> {
        Database::delete_blob(self, plugin, scope, id)
    }
}

impl MemoryStorage for UnitOfWork {
    fn remember(&mut self, plugin: &PluginId, scope: &Scope, session: &str, item: &Value) -> Result<(), StoreError> {
        Database::remember(self, plugin, scope, session, item)
    }

    fn recall(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        session: &str,
        text: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Value>, StoreError> {
        Database::recall(self, plugin, scope, session, text, limit)
    }

    fn forget(&mut self, plugin: &PluginId, scope: &Scope, session: &str) -> Result<(), StoreError> {
        Database::forget(self, plugin, scope, session)
    }
}

impl ConfigStorage for UnitOfWork {
    fn config(&mut self, key: &str) -> Result<Option<Value>, StoreError> {
        Database::config(self, key)
    }

    fn setting(&mut self, manifest: &Manifest, scope: &Scope, key: &str) -> Result<Value, StoreError> {
        Database::setting(self, manifest, scope, key)
    }

    fn secret(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<String, StoreError> {
        Database::secret(self, plugin, scope, key)
    }

    fn next_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError> {
        Database::next_number(self, manifest, rule, scope)
    }

    fn peek_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError> {
        Database::peek_number(self, manifest, rule, scope)
    }
}

impl EventStorage for UnitOfWork {
    fn add_event(
        &mut self,
        scope: &Scope,
        id: &str,
        event_type: &EventType,
        source: &str,
        payload: &Value,
        depth: u32,
    ) -> Result<(), StoreError> {
        Database::add_event(self, scope, id, event_type, source, payload, depth)
    }
}
