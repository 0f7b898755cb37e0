//! Storage for calls that store nothing: definitions of nodes, replays of recordings.

use std::sync::Arc;

use erp_manifest::{EventType, Manifest, PluginId};
use serde_json::{Map, Value};

use super::{
    AggregateQuery, Attempt, BatchStep, BlobStorage, Catalog, ConfigStorage, EntityRef, EventStorage, IdSource,
    KeyValueStorage, ListQuery, ListedRows, MemoryStorage, Row, RowChange, RowReach, RowStorage, Scope, StatementLimit,
    Storage, StoreError, Unit,
};

/// Storage that holds nothing and refuses every call of a guest.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoStorage;

/// A unit of work of [`NoStorage`].
#[derive(Debug, Default)]
pub struct NoUnit {
    catalog: Catalog,
}

const REFUSED: StoreError = StoreError::Unsupported("data");

impl Storage for NoStorage {
    type Unit = NoUnit;

    fn begin(&self, _: Attempt<'_>) -> Result<NoUnit, StoreError> {
        Ok(NoUnit::default())
    }
}

impl Unit for NoUnit {
    fn commit(self: Box<Self>) -> Result<Vec<Arc<RowChange>>, StoreError> {
        Ok(Vec::new())
    }

    fn changes(&self) -> &[Arc<RowChange>] {
        &[]
    }

    fn bound_changes(&mut self, _: u64) {}

    fn limit_statements(&mut self, _: StatementLimit) {}
}

impl RowStorage for NoUnit {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn insert(&mut self, _: &EntityRef, _: &Scope, _: &Map<String, Value>, _: IdSource<'_>) -> Result<Row, StoreError> {
        Err(REFUSED)
    }

    fn get(&mut self, _: &EntityRef, _: &Scope, _: &str) -> Result<Row, StoreError> {
        Err(REFUSED)
    }

    fn list(&mut self, _: &EntityRef, _: &Scope, _: &ListQuery) -> Result<ListedRows, StoreError> {
        Err(REFUSED)
    }

    fn count(&mut self, _: &EntityRef, _: &Scope, _: &ListQuery) -> Result<u64, StoreError> {
        Err(REFUSED)
    }

    fn update(
        &mut self,
        _: &EntityRef,
        _: &Scope,
        _: &str,
        _: &Map<String, Value>,
        _: Option<u32>,
    ) -> Result<Row, StoreError> {
        Err(REFUSED)
    }

    fn delete(&mut self, _: &EntityRef, _: &Scope, _: &str, _: Option<u32>) -> Result<usize, StoreError> {
        Err(REFUSED)
    }

    fn restore(&mut self, _: &EntityRef, _: &Scope, _: &str) -> Result<Row, StoreError> {
        Err(REFUSED)
    }

    fn aggregate(&mut self, _: &EntityRef, _: &Scope, _: &AggregateQuery) -> Result<Vec<Value>, StoreError> {
        Err(REFUSED)
    }

    fn batch(
        &mut self,
        _: &PluginId,
        _: &Scope,
        _: &[RowReach],
        _: &[BatchStep],
        _: IdSource<'_>,
    ) -> Result<(Vec<Value>, usize), StoreError> {
        Err(REFUSED)
    }

    fn labels(&mut self, _: &EntityRef, _: &Scope, _: &[String]) -> Result<Map<String, Value>, StoreError> {
        Err(REFUSED)
    }
}

impl KeyValueStorage for NoUnit {
    fn key_value(&mut self, _: &PluginId, _: &Scope, _: &str) -> Result<Option<Value>, StoreError> {
        Err(REFUSED)
    }

    fn set_key_value(&mut self, _: &PluginId, _: &Scope, _: &str, _: &Value, _: Option<u32>) -> Result<(), StoreError> {
        Err(REFUSED)
    }

    fn key_value_to_change(&mut self, _: &PluginId, _: &Scope, _: &str) -> Result<Option<Value>, StoreError> {
        Err(REFUSED)
    }

    fn change_key_value(&mut self, _: &PluginId, _: &Scope, _: &str, _: &Value) -> Result<(), StoreError> {
        Err(REFUSED)
    }

    fn delete_key_value(&mut self, _: &PluginId, _: &Scope, _: &str) -> Result<bool, StoreError> {
        Err(REFUSED)
    }
}

impl BlobStorage for NoUnit {}

impl MemoryStorage for NoUnit {}

impl ConfigStorage for NoUnit {
    fn config(&mut self, _: &str) -> Result<Option<Value>, StoreError> {
        Err(REFUSED)
    }

    fn setting(&mut self, _: &Manifest, _: &Scope, _: &str) -> Result<Value, StoreError> {
        Err(REFUSED)
    }

    fn next_number(&mut self, _: &Manifest, _: &str, _: &Scope) -> Result<String, StoreError> {
        Err(REFUSED)
    }

    fn peek_number(&mut self, _: &Manifest, _: &str, _: &Scope) -> Result<String, StoreError> {
        Err(REFUSED)
    }
}

impl EventStorage for NoUnit {
    fn add_event(&mut self, _: &Scope, _: &str, _: &EventType, _: &str, _: &Value, _: u32) -> Result<(), StoreError> {
        Err(REFUSED)
    }
}
