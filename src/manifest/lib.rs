//! What a plugin of the ERP platform is, as data: `plugin.toml` read with places, the host API that it is held
//! against, expressions, and what two versions differ in.
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
//! Nothing here touches a disk, a clock or a terminal, and nothing compiles WebAssembly or SQL. The rules that look at
//! several parts of a manifest are the crate `erp-check`.
//!
//! The form of `plugin.toml`, the codes of findings and the values of fields are stable; [`document`] and
//! [`containment`] serve the crates beside this one and may change with any version.

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

/// Every code of a finding that reading a manifest can make.
pub fn finding_codes() -> impl Iterator<Item = Code> + Clone {
    manifest::CODES.iter().chain(&[document::codes::CODES, expression::CODES]).copied().flatten().copied()
}
