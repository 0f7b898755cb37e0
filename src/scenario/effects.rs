//! What a step did, held against what it was expected to do. Scenarios are a closed world: what
//! nothing expects is a finding.

use std::sync::Arc;

use serde_json::{Value, json};

use super::compare::{Difference, differences, show};
use super::matcher::{self, StepTime};
use super::pipe_table;
use crate::diagnostics::{Code, Diagnostic, Report, SourceFile, Span, codes};
use crate::document::{Node, NodeValue};
use crate::host::{CallError, LogLevel};
use crate::manifest::{Manifest, TenantId};
use crate::platform::{Activity, Body, CallRecord, Platform};

/// What came of a step's act.
pub(super) enum Outcome {
    Http { status: u16, body: Body, entity: Option<String> },
    Call(Result<Value, CallError>),
    Other,
}

/// Everything that the expectations of a step are about.
pub(super) struct Observed<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) activity: &'a Activity,
    pub(super) platform: &'a Platform,
    pub(super) manifest: &'a Manifest,
    pub(super) tenant: &'a TenantId,
    pub(super) time: StepTime,
    pub(super) source: &'a Arc<SourceFile>,
    pub(super) step_span: Span,
    pub(super) open: bool,
}

/// All findings of a step.
pub(super) fn judge(observed: &Observed<'_>, expect: Option<&Node>) -> Report {
    let mut judge = Judge { observed, report: Report::new() };
    let nothing = Node { span: observed.step_span.clone(), value: NodeValue::Table(Vec::new()) };
    let expect = expect.unwrap_or(&nothing);
    judge.outcome(expect);
    judge.errors(expect);
    judge.changes(expect);
    judge.events(expect);
    judge.logs(expect);
    judge.numbers(expect);
    judge.report
}

struct Judge<'o, 'a> {
    observed: &'o Observed<'a>,
    report: Report,
}

impl Judge<'_, '_> {
    fn find(&mut self, code: Code, span: Span, message: String, label: &str, help: Option<String>) {
        self.report
            .push(Diagnostic::new(code, message).in_source(self.observed.source).at(span, label).maybe_help(help));
    }

    fn differ(&mut self, what: &str, found: Vec<Difference>) {
        for difference in found {
            let path =
                if difference.path.is_empty() { what.to_owned() } else { format!("{what}: {}", difference.path) };
            self.find(codes::SCENARIO_MISMATCH, difference.span, path, &difference.message, None);
        }
    }

    fn outcome(&mut self, expect: &Node) {
        match self.observed.outcome {
            Outcome::Http { status, body, .. } => {
                let shown = match body {
                    Body::Json(value) => show(Some(value)),
                    Body::Empty => "no body".to_owned(),
                };
                match expect.get("status") {
                    Some(expected) => {
                        for difference in differences(expected, Some(&json!(status)), "", self.observed.time) {
                            let help = Some(format!("the answer was {shown}"));
                            self.find(
                                codes::SCENARIO_MISMATCH,
                                difference.span,
                                "status".to_owned(),
                                &difference.message,
                                help,
                            );
                        }
                    }
                    None if *status >= 400 && !self.observed.open => {
                        let help = Some(format!("the answer was {shown}"));
                        let message = format!("the request was refused with {status}");
                        self.find(
                            codes::SCENARIO_UNEXPECTED,
                            self.observed.step_span.clone(),
                            message,
                            "nobody expects this",
                            help,
                        );
                    }
                    None => {}
                }
                // Behind another status stands another answer: comparing it would only bury the reason.
                let as_expected = self.report.is_empty();
                if let Some(expected) = expect.get("json").filter(|_| as_expected) {
                    let value = match body {
                        Body::Json(value) => Some(value),
                        Body::Empty => None,
                    };
                    let found = differences(expected, value, "", self.observed.time);
                    self.differ("json", found);
                }
            }
            Outcome::Call(result) => {
                if let Some(expected) = expect.get("result") {
                    let value = match result {
                        Ok(value) => value.clone(),
                        Err(CallError::Guest(error)) => json!(error.message),
                        Err(error) => json!(error.to_string()),
                    };
                    let found = differences(expected, Some(&value), "", self.observed.time);
                    self.differ("result", found);
                }
            }
            Outcome::Other => {}
        }
    }

    /// Calls of the plugin that failed.
    fn errors(&mut self, expect: &Node) {
        let failed: Vec<&CallRecord> =
            self.observed.activity.calls.iter().filter(|call| call.error.is_some()).collect();
        if let Some(expected) = expect.get("error") {
            let Some((call, error)) = failed.first().and_then(|call| Some((call, call.error.as_ref()?))) else {
                self.find(
                    codes::SCENARIO_MISMATCH,
                    expected.span.clone(),
                    "error".to_owned(),
                    "expected an error, found none",
                    None,
                );
                return;
            };
            let found = differences(expected, Some(&error_json(error)), "", self.observed.time);
            let what = format!("error of {}", call.label);
            self.differ(&what, found);
        }
        if self.observed.open {
            return;
        }
        // The expectation speaks of the first error; those behind it are expected by nobody.
        let failed = failed.into_iter().skip(usize::from(expect.get("error").is_some())).collect::<Vec<_>>();
        // The status, or the result, of the act itself already tells of its own error.
        let told_by_act = expect.get("status").is_some() || expect.get("result").is_some();
        for call in failed.into_iter().filter(|call| !told_by_act || call.label.starts_with("event ")) {
            let Some(error) = &call.error else { continue };
            let frames = match error {
                CallError::Trap { frames, .. } if !frames.is_empty() => {
                    Some(format!("in {}", frames.iter().take(4).cloned().collect::<Vec<_>>().join("\n   ← ")))
                }
                _ => None,
            };
            let message = format!("{} failed: {error}", call.label);
            self.find(
                codes::SCENARIO_UNEXPECTED,
                self.observed.step_span.clone(),
                message,
                "nobody expects this",
                frames,
            );
        }
    }

    fn changes(&mut self, expect: &Node) {
        let changes = &self.observed.activity.changes;
        if let Some(expected) = expect.get("changes") {
            if expected.as_str() != Some("none") {
                let help = Some("write `expect.changes = \"none\"`, or the rows as `expect.db.<entity>`".to_owned());
                self.find(
                    codes::SCENARIO_VALUE,
                    expected.span.clone(),
                    "`changes` only takes \"none\"".to_owned(),
                    "here",
                    help,
                );
            } else if !changes.is_empty() {
                let found: Vec<String> = changes
                    .iter()
                    .map(|change| format!("{:?} {}", change.kind, change.entity).to_lowercase())
                    .collect();
                let label = format!("expected none, found {}", found.join(", "));
                self.find(codes::SCENARIO_MISMATCH, expected.span.clone(), "changes".to_owned(), &label, None);
            }
            return;
        }
        let database = expect.get("db");
        for entry in database.into_iter().flat_map(Node::entries) {
            self.table(&entry.key, &entry.node);
        }
        if self.observed.open {
            return;
        }
        let own = match self.observed.outcome {
            Outcome::Http { entity, .. } => entity.as_deref(),
            _ => None,
        };
        let prefix = format!("{}.", *self.observed.manifest.metadata.id);
        let mut reported: Vec<&str> = Vec::new();
        for change in changes {
            let entity = change.entity.strip_prefix(&prefix).unwrap_or(&change.entity);
            let expected = database.is_some_and(|database| database.get(entity).is_some()) || own == Some(entity);
            if !expected && !reported.contains(&entity) {
                reported.push(entity);
                let help = Some(format!(
                    "expect it: `expect.db.{entity} = {{ rows = [{}] }}`",
                    show(Some(&change.row.to_flat()))
                ));
                let message = format!("a row of `{entity}` changed: {:?}", change.kind).to_lowercase();
                self.find(
                    codes::SCENARIO_UNEXPECTED,
                    self.observed.step_span.clone(),
                    message,
                    "nobody expects this",
                    help,
                );
            }
        }
    }

    /// `expect.db.<entity>`: the live rows of the tenant, all of them, in the order of their making.
    fn table(&mut self, entity: &str, expected: &Node) {
        let Some(found) = self.observed.manifest.entity(entity) else {
            let known = self.observed.manifest.schema.entities.iter().map(|entity| entity.name.as_str());
            let help = crate::document::did_you_mean(entity, known);
            self.find(
                codes::SCENARIO_NAME,
                expected.span.clone(),
                format!("there is no entity `{entity}`"),
                "unknown",
                help,
            );
            return;
        };
        let deleted = matches!(expected.get("deleted").map(|node| &node.value), Some(NodeValue::Boolean(true)));
        let rows = match &expected.value {
            NodeValue::String(text) => {
                match pipe_table::read(text, &expected.span, self.observed.source, Some(found)) {
                    Ok(rows) => Node { span: expected.span.clone(), value: NodeValue::Array(rows) },
                    Err((span, why)) => {
                        self.find(codes::SCENARIO_VALUE, span, why, "here", None);
                        return;
                    }
                }
            }
            _ => match expected.get("rows") {
                Some(rows) => rows.clone(),
                None => {
                    let help = Some("write `{ rows = [{ … }] }`, or a table between pipes".to_owned());
                    self.find(
                        codes::SCENARIO_VALUE,
                        expected.span.clone(),
                        format!("`db.{entity}` needs `rows`"),
                        "here",
                        help,
                    );
                    return;
                }
            },
        };
        match self.observed.platform.all_rows(self.observed.manifest, entity, self.observed.tenant, deleted) {
            Ok(actual) if rows_differ_in_number(&rows, &actual) => {
                let expected_rows = match &rows.value {
                    NodeValue::Array(items) => items.len(),
                    _ => 0,
                };
                let label = format!("expected {expected_rows} rows, found {}", actual.len());
                let help = Some(listed(&rows, &actual));
                self.find(codes::SCENARIO_MISMATCH, rows.span.clone(), format!("db.{entity}"), &label, help);
            }
            Ok(actual) => {
                let actual = Value::Array(actual);
                let found = differences(&rows, Some(&actual), "rows", self.observed.time);
                self.differ(&format!("db.{entity}"), found);
            }
            Err(error) => self.find(codes::SCENARIO_VALUE, expected.span.clone(), error.to_string(), "here", None),
        }
    }

    fn events(&mut self, expect: &Node) {
        let told: Vec<Value> = self.observed.activity.events.iter().map(|(_, event)| json!(event)).collect();
        match expect.get("events") {
            Some(expected) if matches!(expected.value, NodeValue::Table(_)) => {
                let found = differences(expected, Some(&json!({ "count": told.len() })), "", self.observed.time);
                self.differ("events", found);
            }
            Some(expected) => {
                let found = differences(expected, Some(&Value::Array(told)), "", self.observed.time);
                self.differ("events", found);
            }
            None if !told.is_empty() && !self.observed.open => {
                let help = Some(format!("expect them: `expect.events = [{}]`", show(told.first())));
                let message = format!("{} event(s) were told", told.len());
                self.find(
                    codes::SCENARIO_UNEXPECTED,
                    self.observed.step_span.clone(),
                    message,
                    "nobody expects this",
                    help,
                );
            }
            None => {}
        }
    }

    /// Every expected record must be there, in order; every warning and error must be expected.
    fn logs(&mut self, expect: &Node) {
        let records: Vec<(LogLevel, Value)> = self
            .observed
            .activity
            .calls
            .iter()
            .flat_map(|call| &call.trace.logs)
            .map(|record| {
                (
                    record.level,
                    json!({ "level": record.level.word(), "message": record.message, "fields": record.fields }),
                )
            })
            .collect();
        let mut expected_records = vec![false; records.len()];
        let mut from = 0;
        if let Some(expected) = expect.get("logs") {
            let NodeValue::Array(items) = &expected.value else {
                let help = Some("write `[{ level = \"info\", message = \"…\" }]`".to_owned());
                self.find(
                    codes::SCENARIO_VALUE,
                    expected.span.clone(),
                    "`logs` takes an array".to_owned(),
                    "here",
                    help,
                );
                return;
            };
            for item in items {
                let matching = (from..records.len())
                    .find(|index| differences(item, Some(&records[*index].1), "", self.observed.time).is_empty());
                match matching {
                    Some(index) => {
                        expected_records[index] = true;
                        from = index + 1;
                    }
                    None => {
                        let written: Vec<String> =
                            records[from..].iter().map(|(_, record)| show(Some(record))).collect();
                        let help = Some(if written.is_empty() {
                            "nothing was logged".to_owned()
                        } else {
                            format!("logged: {}", written.join(", "))
                        });
                        self.find(
                            codes::SCENARIO_MISMATCH,
                            item.span.clone(),
                            "logs".to_owned(),
                            "no such record",
                            help,
                        );
                    }
                }
            }
        }
        let expects_error = expect.get("error").is_some();
        let unexpected = records
            .iter()
            .zip(expected_records)
            .filter(|((level, _), expected)| {
                *level >= LogLevel::Warn && !expected && !self.observed.open && !expects_error
            })
            .map(|((level, record), _)| (*level, record["message"].as_str().unwrap_or_default().to_owned()))
            .collect::<Vec<_>>();
        for (level, message) in unexpected {
            let help =
                Some(format!("expect it: `expect.logs = [{{ level = \"{level}\", message = \"<contains …>\" }}]`"));
            let message = format!("the plugin logged ({level}): {message}");
            self.find(
                codes::SCENARIO_UNEXPECTED,
                self.observed.step_span.clone(),
                message,
                "nobody expects this",
                help,
            );
        }
    }

    /// `calls`, `fuel`, `memory` and `ok`.
    fn numbers(&mut self, expect: &Node) {
        let activity = self.observed.activity;
        if let Some(expected) = expect.get("calls") {
            let made: Vec<Value> = activity
                .calls
                .iter()
                .flat_map(|call| &call.trace.host_calls)
                .map(|call| json!(format!("{} {}", call.function, call.subject).trim_end()))
                .collect();
            let found = differences(expected, Some(&Value::Array(made)), "", self.observed.time);
            self.differ("calls", found);
        }
        if let Some(expected) = expect.get("ok") {
            let ok = activity.calls.iter().all(|call| call.error.is_none());
            let found = differences(expected, Some(&json!(ok)), "", self.observed.time);
            self.differ("ok", found);
        }
        let fuel = activity.calls.iter().map(|call| call.trace.fuel).sum();
        let memory = activity.calls.iter().map(|call| call.trace.memory).max().unwrap_or(0);
        for (key, number) in [("fuel", fuel), ("memory", memory)] {
            let Some(expected) = expect.get(key) else { continue };
            let condition = match expected.to_json() {
                Value::String(text) => text,
                other => other.to_string(),
            };
            match matcher::compares(number, &condition) {
                Ok(true) => {}
                Ok(false) => {
                    let label = format!("expected {condition}, found {number}");
                    self.find(codes::SCENARIO_MISMATCH, expected.span.clone(), key.to_owned(), &label, None);
                }
                Err(why) => self.find(codes::SCENARIO_VALUE, expected.span.clone(), why, "here", None),
            }
        }
    }
}

fn rows_differ_in_number(expected: &Node, actual: &[Value]) -> bool {
    matches!(&expected.value, NodeValue::Array(items) if items.len() != actual.len())
}

/// The rows that are there, a line each, with the fields that the expectation names.
fn listed(expected: &Node, actual: &[Value]) -> String {
    let NodeValue::Array(items) = &expected.value else { return String::new() };
    let named = |key: &String| items.is_empty() || items.iter().any(|item| item.get(key).is_some());
    let one = |row: &Value| {
        let fields = row.as_object().into_iter().flatten().filter(|(key, _)| named(key));
        let shown: Vec<String> = fields.map(|(key, value)| format!("{key} = {value}")).collect();
        format!("  {}", shown.join(", "))
    };
    if actual.is_empty() {
        return "there is no row".to_owned();
    }
    let mut lines: Vec<String> = actual.iter().take(MAX_LISTED).map(one).collect();
    if actual.len() > MAX_LISTED {
        lines.push(format!("  and {} more", actual.len() - MAX_LISTED));
    }
    format!("the rows are\n{}", lines.join("\n"))
}

/// How many rows a finding lists at the most.
const MAX_LISTED: usize = 20;

fn error_json(error: &CallError) -> Value {
    match error {
        CallError::Guest(error) => {
            json!({ "kind": "guest", "code": error.code, "message": error.message, "details": error.details })
        }
        CallError::Host(error) => json!({ "kind": "host", "code": error.code, "message": error.message }),
        CallError::Trap { kind, message, .. } => {
            json!({ "kind": "trap", "trap": kind.word(), "code": error.code(), "message": message })
        }
        CallError::BadCall(message) => json!({ "kind": "host", "code": error.code(), "message": message }),
    }
}
