//! Conditions and computed values.

use super::super::{CheckSubject, Findings};
use crate::check::rules::schema::{BAD_DEFAULT, UNKNOWN_FIELD};
use crate::codes::codes;
use crate::expression::{Expression, ExpressionProblem, FieldKind, Type};
use crate::manifest::{Entity, Field};

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
                found(computed, computed.stored_problems(&fields, &field.kind()), findings);
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

/// Keys that mean nothing for a value that is computed.
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
