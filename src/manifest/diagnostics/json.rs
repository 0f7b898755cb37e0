//! Findings as data for programs.

use schemars::JsonSchema;
use serde::Serialize;

use super::Diagnostic;
use crate::codes::Severity;

/// A finding as data: the shape that `--format json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiagnosticJson {
    /// The stable code, `area/phrase`.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong, as a phrase.
    pub message: String,
    /// The file, relative to where the command ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the first place, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column of the first place, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What stands at the place, such as what was expected and what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What to write or to type next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What `check --fix` does about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl From<&Diagnostic> for DiagnosticJson {
    fn from(diagnostic: &Diagnostic) -> DiagnosticJson {
        let place = diagnostic.source.as_ref().zip(diagnostic.labels.first());
        let at = place.map(|(source, label)| source.line_and_column(label.span.start));
        DiagnosticJson {
            code: diagnostic.code.name(),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            file: diagnostic.source.as_ref().map(|source| source.path().display().to_string()),
            line: at.map(|at| at.0),
            column: at.map(|at| at.1),
            label: place.map(|(_, label)| label.text.clone()).filter(|text| !text.is_empty()),
            help: diagnostic.help.clone(),
            fix: diagnostic.fix.as_ref().map(|fix| fix.title.clone()),
        }
    }
}
