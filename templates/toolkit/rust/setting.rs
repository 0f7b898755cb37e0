//! How settings are read.

use serde_json::Value;

use super::error::{Result, refuse};
use super::host::host_config;
use super::value::JsonValue;

/// A setting as an administrator has set it, or its default.
pub(super) fn read<T: JsonValue>(key: &str) -> Result<T> {
    let text = host_config::setting(key)?;
    let value: Option<Value> = serde_json::from_str(&text).ok();
    let bad = || refuse("plugin.bad_value", format!("the setting `{key}` is {text}"));
    value.as_ref().and_then(T::from_json).ok_or_else(bad)
}
