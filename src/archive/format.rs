//! The constants of the format, and its bounds.

/// The entry that says what the file is.
pub(super) const MIME_TYPE_ENTRY: &str = "mimetype";
/// Its content.
pub(super) const MIME_TYPE: &[u8] = b"application/vnd.erpx.v1+zip";
/// The entry with the signed statement.
pub(super) const ENVELOPE: &str = "META/release.dsse.json";
/// The entry with the manifest.
pub const MANIFEST: &str = "erpx.json";
/// The entry with the component.
pub(super) const COMPONENT: &str = "component.wasm";
/// The entry with the WIT that the component was built for.
pub(super) const WIT: &str = "wit/world.wit";

pub(super) const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
pub(super) const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
pub(super) const END_OF_DIRECTORY: [u8; 4] = *b"PK\x05\x06";
pub(super) const LOCAL_HEADER_SIZE: usize = 30;
pub(super) const CENTRAL_HEADER_SIZE: usize = 46;
pub(super) const END_SIZE: usize = 22;
pub(super) const VERSION_NEEDED: u16 = 20;
pub(super) const VERSION_MADE_BY: u16 = 0x0314;
/// Midnight and 1980-01-01: zip's zero of time.
pub(super) const DOS_TIME: u16 = 0;
pub(super) const DOS_DATE: u16 = 0x0021;
/// A regular file with the rights 0644.
pub(super) const EXTERNAL_ATTRIBUTES: u32 = 0o100_644 << 16;
pub(super) const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;

/// What a reader accepts at the most. All of it is checked before anything is inflated.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of the archive.
    pub archive_bytes: u64,
    /// Entries.
    pub entries: usize,
    /// Bytes of all entries together, uncompressed.
    pub total_bytes: u64,
    /// Bytes of the component.
    pub component_bytes: u64,
    /// Bytes of a JSON file.
    pub json_bytes: u64,
    /// Uncompressed by compressed size of an entry of more than 1 MiB.
    pub entry_ratio: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            archive_bytes: 64 << 20,
            entries: 4_096,
            total_bytes: 256 << 20,
            component_bytes: 32 << 20,
            json_bytes: 1 << 20,
            entry_ratio: 200,
        }
    }
}
