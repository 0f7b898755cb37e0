//! The constants of the container.

/// The first entries, in this order: media type, signed statement, manifest. A reader on a slow connection can refuse
/// the package after the first kilobytes.
pub const LEADING: [&str; 3] = ["mimetype", "META/release.dsse.json", "erpx.json"];

pub(super) const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
pub(super) const CENTRAL_HEADER: [u8; 4] = *b"PK\x01\x02";
pub(super) const END_OF_DIRECTORY: [u8; 4] = *b"PK\x05\x06";
pub(super) const LOCAL_HEADER_SIZE: usize = 30;
pub(super) const CENTRAL_HEADER_SIZE: usize = 46;
pub(super) const END_SIZE: usize = 22;
pub(super) const VERSION_NEEDED: u16 = 20;
pub(super) const VERSION_MADE_BY: u16 = 0x0314;
/// Midnight on 1980-01-01, the earliest time in zip.
pub(super) const DOS_TIME: u16 = 0;
pub(super) const DOS_DATE: u16 = 0x0021;
/// A regular file with the mode 0644.
pub(super) const EXTERNAL_ATTRIBUTES: u32 = 0o100_644 << 16;
pub(super) const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;
/// Inflated size in bytes above which an entry's compression ratio is limited.
pub(super) const ENTRY_RATIO_FROM: u64 = 1 << 20;
/// The same for the sum of all entries.
pub(super) const TOTAL_RATIO_FROM: u64 = 16 << 20;

/// Returns the sort key of an entry: the leading entries first, then all others by the bytes of their names.
pub(super) fn order(name: &str) -> (usize, &str) {
    (LEADING.iter().position(|leading| *leading == name).unwrap_or(LEADING.len()), name)
}
