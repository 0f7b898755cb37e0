//! The platform's own tables about plugins and their packages.

use erp_manifest::{Manifest, Moment, PluginId, TenantId, table_name};
use erp_storage::StoreError;
use serde::Serialize;
use serde_json::Value;

use super::Database;
use super::sql::SqlValue;

/// The state of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginStatus {
    /// Its package is stored, its tables do not exist yet.
    Uploaded,
    /// Its tables and permissions exist.
    Installed,
    /// It receives events and serves its pages.
    Running,
    /// It was disabled.
    Disabled,
    /// It could not be started.
    Error,
    /// It was uninstalled; its data is kept.
    Uninstalled,
}

impl PluginStatus {
    /// The word in the `status` column.
    pub fn word(self) -> &'static str {
        match self {
            PluginStatus::Uploaded => "uploaded",
            PluginStatus::Installed => "installed",
            PluginStatus::Running => "running",
            PluginStatus::Disabled => "disabled",
            PluginStatus::Error => "error",
            PluginStatus::Uninstalled => "uninstalled",
        }
    }

    fn from_word(word: &str) -> PluginStatus {
        match word {
            "uploaded" => PluginStatus::Uploaded,
            "installed" => PluginStatus::Installed,
            "running" => PluginStatus::Running,
            "disabled" => PluginStatus::Disabled,
            "uninstalled" => PluginStatus::Uninstalled,
            _ => PluginStatus::Error,
        }
    }
}

/// A row of `plugins`.
#[derive(Debug, Clone, Serialize)]
pub struct PluginRecord {
    /// The plugin's id.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The current version.
    pub version: String,
    /// The state.
    pub status: PluginStatus,
    /// The reason if it could not be started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// SHA-256 of its package, in hexadecimal.
    pub package_sha256: String,
    /// The manifest as JSON.
    #[serde(skip)]
    pub manifest: Value,
}

/// A package that was accepted. Versions are never reused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRecord {
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// SHA-256 of the signed statement, in hexadecimal.
    pub content_id: String,
    /// The size of the file in bytes.
    pub size: u64,
    /// Ids of the keys that signed it.
    pub signed_by: Vec<String>,
    /// When it was accepted; RFC 3339, UTC.
    pub accepted_at: String,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

/// The records of plugins and their packages.
#[derive(Debug)]
pub struct PluginRecords<'d> {
    pub(crate) database: &'d mut Database,
}

impl PluginRecords<'_> {
    /// Stores an accepted package.
    ///
    /// # Errors
    /// [`StoreError::Database`], also if this version exists already.
    pub fn add_package(&mut self, plugin: &PluginId, version: &str, package: &PackageRecord) -> Result<(), StoreError> {
        self.database.execute(
            "keep the package",
            "insert into erp_packages (plugin_id, version, sha256, content_id, size, signed_by, accepted_at, package) \
             values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                SqlValue::Text(plugin.as_str().to_owned()),
                SqlValue::Text(version.to_owned()),
                SqlValue::Text(package.sha256.clone()),
                SqlValue::Text(package.content_id.clone()),
                SqlValue::Integer(package.size.cast_signed()),
                SqlValue::Text(package.signed_by.join(" ")),
                SqlValue::Text(package.accepted_at.clone()),
                SqlValue::Blob(package.bytes.clone()),
            ],
        )?;
        Ok(())
    }

    /// An accepted package.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn package(&self, plugin: &str, version: &str) -> Result<Option<PackageRecord>, StoreError> {
        let found = self.database.rows(
            "read a package",
            "select sha256, content_id, size, signed_by, accepted_at, package from erp_packages where plugin_id = ? and version = ?",
            [SqlValue::Text(plugin.to_owned()), SqlValue::Text(version.to_owned())],
            |row| {
                let signed_by: String = row.get(3)?;
                Ok(PackageRecord {
                    sha256: row.get(0)?,
                    content_id: row.get(1)?,
                    size: row.get::<i64>(2)?.unsigned_abs(),
                    signed_by: signed_by.split_whitespace().map(str::to_owned).collect(),
                    accepted_at: row.get(4)?,
                    bytes: row.get(5)?,
                })
            },
        )?;
        Ok(found.into_iter().next())
    }

    /// The content id of an accepted package, by the digest of its file.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn content_id(&self, sha256: &str) -> Result<Option<String>, StoreError> {
        let sql = "select content_id from erp_packages where sha256 = ?";
        let found =
            self.database.rows("look for a package", sql, [SqlValue::Text(sha256.to_owned())], |row| row.get(0))?;
        Ok(found.into_iter().next())
    }

    /// Writes the record of a plugin.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn put_plugin(&mut self, record: &PluginRecord, now: Moment) -> Result<(), StoreError> {
        self.database.execute(
            "write the plugin",
            "insert into plugins (id, name, version, status, error, manifest_json, package_sha256, updated_at) \
             values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set name = excluded.name, version = excluded.version, \
             status = excluded.status, error = excluded.error, manifest_json = excluded.manifest_json, \
             package_sha256 = excluded.package_sha256, updated_at = excluded.updated_at",
            [
                SqlValue::Text(record.id.clone()),
                SqlValue::Text(record.name.clone()),
                SqlValue::Text(record.version.clone()),
                SqlValue::Text(record.status.word().to_owned()),
                SqlValue::text_or_null(record.error.as_deref()),
                SqlValue::Text(record.manifest.to_string()),
                SqlValue::Text(record.package_sha256.clone()),
                SqlValue::Text(now.to_string()),
            ],
        )?;
        Ok(())
    }

    /// The records of all plugins, ordered by id.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn plugins(&self) -> Result<Vec<PluginRecord>, StoreError> {
        self.database.rows(
            "read the plugins",
            "select id, name, version, status, error, package_sha256, manifest_json from plugins order by id",
            [],
            |row| {
                let manifest: String = row.get(6)?;
                Ok(PluginRecord {
                    id: row.get(0)?,
                    name: row.get(1)?,
                    version: row.get(2)?,
                    status: PluginStatus::from_word(&row.get::<String>(3)?),
                    error: row.get(4)?,
                    package_sha256: row.get(5)?,
                    manifest: serde_json::from_str(&manifest).unwrap_or(Value::Null),
                })
            },
        )
    }

    /// Writes the entities, the schema version and the subscriptions of an installed plugin.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn register_plugin(&mut self, manifest: &Manifest, now: Moment) -> Result<(), StoreError> {
        let id = || SqlValue::Text(manifest.metadata.id.as_str().to_owned());
        let version = SqlValue::Integer(manifest.schema.schema_version.cast_signed());
        for entity in &manifest.schema.entities {
            self.database.execute(
                "register an entity",
                "insert into plugin_entities (plugin_id, entity, table_name, schema_version) values (?, ?, ?, ?) \
                 on conflict (plugin_id, entity) do update set schema_version = excluded.schema_version",
                [
                    id(),
                    SqlValue::Text(entity.name.as_str().to_owned()),
                    SqlValue::Text(table_name(&manifest.metadata.id, &entity.name)),
                    version.clone(),
                ],
            )?;
        }
        self.database.execute(
            "register the schema version",
            "insert into plugin_schema_versions (plugin_id, schema_version, plugin_version, applied_at) values (?, ?, ?, ?) \
             on conflict do nothing",
            [id(), version, SqlValue::Text(manifest.metadata.version.to_string()), SqlValue::Text(now.to_string())],
        )?;
        self.database.execute(
            "clear subscriptions",
            "delete from plugin_event_subscriptions where plugin_id = ?",
            [id()],
        )?;
        for pattern in &manifest.events.subscribe {
            self.database.execute(
                "register a subscription",
                "insert into plugin_event_subscriptions (plugin_id, pattern) values (?, ?) on conflict do nothing",
                [id(), SqlValue::Text(pattern.to_string())],
            )?;
        }
        Ok(())
    }

    /// The manifest from which a plugin's tables were last made, as it is in the package.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn schema_of(&self, plugin: &PluginId) -> Result<Option<Value>, StoreError> {
        let sql = "select manifest from erp_schemas where plugin_id = ?";
        let found = self
            .database
            .rows("read the schema", sql, [SqlValue::text(plugin.as_str())], |row| row.get::<String>(0))?;
        if let Some(text) = found.first() {
            return Ok(serde_json::from_str(text).ok());
        }
        // Databases of earlier versions of this program have it only in the record of the plugin, while it is
        // installed.
        let sql = "select manifest_json from plugins where id = ? and status in ('installed', 'running', 'disabled', 'error')";
        let found = self
            .database
            .rows("read the schema", sql, [SqlValue::text(plugin.as_str())], |row| row.get::<String>(0))?;
        Ok(found
            .first()
            .and_then(|text| serde_json::from_str(text).ok())
            .filter(|manifest: &Value| !manifest.is_null()))
    }

    /// Stores the manifest from which a plugin's tables were made.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn put_schema(&mut self, plugin: &PluginId, manifest: &Value) -> Result<(), StoreError> {
        self.database.execute(
            "note the schema",
            "insert into erp_schemas (plugin_id, manifest) values (?, ?) \
             on conflict (plugin_id) do update set manifest = excluded.manifest",
            [SqlValue::text(plugin.as_str()), SqlValue::Text(manifest.to_string())],
        )?;
        Ok(())
    }

    /// Deletes the platform's data of a plugin: its registration, numbers, keys, settings, secrets, files, memory and
    /// upgrades. Its packages stay, so that a version is never reused.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn forget_plugin(&mut self, plugin: &PluginId) -> Result<(), StoreError> {
        self.database.execute(
            "forget old values",
            "delete from erp_kept_rows where upgrade in (select seq from erp_upgrades where plugin_id = ?)",
            [SqlValue::text(plugin.as_str())],
        )?;
        for (table, column) in [
            ("plugins", "id"),
            ("plugin_entities", "plugin_id"),
            ("plugin_schema_versions", "plugin_id"),
            ("plugin_event_subscriptions", "plugin_id"),
            ("erp_tenants", "plugin_id"),
            ("erp_numbers", "plugin_id"),
            ("erp_key_values", "plugin_id"),
            ("erp_settings", "plugin_id"),
            ("erp_secrets", "plugin_id"),
            ("erp_blobs", "plugin_id"),
            ("erp_memory", "plugin_id"),
            ("erp_schemas", "plugin_id"),
            ("erp_upgrades", "plugin_id"),
            ("erp_kept_tables", "plugin_id"),
            ("erp_fixtures", "plugin_id"),
        ] {
            let sql = format!("delete from {table} where {column} = ?");
            self.database.execute("forget the plugin", &sql, [SqlValue::Text(plugin.as_str().to_owned())])?;
        }
        Ok(())
    }

    /// The tenants for which a plugin was set up.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn tenants_of(&self, plugin: &PluginId) -> Result<Vec<TenantId>, StoreError> {
        let sql = "select tenant_id from erp_tenants where plugin_id = ? order by tenant_id";
        let found =
            self.database.rows("list tenants", sql, [SqlValue::text(plugin.as_str())], |row| row.get::<String>(0))?;
        Ok(found.into_iter().filter_map(TenantId::new).collect())
    }

    /// Whether a plugin was set up for a tenant.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn has_tenant(&self, plugin: &PluginId, tenant: &TenantId) -> Result<bool, StoreError> {
        let found = self.database.rows(
            "look for the tenant",
            "select 1 from erp_tenants where plugin_id = ? and tenant_id = ?",
            [SqlValue::Text(plugin.as_str().to_owned()), SqlValue::Text(tenant.as_str().to_owned())],
            |_| Ok(()),
        )?;
        Ok(!found.is_empty())
    }

    /// Records that a plugin was set up for a tenant.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn add_tenant(&mut self, plugin: &PluginId, tenant: &TenantId) -> Result<(), StoreError> {
        self.database.execute(
            "note the tenant",
            "insert into erp_tenants (plugin_id, tenant_id) values (?, ?) on conflict do nothing",
            [SqlValue::Text(plugin.as_str().to_owned()), SqlValue::Text(tenant.as_str().to_owned())],
        )?;
        Ok(())
    }
}
