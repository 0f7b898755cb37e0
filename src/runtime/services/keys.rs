//! The key-value store.

use std::sync::Arc;

use erp_manifest::codes::errors;
use erp_manifest::contract::HostFunction;
use erp_manifest::document::weight;
use serde_json::{Value, json};

use super::super::error::ServiceError;
use super::shown::{HostResult, Json};
use super::{Services, denied};

impl Services {
    /// Performs one host call on the key-value store, if the manifest grants it.
    fn with_keys<T: HostResult>(
        &mut self,
        function: HostFunction,
        key: &str,
        arguments: impl FnOnce() -> Value,
        work: impl FnOnce(&mut Services) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.call(function, key, arguments, |services| {
            if !*services.manifest.capabilities.kv {
                return Err(denied("the key-value store is not granted: write `kv = true` into [capabilities]"));
            }
            work(services)
        })
    }

    pub(super) fn kv_get(&mut self, key: &str) -> Result<Option<Json>, ServiceError> {
        let arguments = || json!({ "key": key });
        self.with_keys(HostFunction::KvGet, key, arguments, |services| Ok(services.kv_read(key)?.map(Json::from)))
    }

    pub(super) fn kv_set(&mut self, key: &str, value: &Value, ttl_seconds: Option<u32>) -> Result<(), ServiceError> {
        let arguments = || json!({ "key": key, "value": value, "ttl-seconds": ttl_seconds });
        self.with_keys(HostFunction::KvSet, key, arguments, |services| services.kv_write(key, value, ttl_seconds))
    }

    pub(super) fn kv_delete(&mut self, key: &str) -> Result<bool, ServiceError> {
        let arguments = || json!({ "key": key });
        self.with_keys(HostFunction::KvDelete, key, arguments, |services| {
            services.usage.take_writes(1)?;
            let manifest = Arc::clone(&services.manifest);
            services.in_unit(|unit, scope, _| unit.delete_key_value(&manifest.metadata.id, scope, key))
        })
    }

    pub(super) fn kv_increment(&mut self, key: &str, by: i64) -> Result<i64, ServiceError> {
        let arguments = || json!({ "key": key, "by": by });
        self.with_keys(HostFunction::KvIncrement, key, arguments, |services| {
            let old = match services.kv_read_to_change(key)? {
                None => 0,
                Some(value) => value
                    .as_i64()
                    .ok_or_else(|| ServiceError::new(errors::KV_NOT_A_NUMBER, format!("`{key}` holds {value}")))?,
            };
            let new = old
                .checked_add(by)
                .ok_or_else(|| ServiceError::new(errors::KV_OVERFLOW, format!("`{key}` would overflow 64 bits")))?;
            services.kv_change(key, &Value::from(new))?;
            Ok(new)
        })
    }

    pub(super) fn kv_compare_and_set(
        &mut self,
        key: &str,
        expected: Option<&Value>,
        value: &Value,
    ) -> Result<bool, ServiceError> {
        let arguments = || json!({ "key": key, "expected": expected, "value": value });
        self.with_keys(HostFunction::KvCompareAndSet, key, arguments, |services| {
            if services.kv_read_to_change(key)?.as_ref() != expected {
                return Ok(false);
            }
            services.kv_change(key, value)?;
            Ok(true)
        })
    }

    /// Changes a value and keeps its expiry time.
    fn kv_change(&mut self, key: &str, value: &Value) -> Result<(), ServiceError> {
        self.usage.take_writes(1)?;
        self.usage.take_written(key.len() as u64 + weight(value))?;
        let manifest = Arc::clone(&self.manifest);
        self.in_unit(|unit, scope, _| unit.change_key_value(&manifest.metadata.id, scope, key, value))
    }

    fn kv_read(&mut self, key: &str) -> Result<Option<Value>, ServiceError> {
        let manifest = Arc::clone(&self.manifest);
        self.in_unit(|unit, scope, _| unit.key_value(&manifest.metadata.id, scope, key))
    }

    /// Reads a value that is about to be changed: until this unit of work ends, no other one changes it.
    fn kv_read_to_change(&mut self, key: &str) -> Result<Option<Value>, ServiceError> {
        let manifest = Arc::clone(&self.manifest);
        self.in_unit(|unit, scope, _| unit.key_value_to_change(&manifest.metadata.id, scope, key))
    }

    fn kv_write(&mut self, key: &str, value: &Value, ttl_seconds: Option<u32>) -> Result<(), ServiceError> {
        self.usage.take_writes(1)?;
        self.usage.take_written(key.len() as u64 + weight(value))?;
        let manifest = Arc::clone(&self.manifest);
        self.in_unit(|unit, scope, _| unit.set_key_value(&manifest.metadata.id, scope, key, value, ttl_seconds))
    }
}
