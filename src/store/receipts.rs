//! The data of the platform as a registry: receipts, pinned keys, statements about keys.

use erp_manifest::{Moment, PluginId};
use erp_storage::StoreError;

use super::Database;
use super::sql::SqlValue;

/// A kind of statement that a registry keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementKind {
    /// A new key of a publisher replaced an old one.
    Rotation,
    /// Keys and packages were revoked.
    Revocations,
}

impl StatementKind {
    fn word(self) -> &'static str {
        match self {
            StatementKind::Rotation => "rotation",
            StatementKind::Revocations => "revocations",
        }
    }
}

/// A receipt of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRecord {
    /// The number of the receipt among those of the plugin, from 1.
    pub serial: u64,
    /// The signed envelope, as it was issued.
    pub envelope: String,
}

/// Receipts, pinned keys and statements of the registry.
#[derive(Debug)]
pub struct Receipts<'d> {
    pub(crate) database: &'d mut Database,
}

impl Receipts<'_> {
    /// Stores the receipt of an accepted package.
    ///
    /// # Errors
    /// [`StoreError::Database`], also if this version has one already.
    pub fn add_receipt(&mut self, plugin: &PluginId, version: &str, receipt: &ReceiptRecord) -> Result<(), StoreError> {
        self.database.execute(
            "keep the receipt",
            "insert into erp_receipts (plugin_id, version, serial, envelope) values (?, ?, ?, ?)",
            [
                SqlValue::Text(plugin.as_str().to_owned()),
                SqlValue::Text(version.to_owned()),
                SqlValue::Integer(receipt.serial.cast_signed()),
                SqlValue::Text(receipt.envelope.clone()),
            ],
        )?;
        Ok(())
    }

    /// The receipt of a version.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn receipt(&self, plugin: &str, version: &str) -> Result<Option<ReceiptRecord>, StoreError> {
        let sql = "select serial, envelope from erp_receipts where plugin_id = ? and version = ?";
        self.receipts(sql, vec![plugin, version])
    }

    /// The latest receipt of a plugin.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn last_receipt(&self, plugin: &str) -> Result<Option<ReceiptRecord>, StoreError> {
        let sql = "select serial, envelope from erp_receipts where plugin_id = ? order by serial desc limit 1";
        self.receipts(sql, vec![plugin])
    }

    fn receipts(&self, sql: &str, parameters: Vec<&str>) -> Result<Option<ReceiptRecord>, StoreError> {
        let parameters: Vec<SqlValue> = parameters.into_iter().map(|text| SqlValue::Text(text.to_owned())).collect();
        let found = self.database.rows("read a receipt", sql, parameters, |row| {
            Ok(ReceiptRecord { serial: row.get::<i64>(0)?.unsigned_abs(), envelope: row.get(1)? })
        })?;
        Ok(found.into_iter().next())
    }

    /// The public keys (PEM) that a plugin was first seen with: plugin and key.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn pins(&self) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "select plugin_id, public_key from erp_pins order by plugin_id, public_key";
        self.database.rows("read the keys that were seen first", sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// Stores a key that a plugin was first seen with.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn add_pin(&mut self, plugin: &PluginId, public_key: &str) -> Result<(), StoreError> {
        self.database.execute(
            "keep a key that was seen first",
            "insert into erp_pins (plugin_id, public_key) values (?, ?) on conflict do nothing",
            [plugin.as_str(), public_key].map(|text| SqlValue::Text(text.to_owned())),
        )?;
        Ok(())
    }

    /// The envelopes of a kind with the moment at which each was stored, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn statements(&self, kind: StatementKind) -> Result<Vec<(Moment, String)>, StoreError> {
        let sql = "select at, envelope from erp_statements where kind = ? order by seq";
        let found = self.database.rows(
            "read the statements about keys",
            sql,
            [SqlValue::Text(kind.word().to_owned())],
            |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)),
        )?;
        Ok(found.into_iter().filter_map(|(at, envelope)| Some((Moment::parse(&at)?, envelope))).collect())
    }

    /// Stores the envelope of a statement.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn add_statement(&mut self, kind: StatementKind, now: Moment, envelope: &str) -> Result<(), StoreError> {
        self.database.execute(
            "keep a statement about keys",
            "insert into erp_statements (kind, at, envelope) values (?, ?, ?)",
            [kind.word(), &now.to_string(), envelope].map(|text| SqlValue::Text(text.to_owned())),
        )?;
        Ok(())
    }
}
