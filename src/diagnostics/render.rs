//! Findings as text for people and as data for programs.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, ThemeCharacters, ThemeStyles};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Diagnostic, Severity};

/// How findings are drawn.
#[derive(Debug, Clone, Copy)]
pub struct HumanStyle {
    /// Columns of the terminal.
    pub width: usize,
    /// ANSI colours.
    pub color: bool,
    /// Box-drawing characters; plain ASCII otherwise.
    pub unicode: bool,
}

/// A finding as people read it, with the lines that it points to.
pub fn human(diagnostic: &Diagnostic, style: HumanStyle) -> String {
    let theme = GraphicalTheme {
        characters: if style.unicode { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() },
        styles: if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_links(false)
        .with_context_lines(1)
        // Its column counts bytes; ours, in the name of the source, counts characters.
        .without_primary_span_start();
    let mut text = String::new();
    // Writing into a String cannot fail, and a span outside its text is drawn without the lines.
    let _ = handler.render_report(&mut text, &Drawn::new(diagnostic));
    text
}

/// What miette draws: its trait is met here and nowhere else, so that the rest of the house does
/// not depend on how findings look.
#[derive(Debug)]
struct Drawn<'a> {
    diagnostic: &'a Diagnostic,
    source: Option<NamedSource<String>>,
}

impl<'a> Drawn<'a> {
    fn new(diagnostic: &'a Diagnostic) -> Drawn<'a> {
        let source = diagnostic.source.as_ref().filter(|_| !diagnostic.labels.is_empty()).map(|source| {
            let start = diagnostic.labels.first().map_or(0, |label| label.span.start);
            let (line, column) = source.line_and_column(start);
            NamedSource::new(format!("{}:{line}:{column}", source.path().display()), source.text().to_owned())
        });
        Drawn { diagnostic, source }
    }
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.diagnostic.code.name()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Hint => miette::Severity::Advice,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.diagnostic.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|source| source as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        Some(Box::new(self.diagnostic.labels.iter().map(|label| {
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            LabeledSpan::new(text, label.span.start, label.span.len())
        })))
    }
}

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
    /// What to write or to type next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
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
            help: diagnostic.help.clone(),
        }
    }
}
