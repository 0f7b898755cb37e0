//! Findings: their data, sources, fixes and formats.
//!
//! A *diagnostic* reports that something is wrong with the user's plugin: its manifest, a scenario, its component, its
//! package. It is data. Functions that find problems return a [`Report`] with their value and continue after the first
//! problem. An *error* means that the tool could not do its own work (a disk, a network, a key). It is a typed enum in
//! the module that raises it.
//!
//! Wording: the message is a phrase that starts in lower case, without a full stop; a value comes after a colon or in
//! backticks; `help` states what to type or to write next.

mod diagnostic;
#[cfg(test)]
mod example;
mod fix;
mod formats;
mod json;
mod report;
mod source;

pub use diagnostic::{Diagnostic, Label};
pub use fix::{Edit, Fix, apply_fixes};
pub use formats::{github, junit, sarif, xml_text};
pub use json::DiagnosticJson;
pub use report::Report;
pub use source::{SourceFile, Span, Spanned, is_printable, printable, printable_lines};
