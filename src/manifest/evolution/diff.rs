//! All changes between two versions of a plugin's tables.

use std::collections::BTreeSet;

use super::change::{ChangeEffect, ChangeKind, SchemaChange};
use super::fit::Fit;
use super::{migrations_from, steps_of};
use crate::diagnostics::Span;
use crate::manifest::{Entity, Field, Manifest, MigrationPhase, MigrationStep, StepKind};

/// The changes of a plugin's tables, and the pairs of old and new entities.
#[derive(Debug)]
pub struct SchemaDiff<'m> {
    /// The entities of both versions.
    pub pairs: Vec<EntityPair<'m>>,
    /// The entities of the old version only.
    pub dropped: Vec<&'m Entity>,
    /// The changes, in the order of the entities in the new manifest; dropped entities come last.
    pub changes: Vec<SchemaChange>,
}

/// An entity in both versions.
#[derive(Debug)]
pub struct EntityPair<'m> {
    /// The entity in the old version.
    pub old: &'m Entity,
    /// The entity in the new version.
    pub new: &'m Entity,
    /// The fields of both versions: the old one and the new one.
    pub fields: Vec<(&'m Field, &'m Field)>,
    /// The fields of the new version only.
    pub added: Vec<&'m Field>,
    /// The fields of the old version only.
    pub dropped: Vec<&'m Field>,
}

/// The migration steps between the two versions.
struct Steps<'m>(Vec<&'m MigrationStep>);

impl<'m> Steps<'m> {
    fn of(&self, kind: StepKind) -> impl Iterator<Item = &'m MigrationStep> {
        self.0.iter().copied().filter(move |step| *step.r#do == kind)
    }

    /// Returns whether a step handles the values of a field of the old version.
    fn take_from(&self, entity: &Entity, old: &str) -> bool {
        self.0.iter().any(|step| {
            *step.entity == *entity.name
                && match *step.r#do {
                    StepKind::DropField => step.field.as_ref().is_some_and(|field| field.as_str() == old),
                    StepKind::Split => step.from.as_ref().is_some_and(|field| field.as_str() == old),
                    StepKind::Merge => step.fields.iter().any(|field| field.as_str() == old),
                    _ => false,
                }
        })
    }

    /// Returns whether a step writes a field of the new version.
    fn write(&self, entity: &Entity, new: &str) -> bool {
        self.0.iter().any(|step| {
            let is_field = step.field.as_ref().is_some_and(|field| field.as_str() == new);
            *step.entity == *entity.name
                && match *step.r#do {
                    StepKind::ChangeType | StepKind::Merge | StepKind::Backfill => is_field,
                    StepKind::Split => step.into.iter().any(|field| field.as_str() == new),
                    _ => false,
                }
        })
    }
}

impl<'m> SchemaDiff<'m> {
    /// Compares the tables of two versions of a plugin.
    pub fn of(old: &'m Manifest, new: &'m Manifest) -> SchemaDiff<'m> {
        let path = migrations_from(old.schema.schema_version, new);
        let phases = [MigrationPhase::Pre, MigrationPhase::Post, MigrationPhase::AfterFixtures];
        let steps = Steps(phases.into_iter().flat_map(|phase| steps_of(&path, phase)).collect());
        let mut diff = SchemaDiff { pairs: Vec::new(), dropped: Vec::new(), changes: Vec::new() };
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for entity in &new.schema.entities {
            let before = former_entity(entity, old, new, &steps);
            let Some(before) = before else {
                diff.add(entity, None, ChangeKind::EntityAdded, ChangeEffect::None, entity.name.span());
                continue;
            };
            known.insert(before.name.as_str());
            if *before.name != *entity.name {
                let from = before.name.to_string();
                diff.add(entity, None, ChangeKind::EntityRenamed { from }, ChangeEffect::Follows, entity.name.span());
            }
            let pair = EntityPair::of(before, entity, &steps);
            diff.compare(&pair, old, &steps);
            diff.pairs.push(pair);
        }
        for entity in old.schema.entities.iter().filter(|entity| !known.contains(entity.name.as_str())) {
            let is_meant = steps.of(StepKind::DropEntity).any(|step| *step.entity == *entity.name);
            let effect = if is_meant { ChangeEffect::Migrated } else { ChangeEffect::Loses };
            diff.add(entity, None, ChangeKind::EntityDropped, effect, new.schema.span.clone());
            diff.dropped.push(entity);
        }
        diff
    }

    /// Returns whether stored rows must change; the schema version must then be raised.
    pub fn changes_rows(&self) -> bool {
        self.changes.iter().any(|change| change.effect != ChangeEffect::None)
    }

    /// The changes that may lose or invalidate values and that no migration handles.
    pub fn unhandled_changes(&self) -> impl Iterator<Item = &SchemaChange> {
        self.changes.iter().filter(|change| change.effect >= ChangeEffect::Narrows)
    }

    fn add(&mut self, entity: &Entity, field: Option<&str>, kind: ChangeKind, effect: ChangeEffect, span: Span) {
        let entity = entity.name.to_string();
        self.changes.push(SchemaChange { entity, field: field.map(str::to_owned), kind, effect, span });
    }

    fn compare(&mut self, pair: &EntityPair<'_>, old: &Manifest, steps: &Steps<'_>) {
        let entity = pair.new;
        for (before, field) in &pair.fields {
            for (kind, effect) in field_changes(before, field, old) {
                let is_written = steps.write(entity, field.name.as_str());
                let effect =
                    if effect >= ChangeEffect::Narrows && is_written { ChangeEffect::Migrated } else { effect };
                self.add(entity, Some(field.name.as_str()), kind, effect, field.name.span());
            }
        }
        for field in &pair.added {
            let name = field.name.as_str();
            let comes_by_itself = field.default.is_some() || field.computed.is_some() || !field.required;
            let effect = match (steps.write(entity, name), comes_by_itself) {
                (true, _) => ChangeEffect::Migrated,
                (false, true) if field.computed.is_some() => ChangeEffect::Follows,
                (false, true) if field.default.is_some() && field.required => ChangeEffect::Follows,
                (false, true) => ChangeEffect::None,
                (false, false) => ChangeEffect::Narrows,
            };
            self.add(entity, Some(name), ChangeKind::FieldAdded, effect, field.name.span());
        }
        for field in &pair.dropped {
            let name = field.name.as_str();
            let is_meant = steps.take_from(entity, name) || field.computed.is_some();
            let effect = if is_meant { ChangeEffect::Migrated } else { ChangeEffect::Loses };
            self.add(entity, Some(name), ChangeKind::FieldDropped, effect, entity.name.span());
        }
        let known: Vec<Vec<&str>> = unique_indexes(pair.old).collect();
        for fields in unique_indexes(entity).filter(|fields| !known.contains(fields)) {
            let fields = fields.into_iter().map(str::to_owned).collect();
            self.add(entity, None, ChangeKind::UniqueNow { fields }, ChangeEffect::Narrows, entity.name.span());
        }
        let constraints: Vec<&str> = pair.old.constraints.iter().map(|rule| rule.expr.as_str()).collect();
        for rule in entity.constraints.iter().filter(|rule| !constraints.contains(&rule.expr.as_str())) {
            let kind = ChangeKind::RuleChanged { rule: format!("has the constraint `{}`", *rule.name) };
            self.add(entity, None, kind, ChangeEffect::None, rule.name.span());
        }
    }
}

impl<'m> EntityPair<'m> {
    fn of(old: &'m Entity, new: &'m Entity, steps: &Steps<'_>) -> EntityPair<'m> {
        let mut pair = EntityPair { old, new, fields: Vec::new(), added: Vec::new(), dropped: Vec::new() };
        let mut known: BTreeSet<&str> = BTreeSet::new();
        for field in &new.fields {
            match former_field(field, old, new, steps) {
                Some(before) => {
                    known.insert(before.name.as_str());
                    pair.fields.push((before, field));
                }
                None => pair.added.push(field),
            }
        }
        pair.dropped.extend(old.fields.iter().filter(|field| !known.contains(field.name.as_str())));
        pair
    }
}

fn former_entity<'m>(entity: &Entity, old: &'m Manifest, new: &Manifest, steps: &Steps<'_>) -> Option<&'m Entity> {
    let find = |name: &str| old.schema.entities.iter().find(|known| known.name.as_str() == name);
    let is_free = |name: &&String| !new.schema.entities.iter().any(|known| known.name.as_str() == name.as_str());
    let renames: Vec<(&str, &str)> = steps
        .of(StepKind::RenameEntity)
        .filter_map(|step| Some((step.entity.as_str(), step.from.as_ref()?.as_str())))
        .collect();
    let former = former_names(entity.name.as_str(), entity.renamed_from.as_ref().map(|from| from.as_str()), &renames);
    find(entity.name.as_str()).or_else(|| former.iter().filter(is_free).find_map(|name| find(name)))
}

fn former_field<'m>(field: &Field, old: &'m Entity, new: &Entity, steps: &Steps<'_>) -> Option<&'m Field> {
    let own = steps.of(StepKind::RenameField).filter(|step| *step.entity == *new.name || *step.entity == *old.name);
    let renames: Vec<(&str, &str)> =
        own.filter_map(|step| Some((step.field.as_ref()?.as_str(), step.from.as_ref()?.as_str()))).collect();
    let former = former_names(field.name.as_str(), field.renamed_from.as_ref().map(|from| from.as_str()), &renames);
    let is_free = |name: &&String| new.field(name).is_none();
    old.field(field.name.as_str()).or_else(|| former.iter().filter(is_free).find_map(|name| old.field(name)))
}

/// Returns all former names, the latest first, because an upgrade may start several versions back.
fn former_names(name: &str, renamed_from: Option<&str>, renames: &[(&str, &str)]) -> Vec<String> {
    let mut former: Vec<String> = Vec::new();
    let mut waiting: Vec<&str> = vec![name];
    waiting.extend(renamed_from);
    former.extend(renamed_from.map(str::to_owned));
    while let Some(name) = waiting.pop() {
        for (_, from) in renames.iter().filter(|(to, _)| *to == name) {
            if !former.iter().any(|known| known == from) {
                former.push((*from).to_owned());
                waiting.push(from);
            }
        }
    }
    former
}

/// Returns the changes of a field, with their effects.
fn field_changes(old: &Field, new: &Field, before: &Manifest) -> Vec<(ChangeKind, ChangeEffect)> {
    let mut changes = Vec::new();
    if *old.name != *new.name {
        changes.push((ChangeKind::FieldRenamed { from: old.name.to_string() }, ChangeEffect::Follows));
    }
    let fit = Fit::of(old, new);
    if *old.field_type != *new.field_type {
        let effect = match fit {
            Fit::Same => ChangeEffect::None,
            Fit::Converts => ChangeEffect::Follows,
            Fit::Narrows => ChangeEffect::Narrows,
        };
        let (from, to) = (old.field_type.with_article(), new.field_type.with_article());
        changes.push((ChangeKind::TypeChanged { from, to }, effect));
    }
    if let Some((from, to)) = fewer_digits(old, new) {
        changes.push((ChangeKind::DigitsReduced { from, to }, ChangeEffect::Narrows));
    }
    if new.required && !old.required {
        let effect = if new.default.is_some() { ChangeEffect::Follows } else { ChangeEffect::Narrows };
        changes.push((ChangeKind::RequiredNow, effect));
    }
    if new.unique && !old.unique {
        changes.push((ChangeKind::UniqueNow { fields: vec![new.name.to_string()] }, ChangeEffect::Narrows));
    }
    if new.field_type.has_options() && old.field_type.has_options() {
        let offered = |value: &str| new.options.iter().any(|option| option.value == value);
        let gone: Vec<String> =
            old.options.iter().map(|option| option.value.clone()).filter(|value| !offered(value)).collect();
        if !gone.is_empty() {
            changes.push((ChangeKind::OptionsRemoved { options: gone }, ChangeEffect::Narrows));
        }
    }
    if let (Some(from), Some(to)) = (target(old), target(new))
        && from != to
        && before.schema.entities.iter().any(|entity| entity.name.as_str() == to)
    {
        changes.push((ChangeKind::TargetChanged { from, to }, ChangeEffect::Narrows));
    }
    let text = |field: &Field| field.computed.as_ref().map(|expression| expression.as_str().to_owned());
    if text(new).is_some() && text(old) != text(new) {
        changes.push((ChangeKind::ComputedChanged, ChangeEffect::Follows));
    }
    if new.validation.is_some() && shown_validation(old) != shown_validation(new) {
        let rule = "has another `validation`".to_owned();
        changes.push((ChangeKind::RuleChanged { rule }, ChangeEffect::None));
    }
    changes
}

fn shown_validation(field: &Field) -> Option<String> {
    let bounds = field.validation.as_ref()?;
    let value =
        |value: &Option<crate::diagnostics::Spanned<serde_json::Value>>| value.as_ref().map(ToString::to_string);
    let pattern = bounds.pattern.as_ref().map(ToString::to_string);
    Some(format!(
        "{pattern:?} {:?} {:?} {:?} {:?}",
        value(&bounds.min),
        value(&bounds.max),
        bounds.min_length,
        bounds.max_length
    ))
}

fn target(field: &Field) -> Option<String> {
    let entity = field.ref_entity.as_ref()?;
    Some(match &field.ref_plugin {
        Some(plugin) => format!("{}.{}", **plugin, **entity),
        None => entity.to_string(),
    })
}

/// Returns the digits of a decimal before and after, if it has fewer now.
fn fewer_digits(old: &Field, new: &Field) -> Option<(String, String)> {
    let digits = |field: &Field| (field.precision, field.kept_scale());
    let shown = |(precision, scale): (Option<u32>, Option<u32>)| {
        let part = |digits: Option<u32>| digits.map_or_else(|| "any".to_owned(), |digits| digits.to_string());
        format!("{},{}", part(precision), part(scale))
    };
    let is_fewer = |old: Option<u32>, new: Option<u32>| match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => new < old,
    };
    let is_decimal = |field: &Field| field.field_type.base() == crate::manifest::BaseType::Decimal;
    if !is_decimal(old) || !is_decimal(new) {
        return None;
    }
    let (before, after) = (digits(old), digits(new));
    let whole = |(precision, scale): (Option<u32>, Option<u32>)| {
        precision.map(|digits| digits.saturating_sub(scale.unwrap_or(0)))
    };
    (is_fewer(before.1, after.1) || is_fewer(whole(before), whole(after))).then(|| (shown(before), shown(after)))
}

fn unique_indexes(entity: &Entity) -> impl Iterator<Item = Vec<&str>> {
    let unique = entity.indexes.iter().filter(|index| index.unique);
    unique.map(|index| index.fields.iter().map(|field| field.as_str()).collect())
}
