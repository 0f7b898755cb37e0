//! The storage traits of a unit of work, implemented by the database.

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
        self.writer().insert(entity, scope, data, new_id)
    }

    fn get(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        self.reader().get(entity, scope, id)
    }

    fn list(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<ListedRows, StoreError> {
        self.reader().list(entity, scope, query)
    }

    fn count(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<u64, StoreError> {
        self.reader().count(entity, scope, query)
    }

    fn update(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        patch: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, StoreError> {
        self.writer().update(entity, scope, id, patch, expected_version)
    }

    fn delete(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        expected_version: Option<u32>,
    ) -> Result<usize, StoreError> {
        self.writer().delete(entity, scope, id, expected_version)
    }

    fn restore(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError> {
        self.writer().restore(entity, scope, id)
    }

    fn aggregate(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        query: &AggregateQuery,
    ) -> Result<Vec<Value>, StoreError> {
        self.reader().aggregate(entity, scope, query)
    }

    fn batch(
        &mut self,
        own: &PluginId,
        scope: &Scope,
        reaches: &[RowReach],
        steps: &[BatchStep],
        new_id: IdSource<'_>,
    ) -> Result<(Vec<Value>, usize), StoreError> {
        self.writer().batch(own, scope, reaches, steps, new_id)
    }

    fn labels(&mut self, entity: &EntityRef, scope: &Scope, ids: &[String]) -> Result<Map<String, Value>, StoreError> {
        self.reader().labels(entity, scope, ids, None)
    }
}

impl KeyValueStorage for UnitOfWork {
    fn key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<Option<Value>, StoreError> {
        self.keys().key_value(plugin, scope, key)
    }

    fn set_key_value(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
        value: &Value,
        ttl_seconds: Option<u32>,
    ) -> Result<(), StoreError> {
        self.keys().set_key_value(plugin, scope, key, value, ttl_seconds)
    }

    fn key_value_to_change(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
    ) -> Result<Option<Value>, StoreError> {
        self.keys().key_value_to_change(plugin, scope, key)
    }

    fn change_key_value(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
        value: &Value,
    ) -> Result<(), StoreError> {
        self.keys().change_key_value(plugin, scope, key, value)
    }

    fn delete_key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<bool, StoreError> {
        self.keys().delete_key_value(plugin, scope, key)
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
        self.blobs().put_blob(plugin, scope, name_and_mime, content, new_id)
    }

    fn blob_info(&mut self, plugin: &PluginId, scope: &Scope, id: &str) -> Result<BlobInfo, StoreError> {
        self.blobs().blob_info(plugin, scope, id)
    }

    fn blob_part(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        id: &str,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, StoreError> {
        self.blobs().blob_part(plugin, scope, id, offset, length)
    }

    fn delete_blob(&mut self, plugin: &PluginId, scope: &Scope, id: &str) -> Result<(), StoreError> {
        self.blobs().delete_blob(plugin, scope, id)
    }
}

impl MemoryStorage for UnitOfWork {
    fn remember(&mut self, plugin: &PluginId, scope: &Scope, session: &str, item: &Value) -> Result<(), StoreError> {
        self.sessions().remember(plugin, scope, session, item)
    }

    fn recall(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        session: &str,
        text: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Value>, StoreError> {
        self.sessions().recall(plugin, scope, session, text, limit)
    }

    fn forget(&mut self, plugin: &PluginId, scope: &Scope, session: &str) -> Result<(), StoreError> {
        self.sessions().forget(plugin, scope, session)
    }
}

impl ConfigStorage for UnitOfWork {
    fn config(&mut self, key: &str) -> Result<Option<Value>, StoreError> {
        self.configuration().config(key)
    }

    fn setting(&mut self, manifest: &Manifest, scope: &Scope, key: &str) -> Result<Value, StoreError> {
        self.configuration().setting(manifest, scope, key)
    }

    fn secret(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<String, StoreError> {
        self.secrets().secret(plugin, scope, key)
    }

    fn next_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError> {
        self.numbers().next_number(manifest, rule, scope)
    }

    fn peek_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError> {
        self.numbers().peek_number(manifest, rule, scope)
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
        self.events().add_event(scope, id, event_type, source, payload, depth)
    }
}
