//! Secrets of a plugin per tenant, and calls of the host that were denied.

use super::sql::SqlValue;
use super::{Database, Scope, StoreError, seal};
use crate::manifest::PluginId;

/// Denials of a plugin that are kept, at most.
const KEPT_DENIALS: i64 = 1_000;

/// Where a secret lies: sealed, it can be opened nowhere else.
fn place(plugin: &PluginId, scope: &Scope, key: &str) -> String {
    format!("{plugin}\n{}\n{key}", scope.tenant)
}

impl Database {
    /// A secret.
    ///
    /// # Errors
    /// [`StoreError::NoSecret`], [`StoreError::SealedSecret`] and [`StoreError::Database`].
    pub fn secret(&self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<String, StoreError> {
        let found = self.rows(
            "read a secret",
            "select value from erp_secrets where plugin_id = ? and tenant_id = ? and key = ?",
            [plugin.as_str(), scope.tenant.as_str(), key].map(|text| SqlValue::Text(text.to_owned())),
            |row| row.get::<String>(0),
        )?;
        let stored = found.into_iter().next().ok_or_else(|| StoreError::NoSecret(key.to_owned()))?;
        let place = place(plugin, scope, key);
        seal::open(self.sealer(), &place, stored).ok_or_else(|| StoreError::SealedSecret(key.to_owned()))
    }

    /// Sets a secret.
    ///
    /// # Errors
    /// [`StoreError::SealedSecret`] and [`StoreError::Database`].
    pub fn set_secret(&mut self, plugin: &PluginId, scope: &Scope, key: &str, value: &str) -> Result<(), StoreError> {
        let sealed = match self.sealer() {
            None => None,
            Some(sealer) => {
                let sealed = sealer.seal(&place(plugin, scope, key), value);
                Some(sealed.ok_or_else(|| StoreError::SealedSecret(key.to_owned()))?)
            }
        };
        let parameters = [plugin.as_str(), scope.tenant.as_str(), key, sealed.as_deref().unwrap_or(value)];
        self.execute(
            "set a secret",
            "insert into erp_secrets (plugin_id, tenant_id, key, value) values (?, ?, ?, ?) \
             on conflict (plugin_id, tenant_id, key) do update set value = excluded.value",
            parameters.map(|text| SqlValue::Text(text.to_owned())),
        )?;
        Ok(())
    }

    /// Keeps that the host denied something to a plugin.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn record_denial(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        function: &str,
        subject: &str,
        message: &str,
    ) -> Result<(), StoreError> {
        let text = |text: &str| SqlValue::Text(text.to_owned());
        let parameters = [
            SqlValue::Text(scope.now.to_string()),
            text(scope.tenant.as_str()),
            SqlValue::text_or_null(scope.user.as_deref()),
            text(plugin.as_str()),
            text(function),
            text(subject),
            text(message),
        ];
        self.execute(
            "write a denial",
            "insert into erp_denials (at, tenant_id, user_id, plugin_id, function, subject, message) \
             values (?, ?, ?, ?, ?, ?, ?)",
            parameters,
        )?;
        self.execute(
            "forget old denials",
            "delete from erp_denials where plugin_id = ? and seq <= (select max(seq) from erp_denials where plugin_id = ?) - ?",
            [text(plugin.as_str()), text(plugin.as_str()), SqlValue::Integer(KEPT_DENIALS)],
        )?;
        Ok(())
    }
}
