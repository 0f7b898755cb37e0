//! Files that plugins keep.

/// A file without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// UUID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    pub mime: String,
    /// Bytes.
    pub size: u64,
    /// Of its content, in hexadecimal.
    pub sha256: String,
}
