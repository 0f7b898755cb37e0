//! Secrets of a plugin per tenant, and calls of the host that were denied.

use erp_manifest::PluginId;
use erp_storage::{Scope, StoreError};

use super::sql::{Dialect, SqlValue};
use super::{Database, seal};

/// The maximum number of denials that are kept per plugin.
const KEPT_DENIALS: i64 = 1_000;

/// The place of a secret: when sealed, it can be opened for this place only.
fn place(plugin: &PluginId, scope: &Scope, key: &str) -> String {
    place_of(plugin.as_str(), scope.tenant.as_str(), key)
}

fn place_of(plugin: &str, tenant: &str, key: &str) -> String {
    format!("{plugin}\n{tenant}\n{key}")
}

/// Secrets of plugins, and calls of the host that were denied.
#[derive(Debug)]
pub struct Secrets<'d> {
    pub(crate) database: &'d mut Database,
}

impl Secrets<'_> {
    /// Returns a secret in plain text.
    ///
    /// # Errors
    /// [`StoreError::NoSecret`], [`StoreError::SealedSecret`] and [`StoreError::Database`].
    pub fn secret(&self, plugin: &PluginId, scope: &Scope, key: &str) -> Result<String, StoreError> {
        let found = self.database.rows(
            "read a secret",
            "select value from erp_secrets where plugin_id = ? and tenant_id = ? and key = ?",
            [plugin.as_str(), scope.tenant.as_str(), key].map(|text| SqlValue::Text(text.to_owned())),
            |row| row.get::<String>(0),
        )?;
        let stored = found.into_iter().next().ok_or_else(|| StoreError::NoSecret(key.to_owned()))?;
        let place = place(plugin, scope, key);
        seal::open(self.database.sealer(), &place, stored).ok_or_else(|| StoreError::SealedSecret(key.to_owned()))
    }

    /// Sets a secret.
    ///
    /// # Errors
    /// [`StoreError::SealedSecret`] and [`StoreError::Database`].
    pub fn set_secret(&mut self, plugin: &PluginId, scope: &Scope, key: &str, value: &str) -> Result<(), StoreError> {
        let sealed = match self.database.sealer() {
            None => None,
            Some(sealer) => {
                let sealed = sealer.seal(&place(plugin, scope, key), value);
                Some(sealed.ok_or_else(|| StoreError::SealedSecret(key.to_owned()))?)
            }
        };
        let parameters = [plugin.as_str(), scope.tenant.as_str(), key, sealed.as_deref().unwrap_or(value)];
        self.database.execute(
            "set a secret",
            "insert into erp_secrets (plugin_id, tenant_id, key, value) values (?, ?, ?, ?) \
             on conflict (plugin_id, tenant_id, key) do update set value = excluded.value",
            parameters.map(|text| SqlValue::Text(text.to_owned())),
        )?;
        Ok(())
    }

    /// Seals secrets that were set before a key existed, and leaves no plain copy of them in the file. On PostgreSQL
    /// they stay as they are: other hosts with keys of their own may read them.
    ///
    /// # Errors
    /// [`StoreError::SealedSecret`] and [`StoreError::Database`].
    pub fn seal_older_secrets(&mut self) -> Result<(), StoreError> {
        if self.database.dialect() == Dialect::Postgres || self.database.sealer().is_none() {
            return Ok(());
        }
        let open = self.database.rows(
            "look for secrets that are not sealed",
            "select plugin_id, tenant_id, key, value from erp_secrets where substr(value, 1, length(?)) <> ?",
            [SqlValue::text(seal::MARK), SqlValue::text(seal::MARK)],
            |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<String>(2)?, row.get::<String>(3)?)),
        )?;
        if open.is_empty() {
            return Ok(());
        }
        self.database.set_thorough(true)?;
        self.database.begin()?;
        let sealed = self.seal_all(open);
        let done = sealed.and_then(|()| self.database.commit().map(|_| ()));
        if done.is_err() {
            self.database.rollback();
        }
        self.database.set_thorough(false)?;
        done
    }

    fn seal_all(&mut self, open: Vec<(String, String, String, String)>) -> Result<(), StoreError> {
        for (plugin, tenant, key, secret) in open {
            let place = place_of(&plugin, &tenant, &key);
            let Some(sealer) = self.database.sealer() else { return Ok(()) };
            let sealed = sealer.seal(&place, &secret).ok_or_else(|| StoreError::SealedSecret(key.clone()))?;
            self.database.execute(
                "seal a secret",
                "update erp_secrets set value = ? where plugin_id = ? and tenant_id = ? and key = ?",
                [sealed, plugin, tenant, key].map(SqlValue::Text),
            )?;
        }
        Ok(())
    }

    /// Records that the host denied a call of a plugin.
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
        self.database.execute(
            "write a denial",
            "insert into erp_denials (at, tenant_id, user_id, plugin_id, function, subject, message) \
             values (?, ?, ?, ?, ?, ?, ?)",
            parameters,
        )?;
        self.database.execute(
            "forget old denials",
            "delete from erp_denials where plugin_id = ? and seq <= (select max(seq) from erp_denials where plugin_id = ?) - ?",
            [text(plugin.as_str()), text(plugin.as_str()), SqlValue::Integer(KEPT_DENIALS)],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Sealer;
    use erp_manifest::Moment;
    use erp_manifest::TenantId;

    #[test]
    fn secrets_from_before_there_was_a_key_are_sealed_once() {
        let mut database = Database::in_memory().unwrap();
        let (plugin, tenant) = (PluginId::new("erp-a").unwrap(), TenantId::new("acme").unwrap());
        let scope = Scope::of_tenant(&tenant, Moment::of_system_clock());
        database.secrets().set_secret(&plugin, &scope, "token", "geheim").unwrap();
        database.seal_with(Arc::new(Sealer::new(&[7; 32]).unwrap()));
        let stored = |database: &Database| -> String {
            let rows = database.rows("look", "select value from erp_secrets", [], |row| row.get::<String>(0));
            rows.unwrap().concat()
        };
        assert_eq!(stored(&database), "geheim");
        database.secrets().seal_older_secrets().unwrap();
        let sealed = stored(&database);
        assert!(sealed.starts_with(seal::MARK) && !sealed.contains("geheim"), "{sealed}");
        database.secrets().seal_older_secrets().unwrap();
        assert_eq!(stored(&database), sealed);
        assert_eq!(database.secrets().secret(&plugin, &scope, "token").unwrap(), "geheim");
    }
}
