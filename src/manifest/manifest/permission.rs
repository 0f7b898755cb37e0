//! Permissions of users: permission codes and grants.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use super::{DataScope, EntityName};
use crate::codes::codes;
use crate::document::{FromToml, Node, Reader};

codes! { pub:
    INVALID_PERMISSION = "manifest/invalid-permission", finding(Error), "A permission code that does not name an entity and an action.",
        why: "The platform derives what to protect from the code: `entity.list` to see, `entity.manage` to change, other actions for buttons.",
        fix: "Write the code as `<entity>.<action>` with an entity of this plugin.";
}

/// The action that permits reading rows.
pub const LIST: &str = "list";
/// The action that permits reading and changing rows.
pub const MANAGE: &str = "manage";

/// The code of a permission, `<entity>.<action>`, such as `item.list`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionCode(Cow<'static, str>);

impl PermissionCode {
    /// The rule for codes, as a regular expression.
    pub const RULE: &'static str = "^[a-z0-9_]+\\.[a-z0-9_]+$";

    /// Creates a code; `None` if the text does not follow [`PermissionCode::RULE`].
    pub fn new(text: impl Into<String>) -> Option<PermissionCode> {
        let text = text.into();
        let is_code = text.split_once('.').is_some_and(|(entity, action)| is_word(entity) && is_word(action));
        is_code.then_some(PermissionCode(Cow::Owned(text)))
    }

    /// Creates a code of the platform itself. The text must follow the rule; a test checks the codes of the platform.
    pub const fn of_platform(code: &'static str) -> PermissionCode {
        PermissionCode(Cow::Borrowed(code))
    }

    /// The permission for an action on rows of an entity.
    pub fn of(entity: &EntityName, action: &str) -> PermissionCode {
        PermissionCode(Cow::Owned(format!("{entity}.{action}")))
    }

    /// The permission to read rows of an entity.
    pub fn list(entity: &EntityName) -> PermissionCode {
        PermissionCode::of(entity, LIST)
    }

    /// The permission to read and change rows of an entity.
    pub fn manage(entity: &EntityName) -> PermissionCode {
        PermissionCode::of(entity, MANAGE)
    }

    /// The first part of the code: an entity, or an area of the platform.
    pub fn entity(&self) -> &str {
        self.0.split_once('.').map_or("", |(entity, _)| entity)
    }

    /// The second part of the code: the action.
    pub fn action(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, action)| action)
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PermissionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for PermissionCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl FromToml for PermissionCode {
    fn from_toml(node: &Node, reader: &mut Reader) -> Option<PermissionCode> {
        let text = String::from_toml(node, reader)?;
        let code = PermissionCode::new(text.clone());
        if code.is_none() {
            let message = format!("`{text}` does not name an entity and an action");
            let help = "write it as `<entity>.<action>`, such as `item.list`".to_owned();
            reader.find(INVALID_PERMISSION, node.span.clone(), message, "no entity and action", Some(help));
        }
        code
    }

    fn json_schema() -> Value {
        json!({ "type": "string", "pattern": PermissionCode::RULE })
    }
}

/// A permission that a user has: `*` (all), `item.*` (all of an entity), or a code. A suffix such as `:department`
/// limits the rows that it reaches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PermissionGrant {
    pattern: Pattern,
    level: Option<DataScope>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Pattern {
    All,
    Entity(String),
    Code(PermissionCode),
}

impl PermissionGrant {
    /// All permissions, for all rows.
    pub const ALL: PermissionGrant = PermissionGrant { pattern: Pattern::All, level: None };

    /// Parses a grant; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<PermissionGrant> {
        let (granted, level) = match text.split_once(':') {
            Some((granted, level)) => (granted, Some(DataScope::from_word(level)?)),
            None => (text, None),
        };
        let pattern = match granted.strip_suffix(".*") {
            _ if granted == "*" => Pattern::All,
            Some(entity) if is_word(entity) => Pattern::Entity(entity.to_owned()),
            Some(_) => return None,
            None => Pattern::Code(PermissionCode::new(granted)?),
        };
        Some(PermissionGrant { pattern, level })
    }

    /// Returns which rows the grant reaches for a permission; `None` if it does not include the permission. `manage`
    /// includes `list`.
    pub fn reach(&self, code: &PermissionCode) -> Option<DataScope> {
        let gives = match &self.pattern {
            Pattern::All => true,
            Pattern::Entity(entity) => entity == code.entity(),
            Pattern::Code(granted) => {
                let implied = granted.action() == MANAGE && code.action() == LIST && granted.entity() == code.entity();
                granted == code || implied
            }
        };
        gives.then(|| self.level.unwrap_or(DataScope::All))
    }

    /// The code that it grants; `None` if it grants several.
    pub fn code(&self) -> Option<&PermissionCode> {
        match &self.pattern {
            Pattern::Code(code) => Some(code),
            Pattern::All | Pattern::Entity(_) => None,
        }
    }

    /// The entity whose permissions it grants completely; `None` for one code and for `*`.
    pub fn whole_entity(&self) -> Option<&str> {
        match &self.pattern {
            Pattern::Entity(entity) => Some(entity),
            Pattern::All | Pattern::Code(_) => None,
        }
    }
}

impl fmt::Display for PermissionGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Pattern::All => f.write_str("*")?,
            Pattern::Entity(entity) => write!(f, "{entity}.*")?,
            Pattern::Code(code) => write!(f, "{code}")?,
        }
        self.level.map_or(Ok(()), |level| write!(f, ":{}", level.word()))
    }
}

impl std::str::FromStr for PermissionGrant {
    type Err = String;

    fn from_str(text: &str) -> Result<PermissionGrant, String> {
        PermissionGrant::parse(text).ok_or_else(|| {
            let levels = DataScope::WORDS.join("`, `:");
            format!("`{text}` is no permission: write `item.list`, `item.*` or `*`; behind it may be `:{levels}`")
        })
    }
}

impl Serialize for PermissionGrant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PermissionGrant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PermissionGrant, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_an_entity_and_an_action() {
        for good in ["item.list", "purchase_order.approve_2", "plugin.admin"] {
            assert_eq!(PermissionCode::new(good).map(|code| code.to_string()).as_deref(), Some(good));
        }
        for bad in
            ["", "item", ".list", "item.", "item.list.all", "Item.list", "item.*", "*", "item.list:self", "库存.list"]
        {
            assert_eq!(PermissionCode::new(bad), None, "{bad}");
        }
    }

    #[test]
    fn grants_are_read_and_written_alike_and_reach_what_they_say() {
        for text in ["*", "item.*", "item.list", "item.manage:department", "*:self", "item.*:department_tree"] {
            assert_eq!(PermissionGrant::parse(text).map(|grant| grant.to_string()).as_deref(), Some(text));
        }
        for bad in ["", "*.list", "item.list:everyone", ".*", "item.", "item"] {
            assert_eq!(PermissionGrant::parse(bad), None, "{bad}");
        }
        let reach =
            |grant: &str, code: &str| PermissionGrant::parse(grant).unwrap().reach(&PermissionCode::new(code).unwrap());
        assert_eq!(reach("item.manage:self", "item.list"), Some(DataScope::OwnRows));
        assert_eq!(reach("item.list", "item.manage"), None);
        assert_eq!(reach("plugin.*", "plugin.admin"), Some(DataScope::All));
        assert_eq!(reach("items.*", "item.list"), None);
    }
}
