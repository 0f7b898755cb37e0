//! Lines of Rust with their indentation.

use crate::generate::MARK;

/// Source text that grows line by line.
#[derive(Debug, Default)]
pub(super) struct SourceWriter {
    text: String,
    depth: usize,
}

impl SourceWriter {
    /// Begins a file with these lines of documentation.
    pub(super) fn file(about: &str) -> SourceWriter {
        let mut code = SourceWriter::default();
        code.line(format!("//! {about}"));
        code.line(format!("//! {MARK}"));
        code.blank();
        code
    }

    pub(super) fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(&"    ".repeat(self.depth));
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    pub(super) fn lines<L: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = L>) {
        lines.into_iter().for_each(|line| self.line(line));
    }

    /// Writes an empty line, except at the beginning of the text or of a block, or after an empty line.
    pub(super) fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") && !self.text.ends_with("{\n") {
            self.text.push('\n');
        }
    }

    /// Writes a documentation comment, without empty lines; an empty text writes nothing.
    pub(super) fn doc(&mut self, text: &str) {
        for line in text.replace('\r', "\n").lines().filter(|line| !line.trim().is_empty()) {
            self.line(format!("/// {}", line.trim()));
        }
    }

    /// Writes `head {` … `}`.
    pub(super) fn block(&mut self, head: impl AsRef<str>, inside: impl FnOnce(&mut SourceWriter)) {
        self.block_ending(head, "}", inside);
    }

    /// Writes `head {` … with another end than `}`.
    pub(super) fn block_ending(&mut self, head: impl AsRef<str>, end: &str, inside: impl FnOnce(&mut SourceWriter)) {
        self.line(format!("{} {{", head.as_ref()));
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.line(end);
    }

    pub(super) fn finish(self) -> String {
        format!("{}\n", self.text.trim_end())
    }
}
