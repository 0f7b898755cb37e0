//! Configuration, settings, secrets and numbering.

use std::sync::Arc;

use erp_manifest::contract::HostFunction;
use erp_storage::StoreError;
use serde_json::json;

use super::super::capabilities;
use super::super::error::ServiceError;
use super::shown::{Json, Secret};
use super::{Services, denied};
use crate::lock;

impl Services {
    pub(super) fn config(&mut self, key: &str) -> Result<Option<Json>, ServiceError> {
        self.call(
            HostFunction::ConfigGet,
            key,
            || json!({ "key": key }),
            |services| {
                if !capabilities::may_read_config(&services.manifest, key) {
                    return Err(denied(format!("`{key}` is not granted: name it in `config` of [capabilities]")));
                }
                let value = services.in_unit(|unit, _, _| unit.config(key))?;
                Ok(value.map(Json::from))
            },
        )
    }

    pub(super) fn setting(&mut self, key: &str) -> Result<Json, ServiceError> {
        self.call(
            HostFunction::ConfigSetting,
            key,
            || json!({ "key": key }),
            |services| {
                let manifest = &Arc::clone(&services.manifest);
                let value = services.in_unit(|unit, scope, _| unit.setting(manifest, scope, key))?;
                Ok(Json::from(value))
            },
        )
    }

    pub(super) fn secret(&mut self, key: &str) -> Result<String, ServiceError> {
        let secret = self.call(
            HostFunction::ConfigSecret,
            key,
            || json!({ "key": key }),
            |services| {
                if !capabilities::may_read_secret(&services.manifest, key) {
                    return Err(denied(format!("`{key}` is not granted: name it in `secrets` of [capabilities]")));
                }
                let manifest = Arc::clone(&services.manifest);
                let plugin = &manifest.metadata.id;
                let source = lock(&services.surroundings).secrets();
                match source {
                    Some(source) => {
                        let known = source.secret(&services.context.tenant, plugin.as_str(), key);
                        known.map(Secret).ok_or_else(|| StoreError::NoSecret(key.to_owned()).into())
                    }
                    None => services.in_unit(|unit, scope, _| unit.secret(plugin, scope, key)).map(Secret),
                }
            },
        )?;
        self.secrets.add(&secret.0);
        Ok(secret.0)
    }

    pub(super) fn next_number(&mut self, rule: &str) -> Result<String, ServiceError> {
        self.call(
            HostFunction::NumberingNext,
            rule,
            || json!({ "rule": rule }),
            |services| {
                let manifest = Arc::clone(&services.manifest);
                services.in_unit(|unit, scope, _| unit.next_number(&manifest, rule, scope))
            },
        )
    }

    pub(super) fn peek_number(&mut self, rule: &str) -> Result<String, ServiceError> {
        self.call(
            HostFunction::NumberingPeek,
            rule,
            || json!({ "rule": rule }),
            |services| {
                let manifest = Arc::clone(&services.manifest);
                services.in_unit(|unit, scope, _| unit.peek_number(&manifest, rule, scope))
            },
        )
    }
}
