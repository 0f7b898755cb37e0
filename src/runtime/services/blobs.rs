//! Files that the plugin stores.

use std::sync::Arc;

use erp_manifest::codes::errors;
use erp_manifest::contract::HostFunction;
use erp_storage::BlobInfo;
use serde_json::{Value, json};

use super::super::error::ServiceError;
use super::shown::{Bytes, HostResult};
use super::{Services, denied, within};

/// The longest file name or media type, in characters.
const MAX_NAME: usize = 200;

impl Services {
    fn with_blobs<T: HostResult>(
        &mut self,
        function: HostFunction,
        subject: &str,
        arguments: impl FnOnce() -> Value,
        work: impl FnOnce(&mut Services) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.call(function, subject, arguments, |services| {
            if !*services.manifest.capabilities.blob {
                return Err(denied("keeping files is not granted: write `blob = true` into [capabilities]"));
            }
            work(services)
        })
    }

    pub(super) fn blob_put(&mut self, name: &str, mime: &str, data: Vec<u8>) -> Result<BlobInfo, ServiceError> {
        let size = data.len() as u64;
        let arguments = || json!({ "name": name, "mime": mime, "bytes": size });
        self.with_blobs(HostFunction::BlobPut, name, arguments, |services| {
            // Names and media types become headers and file names, also in other programs.
            let is_clean = |text: &str| text.chars().count() <= MAX_NAME && !text.contains(char::is_control);
            let is_name = !name.is_empty() && is_clean(name) && !name.contains(['/', '\\']);
            if !is_name || !is_clean(mime) || !mime.contains('/') {
                let (name, mime) = (name.escape_debug(), mime.escape_debug());
                let message = format!(
                    "a file has a name without slashes or control characters and a media type, not `{name}` and `{mime}`"
                );
                return Err(ServiceError::new(errors::BLOB_BAD_NAME, message));
            }
            services.usage.take_writes(1)?;
            services.usage.take_blob(size)?;
            let manifest = Arc::clone(&services.manifest);
            let plugin = &manifest.metadata.id;
            services
                .in_unit(|unit, scope, new_id| unit.put_blob(plugin, scope, (name, mime), data, new_id))
        })
    }

    pub(super) fn blob_get(&mut self, id: &str, offset: u64, length: u32) -> Result<Vec<u8>, ServiceError> {
        let arguments = || json!({ "id": id, "offset": offset, "len": length });
        let given = self.with_blobs(HostFunction::BlobGet, id, arguments, |services| {
            // The size is checked before reading: a file of a gigabyte must not be loaded only to be refused.
            let bound = services.usage.limits.result_bytes();
            let size = services.blob_info(id)?.size.saturating_sub(offset).min(length.into());
            within(errors::LIMIT_RESULT_BYTES, size, bound, "bytes may come of one call of the host")?;
            let manifest = Arc::clone(&services.manifest);
            let plugin = &manifest.metadata.id;
            services.in_unit(|unit, scope, _| unit.blob_part(plugin, scope, id, offset, length)).map(Bytes)
        })?;
        Ok(given.0)
    }

    pub(super) fn blob_stat(&mut self, id: &str) -> Result<BlobInfo, ServiceError> {
        self.with_blobs(HostFunction::BlobStat, id, || json!({ "id": id }), |services| services.blob_info(id))
    }

    pub(super) fn blob_delete(&mut self, id: &str) -> Result<(), ServiceError> {
        self.with_blobs(
            HostFunction::BlobDelete,
            id,
            || json!({ "id": id }),
            |services| {
                services.usage.take_writes(1)?;
                let manifest = Arc::clone(&services.manifest);
                let plugin = &manifest.metadata.id;
                services.in_unit(|unit, scope, _| unit.delete_blob(plugin, scope, id))
            },
        )
    }

    fn blob_info(&mut self, id: &str) -> Result<BlobInfo, ServiceError> {
        let manifest = Arc::clone(&self.manifest);
        self.in_unit(|unit, scope, _| unit.blob_info(&manifest.metadata.id, scope, id))
    }
}
