//! The container of packages: a subset of zip in which the same entries always give the same bytes.
//!
//! The reader accepts only the form that the writer produces, and reports every difference. It inflates no entry before
//! it has checked all sizes, and it requires zip's local headers and directory to agree. It knows nothing about the
//! meaning of entries except the order of the first three. `docs/erpx-format.md` is the specification.

pub mod codes;
mod format;
mod inflate;
mod limits;
mod padding;
mod structure;
mod write;

use erp_manifest::codes::Code;
use thiserror::Error;

pub use format::LEADING;
pub use inflate::inflate;
pub use limits::{ArchiveLimit, ArchiveUnit, Limits};
pub use structure::{Header, Structure, structure};
pub use write::write;

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// The path of the file, with `/` between folders.
    pub name: String,
    /// The content of the file.
    pub bytes: Vec<u8>,
}

/// Why bytes are not a valid archive, or why files cannot be archived.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ArchiveRefusal {
    /// The stable code, `archive/…`.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// The exceeded limit, if the problem is one.
    pub limit: Option<ArchiveLimit>,
}

impl ArchiveRefusal {
    fn new(code: Code, message: impl Into<String>) -> ArchiveRefusal {
        ArchiveRefusal { code, message: message.into(), limit: None }
    }

    fn limit(limit: ArchiveLimit, message: impl Into<String>) -> ArchiveRefusal {
        ArchiveRefusal { code: codes::LIMIT, message: message.into(), limit: Some(limit) }
    }
}

/// Reads all entries, in their order.
///
/// # Errors
/// All problems of the structure, or the problem of the first entry that cannot be inflated.
pub fn read(archive: &[u8], limits: &Limits) -> Result<Vec<ArchiveEntry>, Vec<ArchiveRefusal>> {
    let structure = structure(archive, limits);
    if !structure.problems.is_empty() {
        return Err(structure.problems);
    }
    let entry = |header: &Header| {
        inflate(archive, header)
            .map(|bytes| ArchiveEntry { name: header.name.clone(), bytes })
            .map_err(|refusal| vec![refusal])
    };
    structure.headers.iter().map(entry).collect()
}
