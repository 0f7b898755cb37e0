//! Configuration, settings and secrets of unit tests.

pub mod host_config {
    use super::super::super::bindings::erp::plugin::types::Error;
    use super::super::{refuse, with};

    pub fn get(key: &str) -> Result<Option<String>, Error> {
        Ok(with(|mock| mock.config.get(key).map(ToString::to_string)))
    }

    pub fn setting(key: &str) -> Result<String, Error> {
        let default = || super::super::super::settings::DEFAULTS.iter().find(|(known, _)| *known == key);
        let value = with(|mock| mock.settings.get(key).map(ToString::to_string));
        let value = value.or_else(|| default().map(|(_, default)| (*default).to_owned()));
        value.ok_or_else(|| refuse("config.unknown_setting", format!("there is no setting `{key}`")))
    }

    pub fn secret(key: &str) -> Result<String, Error> {
        let value = with(|mock| mock.secrets.get(key).cloned());
        value.ok_or_else(|| refuse("config.no_secret", format!("there is no secret `{key}`")))
    }
}
