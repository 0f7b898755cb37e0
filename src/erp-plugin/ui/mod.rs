//! The terminal. No other module prints.
//!
//! Standard output holds the result and nothing else; progress, warnings and questions go to standard error. In the
//! JSON format the result is exactly one document, even if the command fails.

mod finding;
mod progress;
mod table;

pub use finding::{HumanStyle, human};
pub use progress::{Progress, ProgressUnit};
pub use table::Table;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use erp_manifest::codes::Severity;
use erp_manifest::diagnostics::{Report, is_printable, printable};
use serde::Serialize;
use serde_json::Value;

use crate::settings::Environment;

/// Width of the verb of a status line, in columns; the same as cargo's.
const VERB_WIDTH: usize = 12;
/// Width of output without a terminal, in columns.
const DEFAULT_WIDTH: usize = 80;
/// Width of buffered output, in columns.
pub(crate) const BUFFERED_WIDTH: usize = 100;

/// What the result is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON document; its schema: `erp-plugin schema`.
    Json,
    /// SARIF 2.1.0 (`check`).
    Sarif,
    /// Annotations of GitHub Actions (`check`, `test`; chosen by themselves where they run).
    Github,
    /// JUnit XML (`check`, `test`).
    Junit,
    /// TAP 14 (`test`).
    Tap,
    /// JSON, a document a line (`test`).
    Jsonl,
    /// One page (`test`).
    Html,
}

impl Format {
    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Format::Human => "human",
            Format::Json => "json",
            Format::Sarif => "sarif",
            Format::Github => "github",
            Format::Junit => "junit",
            Format::Tap => "tap",
            Format::Jsonl => "jsonl",
            Format::Html => "html",
        }
    }
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much is printed on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Warnings and errors only.
    Quiet,
    /// Also status lines.
    #[default]
    Normal,
    /// Also the details of each step.
    Verbose,
}

/// Standard output and standard error, with the settings for writing to them.
#[derive(Debug, Clone)]
pub struct Ui {
    format: Format,
    verbosity: Verbosity,
    color: bool,
    animated: bool,
    interactive: bool,
    width: usize,
    lost_output: Arc<AtomicBool>,
    /// The buffered output; absent if output goes to the terminal.
    kept: Option<Arc<Mutex<String>>>,
    /// Collected JSON results that become parts of another result; absent if results are printed.
    parts: Option<Arc<Mutex<Vec<Value>>>>,
}

/// Makes untrusted text safe for a terminal: keeps lines and tabs, and replaces unprintable characters.
fn safe_lines(text: &str) -> String {
    text.split('\n')
        .map(|line| line.split('\t').map(printable).collect::<Vec<_>>().join("\t"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Filters text for a stream: keeps lines, tabs and, with `has_color`, colour codes. Replaces other unprintable
/// characters. All printed text passes through this function.
fn filtered(text: &str, has_color: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let color = rest.strip_prefix("\x1b[").filter(|_| has_color).and_then(|code| {
            let end = code.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            code[end..].starts_with('m').then_some("\x1b[".len() + end + 1)
        });
        let taken = color.unwrap_or_else(|| character.len_utf8());
        match color {
            Some(_) => shown.push_str(&rest[..taken]),
            None if is_printable(character) || matches!(character, '\n' | '\t') => shown.push(character),
            // Part of a Windows line ending.
            None if character == '\r' && rest[1..].starts_with('\n') => {}
            None => shown.push('\u{fffd}'),
        }
        rest = &rest[taken..];
    }
    shown
}

/// Makes a JSON document safe for a terminal: replaces unprintable characters by escapes, which mean the same.
fn safe_json(document: &str) -> String {
    document.chars().fold(String::with_capacity(document.len()), |mut text, character| {
        if is_printable(character) || character == '\n' {
            text.push(character);
        } else {
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        }
        text
    })
}

impl Ui {
    /// The terminal of this process.
    pub fn new(format: Format, color: ColorChoice, verbosity: Verbosity, environment: &Environment) -> Ui {
        let is_terminal = io::stderr().is_terminal();
        let color = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if environment.no_color => false,
            ColorChoice::Auto if environment.force_color => true,
            ColorChoice::Auto => is_terminal && !environment.dumb_terminal,
        };
        let watched = is_terminal && !environment.ci && !environment.dumb_terminal;
        Ui {
            format,
            verbosity,
            color,
            animated: watched && verbosity >= Verbosity::Normal,
            interactive: watched && io::stdin().is_terminal(),
            width: if is_terminal { terminal_width() } else { DEFAULT_WIDTH },
            lost_output: Arc::new(AtomicBool::new(false)),
            kept: None,
            parts: None,
        }
    }

    /// Creates a `Ui` without a terminal. It buffers output as plain text: see [`Ui::take_output`].
    pub fn buffered() -> Ui {
        Ui {
            format: Format::Human,
            verbosity: Verbosity::Normal,
            color: false,
            animated: false,
            interactive: false,
            width: BUFFERED_WIDTH,
            lost_output: Arc::default(),
            kept: Some(Arc::default()),
            parts: None,
        }
    }

    /// The same terminal, but JSON results are collected for another result: see [`Ui::take_parts`].
    #[must_use]
    pub fn for_parts(&self) -> Ui {
        Ui { parts: Some(Arc::default()), ..self.clone() }
    }

    /// The same terminal, but JSON results are printed even if this one collects them.
    #[must_use]
    pub fn direct(&self) -> Ui {
        Ui { parts: None, ..self.clone() }
    }

    /// Takes the JSON results since the last call. Empty if this terminal prints them.
    pub fn take_parts(&self) -> Vec<Value> {
        self.parts.as_ref().map_or_else(Vec::new, |parts| std::mem::take(&mut *lock(parts)))
    }

    /// Whether output is buffered and not printed.
    pub fn is_buffered(&self) -> bool {
        self.kept.is_some()
    }

    /// Takes the output since the last call. Empty if this terminal prints it.
    pub fn take_output(&self) -> String {
        self.kept.as_ref().map_or_else(String::new, |kept| std::mem::take(&mut *lock(kept)))
    }

    /// The format of results.
    pub fn format(&self) -> Format {
        self.format
    }

    /// True if the details of each step are printed.
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// True if colours are used on standard error.
    pub fn has_color(&self) -> bool {
        self.color
    }

    /// Columns of the terminal.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Writes the result: `value` as a document in the JSON format, else `text`.
    pub fn result(&self, value: &impl Serialize, text: impl FnOnce() -> String) {
        match self.format {
            // A value of our own that cannot be serialized is a bug, which tests find.
            Format::Json => match &self.parts {
                Some(parts) => lock(parts).push(serde_json::to_value(value).unwrap_or_default()),
                None => {
                    let document = serde_json::to_string_pretty(value).unwrap_or_default();
                    self.write_stdout(&format!("{}\n", safe_json(&document)));
                }
            },
            _ => {
                let text = text();
                if !text.is_empty() {
                    self.write_stdout(&format!("{}\n", safe_lines(text.trim_end_matches('\n'))));
                }
            }
        }
    }

    /// Writes a result that is text in every format: a schema, a man page, a completion script.
    pub fn raw_result(&self, text: &str) {
        if let Some(parts) = self.parts.as_ref().filter(|_| self.format == Format::Json) {
            return lock(parts).push(Value::from(text));
        }
        self.write_stdout(text);
    }

    /// Prints a status line: `    Packing inventory-0.1.0.erpx`.
    pub fn status(&self, verb: &str, what: impl AsRef<str>) {
        if self.verbosity >= Verbosity::Normal {
            let verb = format!("{verb:>VERB_WIDTH$}");
            self.line(&format!("{} {}", self.paint("1;32", &verb), safe_lines(what.as_ref())));
        }
    }

    /// Prints a warning about a problem that does not stop the command.
    pub fn warn(&self, what: impl AsRef<str>) {
        self.line(&format!("{}: {}", self.paint("1;33", "warning"), safe_lines(what.as_ref())));
    }

    /// Prints a detail, with `--verbose` only.
    pub fn detail(&self, what: impl AsRef<str>) {
        if self.is_verbose() {
            self.line(&safe_lines(what.as_ref()));
        }
    }

    /// Prints an error with hints for the next step.
    pub fn error(&self, message: &str, hints: &[String]) {
        self.line(&format!(
            "{}: {}",
            self.paint("1;31", "error"),
            self.wrapped(&safe_lines(message), "error: ".len(), "  ")
        ));
        for hint in hints {
            self.line(&format!(
                "  {} {}",
                self.paint("1;36", "help:"),
                self.wrapped(&safe_lines(hint), "  help: ".len(), "        ")
            ));
        }
    }

    /// Prints findings in the human and GitHub formats. In other formats they are part of the result.
    pub fn report(&self, report: &Report) {
        if !matches!(self.format, Format::Human | Format::Github) {
            return;
        }
        let style = HumanStyle { width: self.width, color: self.color };
        for diagnostic in report.diagnostics() {
            if diagnostic.severity == Severity::Error || self.verbosity >= Verbosity::Normal {
                self.line(human(diagnostic, style).trim_end_matches('\n'));
                self.line("");
            }
        }
    }

    /// Prints the output of another program, with its colours if colours are used.
    pub fn print_foreign(&self, text: &str) {
        self.write_stderr(text);
    }

    /// Creates a progress bar for work of a known length; hidden without a terminal, in CI and with `--quiet`.
    pub fn progress(&self, verb: &str, total: u64, unit: ProgressUnit) -> Progress {
        Progress::new(verb, total, unit, self.animated)
    }

    /// Asks for a secret without showing it; `None` without a terminal.
    pub fn ask_secret(&self, question: &str) -> Option<String> {
        if !self.interactive {
            return None;
        }
        rpassword::prompt_password(format!("{question} ")).ok()
    }

    /// `text` in a colour, if colours are used.
    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// True if a result could not be written.
    pub fn has_lost_output(&self) -> bool {
        self.lost_output.load(Ordering::Relaxed)
    }

    fn write_stderr(&self, text: &str) {
        let text = filtered(text, self.color);
        if let Some(kept) = &self.kept {
            return lock(kept).push_str(&text);
        }
        let mut stderr = io::stderr().lock();
        // A closed standard error is no reason to stop.
        let _ = stderr.write_all(text.as_bytes());
    }

    fn write_stdout(&self, text: &str) {
        let text = filtered(text, false);
        if let Some(kept) = &self.kept {
            return lock(kept).push_str(&text);
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => {}
            // `erp-plugin … | head` closes the stream early, which is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => {
                self.lost_output.store(true, Ordering::Relaxed);
                self.error(&format!("the result cannot be written: {error}"), &[]);
            }
        }
    }

    /// Wraps a paragraph to the width of the terminal.
    pub fn paragraph(&self, text: &str) -> String {
        self.wrapped(text, 0, "")
    }

    /// Wraps a text whose first line starts after `used` columns. Words are never broken, so that a path or a command
    /// can be copied.
    fn wrapped(&self, text: &str, used: usize, indent: &str) -> String {
        let first = " ".repeat(used);
        let options = textwrap::Options::new(self.width)
            .initial_indent(&first)
            .subsequent_indent(indent)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(text, options).trim_start().to_owned()
    }

    fn line(&self, line: &str) {
        self.write_stderr(&format!("{line}\n"));
    }
}

fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn terminal_width() -> usize {
    let (_, columns) = console::Term::stderr().size();
    usize::from(columns).clamp(40, 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_colours_pass() {
        let text = "a\x1b[1;32mb\x1b[0m\r\nc\x1b]0;title\x07\x1b[2J\u{9b}31m\u{202e}\td\r";
        let shown = "a\x1b[1;32mb\x1b[0m\nc\u{fffd}]0;title\u{fffd}\u{fffd}[2J\u{fffd}31m\u{fffd}\td\u{fffd}";
        assert_eq!(filtered(text, true), shown);
        assert!(!filtered(text, false).contains('\x1b'));
    }

    #[test]
    fn json_keeps_its_meaning_and_shows_no_control_character() {
        let text = "\u{9b}31m \u{202e} 进\u{1b}";
        let document = safe_json(&serde_json::to_string(text).unwrap());
        assert!(document.chars().all(is_printable), "{document}");
        assert_eq!(serde_json::from_str::<String>(&document).unwrap(), text);
    }

    /// Fails if new code prints without the filter.
    #[test]
    fn everything_that_is_printed_passes_the_filter() {
        let source = include_str!("mod.rs");
        let program = source.split("#[cfg(test)]").next().unwrap();
        for (index, line) in program.lines().enumerate() {
            if line.contains("write_all(") {
                let before: Vec<&str> = program.lines().take(index).collect();
                let start = before.iter().rposition(|line| line.starts_with("    fn ")).unwrap();
                let function = before[start..].join("\n");
                assert!(function.contains("let text = filtered(text, "), "line {}: {line}", index + 1);
            }
            assert!(!line.contains("println!") && !line.contains("print!("), "line {}: {line}", index + 1);
        }
    }
}
