//! Rows, settings and secrets for the setup of a platform, without a user and without permission checks.

use std::collections::BTreeMap;

use erp_manifest::{Manifest, TenantId};
use erp_runtime::lock;
use erp_storage::{Scope, StoreError};
use serde_json::Value;

use super::Platform;

/// Rows, settings and secrets, without permission checks.
#[derive(Debug)]
pub struct PlatformData<'p> {
    pub(crate) platform: &'p mut Platform,
}

impl PlatformData<'_> {
    /// Inserts a row of a fixture and returns its id. Publishes no trigger events.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn insert_fixture(
        &mut self,
        plugin: &Manifest,
        entity: &str,
        tenant: &TenantId,
        row: &serde_json::Map<String, Value>,
    ) -> Result<String, StoreError> {
        let scope = Scope::of_tenant(tenant, self.platform.now());
        let entity = self.platform.database.lock().catalog().entity(&plugin.metadata.id, entity)?;
        self.platform.quiet_unit(|database, surroundings| {
            let row = database.writer().insert(&entity, &scope, row, &mut || lock(surroundings).uuid())?;
            Ok(row.id)
        })
    }

    /// Sets keys of the platform's own configuration.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_config(&mut self, values: &BTreeMap<String, Value>) -> Result<(), StoreError> {
        self.platform.unit(|database, _| {
            values.iter().try_for_each(|(key, value)| database.configuration().set_config(key, value))
        })
    }

    /// Sets settings of a plugin for every tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_settings(
        &mut self,
        plugin: &Manifest,
        values: &serde_json::Map<String, Value>,
    ) -> Result<(), StoreError> {
        let now = self.platform.now();
        let tenants = self.platform.directory.tenants().to_vec();
        self.platform.unit(|database, _| {
            tenants.iter().try_for_each(|tenant| {
                database.configuration().set_settings(plugin, &Scope::of_tenant(tenant, now), values)
            })
        })
    }

    /// Sets secrets of a plugin for every tenant.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_secrets(&mut self, plugin: &Manifest, values: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let now = self.platform.now();
        let tenants = self.platform.directory.tenants().to_vec();
        self.platform.unit(|database, _| {
            tenants.iter().try_for_each(|tenant| {
                let scope = Scope::of_tenant(tenant, now);
                values
                    .iter()
                    .try_for_each(|(key, value)| database.secrets().set_secret(&plugin.metadata.id, &scope, key, value))
            })
        })
    }
}
