//! Writes archives in their canonical form.

use std::io::{self, Write};

use erp_manifest::name_problem;
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::format::{
    CENTRAL_HEADER, DEFLATED, DOS_DATE, DOS_TIME, END_OF_DIRECTORY, EXTERNAL_ATTRIBUTES, LEADING, LOCAL_HEADER, STORED,
    VERSION_MADE_BY, VERSION_NEEDED, order,
};
use super::{ArchiveEntry, ArchiveRefusal, codes};

/// Files below this size are stored, because deflate would save too little.
const MIN_DEFLATE_BYTES: usize = 512;
/// Extensions of files that are already compressed.
const COMPRESSED_ENDINGS: [&str; 8] = [".png", ".jpg", ".jpeg", ".gif", ".webp", ".woff2", ".zip", ".gz"];

/// An entry as the archive stores it.
#[derive(Debug)]
pub(super) struct EntryRecord<'a> {
    pub(super) name: &'a str,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) stored: &'a [u8],
    pub(super) size: u32,
}

/// Writes an archive. The order of `entries` does not matter; the same entries give the same bytes.
///
/// # Errors
/// [`ArchiveRefusal`] if a name is invalid or occurs twice (ignoring case), or if a file is too large for zip.
pub fn write(entries: &[ArchiveEntry]) -> Result<Vec<u8>, ArchiveRefusal> {
    let mut sorted: Vec<&ArchiveEntry> = entries.iter().collect();
    sorted.sort_by(|left, right| order(&left.name).cmp(&order(&right.name)));
    for entry in &sorted {
        if let Some(problem) = name_problem(&entry.name) {
            return Err(ArchiveRefusal::new(codes::NAME, format!("`{}` cannot be packed: {problem}", entry.name)));
        }
    }
    let mut names: Vec<String> = sorted.iter().map(|entry| entry.name.to_ascii_lowercase()).collect();
    names.sort();
    if let Some([name, _]) = names.array_windows().find(|[left, right]| left == right) {
        let message = format!("`{name}` is there twice, apart from its case");
        return Err(ArchiveRefusal::new(codes::DUPLICATE_NAME, message));
    }
    let compressed: Vec<Option<Vec<u8>>> = sorted.iter().map(|entry| deflate(entry)).collect();
    let mut records = Vec::with_capacity(sorted.len());
    for (entry, compressed) in sorted.iter().zip(&compressed) {
        let mut crc = flate2::Crc::new();
        crc.update(&entry.bytes);
        records.push(EntryRecord {
            name: &entry.name,
            method: if compressed.is_some() { DEFLATED } else { STORED },
            crc: crc.sum(),
            stored: compressed.as_deref().unwrap_or(&entry.bytes),
            size: u32::try_from(entry.bytes.len())
                .map_err(|_| ArchiveRefusal::new(codes::LIMIT, format!("`{}` has more than 4 GiB", entry.name)))?,
        });
    }
    let mut archive = Vec::with_capacity(records.iter().map(|record| record.stored.len() + 200).sum());
    assemble(&records, &mut archive).map_err(|error| ArchiveRefusal::new(codes::LIMIT, error.to_string()))?;
    Ok(archive)
}

/// Writes the bytes of an archive with these records. The reader also calls it, to check that a file has exactly the
/// bytes that the writer produces for the same records.
pub(super) fn assemble(records: &[EntryRecord<'_>], out: &mut impl Write) -> io::Result<()> {
    let mut directory = Vec::new();
    let mut offset = 0_usize;
    for record in records {
        let mut common = Vec::with_capacity(26);
        common.extend(VERSION_NEEDED.to_le_bytes());
        common.extend(0_u16.to_le_bytes());
        common.extend(record.method.to_le_bytes());
        common.extend(DOS_TIME.to_le_bytes());
        common.extend(DOS_DATE.to_le_bytes());
        common.extend(record.crc.to_le_bytes());
        common.extend(size_u32(record.stored.len()).to_le_bytes());
        common.extend(record.size.to_le_bytes());
        common.extend(size_u32(record.name.len()).to_le_bytes()[..2].iter());
        common.extend(0_u16.to_le_bytes());
        for part in [&LOCAL_HEADER, common.as_slice(), record.name.as_bytes(), record.stored] {
            out.write_all(part)?;
        }
        directory.extend(CENTRAL_HEADER);
        directory.extend(VERSION_MADE_BY.to_le_bytes());
        directory.extend(&common);
        // No comment, the first disk, no internal attributes.
        directory.extend([0; 6]);
        directory.extend(EXTERNAL_ATTRIBUTES.to_le_bytes());
        directory.extend(size_u32(offset).to_le_bytes());
        directory.extend(record.name.as_bytes());
        offset += LOCAL_HEADER.len() + common.len() + record.name.len() + record.stored.len();
    }
    out.write_all(&directory)?;
    let count = &size_u32(records.len()).to_le_bytes()[..2];
    for part in [
        &END_OF_DIRECTORY[..],
        &[0; 4],
        count,
        count,
        &size_u32(directory.len()).to_le_bytes(),
        &size_u32(offset).to_le_bytes(),
        &[0; 2],
    ] {
        out.write_all(part)?;
    }
    Ok(())
}

fn deflate(entry: &ArchiveEntry) -> Option<Vec<u8>> {
    let incompressible = COMPRESSED_ENDINGS.iter().any(|ending| entry.name.to_ascii_lowercase().ends_with(ending));
    if entry.bytes.len() < MIN_DEFLATE_BYTES || incompressible || entry.name == LEADING[0] {
        return None;
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    // Writing into a Vec cannot fail; if it did, the file would be stored.
    encoder.write_all(&entry.bytes).ok()?;
    encoder.finish().ok().filter(|compressed| compressed.len() < entry.bytes.len())
}

/// Converts a size, saturating at `u32::MAX`. The default limits of the reader are far below 4 GiB.
fn size_u32(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
