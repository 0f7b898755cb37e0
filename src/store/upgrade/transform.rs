//! The changes of an upgrade to one row.

use erp_manifest::expression::{Datum, Expression, RollUp, Type};
use erp_manifest::{Field, MigrationStep, Otherwise, StepKind, converted, normal_computed, normal_value};
use erp_storage::{EntityRef, RollUps, Scope, compute, default_value, lookup};
use serde_json::{Map, Value};

use crate::sql::Dialect;

/// One pass over all rows of an entity.
#[derive(Debug)]
pub(super) struct RowPass {
    /// The entity of the old version, for the types of values that a row still holds.
    pub(super) before: EntityRef,
    /// The entity whose table is read.
    pub(super) after: EntityRef,
    pub(super) actions: Vec<RowAction>,
}

/// A change to a row, or a check of it.
#[derive(Debug)]
pub(super) enum RowAction {
    /// Converts a value to the new type of its field.
    Convert { field: String, step: Option<Box<MigrationStep>> },
    /// Executes a split, a merge or a backfill.
    Step(Box<MigrationStep>),
    /// Sets a missing value to the default.
    Fill(String),
    /// Drops a value.
    Drop(String),
    /// Fails if there is a value: it would be lost, and no step allows that.
    Lose(String),
    /// Fails if there is a value: it refers to a row of the entity that the field named before.
    Moved(String),
    /// Computes the computed fields, except those over child rows.
    Compute,
    /// Computes all computed fields; child rows have their final values.
    RollUp,
    /// Checks that the field accepts its value.
    Judge(String),
    /// Fails: the row would be lost.
    Gone,
}

/// A value that does not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The field; empty for the whole row.
    pub(super) field: String,
    pub(super) value: Value,
    pub(super) why: String,
}

impl Misfit {
    fn new(field: &str, value: Value, why: impl Into<String>) -> Misfit {
        Misfit { field: field.to_owned(), value, why: why.into() }
    }
}

impl RowPass {
    /// The title of the pass, for plans and reports.
    pub(super) fn title(&self) -> String {
        let name = &self.after.name;
        let parts: Vec<String> = self
            .actions
            .iter()
            .filter_map(|action| match action {
                RowAction::Convert { field, .. } => Some(format!("convert {field}")),
                RowAction::Step(step) => Some(match *step.r#do {
                    StepKind::Split => format!("split {}", step.from.as_ref().map_or("", |from| from.as_str())),
                    StepKind::Merge => format!("merge into {}", step.field.as_ref().map_or("", |field| field.as_str())),
                    _ => format!("backfill {}", step.field.as_ref().map_or("", |field| field.as_str())),
                }),
                RowAction::Fill(field) => Some(format!("fill {field}")),
                RowAction::Drop(field) => Some(format!("drop {field}")),
                RowAction::Lose(field) => Some(format!("look for values of {field}")),
                RowAction::Judge(field) => Some(format!("judge {field}")),
                RowAction::Moved(field) => Some(format!("look where {field} leads")),
                RowAction::Compute | RowAction::RollUp => None,
                RowAction::Gone => Some("look for rows".to_owned()),
            })
            .collect();
        let parts = if parts.is_empty() { "compute anew".to_owned() } else { parts.join(", ") };
        format!("{name}: {parts}")
    }

    /// Whether the pass reads child rows.
    pub(super) fn rolls_up(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, RowAction::RollUp))
    }

    /// Whether rows take sums from rows of their own table.
    pub(super) fn goes_up(&self) -> bool {
        let (after, manifest) = (&self.after, self.after.manifest());
        let is_own = |roll_up: &RollUp| {
            manifest.child_rows(after, &roll_up.children).is_ok_and(|rows| *rows.entity.name == *after.name)
        };
        self.rolls_up() && after.roll_ups().into_iter().any(is_own)
    }

    /// The statement that writes rows back; plans show it too.
    pub(super) fn write_statement(&self, dialect: Dialect, rows: usize) -> String {
        let marks = vec!["(?, ?)"; rows].join(", ");
        let cast = if dialect == Dialect::Postgres { "::jsonb" } else { "" };
        let table = self.after.table();
        format!(
            "with changed (id, data) as (values {marks}) update \"{table}\" set data = changed.data{cast} from changed \
             where \"{table}\".id = changed.id"
        )
    }

    /// Changes a row, or returns the first value that does not fit.
    pub(super) fn change(
        &self,
        scope: &Scope,
        id: &str,
        data: &mut Map<String, Value>,
        roll_ups: Option<&RollUps>,
    ) -> Result<(), Misfit> {
        for action in &self.actions {
            match action {
                RowAction::Convert { field, step } => self.convert(scope, field, step.as_deref(), data)?,
                RowAction::Step(step) => self.step(scope, step, data)?,
                RowAction::Fill(name) => {
                    let default = self.after.field(name).and_then(|field| field.default.as_ref());
                    if let Some(default) = default.filter(|_| is_absent(data, name)) {
                        let mut own_id = || id.to_owned();
                        data.insert(name.clone(), default_value(default, scope, &mut own_id));
                    }
                }
                RowAction::Drop(name) => {
                    data.remove(name);
                }
                RowAction::Lose(name) => {
                    if let Some(value) = data.remove(name).filter(|value| !value.is_null()) {
                        return Err(Misfit::new(name, value, "would be lost"));
                    }
                }
                RowAction::Compute | RowAction::RollUp => {
                    if let Some(problem) = compute(&self.after, scope, data, roll_ups).into_iter().next() {
                        return Err(Misfit::new(&problem.field, Value::Null, problem.message));
                    }
                    data.retain(|_, value| !value.is_null());
                }
                RowAction::Judge(name) => self.judge(name, data)?,
                RowAction::Moved(name) => {
                    if let Some(value) = data.get(name).filter(|value| !value.is_null()) {
                        let why = "names a row of another entity than the field does now".to_owned();
                        return Err(Misfit::new(name, value.clone(), why));
                    }
                }
                RowAction::Gone => return Err(Misfit::new("", Value::Null, "would be lost")),
            }
        }
        Ok(())
    }

    fn judge(&self, name: &str, data: &mut Map<String, Value>) -> Result<(), Misfit> {
        let Some(field) = self.after.field(name) else { return Ok(()) };
        match data.get(name).filter(|value| !value.is_null()).cloned() {
            None if field.required => Err(Misfit::new(name, Value::Null, "is required, and the row has no value")),
            None => Ok(()),
            Some(value) => match normal_value(field, &value) {
                Ok(normal) => {
                    data.insert(name.to_owned(), normal);
                    Ok(())
                }
                Err(why) => Err(Misfit::new(name, value, why)),
            },
        }
    }

    fn convert(
        &self,
        scope: &Scope,
        name: &str,
        step: Option<&MigrationStep>,
        data: &mut Map<String, Value>,
    ) -> Result<(), Misfit> {
        let Some(field) = self.after.field(name) else { return Ok(()) };
        let Some(old) = data.get(name).filter(|value| !value.is_null()).cloned() else { return Ok(()) };
        let new = match step.and_then(|step| step.value.as_ref()) {
            Some(value) => match self.evaluate(value, scope, field, data) {
                Ok(Value::Null) => Err("gives no value".to_owned()),
                given => given,
            },
            None => converted(field, &old),
        };
        let otherwise = step.map_or(Otherwise::Refuse, |step| step.otherwise);
        match (new, otherwise) {
            (Ok(new), _) => {
                data.insert(name.to_owned(), new);
            }
            (Err(why), Otherwise::Refuse) => return Err(Misfit::new(name, old, why)),
            (Err(_), Otherwise::Clear) => {
                data.remove(name);
            }
            (Err(_), Otherwise::Default) => {
                let default = field.default.as_ref().map_or(Value::Null, |default| {
                    default_value(default, scope, &mut || uuid::Uuid::nil().to_string())
                });
                data.insert(name.to_owned(), default);
            }
        }
        Ok(())
    }

    fn step(&self, scope: &Scope, step: &MigrationStep, data: &mut Map<String, Value>) -> Result<(), Misfit> {
        match *step.r#do {
            StepKind::Split => {
                let Some(from) = &step.from else { return Ok(()) };
                let Some(text) = data.get(from.as_str()).map(text_of) else { return Ok(()) };
                let mut parts = text.splitn(step.into.len().max(1), step.separator.as_str());
                for name in &step.into {
                    let part = parts.next().map(str::trim).filter(|part| !part.is_empty());
                    let (Some(part), Some(field)) = (part, self.after.field(name.as_str())) else { continue };
                    let part = Value::from(part);
                    let value = converted(field, &part).map_err(|why| Misfit::new(name.as_str(), part, why))?;
                    data.insert(name.as_str().to_owned(), value);
                }
            }
            StepKind::Merge => {
                let Some((name, field)) =
                    step.field.as_ref().and_then(|name| Some((name.as_str(), self.after.field(name.as_str())?)))
                else {
                    return Ok(());
                };
                let parts: Vec<String> =
                    step.fields.iter().filter_map(|part| data.get(part.as_str())).map(text_of).collect();
                if parts.is_empty() {
                    return Ok(());
                }
                let joined = Value::String(parts.join(&step.separator));
                let value = converted(field, &joined).map_err(|why| Misfit::new(name, joined, why))?;
                for part in
                    step.fields.iter().filter(|part| part.as_str() != name && self.after.field(part.as_str()).is_none())
                {
                    data.remove(part.as_str());
                }
                data.insert(name.to_owned(), value);
            }
            StepKind::Backfill => {
                let (Some(name), Some(value)) = (&step.field, &step.value) else { return Ok(()) };
                let Some(field) = self.after.field(name.as_str()) else { return Ok(()) };
                let wanted = match &step.when {
                    Some(when) => when.evaluate(&|name| self.lookup(scope, data, name)) == Ok(Datum::Boolean(true)),
                    None => is_absent(data, name.as_str()),
                };
                if wanted {
                    let new = self.evaluate(value, scope, field, data);
                    let old = data.get(name.as_str()).cloned().unwrap_or(Value::Null);
                    data.insert(name.as_str().to_owned(), new.map_err(|why| Misfit::new(name.as_str(), old, why))?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn evaluate(
        &self,
        value: &Expression,
        scope: &Scope,
        field: &Field,
        data: &Map<String, Value>,
    ) -> Result<Value, String> {
        let is_known =
            |name: &str| name.starts_with('$') || self.before.field(name).is_some() || self.after.field(name).is_some();
        if let Some(unknown) = value.names().into_iter().find(|name| !is_known(name)) {
            return Err(format!("cannot be computed: there is no field `{unknown}`"));
        }
        if let Some((roll_up, _)) = value.roll_ups().first() {
            return Err(format!("cannot be computed: `{roll_up}` is over other rows"));
        }
        match value.evaluate(&|name| self.lookup(scope, data, name)).map_err(|error| error.to_string())? {
            Datum::Null => Ok(Value::Null),
            datum => normal_computed(field, &datum),
        }
    }

    /// The value of a name in an expression: fields of both versions. The old type comes first: the row still holds it.
    fn lookup(&self, scope: &Scope, data: &Map<String, Value>, name: &str) -> Datum {
        if name.starts_with('$') {
            return lookup(&self.after, scope, data, name);
        }
        let kind = |entity: &EntityRef| entity.field(name).map(|field| field.kind().holds == Type::Number);
        let is_number = match (kind(&self.before), kind(&self.after)) {
            (before, Some(after)) if data.get(name).is_some_and(Value::is_number) => before.unwrap_or(after) || after,
            (before, after) => before.or(after).unwrap_or(false),
        };
        data.get(name).map_or(Datum::Null, |value| Datum::from_json(value, is_number))
    }
}

fn is_absent(data: &Map<String, Value>, name: &str) -> bool {
    data.get(name).is_none_or(Value::is_null)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
