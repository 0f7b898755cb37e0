//! A finding and its labels.

use std::sync::Arc;

use super::{Fix, SourceFile, Span};
use crate::codes::{Code, Severity};

/// A place in a source text, with a short text. An empty text only underlines.
#[derive(Debug, Clone)]
pub struct Label {
    /// The bytes to underline.
    pub span: Span,
    /// The text next to the underlined bytes.
    pub text: String,
}

/// One finding about the user's plugin.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// The code of the finding, which never changes.
    pub code: Code,
    /// The severity: that of the code unless a setting changed it.
    pub severity: Severity,
    /// What is wrong, as a phrase.
    pub message: String,
    /// The text that the labels point into.
    pub source: Option<Arc<SourceFile>>,
    /// The places; the first one is the place of the finding.
    pub labels: Vec<Label>,
    /// What to write or to type next.
    pub help: Option<String>,
    /// The fix that `--fix` applies.
    pub fix: Option<Fix>,
    /// The entity whose rows the finding is about, for code that extends the help; not printed.
    pub entity: Option<String>,
}

impl Diagnostic {
    /// Creates a finding without a place.
    pub fn new(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            source: None,
            labels: Vec::new(),
            help: None,
            fix: None,
            entity: None,
        }
    }

    /// Sets the entity whose rows the finding is about.
    #[must_use]
    pub fn about_rows_of(mut self, entity: &str) -> Diagnostic {
        self.entity = Some(entity.to_owned());
        self
    }

    /// Sets the text that the labels point into.
    #[must_use]
    pub fn in_source(mut self, source: &Arc<SourceFile>) -> Diagnostic {
        self.source = Some(Arc::clone(source));
        self
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Sets the help: what to write or to type next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    /// Sets the fix that `--fix` applies.
    #[must_use]
    pub fn fixed_by(mut self, fix: Fix) -> Diagnostic {
        self.fix = Some(fix);
        self
    }

    /// Sets the source and its fix, if a source is given.
    #[must_use]
    pub fn maybe_fixed(
        mut self,
        source: Option<&Arc<SourceFile>>,
        fix: impl FnOnce(&Arc<SourceFile>) -> Option<Fix>,
    ) -> Diagnostic {
        if let Some(source) = source {
            self.fix = fix(source);
            self.source = Some(Arc::clone(source));
        }
        self
    }

    /// Sets the help if there is one; otherwise keeps the present help.
    #[must_use]
    pub fn maybe_help(mut self, help: Option<String>) -> Diagnostic {
        self.help = help.or(self.help);
        self
    }
}
