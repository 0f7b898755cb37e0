//! Identifiers. Each kind has its own type, so that arguments cannot be swapped.

use std::borrow::Borrow;
use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use crate::codes::codes;
use crate::document::{FromToml, Node, Reader};

codes! {
    INVALID_NAME = "manifest/invalid-name", finding(Error), "An identifier that does not follow its rule.",
        why: "Names become parts of table names, URLs and event names, which all must stay readable and unambiguous.",
        fix: "Use lower-case ASCII letters and digits in words joined by `-` (plugins) or `_` (entities, fields). The names that people read go into `name`, `display_name` and `label`, in any language.";
}

/// The names of the columns that the host owns. No field of an entity may have one of these names.
pub const RESERVED_FIELDS: [&str; 9] =
    ["id", "tenant_id", "created_at", "created_by", "updated_at", "updated_by", "deleted_at", "version", "data"];

/// The maximum length of a table name, in bytes. PostgreSQL keeps no more.
pub const MAX_NAME_BYTES: usize = 63;

/// Names that no entity may have, because the HTTP API uses them in the same position of its paths.
pub const RESERVED_ENTITIES: [&str; 1] = ["pages"];

/// The name of the table of an entity: `plugin_<id with underscores>_<entity>`.
pub fn table_name(plugin: &PluginId, entity: &EntityName) -> String {
    format!("plugin_{}_{entity}", plugin.as_str().replace('-', "_"))
}

macro_rules! identifier {
    ($(#[doc = $doc:literal])* $name:ident, $pattern:literal, $length:expr, $valid:expr) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The rule, as a regular expression and a length in characters.
            pub const RULE: &'static str = concat!("`", $pattern, "`, ", $length, " characters");

            /// Creates the identifier; `None` if the text does not follow the rule.
            pub fn new(text: impl Into<String>) -> Option<$name> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                valid(&text).then_some($name(text))
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromToml for $name {
            fn from_toml(node: &Node, reader: &mut Reader) -> Option<$name> {
                let text = String::from_toml(node, reader)?;
                let found = $name::new(text.clone());
                if found.is_none() {
                    reader.find(
                        INVALID_NAME,
                        node.span.clone(),
                        format!("`{text}` is not a valid name here"),
                        "not a valid name",
                        Some(format!("the rule is {}", $name::RULE)),
                    );
                }
                found
            }

            fn placeholder() -> Option<$name> {
                // A manifest has one plugin id. Entities and fields must have different names, which one placeholder
                // cannot give.
                (stringify!($name) == "PluginId").then(|| $name("unnamed-plugin".to_owned()))
            }

            fn json_schema() -> Value {
                json!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

identifier!(
    /// The name of a plugin, unique on a platform, such as `erp-inventory`.
    PluginId,
    "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
    "3 to 40",
    |text| (3..=40).contains(&text.len()) && is_words(text, '-')
);

identifier!(
    /// The name of an entity, such as `purchase_order`.
    EntityName,
    "^[a-z][a-z0-9]*(_[a-z0-9]+)*$",
    "1 to 40",
    |text| (1..=40).contains(&text.len()) && is_words(text, '_')
);

identifier!(
    /// The name of a field of an entity, such as `unit_price`.
    FieldName,
    "^[a-z][a-z0-9]*(_[a-z0-9]+)*$",
    "1 to 40",
    |text| (1..=40).contains(&text.len()) && is_words(text, '_')
);

identifier!(
    /// The name of a tenant, such as `acme`.
    TenantId,
    "^[a-z0-9]+([-_][a-z0-9]+)*$",
    "1 to 64",
    |text| (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
);

/// The tenant id that means no tenant.
const NIL_TENANT: &str = "00000000-0000-0000-0000-000000000000";

impl TenantId {
    /// Creates a tenant id from a name that a user entered.
    ///
    /// # Errors
    /// A sentence with the rule.
    pub fn named(text: &str) -> Result<TenantId, String> {
        TenantId::new(text).ok_or_else(|| format!("`{text}` is no name of a tenant: the rule is {}", TenantId::RULE))
    }

    /// The id for calls and data that belong to no tenant.
    pub fn nil() -> TenantId {
        TenantId(NIL_TENANT.to_owned())
    }

    /// Returns whether this is the id that means no tenant.
    pub fn is_nil(&self) -> bool {
        self.0 == NIL_TENANT
    }
}

/// Returns whether a text is lower-case words of letters and digits, joined by single separators and starting with a
/// letter.
fn is_words(text: &str, separator: char) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .split(separator)
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_ids_follow_their_rule() {
        for good in ["erp-inventory", "abc", "a1-2"] {
            assert!(PluginId::new(good).is_some(), "{good}");
        }
        for bad in ["ab", "1ab", "Erp", "erp_inventory", "erp--x", "erp-", "-erp", "库存-x", &"a".repeat(41)] {
            assert!(PluginId::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn tables_are_named_with_underscores() {
        let plugin = PluginId::new("erp-inventory").unwrap();
        let entity = EntityName::new("purchase_order").unwrap();
        assert_eq!(table_name(&plugin, &entity), "plugin_erp_inventory_purchase_order");
    }
}
