//! One change between two versions of a plugin's tables.

use std::fmt;

use serde::Serialize;

use crate::diagnostics::Span;

/// What a change means for the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeEffect {
    /// Nothing: something is new, or a rule only meets rows that are written from now on.
    None,
    /// Every value goes along, under another name or in another form.
    Follows,
    /// A migration of the manifest says what becomes of the values.
    Migrated,
    /// Some values may not fit.
    Narrows,
    /// Values go.
    Loses,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ChangeKind {
    /// The entity is new.
    EntityAdded,
    /// The entity has another name.
    EntityRenamed {
        /// The name that it had.
        from: String,
    },
    /// The entity is gone.
    EntityDropped,
    /// The field is new.
    FieldAdded,
    /// The field has another name.
    FieldRenamed {
        /// The name that it had.
        from: String,
    },
    /// The field is gone.
    FieldDropped,
    /// The field has another type.
    TypeChanged {
        /// The type that it had.
        from: String,
        /// The type that it has.
        to: String,
    },
    /// A decimal has fewer digits.
    DigitsReduced {
        /// In words, such as `18,4`.
        from: String,
        /// In words.
        to: String,
    },
    /// A row must have a value now.
    RequiredNow,
    /// No two rows of a tenant may have the same values now.
    UniqueNow {
        /// The fields.
        fields: Vec<String>,
    },
    /// Values that the field no longer offers.
    OptionsRemoved {
        /// The values.
        options: Vec<String>,
    },
    /// The rows that the field names are of another entity.
    TargetChanged {
        /// The entity that it named.
        from: String,
        /// The entity that it names.
        to: String,
    },
    /// The value is computed in another way.
    ComputedChanged,
    /// Something else that new and changed rows must fulfil.
    RuleChanged {
        /// Which, in words.
        rule: String,
    },
}

/// A change of an entity or a field.
#[derive(Debug, Clone)]
pub struct SchemaChange {
    /// The entity, by its new name if it was renamed.
    pub entity: String,
    /// The field, by its new name if it was renamed; `None` for a change of the entity.
    pub field: Option<String>,
    /// What changed.
    pub kind: ChangeKind,
    /// The effect on stored rows.
    pub effect: ChangeEffect,
    /// The place in the new manifest. For a dropped field this is the entity, for a dropped entity the schema.
    pub span: Span,
}

impl SchemaChange {
    /// `entity` or `entity.field`.
    pub fn place(&self) -> String {
        match &self.field {
            Some(field) => format!("{}.{field}", self.entity),
            None => self.entity.clone(),
        }
    }

    /// Returns an example of the migration step that handles the values; `None` if no step is suggested for this kind
    /// of change.
    pub fn step(&self) -> Option<String> {
        let entity = &self.entity;
        let step = |verb: &str, rest: &str| {
            let field = self.field.as_ref().map_or_else(String::new, |field| format!(", field = \"{field}\""));
            format!("steps = [{{ do = \"{verb}\", entity = \"{entity}\"{field}{rest} }}]")
        };
        Some(match &self.kind {
            ChangeKind::EntityDropped => {
                format!("{}, or `renamed_from` on the entity that it is now", step("drop_entity", ""))
            }
            ChangeKind::FieldDropped => {
                format!("{}, or `renamed_from` on the field that it is now", step("drop_field", ""))
            }
            ChangeKind::TypeChanged { .. } | ChangeKind::DigitsReduced { .. } | ChangeKind::OptionsRemoved { .. } => {
                step("change_type", ", value = \"…\", otherwise = \"refuse\"")
            }
            ChangeKind::RequiredNow => step("backfill", ", value = \"…\""),
            _ => return None,
        })
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeKind::EntityAdded | ChangeKind::FieldAdded => f.write_str("is new"),
            ChangeKind::EntityRenamed { from } | ChangeKind::FieldRenamed { from } => write!(f, "was `{from}`"),
            ChangeKind::EntityDropped | ChangeKind::FieldDropped => f.write_str("is gone"),
            ChangeKind::TypeChanged { from, to } => write!(f, "is {to}, was {from}"),
            ChangeKind::DigitsReduced { from, to } => write!(f, "keeps {to} digits, kept {from}"),
            ChangeKind::RequiredNow => f.write_str("is required now"),
            ChangeKind::UniqueNow { fields } if fields.len() > 1 => write!(f, "{} are unique now", fields.join(" + ")),
            ChangeKind::UniqueNow { .. } => f.write_str("is unique now"),
            ChangeKind::OptionsRemoved { options } => write!(f, "no longer offers {}", options.join(", ")),
            ChangeKind::TargetChanged { from, to } => write!(f, "names rows of {to}, named rows of {from}"),
            ChangeKind::ComputedChanged => f.write_str("is computed in another way"),
            ChangeKind::RuleChanged { rule } => f.write_str(rule),
        }
    }
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place(), self.kind)
    }
}
