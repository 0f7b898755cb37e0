//! Texts that diagnostics point into.

use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A range of bytes in a source text.
pub type Span = Range<usize>;

/// A text with its path.
#[derive(Debug)]
pub struct SourceFile {
    path: PathBuf,
    text: String,
    /// The byte offsets of the lines, computed on first use.
    lines: OnceLock<Vec<usize>>,
}

impl SourceFile {
    /// Creates a source. `path` is printed unchanged: callers pass it relative to the user's current folder.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<SourceFile> {
        Arc::new(SourceFile { path: path.into(), text: text.into(), lines: OnceLock::new() })
    }

    /// The path, as it is printed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns whether the path ends in `.json`; any other text is TOML.
    pub fn is_json(&self) -> bool {
        self.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The byte offset of a string's content; `span` is its place with the quotes. `None` for an empty string, or if
    /// escapes make the text in the file different.
    pub fn inner_start(&self, span: &Span, value: &str) -> Option<usize> {
        let quoted = self.text.get(span.clone()).filter(|_| !value.is_empty())?;
        quoted.find(value).map(|at| span.start + at)
    }

    /// Converts a byte offset to line and column, both from 1. The column counts characters.
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset.min(self.text.len()));
        let line = self.line_of(offset);
        (line + 1, self.text[self.lines()[line]..offset].chars().count() + 1)
    }

    /// The lines of a span and one on either side: their bytes, and the number of the first one, from 0.
    pub fn lines_around(&self, span: &Span) -> (Span, usize) {
        let lines = self.lines();
        let first = self.line_of(span.start.min(self.text.len())).saturating_sub(1);
        let last = self.line_of(span.end.clamp(span.start, self.text.len())) + 1;
        let end = lines.get(last + 1).map_or(self.text.len(), |next| next - 1);
        (lines[first]..end.max(lines[first]), first)
    }

    fn line_of(&self, offset: usize) -> usize {
        self.lines().partition_point(|start| *start <= offset).saturating_sub(1)
    }

    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let starts = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(starts).collect()
        })
    }
}

/// A value and its place in the source.
#[derive(Debug, Clone, Default)]
pub struct Spanned<T> {
    value: T,
    span: Span,
}

impl<T> Spanned<T> {
    /// Creates a value with the place `span`.
    pub fn new(value: T, span: Span) -> Spanned<T> {
        Spanned { value, span }
    }

    /// The place of the value; `0..0` for a default.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// The value without its place.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    /// Compares only the values, not their places.
    fn eq(&self, other: &Spanned<T>) -> bool {
        self.value == other.value
    }
}

impl<T: std::fmt::Display> std::fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(f)
    }
}

/// Returns whether a character neither moves a cursor, nor ends a line, nor changes the direction of text.
pub fn is_printable(character: char) -> bool {
    let turns_text = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    !character.is_control() && !turns_text
}

/// Makes untrusted text safe for one line of a terminal: every character that is not printable becomes U+FFFD.
pub fn printable(text: &str) -> String {
    text.chars().map(|character| if is_printable(character) { character } else { '\u{fffd}' }).collect()
}

/// Makes untrusted lines safe for a terminal. A character that is not printable is replaced by one with as many bytes,
/// so that places stay valid.
pub fn printable_lines(text: &str) -> String {
    let shown = |character: char| match character.len_utf8() {
        _ if is_printable(character) || matches!(character, '\n' | '\t') => character,
        1 => '?',
        2 => '¿',
        _ => '\u{fffd}',
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_cannot_take_over_the_terminal() {
        let lines = "a\u{1b}[2J\n\u{9b}b\u{202e}\u{61c}c\td";
        assert_eq!(printable_lines(lines), "a?[2J\n¿b\u{fffd}¿c\td");
        assert_eq!(printable_lines(lines).len(), lines.len());
        assert_eq!(printable("进销存\u{1b}[31m a\nb \u{202e}c"), "进销存\u{fffd}[31m a\u{fffd}b \u{fffd}c");
    }

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let file = SourceFile::new("plugin.toml", "a = 1\nname = \"进销存\" # x\n");
        let offset = file.text().find('#').unwrap();
        assert_eq!(file.line_and_column(offset), (2, 14));
        assert_eq!(file.line_and_column(9_999), (3, 1));
    }
}
