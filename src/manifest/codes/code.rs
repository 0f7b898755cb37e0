//! A code, and the macro that declares codes.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Severity;
use crate::exit_code::ExitCode;

/// A stable name of something that is wrong, with its text and everything that follows from it.
#[derive(Clone, Copy)]
pub struct Code(&'static CodeEntry);

/// What [`codes!`] declares.
#[derive(Debug)]
pub struct CodeEntry {
    /// `area/phrase`.
    pub name: &'static str,
    /// What follows from it.
    pub consequence: Consequence,
    /// What it means.
    pub title: &'static str,
    /// The reason, or nothing.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// What follows from a code, by who sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// A finding about a plugin project.
    Finding(Severity),
    /// An error that a guest or an HTTP client sees.
    Error {
        /// HTTP status.
        status: u16,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// A bound of a call that was reached: an error with status 500 that no repetition helps.
    Limit,
    /// A package that is refused, with the HTTP status of an upload.
    Package(u16),
    /// A command that cannot do its work.
    Command(ExitCode),
}

impl Code {
    /// For [`codes!`] alone: a code is compared by the place of its entry.
    #[doc(hidden)]
    pub const fn new(entry: &'static CodeEntry) -> Code {
        Code(entry)
    }

    /// `area/phrase`; `area.phrase` where guests see it; some commands have an area alone.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What it is about: the part of the name before `/` or `.`.
    pub fn area(self) -> &'static str {
        area_of(self.0.name)
    }

    /// What follows from it.
    pub fn consequence(self) -> Consequence {
        self.0.consequence
    }

    /// The severity of its findings unless a setting overrides it; an error where it is not a finding's.
    pub fn severity(self) -> Severity {
        match self.0.consequence {
            Consequence::Finding(severity) => severity,
            _ => Severity::Error,
        }
    }

    /// The HTTP status of an answer with it.
    pub fn status(self) -> u16 {
        match self.0.consequence {
            Consequence::Finding(_) => 422,
            Consequence::Error { status, .. } | Consequence::Package(status) => status,
            Consequence::Limit | Consequence::Command(_) => 500,
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_retryable(self) -> bool {
        matches!(self.0.consequence, Consequence::Error { retryable: true, .. })
    }

    /// Whether a bound of a call was reached.
    pub fn is_limit(self) -> bool {
        self.0.consequence == Consequence::Limit
    }

    /// What a command exits with that ends with it.
    pub fn exit_code(self) -> ExitCode {
        match self.0.consequence {
            Consequence::Finding(_) => ExitCode::Findings,
            Consequence::Error { .. } | Consequence::Limit => ExitCode::Configuration,
            Consequence::Package(_) => ExitCode::Trust,
            Consequence::Command(exit_code) => exit_code,
        }
    }

    /// What it means, in a sentence.
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// The reason for the rule, or of the error; empty where the title says it.
    pub fn why(self) -> &'static str {
        self.0.why
    }

    /// What to do.
    pub fn fix(self) -> &'static str {
        self.0.fix
    }
}

pub(super) fn area_of(name: &str) -> &str {
    name.split(['/', '.']).next().unwrap_or_default()
}

impl PartialEq for Code {
    fn eq(&self, other: &Code) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Code {}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

/// Declares codes as constants, and `CODES` with all of them.
///
/// They are the crate's own; with `pub:` in front, everybody's.
///
/// The consequence is `finding(Error)`, `error(404)`, `error(503, retryable)`, `limit`, `package(422)` or
/// `command(Usage)`.
#[doc(hidden)]
#[macro_export]
macro_rules! codes {
    (pub: $($rest:tt)*) => { $crate::codes::codes!(@declare pub, $($rest)*); };
    (@declare $vis:vis, $(
        $constant:ident = $name:literal, $consequence:ident $(($($argument:tt)*))?, $title:literal,
        $(why: $why:literal,)? fix: $fix:expr;
    )*) => {
        // The slice refers to the entries and not to the constants, so that a code that nothing raises is unused. A text
        // that several codes share is a constant beside them: `super::NAME`.
        mod entries {
            $(
                pub(super) static $constant: $crate::codes::CodeEntry = $crate::codes::CodeEntry {
                    name: $name,
                    consequence: $crate::codes::codes!(@ $consequence $(($($argument)*))?),
                    title: $title,
                    why: concat!($($why)?),
                    fix: $fix,
                };
            )*
        }
        $(
            #[doc = $title]
            $vis const $constant: $crate::codes::Code = $crate::codes::Code::new(&entries::$constant);
        )*

        /// Every code that is declared here.
        $vis const CODES: &[$crate::codes::Code] = &[$($crate::codes::Code::new(&entries::$constant)),*];
    };
    (@ finding($severity:ident)) => { $crate::codes::Consequence::Finding($crate::codes::Severity::$severity) };
    (@ error($status:literal)) => { $crate::codes::Consequence::Error { status: $status, retryable: false } };
    (@ error($status:literal, retryable)) => { $crate::codes::Consequence::Error { status: $status, retryable: true } };
    (@ limit) => { $crate::codes::Consequence::Limit };
    (@ package($status:literal)) => { $crate::codes::Consequence::Package($status) };
    (@ command($exit_code:ident)) => { $crate::codes::Consequence::Command($crate::exit_code::ExitCode::$exit_code) };
    ($($codes:tt)*) => { $crate::codes::codes!(@declare pub(crate), $($codes)*); };
}

pub use codes;
