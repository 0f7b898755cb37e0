//! Judges rows that changed, and rows that exist.

use erp_check::scenarios::{SCENARIO_MISMATCH, SCENARIO_NAME, SCENARIO_UNEXPECTED, SCENARIO_VALUE};
use erp_manifest::diagnostics::Diagnostic;
use erp_manifest::document::{Node, NodeValue};
use serde_json::Value;

use super::super::compare::{differences, show};
use super::super::pipe_table;
use super::{Judge, StepOutcome};

impl Judge<'_, '_> {
    pub(super) fn changes(&mut self, expect: &Node) {
        let changes = &self.observed.activity.changes;
        if let Some(expected) = expect.get("changes") {
            if expected.as_str() != Some("none") {
                let help = Some("write `expect.changes = \"none\"`, or the rows as `expect.db.<entity>`".to_owned());
                self.find(
                    SCENARIO_VALUE,
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
                self.find(SCENARIO_MISMATCH, expected.span.clone(), "changes".to_owned(), &label, None);
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
            StepOutcome::Http { entity, .. } => entity.as_deref(),
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
                self.find(SCENARIO_UNEXPECTED, self.observed.step_span.clone(), message, "nobody expects this", help);
            }
        }
    }

    /// `expect.db.<entity>`: all live rows of the tenant, in the order of their creation; with `deleted`, deleted ones
    /// too.
    fn table(&mut self, entity: &str, expected: &Node) {
        let Some(found) = self.observed.manifest.entity(entity) else {
            let known = self.observed.manifest.schema.entities.iter().map(|entity| entity.name.as_str());
            let help = erp_manifest::document::did_you_mean(entity, known);
            self.find(SCENARIO_NAME, expected.span.clone(), format!("there is no entity `{entity}`"), "unknown", help);
            return;
        };
        let deleted = matches!(expected.get("deleted").map(|node| &node.value), Some(NodeValue::Boolean(true)));
        let rows = match &expected.value {
            NodeValue::String(text) => {
                match pipe_table::read(text, &expected.span, self.observed.source, Some(found)) {
                    Ok(rows) => Node { span: expected.span.clone(), value: NodeValue::Array(rows) },
                    Err((span, why)) => {
                        self.find(SCENARIO_VALUE, span, why, "here", None);
                        return;
                    }
                }
            }
            _ => match expected.get("rows") {
                Some(rows) => rows.clone(),
                None => {
                    let help = Some("write `{ rows = [{ … }] }`, or a table between pipes".to_owned());
                    self.find(
                        SCENARIO_VALUE,
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
                let finding =
                    Diagnostic::new(SCENARIO_MISMATCH, format!("db.{entity}")).in_source(self.observed.source);
                let finding = finding.at(rows.span.clone(), label).maybe_help(help);
                self.report.push(finding.about_rows_of(entity));
            }
            Ok(actual) => {
                let actual = Value::Array(actual);
                let found = differences(&rows, Some(&actual), "rows", self.how);
                for finding in self.findings(&format!("db.{entity}"), found) {
                    self.report.push(finding.about_rows_of(entity));
                }
            }
            Err(error) => self.find(SCENARIO_VALUE, expected.span.clone(), error.to_string(), "here", None),
        }
    }
}

fn rows_differ_in_number(expected: &Node, actual: &[Value]) -> bool {
    matches!(&expected.value, NodeValue::Array(items) if items.len() != actual.len())
}

/// The existing rows, a line each, with the fields that the expectation names.
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

/// The most rows that a finding lists.
const MAX_LISTED: usize = 20;
