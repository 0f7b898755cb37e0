//! Conditions and computed values.

use erp_manifest::codes::{Code, codes};
use erp_manifest::document::did_you_mean;
use erp_manifest::expression::{Expression, ExpressionProblem, FieldKind, RollUp, RollUpFunction, Type};
use erp_manifest::{ChildRowsError, Entity, Field, Manifest};

use super::super::{CheckSubject, Findings};
use crate::rules::relations::UNKNOWN_ENTITY;
use crate::rules::schema::{BAD_DEFAULT, UNKNOWN_FIELD};

codes! {
    EXPRESSION_TYPE = "expression/type", finding(Error), "An expression that does not fit the entity's fields.",
        why: "It names what is not there, compares what can never be equal, or gives another kind of value than its key needs.",
        fix: "Use the fields of the entity and their options; conditions give true or false, and a computed field gives its own type.";
    EXPRESSION_CYCLE = "expression/cycle", finding(Error), "Computed fields that need each other.",
        why: "There is no order in which they could be computed.",
        fix: "Let one of them be computed from fields that users fill in.";
}

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    for entity in &manifest.schema.entities {
        let fields: Vec<FieldKind<'_>> = entity.fields.iter().map(Field::kind).collect();
        for field in &entity.fields {
            for condition in field.visible_when.iter().chain(&field.required_when) {
                one(condition, &fields, Type::Boolean, findings);
            }
            if let Some(computed) = &field.computed {
                let mut known = fields.clone();
                known.extend(roll_ups(manifest, entity, computed, findings));
                found(computed, computed.stored_problems(&known, &field.kind()), findings);
                beside_computed(field, findings);
            }
        }
        cycles(entity, findings);
        findings.unique(
            "constraint",
            entity.constraints.iter().map(|constraint| (constraint.name.as_str(), constraint.name.span())),
        );
        for constraint in &entity.constraints {
            one(&constraint.expr, &fields, Type::Boolean, findings);
        }
        for condition in entity.trigger_events.iter().filter_map(|trigger| trigger.when.as_ref()) {
            one(condition, &fields, Type::Boolean, findings);
        }
        for action in manifest.ui.actions.iter().filter(|action| *action.entity == *entity.name) {
            if let Some(condition) = &action.when {
                one(condition, &fields, Type::Boolean, findings);
            }
        }
    }
}

fn one(expression: &Expression, fields: &[FieldKind<'_>], wanted: Type, findings: &mut Findings<'_>) {
    found(expression, expression.problems(fields, wanted), findings);
}

fn found(expression: &Expression, problems: Vec<ExpressionProblem>, findings: &mut Findings<'_>) {
    for problem in problems {
        let code = if problem.is_unknown_name { UNKNOWN_FIELD } else { EXPRESSION_TYPE };
        findings.add(code, expression.place(&problem.span), problem.message, "here", problem.help);
    }
}

/// Returns the kinds of the roll-ups of a computed field, and adds findings for invalid ones.
fn roll_ups<'m>(
    manifest: &Manifest,
    entity: &Entity,
    computed: &'m Expression,
    findings: &mut Findings<'_>,
) -> Vec<FieldKind<'m>> {
    let mut kinds = Vec::new();
    for (roll_up, span) in computed.roll_ups() {
        let kind = roll_up_kind(manifest, entity, roll_up).unwrap_or_else(|(code, message, help)| {
            findings.add(code, computed.place(&span), message, "here", help);
            (Type::Any, false)
        });
        kinds.push(FieldKind { name: roll_up.as_str(), holds: kind.0, options: Vec::new(), is_whole: kind.1 });
    }
    kinds
}

/// Returns the type of a roll-up and whether it is a whole number, or the code, message and help of a finding.
fn roll_up_kind(
    manifest: &Manifest,
    entity: &Entity,
    roll_up: &RollUp,
) -> Result<(Type, bool), (Code, String, Option<String>)> {
    let children = &roll_up.children;
    let rows = manifest.child_rows(entity, children).map_err(|none| match none {
        ChildRowsError::Unknown => {
            let help = did_you_mean(children, manifest.child_names(entity)).unwrap_or_else(|| {
                format!(
                    "child rows are those of a `one_to_many` relation, or of an entity with a `ref` to `{}`",
                    *entity.name
                )
            });
            (UNKNOWN_ENTITY, format!("`{children}` names no child rows of `{}`", *entity.name), Some(help))
        }
        ChildRowsError::SeveralKeys(keys) => {
            let message = format!("`{children}` refers to `{}` by several fields: {}", *entity.name, keys.join(", "));
            let help =
                "declare a `one_to_many` relation with the `foreign_key` that is meant, and write its name".to_owned();
            (UNKNOWN_ENTITY, message, Some(help))
        }
    })?;
    let Some(name) = &roll_up.field else { return Ok((Type::Number, true)) };
    let Some(field) = rows.entity.field(name) else {
        let help = did_you_mean(name, rows.entity.fields.iter().map(|field| field.name.as_str()));
        return Err((UNKNOWN_FIELD, format!("`{}` has no field `{name}`", *rows.entity.name), help));
    };
    let FieldKind { holds, is_whole, .. } = field.kind();
    let is_fit = match roll_up.function {
        RollUpFunction::Sum => holds == Type::Number,
        _ => !matches!(holds, Type::List | Type::Any),
    };
    if is_fit {
        Ok((holds, is_whole))
    } else {
        let message = format!("`{name}` is {holds}, which has no `{}`", roll_up.function);
        Err((EXPRESSION_TYPE, message, Some("count the rows, or take another field".to_owned())))
    }
}

/// Finds keys that have no effect on a computed field.
fn beside_computed(field: &Field, findings: &mut Findings<'_>) {
    let other = field.default.as_ref().map(|default| ("default", default.span()));
    let other = other.or_else(|| field.numbering.as_ref().map(|rule| ("numbering", rule.span())));
    if let Some((key, span)) = other {
        let message = format!("`{}` is computed: its `{key}` is never used", *field.name);
        findings.add(BAD_DEFAULT, span, message, "never used", Some(format!("take `{key}` or `computed` away")));
    }
}

fn cycles(entity: &Entity, findings: &mut Findings<'_>) {
    let circle = entity.computed_circle();
    for name in &circle {
        let name = *name;
        let Some(computed) = entity.field(name).and_then(|field| field.computed.as_ref()) else { continue };
        let message = format!("`{name}` is computed from itself, in a circle");
        let needs = computed.names().into_iter().find(|needed| circle.contains(needed));
        let help = needs.map(|needed| format!("it needs `{needed}`, which needs it in turn"));
        findings.add(EXPRESSION_CYCLE, computed.span(), message, "never ends", help);
    }
}
