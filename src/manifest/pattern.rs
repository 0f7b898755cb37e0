//! Regular expressions of strangers: bounded when they are read, and matched in a time that grows with the text alone.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// Bytes that a compiled pattern takes at the most: what a text is matched against costs so much for each of its bytes.
const MAX_COMPILED: usize = 128 << 10;
/// Bytes that each thread remembers which matches against a pattern.
const MAX_MEMORY: usize = 256 << 10;
/// How deep groups nest at the most.
const MAX_NESTING: u32 = 32;
/// The longest text that a pattern is matched against, in bytes.
pub const MAX_MATCHED: usize = 32 << 10;
/// Compiled patterns that are kept.
const KEPT: usize = 32;

/// A text that is no pattern, or one that costs too much.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// It is no regular expression.
    #[error("{0}")]
    Syntax(String),
    /// Repetitions make it larger than a pattern may be.
    #[error("it is too large once its repetitions are written out: repeat less often")]
    TooLarge,
}

/// A regular expression that is matched against whole texts. `\d`, `\w`, `\s` and `\b` know ASCII alone, so that digits
/// are those that numbers are made of.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Reads a pattern. Those that were read lately are not compiled again.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        static LATELY: Mutex<VecDeque<(String, Pattern)>> = Mutex::new(VecDeque::new());
        let lately = || LATELY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pattern)) = lately().iter().find(|(known, _)| known == text) {
            return Ok(pattern.clone());
        }
        let pattern = Pattern::compile(text)?;
        let mut lately = lately();
        if lately.len() == KEPT {
            lately.pop_front();
        }
        lately.push_back((text.to_owned(), pattern.clone()));
        Ok(pattern)
    }

    fn compile(text: &str) -> Result<Pattern, PatternError> {
        // By itself first: what closes a group early would be read otherwise inside of one.
        let build = |text: &str| {
            RegexBuilder::new(text)
                .size_limit(MAX_COMPILED)
                .dfa_size_limit(MAX_MEMORY)
                .nest_limit(MAX_NESTING)
                .build()
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(_) => PatternError::TooLarge,
                    error => PatternError::Syntax(error.to_string()),
                })
        };
        let ascii = ascii_classes(text);
        build(&ascii)?;
        build(&format!("^(?:{ascii})$")).map(Pattern)
    }

    /// Whether the whole text matches; false for one that is longer than [`MAX_MATCHED`].
    pub fn matches(&self, text: &str) -> bool {
        text.len() <= MAX_MATCHED && self.0.is_match(text)
    }
}

/// The pattern with the classes that would know all of Unicode written out for ASCII; they mean the same inside of
/// brackets and outside.
fn ascii_classes(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len() + 16);
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            written.push(character);
            continue;
        }
        match characters.next() {
            Some('d') => written.push_str("[0-9]"),
            Some('D') => written.push_str("[^0-9]"),
            Some('w') => written.push_str("[0-9A-Za-z_]"),
            Some('W') => written.push_str("[^0-9A-Za-z_]"),
            Some('s') => written.push_str(r"[\t\n\v\f\r ]"),
            Some('S') => written.push_str(r"[^\t\n\v\f\r ]"),
            Some('b') => written.push_str(r"(?-u:\b)"),
            Some('B') => written.push_str(r"(?-u:\B)"),
            Some(other) => written.extend(['\\', other]),
            None => written.push('\\'),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_matches_and_classes_are_ascii() {
        let matches = |pattern: &str, text: &str| Pattern::parse(pattern).unwrap().matches(text);
        assert!(matches(r"1\d{10}", "13800138000") && !matches(r"1\d{10}", "１３８００１３８０００"));
        assert!(matches(r"[\w-]+", "A-1") && matches(r"[^\d]+", "abc") && !matches(r"[^\d]+", "a1"));
        assert!(matches("a|b", "b") && !matches("a|b", "ab") && !matches("a", "a\n"));
        assert!(matches(r"\p{Han}{2,4}", "进销存") && matches(".{3}", "进销存"));
        assert!(matches(r"\bx\b", "x") && matches(r"\\d", r"\d"));
    }

    #[test]
    fn what_would_cost_too_much_is_refused() {
        for pattern in ["(?:a?){20000}a*b", "(a{1000}){1000}", "((((a{30}){30}){30}){30})", r"\p{L}{5000}"] {
            assert_eq!(Pattern::parse(pattern).err(), Some(PatternError::TooLarge), "{pattern}");
        }
        assert!(matches!(Pattern::parse("a)(b"), Err(PatternError::Syntax(_))));
        assert!(matches!(Pattern::parse(&"(".repeat(100)), Err(PatternError::Syntax(_))));
        assert!(!Pattern::parse(".*").unwrap().matches(&"x".repeat(MAX_MATCHED + 1)));
    }
}
