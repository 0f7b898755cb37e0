//! The memory of conversations and workflows, per tenant and session.

use erp_manifest::PluginId;
use erp_storage::{Scope, StoreError};
use serde_json::Value;

use super::Database;
use super::records::MemoryBudget;
use super::sql::SqlValue;

/// The session memory of plugins.
#[derive(Debug)]
pub struct SessionMemory<'d> {
    pub(crate) database: &'d mut Database,
}

impl SessionMemory<'_> {
    /// Adds an item to a session.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn remember(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        session: &str,
        item: &Value,
    ) -> Result<(), StoreError> {
        let texts = [plugin.as_str(), scope.tenant.as_str(), session, &item.to_string(), &scope.now.to_string()];
        self.database.execute(
            "remember an item",
            "insert into erp_memory (plugin_id, tenant_id, session, item, at) values (?, ?, ?, ?, ?)",
            texts.map(|text| SqlValue::Text(text.to_owned())),
        )?;
        Ok(())
    }

    /// The newest items of a session, the oldest of them first; with `text`, only those whose JSON contains it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn recall(
        &self,
        plugin: &PluginId,
        scope: &Scope,
        session: &str,
        text: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Value>, StoreError> {
        let texts = [plugin.as_str(), scope.tenant.as_str(), session, text.unwrap_or_default()];
        let mut parameters = texts.map(|text| SqlValue::Text(text.to_owned())).to_vec();
        parameters.push(SqlValue::Integer(limit.into()));
        let sql = format!(
            "select item from erp_memory where plugin_id = ? and tenant_id = ? and session = ? \
             and {} order by seq desc limit ?",
            self.database.dialect().holds("item")
        );
        let mut held = MemoryBudget::default();
        let mut found = self.database.rows("recall items", &sql, parameters, |row| {
            held.add_bytes(row.weight())?;
            row.get::<String>(0)
        })?;
        found.reverse();
        Ok(found.iter().map(|item| serde_json::from_str(item).unwrap_or(Value::Null)).collect())
    }

    /// Deletes all items of a session.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn forget(&mut self, plugin: &PluginId, scope: &Scope, session: &str) -> Result<(), StoreError> {
        let texts = [plugin.as_str(), scope.tenant.as_str(), session];
        self.database.execute(
            "forget a session",
            "delete from erp_memory where plugin_id = ? and tenant_id = ? and session = ?",
            texts.map(|text| SqlValue::Text(text.to_owned())),
        )?;
        Ok(())
    }
}
