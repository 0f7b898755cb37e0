//! Storage as the runtime sees it: units of work, and the operations of a guest in one.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use erp_manifest::{EventType, Manifest, PluginId, TenantId};
use serde_json::{Map, Value};

use super::{
    AggregateQuery, BatchStep, BlobInfo, Catalog, EntityRef, ListQuery, ListedRows, Row, RowChange, RowReach, Scope,
    StatementLimit, StoreError,
};

/// Returns the id of the next new row.
pub type IdSource<'a> = &'a mut dyn FnMut() -> String;

/// The call for which a unit of work begins.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The tenant of the call; `TenantId::nil()` for a lifecycle call of no tenant.
    pub tenant: &'a TenantId,
    /// Starts at 1. A call whose unit of work conflicted with another one is repeated. From 2 on, it is better to wait
    /// before the unit of work begins than to risk another conflict.
    pub number: u32,
}

impl<'a> Attempt<'a> {
    /// The first attempt of a call for a tenant.
    pub fn first(tenant: &'a TenantId) -> Attempt<'a> {
        Attempt { tenant, number: 1 }
    }
}

/// The source of units of work: a database, or a pool of connections to one. Threads share it.
pub trait Storage: Send + Sync {
    /// The unit of work of a call.
    type Unit: Unit;

    /// Begins a unit of work, for the caller's use alone until it ends. Blocks while all connections are taken.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if none became free in time, [`StoreError::Database`].
    fn begin(&self, attempt: Attempt<'_>) -> Result<Self::Unit, StoreError>;
}

/// A unit of work: [`Unit::commit`] applies all of its changes; if it is dropped before, none. One call owns it, and
/// two calls never share one.
///
/// A statement that conflicts with another unit of work fails with [`StoreError::Conflict`]. The runtime then ends the
/// call, drops the unit and repeats the call.
pub trait Unit:
    Any + Debug + Send + RowStorage + KeyValueStorage + BlobStorage + MemoryStorage + ConfigStorage + EventStorage
{
    /// Commits the unit of work; returns the changed rows, in order.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the call may be repeated, [`StoreError::Database`]; no change is kept then.
    fn commit(self: Box<Self>) -> Result<Vec<Arc<RowChange>>, StoreError>;

    /// The rows changed so far, in order.
    fn changes(&self) -> &[Arc<RowChange>];

    /// Whether a conflict occurred, so that the unit of work can only be dropped.
    fn is_doomed(&self) -> bool {
        false
    }

    /// Limits the changed rows, before and after, to `bytes` in all; a change beyond that fails with
    /// [`StoreError::ChangesTooLarge`].
    fn bound_changes(&mut self, bytes: u64);

    /// Limits the time of reading statements; a statement beyond the limit fails with [`StoreError::TooSlow`].
    fn limit_statements(&mut self, limit: StatementLimit);

    /// Starts to record the executed statements, for a trace.
    fn note_statements(&mut self) {}

    /// Returns the statements recorded since the last call, without their values.
    fn take_statements(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Rows of entities. Entities come from [`RowStorage::catalog`]; rows outside of the scope are treated as missing.
pub trait RowStorage {
    /// The installed plugins and their entities.
    fn catalog(&self) -> &Catalog;

    /// Inserts a row: defaults, numbers and computed fields are filled in, rules are checked.
    ///
    /// # Errors
    /// [`StoreError::Validation`], [`StoreError::Unique`], [`StoreError::RefMissing`], [`StoreError::OutOfReach`].
    fn insert(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        data: &Map<String, Value>,
        new_id: IdSource<'_>,
    ) -> Result<Row, StoreError>;

    /// Returns a row that is not deleted.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    fn get(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError>;

    /// Returns a page of rows.
    ///
    /// # Errors
    /// [`StoreError::UnknownField`], [`StoreError::BadQuery`].
    fn list(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<ListedRows, StoreError>;

    /// The number of rows that match.
    ///
    /// # Errors
    /// As [`RowStorage::list`].
    fn count(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<u64, StoreError>;

    /// Merges values into a row; null removes a value.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::VersionConflict`], those of [`RowStorage::insert`].
    fn update(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        patch: &Map<String, Value>,
        expected_version: Option<u32>,
    ) -> Result<Row, StoreError>;

    /// Deletes a row softly, with its dependents as their relations demand; returns the number of changed rows.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::VersionConflict`], [`StoreError::RefRestrict`],
    /// [`StoreError::CascadeTooLarge`].
    fn delete(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        id: &str,
        expected_version: Option<u32>,
    ) -> Result<usize, StoreError>;

    /// Restores a deleted row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], those of [`RowStorage::insert`].
    fn restore(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError>;

    /// Returns one JSON object for each group.
    ///
    /// # Errors
    /// As [`RowStorage::list`].
    fn aggregate(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        query: &AggregateQuery,
    ) -> Result<Vec<Value>, StoreError>;

    /// Executes several writes of the plugin `own`, all or none; `reaches` has one entry for each step. Returns a
    /// result for each step, and the number of changed rows.
    ///
    /// # Errors
    /// [`StoreError::Batch`].
    fn batch(
        &mut self,
        own: &PluginId,
        scope: &Scope,
        reaches: &[RowReach],
        steps: &[BatchStep],
        new_id: IdSource<'_>,
    ) -> Result<(Vec<Value>, usize), StoreError>;

    /// The titles of rows, by their ids; missing rows are left out.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn labels(&mut self, entity: &EntityRef, scope: &Scope, ids: &[String]) -> Result<Map<String, Value>, StoreError>;
}

/// The key-value store of a plugin, per tenant.
pub trait KeyValueStorage {
    /// The value of a key that has not expired.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<Option<Value>, StoreError>;

    /// Sets a key; with `ttl_seconds`, it expires after so many seconds.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn set_key_value(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
        value: &Value,
        ttl_seconds: Option<u32>,
    ) -> Result<(), StoreError>;

    /// The value of a key that will be changed: no other unit of work changes it until this one ends.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn key_value_to_change(&mut self, plugin: &PluginId, scope: &Scope, key: &str)
    -> Result<Option<Value>, StoreError>;

    /// Changes the value of a key and keeps its expiry; a missing or expired key is created without one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn change_key_value(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
        value: &Value,
    ) -> Result<(), StoreError>;

    /// Deletes a key; returns whether it existed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn delete_key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<bool, StoreError>;
}

/// The files of a plugin, per tenant. A storage without files keeps the default methods, which refuse every call.
pub trait BlobStorage {
    /// Stores a file, with its name and media type.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn put_blob(
        &mut self,
        _plugin: &PluginId,
        _scope: &Scope,
        _name_and_mime: (&str, &str),
        _content: Vec<u8>,
        _new_id: IdSource<'_>,
    ) -> Result<BlobInfo, StoreError> {
        Err(StoreError::Unsupported("files"))
    }

    /// Returns the metadata of a file, without its content.
    ///
    /// # Errors
    /// [`StoreError::NoBlob`].
    fn blob_info(&mut self, _plugin: &PluginId, _scope: &Scope, _id: &str) -> Result<BlobInfo, StoreError> {
        Err(StoreError::Unsupported("files"))
    }

    /// Returns bytes of a file: at most `length`, from `offset`.
    ///
    /// # Errors
    /// [`StoreError::NoBlob`].
    fn blob_part(
        &mut self,
        _plugin: &PluginId,
        _scope: &Scope,
        _id: &str,
        _offset: u64,
        _length: u32,
    ) -> Result<Vec<u8>, StoreError> {
        Err(StoreError::Unsupported("files"))
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// [`StoreError::NoBlob`].
    fn delete_blob(&mut self, _plugin: &PluginId, _scope: &Scope, _id: &str) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("files"))
    }
}

/// The session memory of a plugin. A storage without it keeps the default methods, which refuse every call.
pub trait MemoryStorage {
    /// Adds an item to a session.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn remember(
        &mut self,
        _plugin: &PluginId,
        _scope: &Scope,
        _session: &str,
        _item: &Value,
    ) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("memory"))
    }

    /// The newest items of a session, the oldest of them first; with `text`, only those whose JSON contains it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn recall(
        &mut self,
        _plugin: &PluginId,
        _scope: &Scope,
        _session: &str,
        _text: Option<&str>,
        _limit: u32,
    ) -> Result<Vec<Value>, StoreError> {
        Err(StoreError::Unsupported("memory"))
    }

    /// Deletes all items of a session.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn forget(&mut self, _plugin: &PluginId, _scope: &Scope, _session: &str) -> Result<(), StoreError> {
        Err(StoreError::Unsupported("memory"))
    }
}

/// Configuration of the platform, settings and secrets of tenants, and numbers by the manifest's rules.
pub trait ConfigStorage {
    /// A value of the platform's own configuration.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn config(&mut self, key: &str) -> Result<Option<Value>, StoreError>;

    /// A setting of the tenant, or its default.
    ///
    /// # Errors
    /// [`StoreError::UnknownSetting`].
    fn setting(&mut self, manifest: &Manifest, scope: &Scope, key: &str) -> Result<Value, StoreError>;

    /// A secret of the tenant, in plain text. Not called if the host has its own source of secrets.
    ///
    /// # Errors
    /// [`StoreError::NoSecret`].
    fn secret(&mut self, _plugin: &PluginId, _scope: &Scope, key: &str) -> Result<String, StoreError> {
        Err(StoreError::NoSecret(key.to_owned()))
    }

    /// Takes the next number of a rule: no two units of work get the same number.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumbering`], [`StoreError::NumberingExhausted`].
    fn next_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError>;

    /// The number that [`ConfigStorage::next_number`] would return now.
    ///
    /// # Errors
    /// As [`ConfigStorage::next_number`].
    fn peek_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError>;
}

/// Events that are published when the unit of work commits: an outbox.
pub trait EventStorage {
    /// Stores an event until it is delivered. `depth` is the number of events that led to it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn add_event(
        &mut self,
        scope: &Scope,
        id: &str,
        event_type: &EventType,
        source: &str,
        payload: &Value,
        depth: u32,
    ) -> Result<(), StoreError>;
}
