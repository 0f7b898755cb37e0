//! Findings as text for people.

use std::fmt;

use erp_manifest::codes::Severity;
use erp_manifest::diagnostics::{Diagnostic, Label, SourceFile, Span, printable, printable_lines};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, ThemeCharacters, ThemeStyles};

/// How findings are rendered.
#[derive(Debug, Clone, Copy)]
pub struct HumanStyle {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether ANSI colours are used.
    pub color: bool,
}

/// Renders a finding as text, with the source lines that it points to.
pub fn human(diagnostic: &Diagnostic, style: HumanStyle) -> String {
    let theme = GraphicalTheme {
        characters: ThemeCharacters::unicode(),
        styles: if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_links(false)
        .with_context_lines(1)
        // Names and commands are not broken at hyphens, so that they can be copied.
        .with_word_splitter(textwrap::WordSplitter::NoHyphenation)
        // miette counts columns in bytes. Our column, in the name of the source, counts characters.
        .without_primary_span_start();
    let mut text = String::new();
    // Writing into a String cannot fail. A span outside of its text is rendered without source lines.
    let _ = handler.render_report(&mut text, &Drawing::new(diagnostic));
    text
}

/// Length of the longest line that is shown in full, in bytes.
const MAX_LINE: usize = 1_000;
/// Characters shown on each side of a span in a longer line.
const CONTEXT: usize = 40;

/// A finding as miette's `Diagnostic`. Only this module implements that trait, so that no other code depends on how
/// findings look.
#[derive(Debug)]
struct Drawing<'a> {
    diagnostic: &'a Diagnostic,
    excerpt: Option<Excerpt>,
    labels: Vec<LabeledSpan>,
}

/// The source lines to show. Without them, miette would search the complete text again for each finding.
#[derive(Debug)]
struct Excerpt {
    name: String,
    text: String,
    /// The number of the first line, from 0.
    first_line: usize,
}

impl miette::SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        _: &miette::SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let all = miette::SourceSpan::from(0..self.text.len());
        let lines = self.text.lines().count();
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.name.clone(),
            self.text.as_bytes(),
            all,
            self.first_line,
            0,
            lines,
        )))
    }
}

impl<'a> Drawing<'a> {
    fn new(diagnostic: &'a Diagnostic) -> Drawing<'a> {
        let Some((source, first)) = diagnostic.source.as_ref().zip(diagnostic.labels.first()) else {
            return Drawing { diagnostic, excerpt: None, labels: Vec::new() };
        };
        let (line, column) = source.line_and_column(first.span.start);
        let name = printable(&format!("{}:{line}:{column}", source.path().display()));
        let labeled = |label: &Label, span: Span| {
            LabeledSpan::new((!label.text.is_empty()).then(|| printable(&label.text)), span.start, span.len())
        };
        if let Some((text, span)) = cut_of_long_line(source, &first.span) {
            let excerpt = Excerpt { name, text: printable_lines(&text), first_line: line - 1 };
            return Drawing { diagnostic, excerpt: Some(excerpt), labels: vec![labeled(first, span)] };
        }
        let from = diagnostic.labels.iter().map(|label| label.span.start).min().unwrap_or(0);
        let to = diagnostic.labels.iter().map(|label| label.span.end).max().unwrap_or(0);
        let (bytes, first_line) = source.lines_around(&(from..to));
        let labels = diagnostic.labels.iter().map(|label| {
            let inside = |at: usize| at.clamp(bytes.start, bytes.end) - bytes.start;
            labeled(label, inside(label.span.start)..inside(label.span.end))
        });
        let labels = labels.collect();
        let excerpt = Excerpt { name, text: printable_lines(&source.text()[bytes]), first_line };
        Drawing { diagnostic, excerpt: Some(excerpt), labels }
    }
}

/// For a line longer than `MAX_LINE`: the part around `span`, and `span` in it. `None` for shorter lines. One line of
/// minified text would fill many screens.
fn cut_of_long_line(source: &SourceFile, span: &Span) -> Option<(String, Span)> {
    let text = source.text();
    let start = text.floor_char_boundary(span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    if line_end - line_start <= MAX_LINE {
        return None;
    }
    let before = text[line_start..start].char_indices().rev().take(CONTEXT).last();
    let cut_start = before.map_or(start, |(at, _)| line_start + at);
    let end = text.floor_char_boundary(span.end.clamp(start, line_end).min(start + MAX_LINE / 2));
    let after = text[end..line_end].char_indices().nth(CONTEXT);
    let cut_end = after.map_or(line_end, |(at, _)| end + at);
    let lead = "… ";
    let at = lead.len() + (start - cut_start);
    Some((format!("{lead}{} …", &text[cut_start..cut_end]), at..at + (end - start)))
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A message may quote text of an untrusted package.
        f.write_str(&printable(&self.diagnostic.message))
    }
}

impl std::error::Error for Drawing<'_> {}

impl miette::Diagnostic for Drawing<'_> {
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
        self.diagnostic.help.as_ref().map(|help| Box::new(printable_lines(help)) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.excerpt.as_ref()?;
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use erp_manifest::document::codes::INVALID_VALUE;

    #[test]
    fn a_place_far_to_the_right_is_drawn_within_bounds() {
        let text = format!("a = 1\nb = \"{}进销存 bad\"\nc = 3\n", "销x".repeat(50_000));
        let at = text.find("bad").unwrap();
        let source = SourceFile::new("plugin.toml", text);
        let finding = Diagnostic::new(INVALID_VALUE, "no").in_source(&source).at(at..at + 3, "here");
        let drawn = human(&finding, HumanStyle { width: 80, color: false });
        assert!(drawn.contains("plugin.toml:2:100010") && drawn.contains("进销存 bad"), "{drawn}");
        assert!(drawn.len() < 1_000, "{}", drawn.len());
    }
}
