//! Checks the structure of an archive: compares the local headers with the directory, without inflating any entry.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::ops::Range;

use erp_manifest::codes::Code;
use erp_manifest::name_problem;

use super::format::{
    CENTRAL_HEADER, CENTRAL_HEADER_SIZE, DEFLATED, END_OF_DIRECTORY, END_SIZE, ENTRY_RATIO_FROM, EXTERNAL_ATTRIBUTES,
    LOCAL_HEADER, LOCAL_HEADER_SIZE, STORED, TOTAL_RATIO_FROM, VERSION_NEEDED, order,
};
use super::write::{EntryRecord, assemble};
use super::{ArchiveLimit, ArchiveRefusal, Limits, codes};

/// Maximum number of problems reported for one archive.
const MAX_PROBLEMS: usize = 50;

/// The headers of an archive, and its problems.
#[derive(Debug, Clone, Default)]
pub struct Structure {
    /// The entries whose headers are valid, in the order of the directory.
    pub headers: Vec<Header>,
    /// The problems; empty if the structure is valid.
    pub problems: Vec<ArchiveRefusal>,
}

/// An entry as its local header and the directory describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The path of the entry, with `/` between folders.
    pub name: String,
    /// Stored (0) or deflated (8).
    pub method: u16,
    /// CRC-32 of the inflated content.
    pub crc: u32,
    /// Inflated size, in bytes.
    pub size: u32,
    /// The byte range of the entry's data in the archive.
    pub data: Range<usize>,
}

/// The byte range of the directory, and its number of entries.
struct Directory {
    range: Range<usize>,
    count: usize,
}

/// Checks the structure of an archive. Memory use grows with headers and names only.
pub fn structure(archive: &[u8], limits: &Limits) -> Structure {
    let mut found = Structure::default();
    let directory = match directory(archive, limits) {
        Ok(directory) => directory,
        Err(refusal) => {
            found.problems.push(refusal);
            return found;
        }
    };
    found.read_headers(archive, &directory);
    found.hold_to(limits, archive.len() as u64);
    found.check_names();
    // Finds all remaining differences: fields without a check of their own whose values the writer does not write.
    if found.problems.is_empty() && !is_canonical(archive, &found.headers) {
        let message = "the archive is not in the one form that packages have; repack it with `erp-plugin pack`";
        found.problems.push(ArchiveRefusal::new(codes::NOT_CANONICAL, message));
    }
    found.problems.truncate(MAX_PROBLEMS);
    found
}

fn directory(archive: &[u8], limits: &Limits) -> Result<Directory, ArchiveRefusal> {
    let fail = |code, message: String| Err(ArchiveRefusal::new(code, message));
    let most = limits.get(ArchiveLimit::ArchiveBytes);
    if archive.len() as u64 > most {
        let message = format!("the archive has {} bytes; at most {most} are read", archive.len());
        return Err(ArchiveRefusal::limit(ArchiveLimit::ArchiveBytes, message));
    }
    if archive.len() < END_SIZE {
        let message = format!("{} bytes are too short for a package{}", archive.len(), what_it_is(archive));
        return fail(codes::TOO_SHORT, message);
    }
    let end_at = archive.len() - END_SIZE;
    let end = &archive[end_at..];
    if end[..4] != END_OF_DIRECTORY || end[20..] != [0, 0] {
        let message = format!("the archive does not end with its directory{}", what_it_is(archive));
        return fail(codes::END_NOT_AT_END, message);
    }
    if end[4..8] != [0; 4] {
        return fail(codes::MULTI_DISK, "the archive is part of a set of disks".to_owned());
    }
    let count = usize::from(u16_at(end, 8));
    if u16_at(end, 8) != u16_at(end, 10) {
        return fail(codes::COUNT_MISMATCH, "the directory counts its entries in two ways".to_owned());
    }
    let (size, start) = (u32_at(end, 12), u32_at(end, 16));
    if size == u32::MAX || start == u32::MAX || count == usize::from(u16::MAX) {
        return fail(codes::ZIP64, "zip64 is not allowed".to_owned());
    }
    let most = limits.get(ArchiveLimit::Entries);
    if count == 0 || count as u64 > most {
        let message = format!("{count} entries; a package has 1 to {most}");
        return Err(ArchiveRefusal::limit(ArchiveLimit::Entries, message));
    }
    let start = start as usize;
    if start.checked_add(size as usize) != Some(end_at) {
        return fail(codes::DIRECTORY_RANGE, "the directory is not right before the end".to_owned());
    }
    Ok(Directory { range: start..end_at, count })
}

impl Structure {
    fn refuse(&mut self, code: Code, message: impl Into<String>) {
        self.problems.push(ArchiveRefusal::new(code, message));
    }

    /// Reads the headers of all entries. After a bad entry it continues with the next one, as long as the
    /// directory shows where that begins.
    fn read_headers(&mut self, archive: &[u8], directory: &Directory) {
        let mut at = directory.range.start;
        let mut expected_offset = 0_usize;
        for _ in 0..directory.count {
            let central = archive.get(at..directory.range.end).unwrap_or_default();
            if central.len() < CENTRAL_HEADER_SIZE || central[..4] != CENTRAL_HEADER {
                return self.refuse(codes::DIRECTORY_RANGE, "the directory ends before its last entry");
            }
            let name_length = usize::from(u16_at(central, 28));
            let Some(name) = central.get(CENTRAL_HEADER_SIZE..CENTRAL_HEADER_SIZE + name_length) else {
                return self.refuse(codes::DIRECTORY_RANGE, "the directory ends inside a name");
            };
            let rest = usize::from(u16_at(central, 30)) + usize::from(u16_at(central, 32));
            at += CENTRAL_HEADER_SIZE + name_length + rest;
            let Some(name) = std::str::from_utf8(name).ok().filter(|name| name_problem(name).is_none()) else {
                let shown = String::from_utf8_lossy(name).into_owned();
                let why = name_problem(&shown).unwrap_or_else(|| "it is not UTF-8".to_owned());
                self.refuse(codes::NAME, format!("an entry is named {shown:?}: {why}"));
                expected_offset = after(archive, central);
                continue;
            };
            match header(archive, central, name, expected_offset, directory.range.start) {
                Ok(header) => {
                    expected_offset = header.data.end;
                    self.headers.push(header);
                }
                Err(refusal) => {
                    self.problems.push(refusal);
                    expected_offset = after(archive, central);
                }
            }
            if self.problems.len() >= MAX_PROBLEMS {
                return;
            }
        }
        if at != directory.range.end {
            self.refuse(codes::DIRECTORY_RANGE, "there are bytes behind the directory's last entry");
        }
        if self.problems.is_empty() && expected_offset != directory.range.start {
            self.refuse(codes::GAP, "there are bytes between the last entry and the directory");
        }
    }

    fn hold_to(&mut self, limits: &Limits, archive_bytes: u64) {
        let mut total = 0_u64;
        for header in &self.headers {
            let (size, stored) = (u64::from(header.size), header.data.len() as u64);
            total += size;
            let name = &header.name;
            let limit = Limits::of_entry(name);
            let most = limits.get(limit);
            if size > most {
                let message = format!("`{name}` has {size} bytes; at most {most}");
                self.problems.push(ArchiveRefusal::limit(limit, message));
            }
            let (growth, most) = (size / stored.max(1), limits.get(ArchiveLimit::EntryRatio));
            if size > ENTRY_RATIO_FROM && growth > most {
                let message = format!("`{name}` grows {growth} times when it is inflated; at most {most}");
                self.problems.push(ArchiveRefusal::limit(ArchiveLimit::EntryRatio, message));
            }
        }
        let most = limits.get(ArchiveLimit::TotalBytes);
        if total > most {
            let message = format!("the entries have {total} bytes together; at most {most}");
            self.problems.push(ArchiveRefusal::limit(ArchiveLimit::TotalBytes, message));
        }
        let (growth, most) = (total / archive_bytes.max(1), limits.get(ArchiveLimit::TotalRatio));
        if total > TOTAL_RATIO_FROM && growth > most {
            let message = format!("the entries are {growth} times larger than the archive; at most {most}");
            self.problems.push(ArchiveRefusal::limit(ArchiveLimit::TotalRatio, message));
        }
    }

    fn check_names(&mut self) {
        let mut problems = Vec::new();
        for pair in self.headers.windows(2) {
            let (before, after) = (&pair[0].name, &pair[1].name);
            if before != after && order(before) > order(after) {
                problems.push(ArchiveRefusal::new(codes::ORDER, format!("`{before}` comes before `{after}`")));
            }
        }
        let mut names = BTreeSet::new();
        for header in &self.headers {
            if !names.insert(header.name.to_ascii_lowercase()) {
                let message = format!("`{}` is there twice, apart from its case", header.name);
                problems.push(ArchiveRefusal::new(codes::DUPLICATE_NAME, message));
            }
        }
        for name in &names {
            let folders = name.match_indices('/').map(|(at, _)| &name[..at]);
            for folder in folders.filter(|folder| names.contains(*folder)) {
                problems.push(ArchiveRefusal::new(codes::FILE_IS_FOLDER, format!("`{folder}` is a file and a folder")));
            }
        }
        self.problems.append(&mut problems);
    }
}

/// Returns the end of a refused entry's data, so that the next entry is not refused because of it.
fn after(archive: &[u8], central: &[u8]) -> usize {
    let offset = u32_at(central, 42) as usize;
    let local = archive.get(offset..).and_then(|local| local.get(..LOCAL_HEADER_SIZE));
    let head = local.map_or(0, |local| usize::from(u16_at(local, 26)) + usize::from(u16_at(local, 28)));
    offset + LOCAL_HEADER_SIZE + head + u32_at(central, 20) as usize
}

fn header(
    archive: &[u8],
    central: &[u8],
    name: &str,
    offset: usize,
    directory_start: usize,
) -> Result<Header, ArchiveRefusal> {
    let fail = |code, message: &str| Err(ArchiveRefusal::new(code, format!("`{name}`: {message}")));
    let (flags, method) = (u16_at(central, 8), u16_at(central, 10));
    if u16_at(central, 6) != VERSION_NEEDED {
        return fail(codes::VERSION, "needs another version of zip");
    }
    if flags != 0 {
        return fail(codes::FLAGS, "flags (encryption, data descriptors, UTF-8) are not allowed");
    }
    if method != STORED && method != DEFLATED {
        return fail(codes::METHOD, "only stored and deflated entries are allowed");
    }
    if u16_at(central, 30) != 0 || u16_at(central, 32) != 0 {
        return fail(codes::EXTRA, "extra fields and comments are not allowed");
    }
    if u16_at(central, 34) != 0 {
        return fail(codes::MULTI_DISK, "lies on another disk");
    }
    if u32_at(central, 38) != EXTERNAL_ATTRIBUTES {
        return fail(codes::NOT_REGULAR, "is no regular file with the rights 0644");
    }
    let (crc, stored_size, size) = (u32_at(central, 16), u32_at(central, 20), u32_at(central, 24));
    if stored_size == u32::MAX || size == u32::MAX {
        return fail(codes::ZIP64, "zip64 is not allowed");
    }
    if method == STORED && stored_size != size {
        return fail(codes::SIZE, "is stored, but its two sizes differ");
    }
    if u32_at(central, 42) as usize != offset {
        return fail(codes::NOT_CONTIGUOUS, "does not begin where the entry before it ends");
    }
    let Some(local) = archive.get(offset..offset + LOCAL_HEADER_SIZE).filter(|local| local[..4] == LOCAL_HEADER) else {
        return fail(codes::NOT_CONTIGUOUS, "has no local header where it should begin");
    };
    if local[4..26] != central[6..28] || u16_at(local, 26) != u16_at(central, 28) {
        return fail(codes::LOCAL_MISMATCH, "the local header says something else than the directory");
    }
    if u16_at(local, 28) != 0 {
        return fail(codes::EXTRA, "extra fields are not allowed");
    }
    let name_end = offset + LOCAL_HEADER_SIZE + name.len();
    if archive.get(offset + LOCAL_HEADER_SIZE..name_end) != Some(name.as_bytes()) {
        return fail(codes::LOCAL_MISMATCH, "the local header has another name");
    }
    let data_end = name_end + stored_size as usize;
    if data_end > directory_start {
        return fail(codes::NOT_CONTIGUOUS, "reaches into the directory");
    }
    Ok(Header { name: name.to_owned(), method, crc, size, data: name_end..data_end })
}

/// Returns whether the archive has exactly the bytes that the writer produces for these entries.
fn is_canonical(archive: &[u8], headers: &[Header]) -> bool {
    let records: Vec<EntryRecord<'_>> = headers
        .iter()
        .map(|header| EntryRecord {
            name: &header.name,
            method: header.method,
            crc: header.crc,
            stored: &archive[header.data.clone()],
            size: header.size,
        })
        .collect();
    let mut rest = ExpectedBytes(archive);
    assemble(&records, &mut rest).is_ok() && rest.0.is_empty()
}

/// A writer that accepts only the expected bytes, so that the comparison needs no second copy of the archive.
struct ExpectedBytes<'a>(&'a [u8]);

impl Write for ExpectedBytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.strip_prefix(bytes) {
            Some(rest) => {
                self.0 = rest;
                Ok(bytes.len())
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns a hint for a message if the bytes are in another well-known format; otherwise an empty text.
fn what_it_is(bytes: &[u8]) -> &'static str {
    match bytes {
        [b'P', b'K', ..] => {
            ": it is a zip that another tool made or that was cut; pack the project with `erp-plugin pack`"
        }
        [0, b'a', b's', b'm', ..] => ": it is WebAssembly; pack the project with `erp-plugin pack`",
        [0x1f, 0x8b, ..] => ": it is gzip",
        [b'%', b'P', b'D', b'F', ..] => ": it is a PDF",
        [0x7f, b'E', b'L', b'F', ..] => ": it is a program",
        [b'R', b'a', b'r', b'!', ..] => ": it is a RAR archive",
        [b'7', b'z', 0xbc, 0xaf, ..] => ": it is a 7z archive",
        [b'M', b'Z', ..] => ": it is a program for Windows",
        _ if bytes.get(257..262) == Some(b"ustar") => ": it is a tar archive",
        _ => "",
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
