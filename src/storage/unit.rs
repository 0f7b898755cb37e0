//! Storage as the runtime sees it: units of work, and what a guest does within one.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use erp_manifest::{EventType, Manifest, PluginId, TenantId};
use serde_json::{Map, Value};

use super::{
    AggregateQuery, BatchStep, BlobInfo, Catalog, EntityRef, ListQuery, ListedRows, Row, RowChange, RowReach, Scope,
    StatementLimit, StoreError,
};

/// Gives the id of the next new row.
pub type IdSource<'a> = &'a mut dyn FnMut() -> String;

/// Which call a unit of work is begun for.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Whose call it is; `TenantId::nil()` for the plugin's own life.
    pub tenant: &'a TenantId,
    /// From 1. A call whose unit of work met another one is made again: then it is better to wait at the beginning than to
    /// meet it once more.
    pub number: u32,
}

impl<'a> Attempt<'a> {
    /// The first attempt of a call for a tenant.
    pub fn first(tenant: &'a TenantId) -> Attempt<'a> {
        Attempt { tenant, number: 1 }
    }
}

/// Where units of work come from: a database, or a pool of connections to one. Threads share it.
pub trait Storage: Send + Sync {
    /// What a call works in.
    type Unit: Unit;

    /// Begins a unit of work, which is in nobody else's hands until it ends. Blocks where all connections are taken.
    ///
    /// # Errors
    /// [`StoreError::Busy`] where none became free in time, [`StoreError::Database`].
    fn begin(&self, attempt: Attempt<'_>) -> Result<Self::Unit, StoreError>;
}

/// A unit of work: all of it happens with [`Unit::commit`], or nothing where it is dropped before. It is owned by one call;
/// two calls can never share one.
///
/// A statement that met another unit of work fails with [`StoreError::Conflict`]: the runtime ends the call, drops the unit
/// and makes the call again.
pub trait Unit:
    Any + Debug + Send + RowStorage + KeyValueStorage + BlobStorage + MemoryStorage + ConfigStorage + EventStorage
{
    /// Makes it last; gives the rows that it changed, in order.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the call may be made again, [`StoreError::Database`]; nothing of it stays then.
    fn commit(self: Box<Self>) -> Result<Vec<Arc<RowChange>>, StoreError>;

    /// The rows that were changed so far, in order.
    fn changes(&self) -> &[Arc<RowChange>];

    /// Whether a conflict was met, so that nothing but dropping it is left.
    fn is_doomed(&self) -> bool {
        false
    }

    /// Holds it to so many bytes of changed rows, before and after; beyond it a change fails with
    /// [`StoreError::ChangesTooLarge`].
    fn bound_changes(&mut self, bytes: u64);

    /// Ends statements that read for longer than a call may: with [`StoreError::TooSlow`].
    fn limit_statements(&mut self, limit: StatementLimit);

    /// Begins to note the statements that are executed, for a trace.
    fn note_statements(&mut self) {}

    /// The statements since the last time this was asked, without their values.
    fn take_statements(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Rows of entities. Entities are those of [`RowStorage::catalog`]; rows outside of a scope are not there.
pub trait RowStorage {
    /// The plugins whose entities there are.
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

    /// A live row.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    fn get(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError>;

    /// A page of rows.
    ///
    /// # Errors
    /// [`StoreError::UnknownField`], [`StoreError::BadQuery`].
    fn list(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<ListedRows, StoreError>;

    /// How many rows match.
    ///
    /// # Errors
    /// As [`RowStorage::list`].
    fn count(&mut self, entity: &EntityRef, scope: &Scope, query: &ListQuery) -> Result<u64, StoreError>;

    /// Merges values into a row; null takes one away.
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

    /// Deletes a row softly, with what hangs on it; gives how many went.
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

    /// Brings a deleted row back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], those of [`RowStorage::insert`].
    fn restore(&mut self, entity: &EntityRef, scope: &Scope, id: &str) -> Result<Row, StoreError>;

    /// One JSON object for each group.
    ///
    /// # Errors
    /// As [`RowStorage::list`].
    fn aggregate(
        &mut self,
        entity: &EntityRef,
        scope: &Scope,
        query: &AggregateQuery,
    ) -> Result<Vec<Value>, StoreError>;

    /// Several writes of the plugin `own`, all or none; `reaches` has one for each step. Gives a result for each step, and
    /// how many rows were changed in all.
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

    /// The titles of rows, by their ids; rows that are not there are left out.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn labels(&mut self, entity: &EntityRef, scope: &Scope, ids: &[String]) -> Result<Map<String, Value>, StoreError>;
}

/// The keys that a plugin has per tenant.
pub trait KeyValueStorage {
    /// The value of a key that has not expired.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<Option<Value>, StoreError>;

    /// Sets a key, for `ttl_seconds` where they are given.
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

    /// The value of a key that is about to be changed: until this unit of work ends, no other one changes it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn key_value_to_change(&mut self, plugin: &PluginId, scope: &Scope, key: &str)
    -> Result<Option<Value>, StoreError>;

    /// Changes the value of a key, which lapses when it would have; a key that is not there, or has lapsed, comes for good.
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

    /// Deletes a key; true where it was there.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    fn delete_key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<bool, StoreError>;
}

/// The files that a plugin has per tenant. A storage without files leaves them refused.
pub trait BlobStorage {
    /// Keeps a file; `name` and media type.
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

    /// A file without its content.
    ///
    /// # Errors
    /// [`StoreError::NoBlob`].
    fn blob_info(&mut self, _plugin: &PluginId, _scope: &Scope, _id: &str) -> Result<BlobInfo, StoreError> {
        Err(StoreError::Unsupported("files"))
    }

    /// Bytes of a file, at most `length` from `offset`.
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

/// What a plugin remembers of its sessions. A storage without them leaves it refused.
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

    /// Items of a session that hold a text, the latest first.
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

    /// Forgets a session.
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

    /// A secret of the tenant, in the clear. Where the host has a source of secrets of its own, this is not asked.
    ///
    /// # Errors
    /// [`StoreError::NoSecret`].
    fn secret(&mut self, _plugin: &PluginId, _scope: &Scope, key: &str) -> Result<String, StoreError> {
        Err(StoreError::NoSecret(key.to_owned()))
    }

    /// Takes the next number of a rule: no two units of work get the same one.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumbering`], [`StoreError::NumberingExhausted`].
    fn next_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError>;

    /// The number that [`ConfigStorage::next_number`] would give now.
    ///
    /// # Errors
    /// As [`ConfigStorage::next_number`].
    fn peek_number(&mut self, manifest: &Manifest, rule: &str, scope: &Scope) -> Result<String, StoreError>;
}

/// Events that leave with the unit of work: an outbox.
pub trait EventStorage {
    /// Keeps an event until it is delivered. `depth` is how many events led to it.
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
