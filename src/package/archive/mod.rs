//! The `.erpx` package: files in a strict zip, and a signed statement about every one of them.
//!
//! A package is a function of its inputs: no clock, no host name, no order of a folder. `docs/erpx-format.md` is the
//! specification.

pub mod codes;
mod format;
mod package;
mod sealed;
mod statement;

use erp_manifest::codes::Code;
use erp_manifest::diagnostics::printable;

use crate::strict_zip::{ArchiveLimit, ArchiveRefusal};

pub use format::{COMPONENT, MANIFEST, MIME_TYPE, PROVENANCE, SBOM};
pub use package::{Package, PackageParts, build, manifest_entry, open, with_envelope};
pub use sealed::Sealed;
pub use statement::{ReleasePredicate, Statement, capabilities_sha256};

/// Why a file is not a good package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageProblem {
    /// Its code: of the container, of the package, of a signature, or of a finding.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// The limit of the reader that was passed, where it was one.
    pub limit: Option<ArchiveLimit>,
}

impl PackageProblem {
    /// A problem with a stable code. What the package says of itself is in the message as text that is safe to show.
    pub fn new(code: Code, message: impl Into<String>) -> PackageProblem {
        PackageProblem { code, message: printable(&message.into()), limit: None }
    }
}

impl From<ArchiveRefusal> for PackageProblem {
    fn from(refusal: ArchiveRefusal) -> PackageProblem {
        PackageProblem { code: refusal.code, message: refusal.message, limit: refusal.limit }
    }
}
