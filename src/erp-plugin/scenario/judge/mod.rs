//! Compares what a step did with its expectations. Scenarios are a closed world: an unexpected effect is a finding.

mod database;
mod effects;
mod outcome;

use std::sync::Arc;

use erp_check::scenarios::{SCENARIO_MISMATCH, SCENARIO_VALUE};
use erp_manifest::codes::Code;
use erp_manifest::diagnostics::{Diagnostic, Report, SourceFile, Span};
use erp_manifest::document::{Node, NodeValue};
use erp_manifest::{Manifest, TenantId};
use erp_platform::{Activity, Platform};
use erp_runtime::CallError;
use serde_json::Value;

use super::accept;
use super::compare::{MatchingRule, ValueDifference, differences};
use super::matcher::StepTime;
use super::observation::observation;

/// The outcome of a step's act.
pub(super) enum StepOutcome {
    Http {
        status: u16,
        body: Option<Value>,
        entity: Option<String>,
    },
    Call(Result<Value, CallError>),
    /// An event, with the number of plugins that subscribed to it.
    Event {
        heard: usize,
    },
    /// An opened page, or the status and code of the error.
    Page(Value),
    /// The rows of a statement.
    Rows(Vec<Value>),
    Other,
}

/// Everything that the expectations of a step can refer to.
pub(super) struct StepObservation<'a> {
    pub(super) outcome: &'a StepOutcome,
    pub(super) activity: &'a Activity,
    pub(super) platform: &'a Platform,
    pub(super) manifest: &'a Manifest,
    pub(super) tenant: &'a TenantId,
    pub(super) time: StepTime,
    pub(super) source: &'a Arc<SourceFile>,
    pub(super) step_span: Span,
    pub(super) open: bool,
    /// Whether several cases share the expectations.
    pub(super) is_shared: bool,
    /// The texts of existing snapshots, by their names.
    pub(super) snapshots: &'a dyn Fn(&str) -> Option<String>,
}

/// The result of judging a step.
pub(super) struct StepJudgement {
    pub(super) report: Report,
    /// The snapshot that the step names, with its new text.
    pub(super) snapshot: Option<(String, String)>,
}

/// Returns all findings of a step.
pub(super) fn judge(observed: &StepObservation<'_>, expect: Option<&Node>) -> StepJudgement {
    let nothing = Node { span: observed.step_span.clone(), value: NodeValue::Table(Vec::new()) };
    let expect = expect.unwrap_or(&nothing);
    let says = |key: &str| matches!(expect.get(key).map(|node| &node.value), Some(NodeValue::Boolean(true)));
    let how = MatchingRule { time: observed.time, exact: says("exact"), unordered: says("unordered") };
    let mut judge = Judge { observed, how, report: Report::new() };
    judge.outcome(expect);
    judge.errors(expect);
    judge.denied(expect);
    judge.changes(expect);
    judge.events(expect);
    judge.logs(expect);
    judge.numbers(expect);
    let snapshot = judge.snapshot(expect);
    StepJudgement { report: judge.report, snapshot }
}

struct Judge<'o, 'a> {
    observed: &'o StepObservation<'a>,
    how: MatchingRule,
    report: Report,
}

impl Judge<'_, '_> {
    fn find(&mut self, code: Code, span: Span, message: String, label: &str, help: Option<String>) {
        self.report
            .push(Diagnostic::new(code, message).in_source(self.observed.source).at(span, label).maybe_help(help));
    }

    fn differ(&mut self, what: &str, found: Vec<ValueDifference>) {
        for finding in self.findings(what, found) {
            self.report.push(finding);
        }
    }

    /// A finding for each difference.
    fn findings(&self, what: &str, found: Vec<ValueDifference>) -> Vec<Diagnostic> {
        let one = |difference: ValueDifference| {
            let path =
                if difference.path.is_empty() { what.to_owned() } else { format!("{what}: {}", difference.path) };
            let source = self.observed.source;
            // The value of one case is not that of the others.
            let fix = accept::fix(source, &difference).filter(|_| !self.observed.is_shared);
            let finding = Diagnostic::new(SCENARIO_MISMATCH, path).in_source(source);
            let finding = finding.at(difference.span, difference.message);
            match fix {
                Some(fix) => finding.fixed_by(fix),
                None => finding,
            }
        };
        found.into_iter().map(one).collect()
    }

    /// Compares a part of the outcome with its expectation, where one exists.
    fn compare(&mut self, key: &str, expect: &Node, actual: &Value) {
        if let Some(expected) = expect.get(key) {
            let found = differences(expected, Some(actual), "", self.how);
            self.differ(key, found);
        }
    }

    /// Compares the step with the snapshot that it names; returns the snapshot with its new text.
    fn snapshot(&mut self, expect: &Node) -> Option<(String, String)> {
        let expected = expect.get("snapshot")?;
        let Some(name) = expected.as_str().filter(|name| is_snapshot_name(name)) else {
            let message = "`snapshot` takes the name of a file, in small letters, digits and `-`".to_owned();
            self.find(SCENARIO_VALUE, expected.span.clone(), message, "no name", None);
            return None;
        };
        let is = observation(self.observed.outcome, self.observed.activity);
        let is = format!("{is:#}\n");
        match (self.observed.snapshots)(name) {
            Some(was) if was == is => {}
            Some(was) => {
                let help = Some(format!("{}\naccept it: erp-plugin test --accept", line_difference(&was, &is)));
                let what = format!("snapshot `{name}`");
                self.find(SCENARIO_MISMATCH, expected.span.clone(), what, "the step did something else", help);
            }
            None => {
                let help = Some("write it: erp-plugin test --accept".to_owned());
                let what = format!("snapshot `{name}`");
                self.find(SCENARIO_MISMATCH, expected.span.clone(), what, "there is no such snapshot", help);
            }
        }
        Some((name.to_owned(), is))
    }
}

fn is_snapshot_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

/// The first lines that differ, at most four of each text, with `-` and `+` in front.
fn line_difference(was: &str, is: &str) -> String {
    let common = was.lines().zip(is.lines()).take_while(|(was, is)| was == is).count();
    let shown = |sign: char, text: &str| -> String {
        text.lines().skip(common).take(4).map(|line| format!("{sign} {line}\n")).collect()
    };
    format!("from line {}:\n{}{}", common + 1, shown('-', was), shown('+', is)).trim_end().to_owned()
}
