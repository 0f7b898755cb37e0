//! `erp/settings.rs`, `erp/permissions.rs`, `erp/numbering.rs`: the declarations of the manifest besides entities and
//! events.

use erp_manifest::{Manifest, SettingType};

use super::code::SourceWriter;
use super::names::{TakenNames, camel, constant, snake};
use super::types::choices;

/// The text of `erp/settings.rs`, with a function for each setting.
pub(super) fn settings(manifest: &Manifest) -> String {
    let mut code =
        SourceWriter::file("The settings of plugin.toml, as an administrator has set them, or their defaults.");
    code.line("use serde_json::Value;");
    code.blank();
    if manifest.settings.fields.iter().any(|field| field.setting_type == SettingType::Number) {
        code.line("use super::decimal::Decimal;");
    }
    code.line("use super::error::Result;");
    code.line("use super::setting;");
    code.line("use super::value::JsonValue;");
    code.blank();
    code.doc("What unit tests begin with: keys, and their defaults as JSON.");
    code.line("pub(super) const DEFAULTS: &[(&str, &str)] = &[");
    for field in &manifest.settings.fields {
        if let Some(default) = &field.default {
            code.line(format!("    ({:?}, {:?}),", field.key.as_str(), default.to_string()));
        }
    }
    code.line("];");
    let (mut taken, mut functions) = (TakenNames::default(), TakenNames::default());
    for field in &manifest.settings.fields {
        let key = field.key.as_str();
        let name = taken.take(&camel(key), "Setting");
        let is_choice = field.setting_type == SettingType::Select && !field.options.is_empty();
        if is_choice {
            choices(&mut code, &name, &field.label, &field.options);
        }
        let ty = match field.setting_type {
            _ if is_choice => name,
            SettingType::Number => "Decimal".to_owned(),
            SettingType::Boolean => "bool".to_owned(),
            SettingType::Text | SettingType::Select => "String".to_owned(),
        };
        let ty = if field.default.is_some() { ty } else { format!("Option<{ty}>") };
        code.blank();
        code.doc(&field.label);
        code.doc(field.description.as_deref().unwrap_or_default());
        code.block(format!("pub fn {}() -> Result<{ty}>", snake(&functions.take(key, "_setting"))), |code| {
            code.line(format!("setting::read({key:?})"));
        });
    }
    code.finish()
}

/// The text of `erp/permissions.rs`, with a constant for each permission.
pub(super) fn permissions(manifest: &Manifest) -> String {
    let mut code = SourceWriter::file("The permissions of plugin.toml.");
    code.line("use super::permission::Permission;");
    let mut taken = TakenNames::default();
    for permission in &manifest.permissions {
        code.blank();
        code.doc(&permission.name);
        let (name, value) = (taken.take(&constant(permission.code.as_str()), "_PERMISSION"), permission.code.as_str());
        code.line(format!("pub const {name}: Permission = Permission({value:?});"));
    }
    code.finish()
}

/// The text of `erp/numbering.rs`, with a function for each rule.
pub(super) fn numbering(manifest: &Manifest) -> String {
    let mut code = SourceWriter::file("The numbering rules of plugin.toml.");
    code.line("use super::error::Result;");
    code.line("use super::host::host_numbering;");
    code.blank();
    code.doc("What unit tests know of the rules.");
    code.line("#[cfg(not(target_arch = \"wasm32\"))]");
    let rules: Vec<String> = manifest.numbering.iter().map(|rule| format!("{:?}", rule.name.as_str())).collect();
    code.line(format!("pub(super) const RULES: &[&str] = &[{}];", rules.join(", ")));
    let mut taken = TakenNames::default();
    for rule in &manifest.numbering {
        let function = taken.take(&format!("next_{}", snake(&rule.name).trim_start_matches("r#")), "_number");
        code.blank();
        code.doc("Takes the next number.");
        code.block(format!("pub fn {function}() -> Result<String>"), |code| {
            code.line(format!("host_numbering::next({:?})", rule.name.as_str()));
        });
    }
    code.finish()
}
