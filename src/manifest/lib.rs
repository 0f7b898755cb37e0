//! The data model of a plugin of the ERP platform: `plugin.toml` with the place of every value, the versions of the
//! host API, expressions, and the differences between two versions of a plugin.
//!
//! ```text
//! plugin.toml ──► parse ──► Manifest ──┬── expression   conditions and computed fields, evaluated
//!     │                                ├── contract     which host API, which functions, which capabilities
//!     └── Report                       └── evolution    what an upgrade changes
//! ```
//!
//! ```
//! use erp_manifest::{diagnostics::SourceFile, parse};
//!
//! let text = "[metadata]\nid = \"Demo!\"\nname = \"Demo\"\nversion = \"1.0.0\"\n";
//! let (_, report) = parse(&SourceFile::new("plugin.toml", text));
//! let finding = &report.diagnostics()[0];
//! assert_eq!((finding.code.area(), finding.severity.word()), ("manifest", "error"));
//! ```
//!
//! Nothing here touches a disk or a terminal, and nothing compiles WebAssembly or SQL. Only [`Moment::of_system_clock`]
//! reads the clock. The rules that compare several parts of a manifest are in the crate `erp-check`.
//!
//! The format of `plugin.toml`, the codes of findings and the form of field values are stable. [`document`] and
//! [`containment`] serve the other crates of this workspace and may change in any version.

pub mod codes;
pub mod containment;
pub mod contract;
pub mod diagnostics;
pub mod digest;
pub mod document;
pub mod evolution;
pub mod exit_code;
pub mod expression;
mod manifest;
pub mod outgoing;
pub mod pattern;

pub use manifest::*;

use codes::Code;

/// Every code that reading a manifest can report.
pub fn finding_codes() -> impl Iterator<Item = Code> + Clone {
    manifest::CODES.iter().chain(&[document::codes::CODES, expression::CODES]).copied().flatten().copied()
}
