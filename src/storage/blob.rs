//! Files that plugins store.

/// A file without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// UUID.
    pub id: String,
    /// The name, as the plugin set it.
    pub name: String,
    /// The media type, as the plugin set it.
    pub mime: String,
    /// The size of the content in bytes.
    pub size: u64,
    /// The SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}
