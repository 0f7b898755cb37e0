//! `fault = [{ at = "db.insert", … }]`: the failures that a step causes on purpose.

use std::time::Duration;

use erp_manifest::Timeout;
use erp_manifest::contract::HostFunction;
use erp_manifest::diagnostics::Span;
use erp_manifest::document::{Node, NodeValue, did_you_mean};
use erp_runtime::{Fault, FaultAction, FaultPlace, Times};

use super::steps::scalar;

/// The place of a fault that cannot be read, and the reason.
pub(super) type FaultProblem = (Span, String);

/// Reads the faults of a value: one table, or an array of tables.
pub(super) fn read(node: &Node) -> Result<Vec<Fault>, FaultProblem> {
    match &node.value {
        NodeValue::Array(items) => items.iter().map(one).collect(),
        // A case without a fault drops the key, which leaves an empty table.
        NodeValue::Table(entries) if entries.is_empty() => Ok(Vec::new()),
        _ => one(node).map(|fault| vec![fault]),
    }
}

fn one(node: &Node) -> Result<Fault, FaultProblem> {
    let wrong = |node: &Node, message: String| (node.span.clone(), message);
    let known = ["at", "entity", "subject", "nth", "error", "delay", "fuel"];
    if let Some(entry) = node.entries().iter().find(|entry| !known.contains(&entry.key.as_str())) {
        let help = did_you_mean(&entry.key, known).unwrap_or_else(|| format!("known: {}", known.join(", ")));
        return Err((entry.key_span.clone(), format!("a fault has no `{}`; {help}", entry.key)));
    }
    let at = node.get("at").ok_or_else(|| wrong(node, "a fault needs `at`, such as \"db.insert\"".to_owned()))?;
    let name = at.as_str().unwrap_or_default();
    let subject = node.get("entity").or_else(|| node.get("subject")).map(scalar);
    let place = FaultPlace::find(name, subject).ok_or_else(|| {
        let help = did_you_mean(name, FaultPlace::names())
            .unwrap_or_else(|| "write a function of the host such as db.insert, `*` or `commit`".to_owned());
        wrong(at, format!("no fault can hit `{name}`; {help}"))
    })?;
    let nth = node.get("nth").map_or(Ok(1), |nth| {
        scalar(nth).parse().ok().filter(|nth| *nth > 0).ok_or_else(|| wrong(nth, "`nth` counts from 1".to_owned()))
    })?;
    let action = match (node.get("error"), node.get("delay"), node.get("fuel")) {
        (Some(error), None, None) => FaultAction::Fail(scalar(error)),
        (None, Some(delay), None) => FaultAction::Delay(length(delay)?),
        (None, None, Some(_)) => FaultAction::EndFuel,
        (None, None, None) => FaultAction::Fail("the database failed, as a test wanted it".to_owned()),
        _ => return Err(wrong(node, "a fault does one thing: `error`, `delay` or `fuel`".to_owned())),
    };
    if place == FaultPlace::Commit && !matches!(action, FaultAction::Fail(_)) {
        return Err(wrong(node, "a commit can only fail: write `error`".to_owned()));
    }
    Ok(Fault { place, nth, times: Times::Once, action })
}

fn length(node: &Node) -> Result<Duration, FaultProblem> {
    let text = scalar(node);
    let length = Timeout::parse(&text).map(|length| length.0);
    length.ok_or_else(|| (node.span.clone(), format!("`{text}` is no length of time such as `6s`")))
}

/// The name of a fault in findings.
pub(super) fn shown(fault: &Fault) -> String {
    match &fault.place {
        FaultPlace::Commit => "commit".to_owned(),
        FaultPlace::HostCall { function, subject } => {
            let function = function.map_or("any call of the host", HostFunction::name);
            subject.as_ref().map_or_else(|| function.to_owned(), |subject| format!("{function} {subject}"))
        }
    }
}
