//! The strict reader: it takes exactly what the writer makes, and says what is different.
//!
//! Nothing is inflated before all sizes were bounded, and nothing is believed that stands in only
//! one of zip's two directories.

use flate2::{Decompress, FlushDecompress, Status};
use thiserror::Error;

use super::format::{
    CENTRAL_HEADER, CENTRAL_HEADER_SIZE, COMPONENT, DEFLATED, END_OF_DIRECTORY, END_SIZE, EXTERNAL_ATTRIBUTES,
    LOCAL_HEADER, LOCAL_HEADER_SIZE, Limits, STORED, VERSION_NEEDED,
};
use super::name_problem;
use super::write::{Record, assemble, order};

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, with `/` between folders.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Why bytes are no package.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ArchiveError {
    /// Stable code, `archive/…`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
}

impl ArchiveError {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> ArchiveError {
        ArchiveError { code, message: message.into() }
    }
}

/// Reads all entries, in their order.
pub(super) fn read(archive: &[u8], limits: &Limits) -> Result<Vec<Entry>, ArchiveError> {
    let headers = headers(archive, limits)?;
    let records: Vec<Record<'_>> = headers.iter().map(|header| header.record(archive)).collect();
    if assemble(&records) != archive {
        return Err(ArchiveError::new(
            "archive/not-canonical",
            "the archive is not in the one form that packages have; repack it with `erp-plugin pack`",
        ));
    }
    records.iter().map(inflate).collect()
}

/// An entry of the central directory that was held against its local header.
#[derive(Debug)]
struct Header {
    name: String,
    method: u16,
    crc: u32,
    size: u32,
    data: std::ops::Range<usize>,
}

impl Header {
    fn record<'a>(&'a self, archive: &'a [u8]) -> Record<'a> {
        Record {
            name: &self.name,
            method: self.method,
            crc: self.crc,
            stored: &archive[self.data.clone()],
            size: self.size,
        }
    }
}

fn headers(archive: &[u8], limits: &Limits) -> Result<Vec<Header>, ArchiveError> {
    let fail = |code, message: String| Err(ArchiveError::new(code, message));
    if archive.len() as u64 > limits.archive_bytes {
        return fail(
            "archive/limit",
            format!("the archive has {} bytes; at most {} are read", archive.len(), limits.archive_bytes),
        );
    }
    if archive.len() < END_SIZE {
        return fail(
            "archive/too-short",
            format!("{} bytes are too short for a package{}", archive.len(), what_it_is(archive)),
        );
    }
    let end = &archive[archive.len() - END_SIZE..];
    if end[..4] != END_OF_DIRECTORY || end[20..] != [0, 0] {
        return fail(
            "archive/end-not-at-end",
            format!("the archive does not end with its directory{}", what_it_is(archive)),
        );
    }
    if end[4..8] != [0; 4] {
        return fail("archive/multi-disk", "the archive is part of a set of disks".to_owned());
    }
    let count = usize::from(u16_at(end, 8));
    if u16_at(end, 8) != u16_at(end, 10) {
        return fail("archive/count-mismatch", "the directory counts its entries in two ways".to_owned());
    }
    let directory_size = u32_at(end, 12);
    let directory_offset = u32_at(end, 16);
    if directory_size == u32::MAX || directory_offset == u32::MAX || count == usize::from(u16::MAX) {
        return fail("archive/zip64", "zip64 is not allowed".to_owned());
    }
    if count == 0 || count > limits.entries {
        return fail("archive/limit", format!("{count} entries; a package has 1 to {}", limits.entries));
    }
    let directory_start = directory_offset as usize;
    if directory_start.checked_add(directory_size as usize) != Some(archive.len() - END_SIZE) {
        return fail("archive/directory-range", "the directory is not right before the end".to_owned());
    }

    let mut headers: Vec<Header> = Vec::with_capacity(count);
    let mut at = directory_start;
    let mut expected_offset = 0_usize;
    let mut total = 0_u64;
    for index in 0..count {
        let Some(central) = archive.get(at..at + CENTRAL_HEADER_SIZE).filter(|header| header[..4] == CENTRAL_HEADER)
        else {
            return fail("archive/directory-range", format!("entry {} of the directory is not there", index + 1));
        };
        let name_length = usize::from(u16_at(central, 28));
        let Some(name) = archive.get(at + CENTRAL_HEADER_SIZE..at + CENTRAL_HEADER_SIZE + name_length) else {
            return fail("archive/directory-range", format!("the name of entry {} is cut", index + 1));
        };
        let Ok(name) = std::str::from_utf8(name) else {
            return fail("archive/name", format!("the name of entry {} is not UTF-8", index + 1));
        };
        if let Some(problem) = name_problem(name) {
            return fail("archive/name", format!("entry {} has the name {name:?}: {problem}", index + 1));
        }
        let header = one_header(archive, central, name, expected_offset, directory_start)?;
        let size = u64::from(header.size);
        total = total.saturating_add(size);
        let limit = if name == COMPONENT {
            limits.component_bytes
        } else if is_json(name) {
            limits.json_bytes
        } else {
            limits.total_bytes
        };
        let compressed = header.data.len() as u64;
        if size > limit || total > limits.total_bytes {
            return fail(
                "archive/limit",
                format!("`{name}` has {size} bytes, {total} in all; at most {limit}, {} in all", limits.total_bytes),
            );
        }
        if size > 1 << 20 && size / compressed.max(1) > limits.entry_ratio {
            return fail(
                "archive/limit",
                format!(
                    "`{name}` grows {} times when inflated; at most {}",
                    size / compressed.max(1),
                    limits.entry_ratio
                ),
            );
        }
        expected_offset = header.data.end;
        at += CENTRAL_HEADER_SIZE + name_length;
        headers.push(header);
    }
    if expected_offset != directory_start {
        return fail("archive/gap", "there are bytes between the last entry and the directory".to_owned());
    }
    check_names(&headers)?;
    Ok(headers)
}

fn one_header(
    archive: &[u8],
    central: &[u8],
    name: &str,
    offset: usize,
    directory_start: usize,
) -> Result<Header, ArchiveError> {
    let fail = |code, message: &str| Err(ArchiveError::new(code, format!("`{name}`: {message}")));
    let (flags, method) = (u16_at(central, 8), u16_at(central, 10));
    if u16_at(central, 6) != VERSION_NEEDED {
        return fail("archive/version", "needs another version of zip");
    }
    if flags != 0 {
        return fail("archive/flags", "flags (encryption, data descriptors, UTF-8) are not allowed");
    }
    if method != STORED && method != DEFLATED {
        return fail("archive/method", "only stored and deflated entries are allowed");
    }
    if u16_at(central, 30) != 0 || u16_at(central, 32) != 0 {
        return fail("archive/extra", "extra fields and comments are not allowed");
    }
    if u32_at(central, 38) != EXTERNAL_ATTRIBUTES {
        return fail("archive/not-regular", "is no regular file with the rights 0644");
    }
    let (crc, stored_size, size) = (u32_at(central, 16), u32_at(central, 20), u32_at(central, 24));
    if method == STORED && stored_size != size {
        return fail("archive/size", "is stored, but its two sizes differ");
    }
    if u32_at(central, 42) as usize != offset {
        return fail("archive/not-contiguous", "does not begin where the entry before it ends");
    }
    let Some(local) = archive.get(offset..offset + LOCAL_HEADER_SIZE).filter(|local| local[..4] == LOCAL_HEADER) else {
        return fail("archive/not-contiguous", "has no local header where it should begin");
    };
    if local[4..26] != central[6..28] || u16_at(local, 26) != u16_at(central, 28) {
        return fail("archive/local-mismatch", "the local header says something else than the directory");
    }
    if u16_at(local, 28) != 0 {
        return fail("archive/extra", "extra fields are not allowed");
    }
    let name_end = offset + LOCAL_HEADER_SIZE + name.len();
    if archive.get(offset + LOCAL_HEADER_SIZE..name_end) != Some(name.as_bytes()) {
        return fail("archive/local-mismatch", "the local header has another name");
    }
    let data_end = name_end + stored_size as usize;
    if data_end > directory_start {
        return fail("archive/not-contiguous", "reaches into the directory");
    }
    Ok(Header { name: name.to_owned(), method, crc, size, data: name_end..data_end })
}

fn check_names(headers: &[Header]) -> Result<(), ArchiveError> {
    if let Some(pair) = headers.windows(2).find(|pair| order(&pair[0].name) >= order(&pair[1].name)) {
        let code = if pair[0].name == pair[1].name { "archive/duplicate-name" } else { "archive/order" };
        return Err(ArchiveError::new(code, format!("`{}` comes before `{}`", pair[0].name, pair[1].name)));
    }
    let mut folded: Vec<String> = headers.iter().map(|header| header.name.to_ascii_lowercase()).collect();
    folded.sort();
    for pair in folded.windows(2) {
        if pair[0] == pair[1] {
            return Err(ArchiveError::new(
                "archive/duplicate-name",
                format!("`{}` is there twice, apart from its case", pair[0]),
            ));
        }
    }
    // A file that is also a folder of another one; names between them in the order may differ.
    for name in &folded {
        let folder = format!("{name}/");
        if folded.iter().any(|other| other.starts_with(&folder)) {
            return Err(ArchiveError::new("archive/file-is-folder", format!("`{name}` is a file and a folder")));
        }
    }
    Ok(())
}

fn inflate(record: &Record<'_>) -> Result<Entry, ArchiveError> {
    let size = record.size as usize;
    let bytes = if record.method == STORED {
        record.stored.to_vec()
    } else {
        // One byte more than promised, so that a stream that goes on is seen.
        let mut bytes = Vec::with_capacity(size + 1);
        let mut stream = Decompress::new(false);
        let status = stream.decompress_vec(record.stored, &mut bytes, FlushDecompress::Finish).map_err(|error| {
            ArchiveError::new("archive/deflate", format!("`{}` cannot be inflated: {error}", record.name))
        })?;
        if status != Status::StreamEnd || stream.total_in() != record.stored.len() as u64 || bytes.len() != size {
            return Err(ArchiveError::new(
                "archive/deflate",
                format!("`{}` does not inflate to the size it promises", record.name),
            ));
        }
        bytes
    };
    let mut crc = flate2::Crc::new();
    crc.update(&bytes);
    if crc.sum() != record.crc {
        return Err(ArchiveError::new("archive/crc", format!("`{}` is damaged: its checksum differs", record.name)));
    }
    Ok(Entry { name: record.name.to_owned(), bytes })
}

/// A friendly word where the bytes are of a kind that people mix up.
fn what_it_is(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'P', b'K', ..] => {
            ": it is a zip that another tool made or that was cut; pack the project with `erp-plugin pack`"
        }
        [0, b'a', b's', b'm', ..] => ": it is WebAssembly; pack the project with `erp-plugin pack`",
        [0x1f, 0x8b, ..] => ": it is gzip",
        [b'%', b'P', b'D', b'F', ..] => ": it is a PDF",
        [0x7f, b'E', b'L', b'F', ..] => ": it is a program",
        _ => "",
    }
}

fn is_json(name: &str) -> bool {
    name.rsplit('.').next() == Some("json")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
