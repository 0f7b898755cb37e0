//! The constants of the container.

/// The entries that come first, in this order: what the file is, who vouches for it, what it says of itself. A reader
/// at the other end of a slow line can refuse after the first kilobytes.
pub const LEADING: [&str; 3] = ["mimetype", "META/release.dsse.json", "erpx.json"];

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
/// Below this size an entry may grow as it likes when it is inflated.
pub(super) const ENTRY_RATIO_FROM: u64 = 1 << 20;
/// The same for all entries together.
pub(super) const TOTAL_RATIO_FROM: u64 = 16 << 20;

/// Where an entry stands: those that lead, then bytewise.
pub(super) fn order(name: &str) -> (usize, &str) {
    (LEADING.iter().position(|leading| *leading == name).unwrap_or(LEADING.len()), name)
}
