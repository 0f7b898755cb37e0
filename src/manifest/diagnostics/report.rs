//! The findings of one run.

use super::{Diagnostic, Fix};
use crate::codes::Severity;

/// Findings in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Creates an empty report.
    pub fn new() -> Report {
        Report::default()
    }

    /// Adds a finding. Removes its fix if the source is JSON, because fixes are written in TOML.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        if diagnostic.source.as_ref().is_some_and(|source| source.is_json()) {
            diagnostic.fix = None;
        }
        self.diagnostics.push(diagnostic);
    }

    /// Removes the findings for which `keep` returns false. `keep` may change the others, such as their severity.
    pub fn retain(&mut self, keep: impl FnMut(&mut Diagnostic) -> bool) {
        self.diagnostics.retain_mut(keep);
    }

    /// Sets the fix of the last finding; without effect for a JSON source.
    pub fn fix_last(&mut self, fix: Option<Fix>) {
        if let Some(last) = self.diagnostics.last_mut() {
            let takes_fixes = last.source.as_ref().is_none_or(|source| !source.is_json());
            last.fix = fix.filter(|_| takes_fixes).or(last.fix.take());
        }
    }

    /// Adds all findings of another report.
    pub fn extend(&mut self, other: Report) {
        self.diagnostics.extend(other.diagnostics);
    }

    /// Sorts the findings: errors first, then by file and place. The order of the rules has no effect.
    pub fn sort(&mut self) {
        self.diagnostics.sort_by_key(|diagnostic| {
            (
                diagnostic.severity,
                diagnostic.source.as_ref().map(|source| source.path().to_path_buf()),
                diagnostic.labels.first().map_or(usize::MAX, |label| label.span.start),
            )
        });
    }

    /// The findings.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The number of findings with this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Returns whether a finding of error level is among them.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Returns whether the report has no findings.
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// `2 errors, 1 warning`, or `no findings`.
    pub fn summary(&self) -> String {
        let counts: Vec<String> = [
            (self.count(Severity::Error), "error"),
            (self.count(Severity::Warning), "warning"),
            (self.count(Severity::Hint), "hint"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
        if counts.is_empty() { "no findings".to_owned() } else { counts.join(", ") }
    }
}
