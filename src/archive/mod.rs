//! The `.erpx` package: a strict subset of zip that has one form for one content.
//!
//! An archive is a function of its inputs: no clock, no host name, no order of a folder. The reader
//! takes exactly what the writer makes; `docs/erpx-format.md` is the specification.

mod format;
mod names;
mod package;
mod read;
mod statement;
mod write;

pub use format::{Limits, MANIFEST};
pub use names::name_problem;
pub use package::{Package, PackageParts, Problem, build, open, with_envelope};
pub use read::{ArchiveError, Entry};
pub use statement::Statement;
