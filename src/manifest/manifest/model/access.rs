//! Permissions, settings and events.

use serde_json::Value;

use super::super::{FieldName, PermissionCode};
use super::FieldOption;
use crate::diagnostics::Spanned;
use crate::document::{table, words};

words! {
    /// How far a permission reaches.
    pub enum DataScope {
        /// Rows that the user owns.
        OwnRows = "self",
        /// Rows of the user's department.
        Department = "department",
        /// Rows of the user's department and those below it.
        DepartmentTree = "department_tree",
        /// All rows of the tenant.
        All = "all",
    }
}

table! {
    /// What a user may be allowed to do.
    pub struct Permission {
        /// `entity.list`, `entity.manage`, or an entity with a verb of your own.
        code: Spanned<PermissionCode>,
        /// The name that administrators read.
        name: String,
        /// What it allows.
        description: Option<String>,
        /// How far an administrator may let it reach.
        data_scope_levels: Vec<DataScope>,
    }
}

table! {
    /// Values that an administrator sets per tenant.
    pub struct Settings {
        /// Groups that the settings page shows, in its order.
        groups: Vec<SettingGroup>,
        /// The values.
        fields: Vec<SettingField>,
    }
}

table! {
    /// A group of settings.
    pub struct SettingGroup {
        /// What settings call it.
        name: Spanned<FieldName>,
        /// The name that people read.
        label: String,
    }
}

words! {
    /// What a setting holds.
    pub enum SettingType {
        /// Text.
        Text = "text",
        /// A number.
        Number = "number",
        /// true or false.
        Boolean = "boolean",
        /// One of the options.
        Select = "select",
    }
}

table! {
    /// A value that an administrator sets per tenant.
    pub struct SettingField {
        /// The name that the plugin asks for it by.
        key: Spanned<FieldName>,
        /// What it holds.
        setting_type: SettingType,
        /// The name that people read.
        label: String,
        /// What it does.
        description: Option<String>,
        /// The group that it stands in.
        group: Option<Spanned<FieldName>>,
        /// Its value until someone sets it.
        default: Option<Spanned<Value>>,
        /// The values of a `select`.
        options: Vec<FieldOption>,
    }
}

table! {
    /// Events that the plugin receives and publishes.
    pub struct Events {
        /// Events that it hears: exact names, `a.*` or `*`.
        subscribe: Vec<Spanned<String>>,
        /// Events that it tells.
        publishes: Vec<PublishedEvent>,
    }
}

table! {
    /// An event that the plugin tells.
    pub struct PublishedEvent {
        /// Its name, words joined by dots.
        r#type: Spanned<String>,
        /// Its payload: each key with the field type of its value.
        payload: std::collections::BTreeMap<String, Spanned<String>>,
        /// When it is told.
        description: Option<String>,
    }
}
