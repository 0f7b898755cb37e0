//! Untrusted regular expressions. Their size is bounded when they are parsed, so matching takes time linear in the
//! length of the text.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// The maximum size of a compiled pattern, in bytes. Matching costs time in proportion to it for each byte of the text.
const MAX_COMPILED: usize = 128 << 10;
/// The capacity of the cache for matching, in bytes. Each thread that matches a pattern has its own cache.
const MAX_MEMORY: usize = 256 << 10;
/// The maximum nesting depth of the syntax of a pattern.
const MAX_NESTING: u32 = 32;
/// The longest text that a pattern is matched against, in bytes.
pub const MAX_MATCHED: usize = 32 << 10;
/// The number of compiled patterns that [`Pattern::parse`] caches.
const KEPT: usize = 32;

/// The reason why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PatternError {
    /// The text is not a regular expression, or its groups nest too deep. Holds the message of the crate `regex`.
    #[error("{0}")]
    Syntax(String),
    /// The compiled pattern exceeds the size limit, usually because of its repetitions.
    #[error("it is too large once its repetitions are written out: repeat less often")]
    TooLarge,
}

/// A regular expression that must match the whole text. `\d`, `\w`, `\s` and `\b` cover only ASCII, so that `\d`
/// refuses full-width digits.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Parses a pattern. Recently compiled patterns come from a cache.
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
        // Compile the text alone first: in `a)(b`, the parentheses would otherwise pair with those of the wrapper.
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

    /// Returns whether the whole text matches; false for a text longer than [`MAX_MATCHED`].
    pub fn matches(&self, text: &str) -> bool {
        text.len() <= MAX_MATCHED && self.0.is_match(text)
    }
}

/// Replaces the classes that would match all of Unicode with ASCII ones. A replaced class means the same inside and
/// outside of brackets.
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
