//! The one form that an archive has.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::format::{
    CENTRAL_HEADER, DEFLATED, DOS_DATE, DOS_TIME, END_OF_DIRECTORY, ENVELOPE, EXTERNAL_ATTRIBUTES, LOCAL_HEADER,
    MANIFEST, MIME_TYPE_ENTRY, STORED, VERSION_MADE_BY, VERSION_NEEDED,
};
use super::name_problem;
use super::read::{ArchiveError, Entry};

/// Files below this size are stored: deflate would not earn its header.
const MIN_DEFLATE_BYTES: usize = 512;
/// Endings of files that are compressed already.
const COMPRESSED_ENDINGS: [&str; 8] = [".png", ".jpg", ".jpeg", ".gif", ".webp", ".woff2", ".zip", ".gz"];

/// An entry as it stands in the archive.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) name: &'a str,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) stored: &'a [u8],
    pub(super) size: u32,
}

/// Writes an archive. The order of `entries` does not matter.
pub(super) fn write(entries: &[Entry]) -> Result<Vec<u8>, ArchiveError> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|left, right| order(&left.name).cmp(&order(&right.name)));
    for entry in &sorted {
        if let Some(problem) = name_problem(&entry.name) {
            return Err(ArchiveError::new("archive/name", format!("`{}` cannot be packed: {problem}", entry.name)));
        }
    }
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].name.eq_ignore_ascii_case(&pair[1].name)) {
        return Err(ArchiveError::new("archive/duplicate-name", format!("`{}` is there twice", pair[1].name)));
    }
    let compressed: Vec<Option<Vec<u8>>> = sorted.iter().map(|entry| deflate(entry)).collect();
    let mut records = Vec::with_capacity(sorted.len());
    for (entry, compressed) in sorted.iter().zip(&compressed) {
        let mut crc = flate2::Crc::new();
        crc.update(&entry.bytes);
        records.push(Record {
            name: &entry.name,
            method: if compressed.is_some() { DEFLATED } else { STORED },
            crc: crc.sum(),
            stored: compressed.as_deref().unwrap_or(&entry.bytes),
            size: u32::try_from(entry.bytes.len())
                .map_err(|_| ArchiveError::new("archive/limit", format!("`{}` has more than 4 GiB", entry.name)))?,
        });
    }
    Ok(assemble(&records))
}

/// Where an entry stands: the type of the file, the signature, the manifest, then bytewise.
pub(super) fn order(name: &str) -> (u8, &str) {
    match name {
        MIME_TYPE_ENTRY => (0, name),
        ENVELOPE => (1, name),
        MANIFEST => (2, name),
        _ => (3, name),
    }
}

/// The bytes of an archive with these records. The reader calls it too, to see whether a file is
/// exactly what the writer would have made of the same records.
pub(super) fn assemble(records: &[Record<'_>]) -> Vec<u8> {
    let mut archive = Vec::with_capacity(records.iter().map(|record| record.stored.len() + 200).sum());
    let mut directory = Vec::new();
    for record in records {
        let offset = size_u32(archive.len());
        let common = |out: &mut Vec<u8>| {
            out.extend(VERSION_NEEDED.to_le_bytes());
            out.extend(0_u16.to_le_bytes());
            out.extend(record.method.to_le_bytes());
            out.extend(DOS_TIME.to_le_bytes());
            out.extend(DOS_DATE.to_le_bytes());
            out.extend(record.crc.to_le_bytes());
            out.extend(size_u32(record.stored.len()).to_le_bytes());
            out.extend(record.size.to_le_bytes());
            out.extend(size_u32(record.name.len()).to_le_bytes()[..2].iter());
            out.extend(0_u16.to_le_bytes());
        };
        archive.extend(LOCAL_HEADER);
        common(&mut archive);
        archive.extend(record.name.as_bytes());
        archive.extend(record.stored);
        directory.extend(CENTRAL_HEADER);
        directory.extend(VERSION_MADE_BY.to_le_bytes());
        common(&mut directory);
        // No comment, the first disk, no internal attributes.
        directory.extend([0; 6]);
        directory.extend(EXTERNAL_ATTRIBUTES.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(record.name.as_bytes());
    }
    let directory_offset = size_u32(archive.len());
    let count = &size_u32(records.len()).to_le_bytes()[..2];
    let directory_size = size_u32(directory.len());
    archive.extend(directory);
    archive.extend(END_OF_DIRECTORY);
    archive.extend([0; 4]);
    archive.extend(count);
    archive.extend(count);
    archive.extend(directory_size.to_le_bytes());
    archive.extend(directory_offset.to_le_bytes());
    archive.extend(0_u16.to_le_bytes());
    archive
}

fn deflate(entry: &Entry) -> Option<Vec<u8>> {
    let incompressible = COMPRESSED_ENDINGS.iter().any(|ending| entry.name.to_ascii_lowercase().ends_with(ending));
    if entry.bytes.len() < MIN_DEFLATE_BYTES || incompressible || entry.name == MIME_TYPE_ENTRY {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    // Writing into a Vec cannot fail; if it did, the file would be stored.
    encoder.write_all(&entry.bytes).ok()?;
    encoder.finish().ok().filter(|compressed| compressed.len() < entry.bytes.len())
}

/// The limits keep every size far below 4 GiB.
fn size_u32(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
