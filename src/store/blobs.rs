//! Files that plugins store per tenant.

use erp_manifest::PluginId;
use erp_manifest::digest::sha256_hex;
use erp_storage::{BlobInfo, IdSource, Scope, StoreError};

use super::Database;
use super::sql::SqlValue;

/// Files of plugins.
#[derive(Debug)]
pub struct Blobs<'d> {
    pub(crate) database: &'d mut Database,
}

impl Blobs<'_> {
    /// Stores a file.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn put_blob(
        &mut self,
        plugin: &PluginId,
        scope: &Scope,
        (name, mime): (&str, &str),
        content: Vec<u8>,
        new_id: IdSource<'_>,
    ) -> Result<BlobInfo, StoreError> {
        let info = BlobInfo {
            id: new_id(),
            name: name.to_owned(),
            mime: mime.to_owned(),
            size: content.len() as u64,
            sha256: sha256_hex(&content),
        };
        let now = scope.now.to_string();
        let texts = [&info.id, plugin.as_str(), scope.tenant.as_str(), name, mime, &info.sha256, &now];
        let mut parameters = texts.map(|text| SqlValue::Text(text.to_owned())).to_vec();
        parameters.push(SqlValue::Blob(content));
        self.database.execute(
            "store a file",
            "insert into erp_blobs (id, plugin_id, tenant_id, name, mime, sha256, created_at, content) \
             values (?, ?, ?, ?, ?, ?, ?, ?)",
            parameters,
        )?;
        Ok(info)
    }

    /// Returns the metadata of a file.
    ///
    /// # Errors
    /// [`StoreError::NoBlob`] and [`StoreError::Database`].
    pub fn blob_info(&self, plugin: &PluginId, scope: &Scope, id: &str) -> Result<BlobInfo, StoreError> {
        let found = self.database.rows(
            "look at a file",
            "select id, name, mime, length(content), sha256 from erp_blobs where plugin_id = ? and tenant_id = ? and id = ?",
            place(plugin, scope, id),
            |row| {
                let size = row.get::<i64>(3)?.unsigned_abs();
                Ok(BlobInfo { id: row.get(0)?, name: row.get(1)?, mime: row.get(2)?, size, sha256: row.get(4)? })
            },
        )?;
        found.into_iter().next().ok_or_else(|| StoreError::NoBlob(id.to_owned()))
    }

    /// A part of a file: `length` bytes from `offset`, fewer at its end.
    ///
    /// # Errors
    /// As [`Blobs::blob_info`].
    pub fn blob_part(
        &self,
        plugin: &PluginId,
        scope: &Scope,
        id: &str,
        offset: u64,
        length: u32,
    ) -> Result<Vec<u8>, StoreError> {
        // PostgreSQL counts bytes in 32 bits.
        let from = i32::try_from(offset).unwrap_or(i32::MAX).saturating_add(1);
        let mut parameters =
            vec![SqlValue::Integer(from.into()), SqlValue::Integer(length.min(i32::MAX.unsigned_abs()).into())];
        parameters.extend(place(plugin, scope, id));
        let found = self.database.rows(
            "read a file",
            "select substr(content, ?, ?) from erp_blobs where plugin_id = ? and tenant_id = ? and id = ?",
            parameters,
            |row| row.get::<Vec<u8>>(0),
        )?;
        found.into_iter().next().ok_or_else(|| StoreError::NoBlob(id.to_owned()))
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// As [`Blobs::blob_info`].
    pub fn delete_blob(&mut self, plugin: &PluginId, scope: &Scope, id: &str) -> Result<(), StoreError> {
        let deleted = self.database.execute(
            "delete a file",
            "delete from erp_blobs where plugin_id = ? and tenant_id = ? and id = ?",
            place(plugin, scope, id),
        )?;
        if deleted == 0 { Err(StoreError::NoBlob(id.to_owned())) } else { Ok(()) }
    }
}

fn place(plugin: &PluginId, scope: &Scope, id: &str) -> [SqlValue; 3] {
    [plugin.as_str(), scope.tenant.as_str(), id].map(|text| SqlValue::Text(text.to_owned()))
}
