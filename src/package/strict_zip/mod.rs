//! A subset of zip that has one form for one content: the container of packages.
//!
//! The reader takes exactly what the writer makes, and says what is different. Nothing is inflated before all sizes
//! were bounded, and nothing is believed that is in only one of zip's two directories. Knows nothing of what the
//! entries mean but the order of the first three; `docs/erpx-format.md` is the specification.

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
    /// Its name, with `/` between folders.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Why bytes are no archive, or files none that can become one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ArchiveRefusal {
    /// Stable code, `archive/…`.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// The limit that was passed, where it was one.
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
/// Everything that is wrong with the structure, or the first entry that cannot be inflated.
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
