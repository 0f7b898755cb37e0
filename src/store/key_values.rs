//! The small key-value store that a plugin has per tenant.

use erp_manifest::PluginId;
use erp_storage::{Scope, StoreError};
use serde_json::Value;

use super::Database;
use super::sql::SqlValue;

/// The key-value store of a plugin.
#[derive(Debug)]
pub struct KeyValues<'d> {
    pub(crate) database: &'d mut Database,
}

impl KeyValues<'_> {
    /// The value of a key that has not expired.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn key_value(&self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<Option<Value>, StoreError> {
        let value = self.unnoted_key_value(plugin, scope, key)?;
        self.database.note_key(&place_of(plugin, scope, key), value.as_ref(), false);
        Ok(value)
    }

    fn unnoted_key_value(&self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<Option<Value>, StoreError> {
        let mut parameters = place(plugin, scope, key);
        parameters.push(SqlValue::Integer(scope.now.unix_ms));
        let found = self.database.rows(
            "read a key",
            "select value from erp_key_values where plugin_id = ? and tenant_id = ? and key = ? \
             and (expires_at_ms is null or expires_at_ms > ?)",
            parameters,
            |row| row.get::<String>(0),
        )?;
        Ok(found.first().and_then(|text| serde_json::from_str(text).ok()))
    }

    /// Sets a key; with `ttl_seconds`, it expires after so many seconds.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn set_key_value(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
        value: &Value,
        ttl_seconds: Option<u32>,
    ) -> Result<(), StoreError> {
        // Waits for units that change the key, and detects a change since this unit has read it.
        if self.database.has_others() {
            self.key_value_to_change(plugin, scope, key)?;
        }
        let mut parameters = place(plugin, scope, key);
        parameters.push(SqlValue::Text(value.to_string()));
        parameters.push(match ttl_seconds {
            Some(seconds) => SqlValue::Integer(scope.now.plus_ms(i64::from(seconds) * 1_000).unix_ms),
            None => SqlValue::Null,
        });
        self.database.execute(
            "set a key",
            "insert into erp_key_values (plugin_id, tenant_id, key, value, expires_at_ms) values (?, ?, ?, ?, ?) \
             on conflict (plugin_id, tenant_id, key) do update set value = excluded.value, expires_at_ms = excluded.expires_at_ms",
            parameters,
        )?;
        self.database.note_key(&place_of(plugin, scope, key), Some(value), true);
        Ok(())
    }

    /// The value of a key that will be changed: no other unit of work changes it until this one ends.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn key_value_to_change(
        &self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
    ) -> Result<Option<Value>, StoreError> {
        let place = place_of(plugin, scope, key);
        self.database.lock_alone(&["key", &place])?;
        let value = self.unnoted_key_value(plugin, scope, key)?;
        self.database.check_key_unchanged(&place, value.as_ref())?;
        Ok(value)
    }

    /// Changes the value of a key and keeps its expiry; a missing or expired key is created without one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn change_key_value(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        key: &str,
        value: &Value,
    ) -> Result<(), StoreError> {
        let mut parameters = place(plugin, scope, key);
        parameters.push(SqlValue::Text(value.to_string()));
        parameters.push(SqlValue::Integer(scope.now.unix_ms));
        self.database.execute(
            "change a key",
            "insert into erp_key_values (plugin_id, tenant_id, key, value, expires_at_ms) values (?, ?, ?, ?, null) \
             on conflict (plugin_id, tenant_id, key) do update set value = excluded.value, \
             expires_at_ms = case when erp_key_values.expires_at_ms > ? then erp_key_values.expires_at_ms end",
            parameters,
        )?;
        self.database.note_key(&place_of(plugin, scope, key), Some(value), true);
        Ok(())
    }

    /// Deletes a key; returns whether it existed.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn delete_key_value(&mut self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<bool, StoreError> {
        let was_there = self.key_value_to_change(plugin, scope, key)?.is_some();
        self.database.execute(
            "delete a key",
            "delete from erp_key_values where plugin_id = ? and tenant_id = ? and key = ?",
            place(plugin, scope, key),
        )?;
        self.database.note_key(&place_of(plugin, scope, key), None, true);
        Ok(was_there)
    }
}

fn place(plugin: &PluginId, scope: &Scope, key: &str) -> Vec<SqlValue> {
    [plugin.as_str(), scope.tenant.as_str(), key].map(|text| SqlValue::Text(text.to_owned())).to_vec()
}

fn place_of(plugin: &PluginId, scope: &Scope, key: &str) -> String {
    [plugin.as_str(), scope.tenant.as_str(), key].join("\u{1f}")
}
