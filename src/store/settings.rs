//! Settings of a plugin per tenant, and the platform's configuration.

use erp_manifest::document::did_you_mean;
use erp_manifest::{Manifest, SettingField, SettingType};
use erp_storage::{FieldProblem, Scope, StoreError};
use serde_json::{Map, Value};

use super::Database;
use super::sql::SqlValue;

/// Settings of plugins, and the configuration of the platform.
#[derive(Debug)]
pub struct Configuration<'d> {
    pub(crate) database: &'d mut Database,
}

impl Configuration<'_> {
    /// A setting, or its default if it is not set; null if it has no default.
    ///
    /// # Errors
    /// [`StoreError::UnknownSetting`] and [`StoreError::Database`].
    pub fn setting(&self, manifest: &Manifest, scope: &Scope, key: &str) -> Result<Value, StoreError> {
        let field = known(manifest, key)?;
        let found = self.database.rows(
            "read a setting",
            "select value from erp_settings where plugin_id = ? and tenant_id = ? and key = ?",
            [manifest.metadata.id.as_str(), scope.tenant.as_str(), key].map(|text| SqlValue::Text(text.to_owned())),
            |row| row.get::<String>(0),
        )?;
        Ok(match found.first() {
            Some(text) => serde_json::from_str(text).unwrap_or(Value::Null),
            None => field.default.as_ref().map_or(Value::Null, |default| (**default).clone()),
        })
    }

    /// All settings of a plugin.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn settings(&self, manifest: &Manifest, scope: &Scope) -> Result<Map<String, Value>, StoreError> {
        manifest
            .settings
            .fields
            .iter()
            .map(|field| Ok((field.key.to_string(), self.setting(manifest, scope, field.key.as_str())?)))
            .collect()
    }

    /// Sets some settings of a plugin.
    ///
    /// # Errors
    /// [`StoreError::UnknownSetting`], [`StoreError::Validation`] and [`StoreError::Database`].
    pub fn set_settings(
        &mut self,
        manifest: &Manifest,
        scope: &Scope,
        values: &Map<String, Value>,
    ) -> Result<(), StoreError> {
        for (key, value) in values {
            let field = known(manifest, key)?;
            if let Err(message) = fits(field, value) {
                let problems = vec![FieldProblem { field: key.clone(), message }];
                return Err(StoreError::Validation { entity: "settings".to_owned(), problems });
            }
            let parameters = [manifest.metadata.id.as_str(), scope.tenant.as_str(), key, &value.to_string()];
            self.database.execute(
                "set a setting",
                "insert into erp_settings (plugin_id, tenant_id, key, value) values (?, ?, ?, ?) \
                 on conflict (plugin_id, tenant_id, key) do update set value = excluded.value",
                parameters.map(|text| SqlValue::Text(text.to_owned())),
            )?;
        }
        Ok(())
    }

    /// A value of the platform's configuration.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn config(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let found = self.database.rows(
            "read the configuration",
            "select value from erp_config where key = ?",
            [SqlValue::Text(key.to_owned())],
            |row| row.get::<String>(0),
        )?;
        Ok(found.first().and_then(|text| serde_json::from_str(text).ok()))
    }

    /// Sets a value of the platform's configuration.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn set_config(&mut self, key: &str, value: &Value) -> Result<(), StoreError> {
        self.database.execute(
            "set the configuration",
            "insert into erp_config (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
            [SqlValue::Text(key.to_owned()), SqlValue::Text(value.to_string())],
        )?;
        Ok(())
    }
}

fn known<'m>(manifest: &'m Manifest, key: &str) -> Result<&'m SettingField, StoreError> {
    let field = manifest.settings.fields.iter().find(|field| field.key.as_str() == key);
    field.ok_or_else(|| {
        let help = did_you_mean(key, manifest.settings.fields.iter().map(|field| field.key.as_str()));
        StoreError::UnknownSetting(key.to_owned(), help.map_or_else(String::new, |help| format!("; {help}")))
    })
}

fn fits(field: &SettingField, value: &Value) -> Result<(), String> {
    match field.setting_type {
        SettingType::Text if value.is_string() => Ok(()),
        SettingType::Text => Err("takes text".to_owned()),
        SettingType::Number if value.is_number() => Ok(()),
        SettingType::Number => Err("takes a number".to_owned()),
        SettingType::Boolean if value.is_boolean() => Ok(()),
        SettingType::Boolean => Err("takes true or false".to_owned()),
        SettingType::Select if field.options.iter().any(|option| value == option.value.as_str()) => Ok(()),
        SettingType::Select => Err("takes one of its options".to_owned()),
    }
}
