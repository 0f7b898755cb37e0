//! The `.erpx` package: files in a strict zip, and a signed statement about every one of them.
//!
//! The same inputs give the same package: no clock, host name or directory order gets into it. `docs/erpx-format.md` is
//! the specification.

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
pub use sealed::PackageReader;
pub use statement::{ReleasePredicate, Statement, capabilities_sha256};

/// Why a file is not a valid package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageProblem {
    /// The code of the container, the package, the signature or the finding.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// The exceeded limit of the reader, if the problem is one.
    pub limit: Option<ArchiveLimit>,
}

impl PackageProblem {
    /// A problem with a stable code. Text of the package in the message is made safe to print.
    pub fn new(code: Code, message: impl Into<String>) -> PackageProblem {
        PackageProblem { code, message: printable(&message.into()), limit: None }
    }
}

impl From<ArchiveRefusal> for PackageProblem {
    fn from(refusal: ArchiveRefusal) -> PackageProblem {
        PackageProblem { code: refusal.code, message: refusal.message, limit: refusal.limit }
    }
}
