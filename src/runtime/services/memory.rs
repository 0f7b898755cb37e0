//! The memory of conversations and workflows.

use std::sync::Arc;

use erp_manifest::contract::HostFunction;
use erp_manifest::document::weight;
use serde_json::{Value, json};

use super::super::error::ServiceError;
use super::shown::{HostResult, Json};
use super::{Services, denied};

/// The most items that one call returns.
const MAX_ITEMS: u32 = 200;

impl Services {
    fn with_memory<T: HostResult>(
        &mut self,
        function: HostFunction,
        session: &str,
        arguments: impl FnOnce() -> Value,
        work: impl FnOnce(&mut Services) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.call(function, session, arguments, |services| {
            if !*services.manifest.capabilities.memory {
                return Err(denied("the memory is not granted: write `memory = true` into [capabilities]"));
            }
            work(services)
        })
    }

    pub(super) fn memory_append(&mut self, session: &str, item: &Value) -> Result<(), ServiceError> {
        let arguments = || json!({ "session": session, "item": item });
        self.with_memory(HostFunction::MemoryAppend, session, arguments, |services| {
            services.usage.take_writes(1)?;
            services.usage.take_written(session.len() as u64 + weight(item))?;
            let manifest = Arc::clone(&services.manifest);
            let plugin = &manifest.metadata.id;
            services.in_unit(|unit, scope, _| unit.remember(plugin, scope, session, item))
        })
    }

    /// Returns the newest items; with `text`, only items that contain it.
    pub(super) fn memory_recall(
        &mut self,
        function: HostFunction,
        session: &str,
        text: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Json>, ServiceError> {
        let arguments = || json!({ "session": session, "text": text, "limit": limit });
        self.with_memory(function, session, arguments, |services| {
            let manifest = Arc::clone(&services.manifest);
            let plugin = &manifest.metadata.id;
            let items =
                services.in_unit(|unit, scope, _| unit.recall(plugin, scope, session, text, limit.min(MAX_ITEMS)))?;
            services.usage.take_rows(items.len())?;
            Ok(items.into_iter().map(Json::from).collect())
        })
    }

    pub(super) fn memory_clear(&mut self, session: &str) -> Result<(), ServiceError> {
        self.with_memory(
            HostFunction::MemoryClear,
            session,
            || json!({ "session": session }),
            |services| {
                services.usage.take_writes(1)?;
                let manifest = Arc::clone(&services.manifest);
                let plugin = &manifest.metadata.id;
                services.in_unit(|unit, scope, _| unit.forget(plugin, scope, session))
            },
        )
    }
}
