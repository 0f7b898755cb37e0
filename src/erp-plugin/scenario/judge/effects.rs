//! Judges events, logs, and figures of the calls.

use erp_check::scenarios::{SCENARIO_MISMATCH, SCENARIO_UNEXPECTED, SCENARIO_VALUE};
use erp_manifest::document::{Node, NodeValue};
use erp_runtime::LogLevel;
use serde_json::{Value, json};

use super::super::compare::{differences, show};
use super::super::matcher;
use super::Judge;

impl Judge<'_, '_> {
    pub(super) fn events(&mut self, expect: &Node) {
        let published: Vec<Value> = self.observed.activity.events.iter().map(|(_, event)| json!(event)).collect();
        match expect.get("events") {
            Some(expected) if matches!(expected.value, NodeValue::Table(_)) => {
                let found = differences(expected, Some(&json!({ "count": published.len() })), "", self.how);
                self.differ("events", found);
            }
            Some(expected) => {
                let found = differences(expected, Some(&Value::Array(published)), "", self.how);
                self.differ("events", found);
            }
            None if !published.is_empty() && !self.observed.open => {
                let help = Some(format!("expect them: `expect.events = [{}]`", show(published.first())));
                let message = format!("{} event(s) were published", published.len());
                self.find(SCENARIO_UNEXPECTED, self.observed.step_span.clone(), message, "nobody expects this", help);
            }
            None => {}
        }
    }

    /// Every expected record must exist, in order; every warning and error must be expected.
    pub(super) fn logs(&mut self, expect: &Node) {
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
                self.find(SCENARIO_VALUE, expected.span.clone(), "`logs` takes an array".to_owned(), "here", help);
                return;
            };
            for item in items {
                let matching = (from..records.len())
                    .find(|index| differences(item, Some(&records[*index].1), "", self.how).is_empty());
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
                        self.find(SCENARIO_MISMATCH, item.span.clone(), "logs".to_owned(), "no such record", help);
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
            self.find(SCENARIO_UNEXPECTED, self.observed.step_span.clone(), message, "nobody expects this", help);
        }
    }

    /// Judges `calls`, `fuel`, `memory` and `ok`.
    pub(super) fn numbers(&mut self, expect: &Node) {
        let activity = self.observed.activity;
        if let Some(expected) = expect.get("calls") {
            let made: Vec<Value> = activity
                .calls
                .iter()
                .flat_map(|call| &call.trace.host_calls)
                .map(|call| json!(format!("{} {}", call.function, call.subject).trim_end()))
                .collect();
            let found = differences(expected, Some(&Value::Array(made)), "", self.how);
            self.differ("calls", found);
        }
        if let Some(expected) = expect.get("ok") {
            let ok = activity.calls.iter().all(|call| call.error.is_none());
            let found = differences(expected, Some(&json!(ok)), "", self.how);
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
                    self.find(SCENARIO_MISMATCH, expected.span.clone(), key.to_owned(), &label, None);
                }
                Err(why) => self.find(SCENARIO_VALUE, expected.span.clone(), why, "here", None),
            }
        }
    }
}
