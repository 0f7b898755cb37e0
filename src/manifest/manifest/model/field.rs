//! Fields of entities.

use serde_json::Value;

use super::super::{BaseType, EntityName, FieldName, FieldType, PluginId};
use crate::diagnostics::Spanned;
use crate::document::{table, words};
use crate::expression::{Expression, FieldKind, Type};

/// The digits after the decimal point of a `currency` field without `scale`.
const CURRENCY_SCALE: u32 = 2;

table! {
    /// A field of an entity.
    pub struct Field {
        /// Its name, the key in the row's JSON.
        name: Spanned<FieldName>,
        /// What it holds.
        field_type: Spanned<FieldType>,
        /// The name that people read; its name if it is absent.
        display_name: Option<String>,
        /// Its name in the previous schema version: its values stay.
        renamed_from: Option<Spanned<FieldName>>,
        /// What it means.
        description: Option<String>,
        /// True where a row must have a value.
        required: bool = false,
        /// True where no two live rows of a tenant have the same value.
        unique: bool = false,
        /// The value of a row that brings none: a literal, or `$now` (of a `datetime`), `$today` (`date`), `$user.id` (`user`),
        /// `$uuid` (`uuid`).
        default: Option<Spanned<Value>>,
        /// The values of a `select` or `multi_select`.
        options: Vec<FieldOption>,
        /// The `[[dictionaries]]` block whose items are the options.
        dictionary: Option<Spanned<FieldName>>,
        /// What the form shows for it, where the type's own widget is not the right one.
        ui_widget: Option<Spanned<Widget>>,
        /// When forms show the field.
        visible_when: Option<Expression>,
        /// When a row must have a value, beside `required`.
        required_when: Option<Expression>,
        /// The value, computed from other fields of the row whenever it is written; it cannot be set.
        computed: Option<Expression>,
        /// True where the search box looks into it.
        searchable: bool = false,
        /// True where lists can be filtered by it.
        filterable: bool = false,
        /// True where lists can be sorted by it.
        sortable: bool = false,
        /// Bounds on the value.
        validation: Option<Validation>,
        /// The entity that a `ref` or `ref_many` names rows of.
        ref_entity: Option<Spanned<EntityName>>,
        /// The plugin that `ref_entity` belongs to, where it is not this one.
        ref_plugin: Option<Spanned<PluginId>>,
        /// The field of the referenced row that stands for it.
        ref_label_field: Option<Spanned<FieldName>>,
        /// What is shown where the referenced plugin is not installed.
        ref_fallback_label: Option<String>,
        /// The fields of the referenced row that the search of a form looks into.
        ref_search_fields: Vec<Spanned<FieldName>>,
        /// Another `ref` of this entity: only rows that belong to its row are offered.
        cascade_from: Option<Spanned<FieldName>>,
        /// The field of the referenced rows that must name the row of `cascade_from`.
        cascade_filter: Option<Spanned<FieldName>>,
        /// True for a `ref` to the same entity that may not lead back to its own row.
        no_cycle: Option<Spanned<bool>>,
        /// What the field says about who may see the row.
        scope_role: Option<Spanned<ScopeRole>>,
        /// Digits of a decimal, in all.
        precision: Option<u32>,
        /// Digits of a decimal behind the point.
        scale: Option<u32>,
        /// The `[[numbering]]` rule that gives the value to rows that bring none.
        numbering: Option<Spanned<String>>,
        /// True where only the host and the plugin's own code set it, never a user.
        read_only: bool = false,
    }
}

words! {
    /// What a form shows for a field.
    pub enum Widget {
        /// One line of text.
        Input = "input",
        /// Several lines of text.
        Textarea = "textarea",
        /// A number with its steps.
        Number = "number",
        /// A list to choose from.
        Select = "select",
        /// A calendar.
        Datepicker = "datepicker",
        /// A search for rows of another entity.
        EntitySelect = "entity_select",
        /// On and off.
        Switch = "switch",
        /// An amount of money.
        Currency = "currency",
    }
}

words! {
    /// What a field says about who may see its row.
    pub enum ScopeRole {
        /// It names the user whose row it is.
        Owner = "owner",
        /// It names the department that the row belongs to.
        Department = "department",
    }
}

table! {
    /// A value that a `select` offers.
    pub struct FieldOption {
        /// What is stored.
        value: String,
        /// What people read.
        label: String,
        /// The colour of its tag.
        color: Option<String>,
    }
}

table! {
    /// Bounds on a field's value.
    pub struct Validation {
        /// A regular expression that the whole text must match.
        pattern: Option<Spanned<String>>,
        /// The least value.
        min: Option<Spanned<Value>>,
        /// The greatest value.
        max: Option<Spanned<Value>>,
        /// The least number of characters.
        min_length: Option<u64>,
        /// The greatest number of characters.
        max_length: Option<u64>,
        /// What to tell the user.
        message: Option<String>,
    }
}

impl Field {
    /// The field as the checks of expressions see it: name, type and options.
    pub fn kind(&self) -> FieldKind<'_> {
        let holds = match self.field_type.base() {
            BaseType::String | BaseType::Uuid => Type::Text,
            BaseType::Integer | BaseType::Float | BaseType::Decimal => Type::Number,
            BaseType::Boolean => Type::Boolean,
            BaseType::Date => Type::Date,
            BaseType::Datetime => Type::Datetime,
            BaseType::Json if self.field_type.shape().is_list() => Type::List,
            BaseType::Json => Type::Any,
        };
        FieldKind {
            name: self.name.as_str(),
            holds,
            options: self.options.iter().map(|option| option.value.as_str()).collect(),
            is_whole: self.field_type.base() == BaseType::Integer,
        }
    }

    /// The digits after the decimal point that the store keeps; `None` if it keeps those of each value.
    pub fn kept_scale(&self) -> Option<u32> {
        self.scale.or((*self.field_type == FieldType::Currency).then_some(CURRENCY_SCALE))
    }

    /// Returns whether the field can be indexed. PostgreSQL then has a separate column for it.
    pub fn has_column(&self) -> bool {
        self.searchable || self.filterable || self.sortable || self.unique || self.field_type.is_reference()
    }

    /// Returns whether the store has an ordered index on the field: it is filterable, sortable, unique or a reference,
    /// and not JSON.
    pub fn is_ordered(&self) -> bool {
        let is_compared = self.filterable || self.sortable || self.unique || self.field_type.is_reference();
        is_compared && self.field_type.base() != BaseType::Json
    }

    /// Returns whether lists can be filtered and grouped by it.
    pub fn is_filterable(&self) -> bool {
        self.filterable || self.unique || self.field_type.is_reference()
    }

    /// The name that people read; the field's name if it has no `display_name`.
    pub fn label(&self) -> &str {
        self.display_name.as_deref().unwrap_or(self.name.as_str())
    }
}
