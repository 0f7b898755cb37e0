//! What an upgrade consists of, in order.

use std::sync::Arc;

use super::rows::{RowAction, RowPass};
use crate::evolution::{ChangeKind, Effect, EntityPair, Fit, SchemaChange, SchemaDiff, migrations_from, steps_of};
use crate::manifest::{Field, Manifest, MigrationPhase, MigrationStep, StepKind, table_name};
use crate::store::EntityRef;
use crate::store::definition::{self, KnownTable};
use crate::store::sql::Dialect;

/// One operation.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) title: String,
    pub(super) work: Work,
}

/// How it is done.
#[derive(Debug)]
pub(super) enum Work {
    /// Old values are kept for a rollback.
    Keep { table: String },
    /// Statements.
    Sql(Vec<String>),
    /// The host reads, changes and judges rows.
    Rows(RowPass),
    /// The rows that come with the plugin.
    Fixtures,
}

/// The name of the table that a dropped entity's rows stay in until the upgrade is rolled back or the plugin purged.
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
    with_parts: bool,
) -> Vec<Operation> {
    let diff = SchemaDiff::of(old, new);
    let path = migrations_from(old.schema.schema_version, new);
    let is_kept = path.iter().all(|migration| migration.reversible);
    let steps = |phase| steps_of(&path, phase);
    let (pre, post, last) =
        (steps(MigrationPhase::Pre), steps(MigrationPhase::Post), steps(MigrationPhase::AfterFixtures));
    let entity =
        |manifest: &Arc<Manifest>, name: &str| EntityRef::all(manifest).find(|known| known.name.as_str() == name);
    let mut all = Vec::new();
    let sql = |all: &mut Vec<Operation>, title: String, statements: Vec<String>| {
        if !statements.is_empty() {
            all.push(Operation { title, work: Work::Sql(statements) });
        }
    };
    let pairs: Vec<(&EntityPair<'_>, EntityRef, EntityRef)> = diff
        .pairs
        .iter()
        .filter_map(|pair| Some((pair, entity(old, pair.old.name.as_str())?, entity(new, pair.new.name.as_str())?)))
        .collect();

    for (pair, before, after) in &pairs {
        let name = &pair.new.name;
        let changes_values = !renames(pair).is_empty()
            || !pair.dropped.is_empty()
            || !conversions(pair).is_empty()
            || !fills(pair).is_empty()
            || [&pre, &post, &last].iter().any(|steps| steps.iter().any(|step| *step.entity == **name));
        if is_kept && changes_values {
            let work = Work::Keep { table: before.table() };
            all.push(Operation { title: format!("keep the values of {}", *pair.old.name), work });
        }
        if before.table() != after.table() {
            let plugin = after.plugin();
            let statements = vec![
                format!("alter table \"{}\" rename to \"{}\"", before.table(), after.table()),
                format!(
                    "update plugin_entities set entity = '{name}', table_name = '{}' where plugin_id = '{plugin}' and entity = '{}'",
                    after.table(),
                    *pair.old.name
                ),
                format!("update erp_audit set entity = '{plugin}.{name}' where entity = '{plugin}.{}'", *pair.old.name),
            ];
            sql(&mut all, format!("rename {} to {name}", *pair.old.name), statements);
        }
        let gone = definition::columns_not_in(before, after);
        let mut statements: Vec<String> = definition::indexes_over(before, &gone)
            .into_iter()
            .map(|index| format!("drop index if exists \"{index}\""))
            .collect();
        statements
            .extend(gone.iter().map(|column| format!("alter table \"{}\" drop column \"{column}\"", after.table())));
        sql(&mut all, format!("take the columns of {name} away that change"), statements);
        let statements =
            renames(pair).into_iter().map(|(from, to)| dialect.rename_key(&after.table(), from, to)).collect();
        sql(&mut all, format!("rename fields of {name}"), statements);
    }
    for (pair, before, after) in &pairs {
        let mut actions = explicit(&pre, pair, after);
        let is_named = |name: &str| {
            actions.iter().any(|action| matches!(action, RowAction::Convert { field, .. } if field == name))
        };
        let by_themselves = conversions(pair).into_iter().filter(|action| match action {
            RowAction::Convert { field, .. } => !is_named(field),
            _ => true,
        });
        let by_themselves: Vec<RowAction> = by_themselves.collect();
        actions.extend(by_themselves);
        push_rows(&mut all, before, after, actions);
    }
    for after in EntityRef::all(new) {
        let pair = pairs.iter().find(|(_, _, known)| known.table() == after.table());
        let known = pair.map(|(_, before, _)| {
            let mut known = KnownTable::of(before, with_parts);
            for column in definition::columns_not_in(before, &after) {
                known.columns.remove(&column);
                for index in definition::indexes_over(before, &[column]) {
                    known.indexes.remove(&index);
                }
            }
            known
        });
        let title = match known {
            Some(_) => format!("bring the table of {} up to date", *after.name),
            None => format!("make the table of {}", *after.name),
        };
        sql(&mut all, title, definition::table_statements(dialect, &after, known.as_ref(), with_parts));
    }
    for (pair, before, after) in &pairs {
        let mut actions = explicit(&post, pair, after);
        actions.extend(fills(pair));
        actions.extend(pair.dropped.iter().map(|field| {
            let name = field.name.to_string();
            let is_this = |change: &&SchemaChange| {
                change.entity == pair.new.name.as_str()
                    && change.field.as_ref() == Some(&name)
                    && change.kind == ChangeKind::FieldDropped
            };
            let is_meant = diff.changes.iter().find(is_this).is_some_and(|change| change.effect == Effect::Migrated);
            if is_meant { RowAction::Drop(name) } else { RowAction::Lose(name) }
        }));
        if recomputes(pair) || !actions.is_empty() || !conversions(pair).is_empty() {
            actions.push(RowAction::Compute);
        }
        actions.extend(judged(pair).map(|name| RowAction::Judge(name.to_owned())));
        push_rows(&mut all, before, after, actions);
    }
    all.push(Operation { title: "rows that come with the plugin".to_owned(), work: Work::Fixtures });
    for (pair, before, after) in &pairs {
        let mut actions = explicit(&last, pair, after);
        if !actions.is_empty() {
            actions.push(RowAction::Compute);
        }
        push_rows(&mut all, before, after, actions);
    }
    for dropped in &diff.dropped {
        let table = table_name(&old.metadata.id, &dropped.name);
        let is_meant = diff
            .changes
            .iter()
            .any(|change| change.entity == dropped.name.as_str() && change.effect == Effect::Migrated);
        if !is_meant {
            // Its rows are at stake.
            if let Some(before) = entity(old, dropped.name.as_str()) {
                push_rows(&mut all, &before, &before, vec![RowAction::Gone]);
            }
        }
        let mut statements = vec![if is_kept {
            format!("alter table \"{table}\" rename to \"{}\"", kept_table(&table, old.schema.schema_version))
        } else {
            format!("drop table \"{table}\"")
        }];
        if is_kept {
            statements.push(format!(
                "insert into erp_kept_tables (plugin_id, table_name) values ('{}', '{}') on conflict do nothing",
                *old.metadata.id,
                kept_table(&table, old.schema.schema_version)
            ));
        }
        statements.push(format!(
            "delete from plugin_entities where plugin_id = '{}' and entity = '{}'",
            *old.metadata.id, *dropped.name
        ));
        sql(&mut all, format!("take {} away", *dropped.name), statements);
    }
    all
}

fn push_rows(all: &mut Vec<Operation>, before: &EntityRef, after: &EntityRef, actions: Vec<RowAction>) {
    if !actions.is_empty() {
        let pass = RowPass { before: before.clone(), after: after.clone(), actions };
        all.push(Operation { title: pass.title(), work: Work::Rows(pass) });
    }
}

/// Fields with another name.
fn renames<'p>(pair: &'p EntityPair<'_>) -> Vec<(&'p str, &'p str)> {
    let names = pair.fields.iter().map(|(old, new)| (old.name.as_str(), new.name.as_str()));
    names.filter(|(old, new)| old != new).collect()
}

/// Fields whose values take another form by themselves.
fn conversions(pair: &EntityPair<'_>) -> Vec<RowAction> {
    let changed =
        pair.fields.iter().filter(|(old, new)| Fit::of(old, new) != Fit::Same || *old.field_type != *new.field_type);
    changed.map(|(_, new)| RowAction::Convert { field: new.name.to_string(), step: None }).collect()
}

/// Fields that get their default where a row must have a value now.
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

/// Fields whose values may not fit any more.
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

/// The steps of a manifest that change values of an entity.
fn explicit(steps: &[&MigrationStep], pair: &EntityPair<'_>, after: &EntityRef) -> Vec<RowAction> {
    let own = steps.iter().filter(|step| *step.entity == *pair.new.name);
    own.filter_map(|step| {
        let text = |name: &Option<crate::diagnostics::Spanned<crate::manifest::FieldName>>| {
            name.as_ref().map(|name| name.to_string())
        };
        match *step.r#do {
            StepKind::ChangeType => Some(RowAction::Convert {
                field: text(&step.field).filter(|name| after.field(name).is_some())?,
                step: Some(Box::new((*step).clone())),
            }),
            StepKind::Split | StepKind::Merge | StepKind::Backfill => Some(RowAction::Step(Box::new((*step).clone()))),
            StepKind::DropField => Some(RowAction::Drop(text(&step.field)?)),
            StepKind::RenameEntity | StepKind::RenameField | StepKind::DropEntity => None,
        }
    })
    .collect()
}
