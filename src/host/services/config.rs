//! Configuration, settings, numbers and keys.

use serde_json::Value;

use super::super::capabilities;
use super::super::error::ServiceError;
use super::Services;

impl Services {
    pub(super) fn config(&mut self, key: &str) -> Result<Option<Value>, ServiceError> {
        self.call("config.get", key, |services| {
            if !capabilities::may_read_config(&services.manifest, key) {
                return Err(ServiceError::new(
                    "cap.denied",
                    format!("`{key}` is not granted: name it in `config` of [capabilities]"),
                ));
            }
            services.with_database(|database, _, _| database.config(key))
        })
    }

    pub(super) fn setting(&mut self, key: &str) -> Result<Value, ServiceError> {
        self.call("config.setting", key, |services| {
            services.with_database(|database, scope, _| database.setting(&services.manifest, scope, key))
        })
    }

    pub(super) fn next_number(&mut self, rule: &str) -> Result<String, ServiceError> {
        self.call("numbering.next", rule, |services| {
            services.with_database(|database, scope, _| database.next_number(&services.manifest, rule, scope))
        })
    }

    pub(super) fn peek_number(&mut self, rule: &str) -> Result<String, ServiceError> {
        self.call("numbering.peek", rule, |services| {
            services.with_database(|database, scope, _| database.peek_number(&services.manifest, rule, scope))
        })
    }

    /// Does one call of the key-value store, where the manifest grants it.
    fn with_keys<T>(
        &mut self,
        function: &'static str,
        key: &str,
        work: impl FnOnce(&mut Services) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.call(function, key, |services| {
            if !*services.manifest.capabilities.kv {
                return Err(ServiceError::new(
                    "cap.denied",
                    "the key-value store is not granted: write `kv = true` into [capabilities]",
                ));
            }
            work(services)
        })
    }

    pub(super) fn kv_get(&mut self, key: &str) -> Result<Option<Value>, ServiceError> {
        self.with_keys("kv.get", key, |services| services.kv_read(key))
    }

    pub(super) fn kv_set(&mut self, key: &str, value: &Value, ttl_seconds: Option<u32>) -> Result<(), ServiceError> {
        self.with_keys("kv.set", key, |services| services.kv_write(key, value, ttl_seconds))
    }

    pub(super) fn kv_delete(&mut self, key: &str) -> Result<bool, ServiceError> {
        self.with_keys("kv.delete", key, |services| {
            services.take_writes(1)?;
            services.with_database(|database, scope, _| {
                database.delete_key_value(&services.manifest.metadata.id, scope, key)
            })
        })
    }

    pub(super) fn kv_increment(&mut self, key: &str, by: i64) -> Result<i64, ServiceError> {
        self.with_keys("kv.increment", key, |services| {
            let old = match services.kv_read(key)? {
                None => 0,
                Some(value) => value
                    .as_i64()
                    .ok_or_else(|| ServiceError::new("kv.not_a_number", format!("`{key}` holds {value}")))?,
            };
            let new = old
                .checked_add(by)
                .ok_or_else(|| ServiceError::new("kv.overflow", format!("`{key}` would overflow 64 bits")))?;
            services.kv_write(key, &Value::from(new), None)?;
            Ok(new)
        })
    }

    pub(super) fn kv_compare_and_set(
        &mut self,
        key: &str,
        expected: Option<&Value>,
        value: &Value,
    ) -> Result<bool, ServiceError> {
        self.with_keys("kv.compare-and-set", key, |services| {
            if services.kv_read(key)?.as_ref() != expected {
                return Ok(false);
            }
            services.kv_write(key, value, None)?;
            Ok(true)
        })
    }

    fn kv_read(&self, key: &str) -> Result<Option<Value>, ServiceError> {
        self.with_database(|database, scope, _| database.key_value(&self.manifest.metadata.id, scope, key))
    }

    fn kv_write(&mut self, key: &str, value: &Value, ttl_seconds: Option<u32>) -> Result<(), ServiceError> {
        self.take_writes(1)?;
        self.with_database(|database, scope, _| {
            database.set_key_value(&self.manifest.metadata.id, scope, key, value, ttl_seconds)
        })
    }
}
