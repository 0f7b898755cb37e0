//! Judges the response of an act, and calls that failed.

use erp_check::scenarios::{SCENARIO_MISMATCH, SCENARIO_UNEXPECTED};
use erp_manifest::document::Node;
use erp_platform::CallRecord;
use erp_runtime::CallError;
use serde_json::{Value, json};

use super::super::compare::{differences, show};
use super::super::observation::error_json;
use super::{Judge, StepObservation, StepOutcome};

fn did_you_mean_event(observed: &StepObservation<'_>) -> String {
    match observed.platform.subscriptions().as_slice() {
        [] => "no plugin that runs subscribes to anything; write `expect.heard = 0` where this is what is meant"
            .to_owned(),
        known => format!("heard are {}; write `expect.heard = 0` where this is what is meant", known.join(", ")),
    }
}

impl Judge<'_, '_> {
    pub(super) fn outcome(&mut self, expect: &Node) {
        match self.observed.outcome {
            StepOutcome::Http { status, body, .. } => {
                let shown = body.as_ref().map_or_else(|| "no body".to_owned(), |body| show(Some(body)));
                match expect.get("status") {
                    Some(expected) => {
                        for difference in differences(expected, Some(&json!(status)), "", self.how) {
                            let help = Some(format!("the answer was {shown}"));
                            self.find(
                                SCENARIO_MISMATCH,
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
                            SCENARIO_UNEXPECTED,
                            self.observed.step_span.clone(),
                            message,
                            "nobody expects this",
                            help,
                        );
                    }
                    None => {}
                }
                // A response with another status has another body: comparing it would only hide the reason.
                let as_expected = self.report.is_empty();
                if let Some(expected) = expect.get("json").filter(|_| as_expected) {
                    let found = differences(expected, body.as_ref(), "", self.how);
                    self.differ("json", found);
                }
            }
            StepOutcome::Call(result) => {
                if let Some(expected) = expect.get("result") {
                    let value = match result {
                        Ok(value) => value.clone(),
                        Err(CallError::Guest(error)) => json!(error.message),
                        Err(error) => json!(error.to_string()),
                    };
                    let found = differences(expected, Some(&value), "", self.how);
                    self.differ("result", found);
                }
            }
            StepOutcome::Event { heard } => match expect.get("heard") {
                Some(_) => self.compare("heard", expect, &json!(heard)),
                None if *heard == 0 => {
                    let help = did_you_mean_event(self.observed);
                    let message = "nobody hears the event: it changes nothing, whatever it is called".to_owned();
                    let span = self.observed.step_span.clone();
                    self.find(SCENARIO_UNEXPECTED, span, message, "no plugin subscribed to it", Some(help));
                }
                None => {}
            },
            StepOutcome::Page(page) => self.compare("page", expect, page),
            StepOutcome::Rows(rows) => self.compare("rows", expect, &Value::Array(rows.clone())),
            StepOutcome::Other => {}
        }
    }

    /// Judges host calls that the manifest does not grant.
    pub(super) fn denied(&mut self, expect: &Node) {
        let denials = || self.observed.activity.calls.iter().flat_map(|call| &call.trace.denials);
        let denied: Vec<Value> = denials().map(|denial| json!(denial.function)).collect();
        match expect.get("denied") {
            Some(_) => self.compare("denied", expect, &Value::Array(denied)),
            // An expected error includes the denial that caused it.
            None if self.observed.open || expect.get("error").is_some() => {}
            None => {
                let findings: Vec<(String, String)> = denials()
                    .map(|denial| (format!("{} {}", denial.function, denial.subject), denial.message.clone()))
                    .collect();
                for (what, why) in findings {
                    let help = Some(format!("{why}; or expect it: `expect.denied = [\"…\"]`"));
                    let message = format!("the host denied {}", what.trim_end());
                    let span = self.observed.step_span.clone();
                    self.find(SCENARIO_UNEXPECTED, span, message, "nobody expects this", help);
                }
            }
        }
    }

    /// Judges calls of the plugin that failed.
    pub(super) fn errors(&mut self, expect: &Node) {
        let failed: Vec<&CallRecord> =
            self.observed.activity.calls.iter().filter(|call| call.error.is_some()).collect();
        if let Some(expected) = expect.get("error") {
            let Some((call, error)) = failed.first().and_then(|call| Some((call, call.error.as_ref()?))) else {
                self.find(
                    SCENARIO_MISMATCH,
                    expected.span.clone(),
                    "error".to_owned(),
                    "expected an error, found none",
                    None,
                );
                return;
            };
            let found = differences(expected, Some(&error_json(error)), "", self.how);
            let what = format!("error of {}", call.label);
            self.differ(&what, found);
        }
        if self.observed.open {
            return;
        }
        // The expectation covers the first error; later ones are unexpected.
        let failed = failed.into_iter().skip(usize::from(expect.get("error").is_some())).collect::<Vec<_>>();
        // The expected status or result of the act already covers its own error.
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
            self.find(SCENARIO_UNEXPECTED, self.observed.step_span.clone(), message, "nobody expects this", frames);
        }
    }
}
