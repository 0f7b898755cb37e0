//! The operations of an upgrade, in order.

use std::collections::BTreeSet;
use std::sync::Arc;

use erp_manifest::diagnostics::Spanned;
use erp_manifest::evolution::{ChangeEffect, ChangeKind, EntityPair, Fit, SchemaDiff, migrations_from, steps_of};
use erp_manifest::{Entity, Field, FieldName, Fixture, Manifest, MigrationPhase, MigrationStep, StepKind, table_name};
use erp_storage::EntityRef;

use super::transform::{RowAction, RowPass};
use crate::definition::{self, KnownTable, SearchIndex};
use crate::sql::Dialect;

/// One operation of an upgrade.
#[derive(Debug)]
pub(super) struct UpgradeOperation {
    pub(super) title: String,
    pub(super) work: UpgradeWork,
}

/// The work of an operation.
#[derive(Debug)]
pub(super) enum UpgradeWork {
    /// Keeps old values for a rollback.
    Keep { table: String },
    /// Executes statements.
    Sql(Vec<String>),
    /// Lets the host read, change and check rows.
    Rows(RowPass),
    /// Applies the rows that come with the plugin.
    Fixtures,
}

/// The name of the table that keeps a dropped entity's rows until the upgrade is rolled back or the plugin purged.
pub(super) fn kept_table(table: &str, schema_version: u64) -> String {
    let suffix = format!("~{schema_version}");
    let length = table.len().min(63 - suffix.len());
    format!("{}{suffix}", &table[..length])
}

/// The operations that lead from one version to the next.
pub(super) fn operations(
    dialect: Dialect,
    old: &Arc<Manifest>,
    new: &Arc<Manifest>,
    search: SearchIndex,
) -> Vec<UpgradeOperation> {
    let diff = SchemaDiff::of(old, new);
    let path = migrations_from(old.schema.schema_version, new);
    let entity =
        |manifest: &Arc<Manifest>, name: &str| EntityRef::all(manifest).find(|known| known.name.as_str() == name);
    let pairs = diff.pairs.iter().filter_map(|pair| {
        let (before, after) = (entity(old, pair.old.name.as_str())?, entity(new, pair.new.name.as_str())?);
        Some(Pair { changes: pair, before, after })
    });
    let mut planner = Planner {
        dialect,
        old,
        new,
        diff: &diff,
        pairs: pairs.collect(),
        pre: steps_of(&path, MigrationPhase::Pre),
        post: steps_of(&path, MigrationPhase::Post),
        last: steps_of(&path, MigrationPhase::AfterFixtures),
        keeps: path.iter().all(|migration| migration.reversible),
        has_handler: path.iter().any(|migration| migration.handler.is_some()),
        all: Vec::new(),
    };
    planner.make_way();
    planner.convert();
    planner.make_tables(search);
    planner.fill_and_judge();
    planner
        .all
        .push(UpgradeOperation { title: "rows that come with the plugin".to_owned(), work: UpgradeWork::Fixtures });
    planner.last_steps();
    planner.take_away();
    planner.roll_up();
    planner.all
}

/// An entity in both versions, with its tables.
struct Pair<'m> {
    changes: &'m EntityPair<'m>,
    before: EntityRef,
    after: EntityRef,
}

/// Builds the operations of an upgrade, part by part.
struct Planner<'m> {
    dialect: Dialect,
    old: &'m Arc<Manifest>,
    new: &'m Arc<Manifest>,
    diff: &'m SchemaDiff<'m>,
    pairs: Vec<Pair<'m>>,
    pre: Vec<&'m MigrationStep>,
    post: Vec<&'m MigrationStep>,
    last: Vec<&'m MigrationStep>,
    /// Whether old values are kept for a rollback.
    keeps: bool,
    /// Whether a migration calls code of the plugin.
    has_handler: bool,
    all: Vec<UpgradeOperation>,
}

impl Planner<'_> {
    /// Keeps old values, renames tables and fields, and drops the columns that change.
    fn make_way(&mut self) {
        for Pair { changes: pair, before, after } in &self.pairs {
            let name = &pair.new.name;
            let has_step = |steps: &[&MigrationStep]| steps.iter().any(|step| *step.entity == **name);
            let is_written = |fixture: &Fixture| *fixture.entity == **name;
            // The values that a handler writes are not known in advance.
            let changes_values = self.has_handler
                || self.new.fixtures.iter().any(is_written)
                || !renames(pair).is_empty()
                || !pair.dropped.is_empty()
                || recomputes(pair)
                || !after.roll_ups().is_empty()
                || !conversions(pair).is_empty()
                || !fills(pair).is_empty()
                || [&self.pre, &self.post, &self.last].iter().any(|steps| has_step(steps));
            if self.keeps && changes_values {
                let work = UpgradeWork::Keep { table: before.table() };
                self.all.push(UpgradeOperation { title: format!("keep the values of {}", *pair.old.name), work });
            }
            if before.table() != after.table() {
                push_sql(&mut self.all, format!("rename {} to {name}", *pair.old.name), rename_table(before, after));
            }
            let gone = definition::columns_not_in(before, after);
            // A dropped unique index must not reject values that become equal.
            let stale = definition::indexes_not_in(before, after);
            let stale = stale.into_iter().chain(definition::indexes_over(before, &gone)).collect::<BTreeSet<String>>();
            let mut statements: Vec<String> =
                stale.into_iter().map(|index| definition::drop_index(self.dialect, &index)).collect();
            let table = after.table();
            statements.extend(definition::drop_columns(self.dialect, &table, &gone));
            push_sql(&mut self.all, format!("take the columns of {name} away that change"), statements);
            let renamed = renames(pair).into_iter().map(|(from, to)| self.dialect.rename_key(&table, from, to));
            push_sql(&mut self.all, format!("rename fields of {name}"), renamed.collect());
        }
    }

    /// Adds the steps that run before the tables change, and the conversions of values to new types of fields.
    fn convert(&mut self) {
        for Pair { changes: pair, before, after } in &self.pairs {
            let mut actions = explicit(&self.pre, pair, after);
            let is_named = |name: &str| {
                actions.iter().any(|action| matches!(action, RowAction::Convert { field, .. } if field == name))
            };
            let by_themselves = conversions(pair).into_iter().filter(|action| match action {
                RowAction::Convert { field, .. } => !is_named(field),
                _ => true,
            });
            let by_themselves: Vec<RowAction> = by_themselves.collect();
            actions.extend(by_themselves);
            push_rows(&mut self.all, before, after, actions);
        }
    }

    fn make_tables(&mut self, search: SearchIndex) {
        for after in EntityRef::all(self.new) {
            let pair = self.pairs.iter().find(|pair| pair.after.table() == after.table());
            let known = pair.map(|Pair { before, .. }| {
                let mut known = KnownTable::of(before, search);
                let gone = definition::columns_not_in(before, &after);
                for index in
                    definition::indexes_not_in(before, &after).iter().chain(&definition::indexes_over(before, &gone))
                {
                    known.indexes.remove(index);
                }
                known.columns.retain(|column| !gone.contains(column));
                known
            });
            let title = match known {
                Some(_) => format!("bring the table of {} up to date", *after.name),
                None => format!("make the table of {}", *after.name),
            };
            let statements = definition::table_statements(self.dialect, &after, known.as_ref(), search);
            push_sql(&mut self.all, title, statements);
        }
    }

    /// Adds the steps that run after the tables change, the defaults, and the checks of the resulting rows.
    fn fill_and_judge(&mut self) {
        for Pair { changes: pair, before, after } in &self.pairs {
            let mut actions = explicit(&self.post, pair, after);
            actions.extend(fills(pair));
            // Dropped fields can be read until the last step.
            if explicit(&self.last, pair, after).is_empty() {
                actions.extend(self.drops(pair));
            }
            if recomputes(pair) || !actions.is_empty() || !conversions(pair).is_empty() {
                actions.push(RowAction::Compute);
            }
            let mut names: BTreeSet<String> = judged(pair).map(str::to_owned).collect();
            names.extend(written(&self.pre, pair));
            names.extend(written(&self.post, pair));
            actions.extend(names.into_iter().map(RowAction::Judge));
            actions.extend(self.moved_references(pair));
            push_rows(&mut self.all, before, after, actions);
        }
    }

    fn last_steps(&mut self) {
        for Pair { changes: pair, before, after } in &self.pairs {
            let mut actions = explicit(&self.last, pair, after);
            if !actions.is_empty() {
                actions.extend(self.drops(pair));
                actions.push(RowAction::Compute);
                actions.extend(written(&self.last, pair).into_iter().map(RowAction::Judge));
            }
            push_rows(&mut self.all, before, after, actions);
        }
    }

    /// Adds the roll-ups over child rows, which have their final values then.
    fn roll_up(&mut self) {
        let mut passes: Vec<UpgradeOperation> = Vec::new();
        for Pair { changes: pair, before, after } in self.children_first() {
            let is_written = |entity: &EntityRef| {
                self.all.iter().chain(&passes).any(|operation| {
                    matches!(&operation.work, UpgradeWork::Rows(pass) if pass.after.table() == entity.table())
                })
            };
            let names = children_of(self.new, after);
            let mut children = EntityRef::all(self.new).filter(|child| names.contains(child.name.as_str()));
            let is_moved = recomputes(pair) || is_written(after) || children.any(|child| is_written(&child));
            if !after.roll_ups().is_empty() && is_moved {
                push_rows(&mut passes, before, after, vec![RowAction::RollUp]);
            }
        }
        self.all.extend(passes);
    }

    /// The entities, each after the children of its roll-ups; entities in a circle stay in declared order.
    fn children_first(&self) -> Vec<&Pair<'_>> {
        let (mut waiting, mut done): (Vec<&Pair<'_>>, Vec<&Pair<'_>>) = (self.pairs.iter().collect(), Vec::new());
        while !waiting.is_empty() {
            let is_waiting = |name: &str| waiting.iter().any(|pair| pair.after.name.as_str() == name);
            let is_ready = |pair: &&Pair<'_>| {
                let own = pair.after.name.as_str();
                children_of(self.new, &pair.after).into_iter().all(|child| child == own || !is_waiting(child))
            };
            let next = waiting.iter().position(is_ready).unwrap_or(0);
            done.push(waiting.remove(next));
        }
        done
    }

    /// The actions for dropped fields: a step may drop the values; otherwise a value is an error.
    fn drops(&self, pair: &EntityPair<'_>) -> Vec<RowAction> {
        let is_meant = |name: &str| {
            self.diff.changes.iter().any(|change| {
                change.entity == pair.new.name.as_str()
                    && change.field.as_deref() == Some(name)
                    && change.kind == ChangeKind::FieldDropped
                    && change.effect == ChangeEffect::Migrated
            })
        };
        let names = pair.dropped.iter().map(|field| field.name.to_string());
        names.map(|name| if is_meant(&name) { RowAction::Drop(name) } else { RowAction::Lose(name) }).collect()
    }

    /// The actions for references that now name rows of another entity: a row must not keep an id of the old one.
    fn moved_references(&self, pair: &EntityPair<'_>) -> Vec<RowAction> {
        let moved = self.diff.changes.iter().filter(|change| {
            let is_moved = match &change.kind {
                ChangeKind::TargetChanged { .. } => true,
                ChangeKind::TypeChanged { .. } => {
                    let field = change.field.as_deref().and_then(|name| pair.new.field(name));
                    field.is_some_and(|field| field.field_type.is_reference())
                }
                _ => false,
            };
            is_moved && change.entity == pair.new.name.as_str() && change.effect != ChangeEffect::Migrated
        });
        moved.filter_map(|change| change.field.clone()).map(RowAction::Moved).collect()
    }

    /// Removes dropped entities. If the upgrade can be rolled back, their tables are kept under another name.
    fn take_away(&mut self) {
        let plugin = &*self.old.metadata.id;
        for dropped in &self.diff.dropped {
            let table = table_name(plugin, &dropped.name);
            let change = self.diff.changes.iter().find(|change| change.entity == dropped.name.as_str());
            if change.is_none_or(|change| change.effect != ChangeEffect::Migrated) {
                // No step drops the entity, so each of its rows is an error.
                let before = EntityRef::all(self.old).find(|known| *known.name == *dropped.name);
                if let Some(before) = before {
                    push_rows(&mut self.all, &before, &before, vec![RowAction::Gone]);
                }
            }
            let own = EntityRef::all(self.old).find(|known| *known.name == *dropped.name);
            let indexes = own.as_ref().map(definition::all_indexes).unwrap_or_default();
            // Its indexes would conflict with those of a later table of the same name.
            let mut statements: Vec<String> =
                indexes.into_iter().map(|index| definition::drop_index(self.dialect, &index)).collect();
            if self.keeps {
                let kept = kept_table(&table, self.old.schema.schema_version);
                statements.push(format!("alter table \"{table}\" rename to \"{kept}\""));
                statements.push(format!(
                    "insert into erp_kept_tables (plugin_id, table_name) values ('{plugin}', '{kept}') on conflict do nothing"
                ));
            } else {
                statements.push(format!("drop table \"{table}\""));
            }
            let name = &dropped.name;
            statements
                .push(format!("delete from plugin_entities where plugin_id = '{plugin}' and entity = '{}'", **name));
            push_sql(&mut self.all, format!("take {} away", **name), statements);
        }
    }
}

/// The entities whose rows the roll-ups of an entity cover.
fn children_of<'m>(manifest: &'m Manifest, entity: &Entity) -> BTreeSet<&'m str> {
    let roll_ups = entity.roll_ups().into_iter();
    let rows = roll_ups.filter_map(|roll_up| manifest.child_rows(entity, &roll_up.children).ok());
    rows.map(|rows| rows.entity.name.as_str()).collect()
}

fn rename_table(before: &EntityRef, after: &EntityRef) -> Vec<String> {
    let (plugin, old, new) = (after.plugin(), &before.name, &after.name);
    vec![
        format!("alter table \"{}\" rename to \"{}\"", before.table(), after.table()),
        format!(
            "update plugin_entities set entity = '{}', table_name = '{}' where plugin_id = '{plugin}' and entity = '{}'",
            **new,
            after.table(),
            **old
        ),
        format!("update erp_audit set entity = '{plugin}.{}' where entity = '{plugin}.{}'", **new, **old),
        format!(
            "update erp_fixtures set fixture = '{0}:' || substr(fixture, {2}) where plugin_id = '{plugin}' \
             and substr(fixture, 1, {3}) = '{1}:'",
            **new,
            **old,
            old.as_str().len() + 2,
            old.as_str().len() + 1
        ),
    ]
}

fn push_sql(all: &mut Vec<UpgradeOperation>, title: String, statements: Vec<String>) {
    if !statements.is_empty() {
        all.push(UpgradeOperation { title, work: UpgradeWork::Sql(statements) });
    }
}

fn push_rows(all: &mut Vec<UpgradeOperation>, before: &EntityRef, after: &EntityRef, actions: Vec<RowAction>) {
    if !actions.is_empty() {
        let pass = RowPass { before: before.clone(), after: after.clone(), actions };
        all.push(UpgradeOperation { title: pass.title(), work: UpgradeWork::Rows(pass) });
    }
}

/// Renamed fields: the old and the new name.
fn renames<'p>(pair: &'p EntityPair<'_>) -> Vec<(&'p str, &'p str)> {
    let names = pair.fields.iter().map(|(old, new)| (old.name.as_str(), new.name.as_str()));
    names.filter(|(old, new)| old != new).collect()
}

/// Conversions of fields whose type or form changed.
fn conversions(pair: &EntityPair<'_>) -> Vec<RowAction> {
    let changed =
        pair.fields.iter().filter(|(old, new)| Fit::of(old, new) != Fit::Same || *old.field_type != *new.field_type);
    changed.map(|(_, new)| RowAction::Convert { field: new.name.to_string(), step: None }).collect()
}

/// Fields that become required and have a default: rows without a value get it.
fn fills(pair: &EntityPair<'_>) -> Vec<RowAction> {
    let was_optional = pair.fields.iter().filter(|(old, new)| new.required && !old.required).map(|(_, new)| *new);
    let needed = pair.added.iter().copied().filter(|field| field.required).chain(was_optional);
    needed.filter(|field| field.default.is_some()).map(|field| RowAction::Fill(field.name.to_string())).collect()
}

fn recomputes(pair: &EntityPair<'_>) -> bool {
    let text = |field: &Field| field.computed.as_ref().map(|expression| expression.as_str().to_owned());
    let changed = pair.fields.iter().any(|(old, new)| text(new).is_some() && text(old) != text(new));
    changed || pair.added.iter().any(|field| field.computed.is_some())
}

/// Fields whose values may no longer fit.
fn judged<'p>(pair: &'p EntityPair<'_>) -> impl Iterator<Item = &'p str> {
    let changed = pair.fields.iter().filter(|(old, new)| {
        let options = |field: &Field| field.options.iter().map(|option| option.value.clone()).collect::<Vec<_>>();
        *old.field_type != *new.field_type
            || (new.required && !old.required)
            || (old.precision, old.kept_scale()) != (new.precision, new.kept_scale())
            || (new.field_type.has_options() && options(old) != options(new))
    });
    let added = pair.added.iter().filter(|field| field.required);
    changed.map(|(_, new)| new.name.as_str()).chain(added.map(|field| field.name.as_str()))
}

/// The actions of those steps that change values of an entity.
fn explicit(steps: &[&MigrationStep], pair: &EntityPair<'_>, after: &EntityRef) -> Vec<RowAction> {
    let own = steps.iter().filter(|step| *step.entity == *pair.new.name);
    own.filter_map(|step| {
        let text = |name: &Option<Spanned<FieldName>>| name.as_ref().map(ToString::to_string);
        match *step.r#do {
            StepKind::ChangeType => Some(RowAction::Convert {
                field: text(&step.field).filter(|name| after.field(name).is_some())?,
                step: Some(Box::new((*step).clone())),
            }),
            StepKind::Split | StepKind::Merge | StepKind::Backfill => Some(RowAction::Step(Box::new((*step).clone()))),
            // Other operations do these; a field is dropped once nothing reads it any more.
            StepKind::DropField | StepKind::RenameEntity | StepKind::RenameField | StepKind::DropEntity => None,
        }
    })
    .collect()
}

/// The fields that steps write.
fn written(steps: &[&MigrationStep], pair: &EntityPair<'_>) -> Vec<String> {
    let own = steps.iter().filter(|step| *step.entity == *pair.new.name);
    let fields = own.flat_map(|step| match *step.r#do {
        StepKind::ChangeType | StepKind::Merge | StepKind::Backfill => step.field.iter().collect::<Vec<_>>(),
        StepKind::Split => step.into.iter().collect(),
        _ => Vec::new(),
    });
    fields.map(ToString::to_string).collect()
}
