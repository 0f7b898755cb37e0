//! The manifest's rules that a single row can break: computed fields, conditions, constraints.

use std::collections::BTreeMap;

use erp_manifest::expression::{Datum, Expression, RollUp, RollUpFunction, Type};
use erp_manifest::{Moment, normal_computed};
use serde_json::{Map, Value};

use super::{EntityRef, FieldProblem, Scope, StoreError, values};

/// The values of an entity's roll-ups for one row.
#[derive(Debug, Default)]
pub struct RollUps(BTreeMap<String, Datum>);

impl RollUps {
    /// The values for a row without children: 0 for counts and sums, null for minima and maxima.
    pub fn of_no_children(entity: &EntityRef) -> RollUps {
        let none = |roll_up: &RollUp| match roll_up.function {
            RollUpFunction::Count | RollUpFunction::Sum => Datum::Number(0.into()),
            RollUpFunction::Min | RollUpFunction::Max => Datum::Null,
        };
        let values = entity.roll_ups().into_iter().map(|roll_up| (roll_up.as_str().to_owned(), none(roll_up)));
        RollUps(values.collect())
    }

    /// The value of a roll-up, by its text in the expression.
    pub fn get(&self, text: &str) -> Option<&Datum> {
        self.0.get(text)
    }

    /// Sets the value of a roll-up, by its text in the expression.
    pub fn set(&mut self, text: &str, value: Datum) {
        self.0.insert(text.to_owned(), value);
    }
}

/// Fills in the computed fields, and returns the problems that the row alone can have.
pub fn compute_and_check(
    entity: &EntityRef,
    scope: &Scope,
    data: &mut Map<String, Value>,
    roll_ups: Option<&RollUps>,
) -> Vec<FieldProblem> {
    let mut problems = compute(entity, scope, data, roll_ups);
    let mut problem = |field: &str, message: String| problems.push(FieldProblem { field: field.to_owned(), message });
    let lookup = |name: &str| lookup(entity, scope, data, name);
    for field in &entity.fields {
        let is_missing = data.get(field.name.as_str()).is_none_or(Value::is_null);
        let condition = field.required_when.as_ref().filter(|_| is_missing);
        if condition.is_some_and(|condition| condition.evaluate(&lookup) == Ok(Datum::Boolean(true))) {
            problem(field.name.as_str(), "is required here".to_owned());
        }
    }
    for constraint in &entity.constraints {
        match constraint.expr.evaluate(&lookup) {
            // A missing value breaks no constraint: `required` demands that a value exists.
            Ok(Datum::Boolean(true) | Datum::Null) => {}
            Ok(_) => problem(constraint.name.as_str(), constraint.message.clone()),
            Err(error) => problem(constraint.name.as_str(), format!("cannot be judged: {error}")),
        }
    }
    problems
}

/// Fills in the computed fields; returns those that cannot be computed. Without `roll_ups`, a field over child rows
/// keeps its value.
pub fn compute(
    entity: &EntityRef,
    scope: &Scope,
    data: &mut Map<String, Value>,
    roll_ups: Option<&RollUps>,
) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    for field in entity.computed_fields() {
        let Some(computed) = &field.computed else { continue };
        if roll_ups.is_none() && !computed.roll_ups().is_empty() {
            continue;
        }
        let name = field.name.as_str();
        let known = |name: &str| roll_ups.and_then(|roll_ups| roll_ups.get(name)).cloned();
        let lookup = |name: &str| known(name).unwrap_or_else(|| lookup(entity, scope, data, name));
        let value = computed.evaluate(&lookup).map_err(|error| error.to_string());
        let stored = value.and_then(|value| match value {
            Datum::Null => Ok(Value::Null),
            value => normal_computed(field, &value),
        });
        match stored {
            Ok(value) => {
                data.insert(name.to_owned(), value);
            }
            Err(why) => {
                problems.push(FieldProblem { field: name.to_owned(), message: format!("cannot be computed: {why}") });
            }
        }
    }
    problems
}

/// Whether a condition of the manifest holds for a row; a condition that cannot be computed does not hold.
pub fn condition_holds(condition: &Expression, entity: &EntityRef, scope: &Scope, data: &Map<String, Value>) -> bool {
    condition.evaluate(&|name| lookup(entity, scope, data, name)) == Ok(Datum::Boolean(true))
}

/// The value of a word such as `$today`; `None` for an unknown word.
pub fn word(now: Moment, user: Option<&str>, name: &str) -> Option<Datum> {
    Some(match name {
        "$today" => Datum::Text(now.date()),
        "$now" => Datum::Text(now.to_string()),
        "$user.id" => user.map_or(Datum::Null, |user| Datum::Text(user.to_owned())),
        _ => return None,
    })
}

/// The value of a name in an expression: a word such as `$today`, or a field.
pub fn lookup(entity: &EntityRef, scope: &Scope, data: &Map<String, Value>, name: &str) -> Datum {
    match word(scope.now, scope.user.as_deref(), name) {
        Some(datum) => datum,
        None => {
            let is_number = entity.field(name).is_some_and(|field| field.kind().holds == Type::Number);
            data.get(name).map_or(Datum::Null, |value| Datum::from_json(value, is_number))
        }
    }
}

/// The defaults of a new row, except `$uuid` and defaults of computed fields: the host sets those.
pub fn defaults_of(entity: &EntityRef, scope: &Scope) -> Map<String, Value> {
    let given = entity.fields.iter().filter_map(|field| Some((field, field.default.as_ref()?)));
    let given = given.filter(|(field, default)| field.computed.is_none() && default.as_str() != Some("$uuid"));
    given
        .map(|(field, default)| (field.name.to_string(), values::default_value(default, scope, &mut String::new)))
        .collect()
}

/// Fills in the computed fields of a row that is not written yet. Returns the problems that would reject the row,
/// except those that depend on other rows.
pub fn judged(entity: &EntityRef, scope: &Scope, data: &mut Map<String, Value>, is_new: bool) -> Vec<FieldProblem> {
    let open: Map<String, Value> = data
        .iter()
        .filter(|(name, _)| entity.field(name).is_none_or(|field| field.computed.is_none()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut problems = match values::normalize(entity, &open, false) {
        Ok(normal) => {
            data.extend(normal);
            Vec::new()
        }
        Err(StoreError::Validation { problems, .. }) => problems,
        Err(_) => Vec::new(),
    };
    let roll_ups = is_new.then(|| RollUps::of_no_children(entity));
    problems.extend(compute_and_check(entity, scope, data, roll_ups.as_ref()));
    problems
}
