//! The journal of upgrades.

use erp_manifest::{Manifest, Moment, PluginId};
use erp_storage::StoreError;
use serde::Serialize;

use crate::sql::SqlValue;
use crate::upgrade::Upgrades;

/// An upgrade that moved rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct UpgradeRecord {
    /// Counts the upgrades of a database.
    pub upgrade: u64,
    /// The plugin.
    pub plugin: String,
    /// The version that was there.
    pub from_version: String,
    /// The version that came.
    pub to_version: String,
    /// The schema version that was there.
    pub from_schema: u64,
    /// The schema version that came.
    pub to_schema: u64,
    /// RFC 3339, UTC.
    pub applied_at: String,
    /// Whether it was taken back since.
    pub rolled_back: bool,
}

impl Upgrades<'_> {
    /// The upgrades of a plugin, the latest one first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn all(&self, plugin: &PluginId) -> Result<Vec<UpgradeRecord>, StoreError> {
        self.database.rows(
            "read the upgrades",
            "select seq, plugin_id, from_version, to_version, from_schema, to_schema, applied_at, rolled_back \
             from erp_upgrades where plugin_id = ? order by seq desc",
            [SqlValue::text(plugin.as_str())],
            |row| {
                Ok(UpgradeRecord {
                    upgrade: row.get::<i64>(0)?.unsigned_abs(),
                    plugin: row.get(1)?,
                    from_version: row.get(2)?,
                    to_version: row.get(3)?,
                    from_schema: row.get::<i64>(4)?.unsigned_abs(),
                    to_schema: row.get::<i64>(5)?.unsigned_abs(),
                    applied_at: row.get(6)?,
                    rolled_back: row.get::<i64>(7)? != 0,
                })
            },
        )
    }

    /// Records an upgrade as part of the unit of work; returns its number.
    pub(super) fn note_upgrade(&self, old: &Manifest, new: &Manifest, now: Moment) -> Result<u64, StoreError> {
        let integer = |number: u64| SqlValue::Integer(number.cast_signed());
        self.database.execute(
            "note the upgrade",
            "insert into erp_upgrades (plugin_id, from_version, to_version, from_schema, to_schema, applied_at) \
             values (?, ?, ?, ?, ?, ?)",
            [
                SqlValue::text(new.metadata.id.as_str()),
                SqlValue::text(&old.metadata.version),
                SqlValue::text(&new.metadata.version),
                integer(old.schema.schema_version),
                integer(new.schema.schema_version),
                SqlValue::Text(now.to_string()),
            ],
        )?;
        let numbers = self
            .database
            .rows("number the upgrade", "select max(seq) from erp_upgrades", [], |row| row.get::<i64>(0))?;
        Ok(numbers.first().map_or(0, |number| number.unsigned_abs()))
    }

    pub(super) fn note_rollback(&self, upgrade: u64) -> Result<(), StoreError> {
        let number = [SqlValue::Integer(upgrade.cast_signed())];
        self.database.execute("note the rollback", "update erp_upgrades set rolled_back = 1 where seq = ?", &number)?;
        self.database.execute(
            "forget the values that were kept",
            "delete from erp_kept_rows where upgrade = ?",
            &number,
        )?;
        self.database.execute("forget its fixtures", "delete from erp_fixtures where upgrade = ?", &number)?;
        Ok(())
    }
}
