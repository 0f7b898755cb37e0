//! Changes of a text that fix a finding.

use super::{Report, SourceFile, Span};

/// An unambiguous change that fixes a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as a phrase.
    pub title: String,
    /// The replacements; an edit with an empty span inserts.
    pub edits: Vec<Edit>,
}

/// One replacement of a fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes to remove.
    pub span: Span,
    /// The text to insert instead.
    pub text: String,
}

impl Fix {
    /// Replaces the text at `span`.
    pub fn replace(title: impl Into<String>, span: Span, text: impl Into<String>) -> Fix {
        Fix { title: title.into(), edits: vec![Edit { span, text: text.into() }] }
    }

    /// Replaces the string at `span`, which includes its quotes, with a word in quotes.
    pub fn replace_string(span: Span, word: &str) -> Fix {
        Fix::replace(format!("write `{word}`"), span, format!("\"{word}\""))
    }

    /// Inserts text at a byte offset.
    pub fn insert(title: impl Into<String>, at: usize, text: impl Into<String>) -> Fix {
        Fix::replace(title, at..at, text)
    }

    /// Adds a block at the end of the file, after an empty line.
    pub fn append(title: impl Into<String>, source: &SourceFile, block: &str) -> Fix {
        let text = source.text();
        let gap = if text.is_empty() || text.ends_with("\n\n") {
            ""
        } else if text.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        Fix::insert(title, text.len(), format!("{gap}{block}\n"))
    }

    /// Adds a line after the one in which `span` ends. `None` if something other than a comment follows on that line,
    /// as inside an inline table.
    pub fn insert_line_after(title: impl Into<String>, source: &SourceFile, span: &Span, line: &str) -> Option<Fix> {
        let rest = source.text().get(span.end..)?;
        let end = rest.find(['\r', '\n']).unwrap_or(rest.len());
        let behind = rest[..end].trim();
        (behind.is_empty() || behind.starts_with('#')).then(|| Fix::insert(title, span.end + end, format!("\n{line}")))
    }
}

/// Applies all fixes of a report that are compatible. Returns the text and the titles of the applied fixes. If two
/// fixes touch the same place, the first one is applied; the other one follows in the next run.
pub fn apply_fixes(source: &SourceFile, report: &Report) -> (String, Vec<String>) {
    let mut made: Vec<&Fix> = Vec::new();
    for diagnostic in report.diagnostics() {
        let is_here = diagnostic.source.as_ref().is_some_and(|own| own.path() == source.path());
        let Some(fix) = diagnostic.fix.as_ref().filter(|_| is_here) else { continue };
        let touches = |one: &Edit, other: &Edit| {
            let same_insertion = one.span.is_empty() && one == other;
            same_insertion || (one.span.start < other.span.end && other.span.start < one.span.end)
        };
        let is_free =
            made.iter().flat_map(|fix| &fix.edits).all(|one| fix.edits.iter().all(|other| !touches(one, other)));
        let fits = fix.edits.iter().all(|edit| source.text().get(edit.span.clone()).is_some());
        if is_free && fits {
            made.push(fix);
        }
    }
    let mut edits: Vec<&Edit> = made.iter().flat_map(|fix| &fix.edits).collect();
    // An insertion at the start of a replacement comes before it.
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let has_crlf = source.text().contains("\r\n");
    let mut text = String::with_capacity(source.text().len());
    let mut at = 0;
    for edit in edits {
        text.push_str(&source.text()[at..edit.span.start]);
        text.push_str(&if has_crlf { edit.text.replace('\n', "\r\n") } else { edit.text.clone() });
        at = edit.span.end;
    }
    text.push_str(&source.text()[at..]);
    (text, made.into_iter().map(|fix| fix.title.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::Diagnostic;
    use crate::diagnostics::example::INVALID_VALUE;

    #[test]
    fn fixes_that_touch_one_place_are_made_one_after_the_other() {
        let source = SourceFile::new("plugin.toml", "a = 1\nb = 2 # two\n");
        let mut report = Report::new();
        for fix in [
            Fix::replace("first", 0..1, "x"),
            Fix::replace("second", 0..5, "y = 2"),
            Fix::append("third", &source, "[c]"),
            Fix::insert_line_after("fourth", &source, &(10..11), "d = 4").unwrap(),
        ] {
            report.push(Diagnostic::new(INVALID_VALUE, "x").in_source(&source).at(0..1, "").fixed_by(fix));
        }
        let (text, made) = apply_fixes(&source, &report);
        assert_eq!(text, "x = 1\nb = 2 # two\nd = 4\n\n[c]\n");
        assert_eq!(made, ["first", "third", "fourth"]);
        let inline = SourceFile::new("plugin.toml", "f = { a = 1, b = 2 }\n");
        let mut report = Report::new();
        for fix in [Fix::replace("replaced", 0..1, "x"), Fix::replace("inserted", 0..0, "# ")] {
            report.push(Diagnostic::new(INVALID_VALUE, "x").in_source(&source).at(0..1, "").fixed_by(fix));
        }
        assert_eq!(apply_fixes(&source, &report).0, "# x = 1\nb = 2 # two\n");
        assert_eq!(Fix::insert_line_after("x", &inline, &(10..11), "c = 3"), None);
    }
}
