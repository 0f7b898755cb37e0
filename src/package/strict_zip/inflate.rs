//! Inflates the content of an entry.

use flate2::{Decompress, FlushDecompress, Status};

use super::format::STORED;
use super::{ArchiveRefusal, Header, codes, padding};

/// Returns the content of an entry. The structure of the archive must have been checked.
///
/// # Errors
/// [`ArchiveRefusal`] if the stream is damaged or not canonical, or its size or checksum differs from the header's.
pub fn inflate(archive: &[u8], header: &Header) -> Result<Vec<u8>, ArchiveRefusal> {
    let name = &header.name;
    let size = header.size as usize;
    let Some(stored) = archive.get(header.data.clone()) else {
        return Err(ArchiveRefusal::new(codes::NOT_CONTIGUOUS, format!("`{name}` is not in this archive")));
    };
    let bytes = if header.method == STORED {
        stored.to_vec()
    } else {
        // One byte more than the header states, to detect a longer stream.
        let mut bytes = Vec::with_capacity(size + 1);
        let mut stream = Decompress::new(false);
        let status = stream
            .decompress_vec(stored, &mut bytes, FlushDecompress::Finish)
            .map_err(|error| ArchiveRefusal::new(codes::DEFLATE, format!("`{name}` cannot be inflated: {error}")))?;
        if status != Status::StreamEnd || stream.total_in() != stored.len() as u64 || bytes.len() != size {
            let message = format!("`{name}` does not inflate to the size it promises");
            return Err(ArchiveRefusal::new(codes::DEFLATE, message));
        }
        if !padding::is_zero(stored) {
            let message = format!("`{name}` has bits set in its deflate stream that carry nothing");
            return Err(ArchiveRefusal::new(codes::PADDING, message));
        }
        bytes
    };
    let mut crc = flate2::Crc::new();
    crc.update(&bytes);
    if crc.sum() != header.crc {
        return Err(ArchiveRefusal::new(codes::CRC, format!("`{name}` is damaged: its checksum differs")));
    }
    Ok(bytes)
}
