//! Entities, their relations and their numbering rules.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{EntityName, FieldName};
use super::{Field, FieldOption};
use crate::diagnostics::Spanned;
use crate::document::{table, words};
use crate::expression::{Expression, RollUp};

table! {
    /// The entities.
    pub struct Schema {
        /// Raise it with every change that stored data must follow.
        schema_version: u64 = 1,
        /// The entities.
        entities: Vec<Entity>,
    }
}

table! {
    /// A kind of row.
    pub struct Entity {
        /// Its name, part of the table's name and of the URL.
        name: Spanned<EntityName>,
        /// The name that people read.
        display_name: String,
        /// Its name in the previous schema version: its rows stay.
        renamed_from: Option<Spanned<EntityName>>,
        /// What a row is.
        description: Option<String>,
        /// The field whose value names a row.
        title_field: Option<Spanned<FieldName>>,
        /// True where other plugins may read it.
        is_public: bool = false,
        /// True where administrators may narrow whose rows a user sees; a field then has `scope_role = "owner"`.
        data_scope: Option<Spanned<bool>>,
        /// True where rows can be imported from a file.
        importable: bool = false,
        /// True where rows can be exported to a file.
        exportable: bool = false,
        /// The `ref` field by which its rows make a tree.
        tree_parent: Option<Spanned<FieldName>>,
        /// The entity that its rows belong to; they go when their parent goes.
        child_of: Option<Spanned<EntityName>>,
        /// Its fields.
        fields: Vec<Field>,
        /// How rows of other entities hang on its rows.
        relations: Vec<Relation>,
        /// Indexes over several fields.
        indexes: Vec<Index>,
        /// What must hold for every row that is written.
        constraints: Vec<Constraint>,
        /// Events that the platform tells when rows change.
        trigger_events: Vec<TriggerEvent>,
    }
}

table! {
    /// Something that must hold for every row that is written.
    pub struct Constraint {
        /// Its name.
        name: Spanned<FieldName>,
        /// The condition, over the fields of the row.
        expr: Expression,
        /// What to tell the user where it does not hold.
        message: String,
    }
}

words! {
    /// What happens to a row.
    pub enum TriggerKind {
        /// It is new.
        Create = "create",
        /// Its values change.
        Update = "update",
        /// It is deleted.
        Delete = "delete",
    }
}

table! {
    /// An event that the platform tells when a row changes. Its payload is `{ entity, id, data }`.
    pub struct TriggerEvent {
        /// The event's name; `<plugin id>.<entity>.<on>` if it is absent.
        name: Option<Spanned<String>>,
        /// The change that tells it.
        on: Spanned<TriggerKind>,
        /// A condition over the row as it is after the change.
        when: Option<Expression>,
    }
}

words! {
    /// What happens to dependent rows when a row goes.
    pub enum OnDelete {
        /// The row cannot go while others name it.
        Restrict = "restrict",
        /// They go with it.
        Cascade = "cascade",
        /// Their field becomes null.
        Nullify = "nullify",
    }
}

words! {
    /// The shape of a relation.
    pub enum RelationType {
        /// A row here, many there: `foreign_key` is a field there.
        OneToMany = "one_to_many",
        /// Many rows here, one there: `foreign_key` is a field here.
        ManyToOne = "many_to_one",
        /// Many here, many there, by the rows of `through_entity`.
        ManyToMany = "many_to_many",
    }
}

table! {
    /// How rows of this entity and of another one of this plugin hang together.
    pub struct Relation {
        /// Its name.
        name: Spanned<String>,
        /// Its shape.
        r#type: RelationType = RelationType::OneToMany,
        /// The entity of the other rows.
        target_entity: Spanned<EntityName>,
        /// The `ref` field of the dependent rows.
        foreign_key: Option<Spanned<FieldName>>,
        /// The entity whose rows are the pairs of a `many_to_many`.
        through_entity: Option<Spanned<EntityName>>,
        /// The `ref` field of a pair that names a row of this entity.
        through_source_field: Option<Spanned<FieldName>>,
        /// The `ref` field of a pair that names a row of the other entity.
        through_target_field: Option<Spanned<FieldName>>,
        /// The field of the other rows that stands for them where they are listed.
        display_field: Option<Spanned<FieldName>>,
        /// What happens to dependent rows (or pairs) when the row goes that they name.
        on_delete: OnDelete = OnDelete::Restrict,
    }
}

table! {
    /// An index over several fields.
    pub struct Index {
        /// Its name.
        name: Spanned<FieldName>,
        /// Its fields, in order.
        fields: Vec<Spanned<FieldName>>,
        /// True where no two live rows of a tenant have the same values.
        unique: bool = false,
    }
}

words! {
    /// When a sequence starts again.
    pub enum ResetRule {
        /// Never.
        Never = "never",
        /// Each day.
        Daily = "daily",
        /// Each month.
        Monthly = "monthly",
        /// Each year.
        Yearly = "yearly",
    }
}

table! {
    /// Values that several fields offer: `dictionary = "<code>"` in a field stands for `options`.
    pub struct Dictionary {
        /// What fields call it.
        code: Spanned<FieldName>,
        /// The name that people read.
        name: String,
        /// The values.
        items: Vec<FieldOption>,
    }
}

table! {
    /// A rule that makes numbers, for each tenant its own.
    pub struct NumberingRule {
        /// Its name.
        name: Spanned<String>,
        /// The entity whose rows it numbers.
        entity: Spanned<EntityName>,
        /// What `{prefix}` stands for.
        prefix: String = String::new(),
        /// Text with `{prefix}`, `{YYYY}`, `{YY}`, `{MM}`, `{DD}` and `{seq}`.
        format: Spanned<String> = Spanned::new("{prefix}{seq}".to_owned(), 0..0),
        /// Digits of `{seq}`, filled with zeros.
        seq_length: u32 = 4,
        /// The first number.
        start: u64 = 1,
        /// When it starts again.
        reset_rule: ResetRule = ResetRule::Never,
        /// True where no number may be missing: a call that fails then gives its number back, and others wait for it.
        gapless: bool = true,
    }
}

impl Entity {
    /// The computed fields in the order of their dependencies. Fields in a cycle, and fields that depend on one, are
    /// left out.
    pub fn computed_fields(&self) -> Vec<&Field> {
        let computed: BTreeMap<&str, &Field> = self
            .fields
            .iter()
            .filter(|field| field.computed.is_some())
            .map(|field| (field.name.as_str(), field))
            .collect();
        let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
        let mut needed_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, field) in &computed {
            let needs = field.computed.as_ref().map(Expression::names).unwrap_or_default();
            let needs: Vec<&str> = needs.into_iter().filter(|needed| computed.contains_key(needed)).collect();
            missing.insert(name, needs.len());
            for needed in needs {
                needed_by.entry(needed).or_default().push(name);
            }
        }
        let mut ready: Vec<&str> = computed.keys().copied().filter(|name| missing.get(name) == Some(&0)).collect();
        let mut order = Vec::with_capacity(computed.len());
        while let Some(name) = ready.pop() {
            order.extend(computed.get(name).copied());
            for dependent in needed_by.get(name).into_iter().flatten() {
                if let Some(count) = missing.get_mut(dependent) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(dependent);
                    }
                }
            }
        }
        order
    }

    /// The computed fields that are in a cycle or depend on one.
    pub fn computed_circle(&self) -> Vec<&str> {
        let order: BTreeSet<&str> = self.computed_fields().iter().map(|field| field.name.as_str()).collect();
        let computed = self.fields.iter().filter(|field| field.computed.is_some()).map(|field| field.name.as_str());
        computed.filter(|name| !order.contains(name)).collect()
    }

    /// The roll-ups in the computed fields, without duplicates.
    pub fn roll_ups(&self) -> Vec<&RollUp> {
        let computed = self.fields.iter().filter_map(|field| field.computed.as_ref());
        let mut found: Vec<&RollUp> = Vec::new();
        for (roll_up, _) in computed.flat_map(Expression::roll_ups) {
            if !found.contains(&roll_up) {
                found.push(roll_up);
            }
        }
        found
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }
}
