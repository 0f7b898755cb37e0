//! A code, and the macro that declares codes.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Severity;
use crate::exit_code::ExitCode;

/// A stable code of a finding or an error, with its text and its consequence.
#[derive(Clone, Copy)]
pub struct Code(&'static CodeEntry);

/// The data of a code, declared by [`codes!`].
#[derive(Debug)]
pub struct CodeEntry {
    /// The name, `area/phrase`.
    pub name: &'static str,
    /// The severity, the HTTP status or the exit code.
    pub consequence: Consequence,
    /// The meaning, in one sentence.
    pub title: &'static str,
    /// The reason; may be empty.
    pub why: &'static str,
    /// What the user should do.
    pub fix: &'static str,
}

/// What follows from a code, which depends on where it is reported.
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
    /// A limit of a call that was reached: an error with status 500 that a retry does not help.
    Limit,
    /// A refused package, with the HTTP status of an upload.
    Package(u16),
    /// A failed command, with its exit code.
    Command(ExitCode),
}

impl Code {
    /// Only for [`codes!`]: codes are compared by the address of their entry.
    #[doc(hidden)]
    pub const fn new(entry: &'static CodeEntry) -> Code {
        Code(entry)
    }

    /// The name: `area/phrase`, or `area.phrase` if guests see it. Some codes of commands have only an area.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// The area: the part of the name before `/` or `.`.
    pub fn area(self) -> &'static str {
        area_of(self.0.name)
    }

    /// The severity, the HTTP status or the exit code.
    pub fn consequence(self) -> Consequence {
        self.0.consequence
    }

    /// The severity of its findings unless a setting overrides it; `Error` for a code that is not for findings.
    pub fn severity(self) -> Severity {
        match self.0.consequence {
            Consequence::Finding(severity) => severity,
            _ => Severity::Error,
        }
    }

    /// The HTTP status of a response with the code.
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

    /// Returns whether the code means that a limit of a call was reached.
    pub fn is_limit(self) -> bool {
        self.0.consequence == Consequence::Limit
    }

    /// The exit code of a command that ends with this code.
    pub fn exit_code(self) -> ExitCode {
        match self.0.consequence {
            Consequence::Finding(_) => ExitCode::Findings,
            Consequence::Error { .. } | Consequence::Limit => ExitCode::Configuration,
            Consequence::Package(_) => ExitCode::Trust,
            Consequence::Command(exit_code) => exit_code,
        }
    }

    /// The meaning, in one sentence.
    pub fn title(self) -> &'static str {
        self.0.title
    }

    /// The reason for the rule or the error; empty if the title is enough.
    pub fn why(self) -> &'static str {
        self.0.why
    }

    /// What the user should do.
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
/// The constants are `pub(crate)`; with `pub:` in front, they are `pub`.
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
        // The slice refers to the entries and not to the constants, so that the compiler reports a code that nothing
        // raises. A text that several codes share is a constant next to them: `super::NAME`.
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
