//! The file that every plugin call is appended to.

use std::path::PathBuf;
use std::sync::Mutex;

use erp_runtime::lock;

/// Size in bytes above which the file becomes the previous one. The older previous file is deleted.
const MAX_BYTES: u64 = 256 << 20;

/// A recording: the file, and the previous one beside it (`FILE.1`).
#[derive(Debug)]
pub(super) struct Record {
    file: Mutex<PathBuf>,
    max_bytes: u64,
}

impl Record {
    pub(super) fn new(file: PathBuf) -> Record {
        Record { file: Mutex::new(file), max_bytes: MAX_BYTES }
    }

    /// Appends lines.
    pub(super) fn add(&self, lines: &[u8]) -> std::io::Result<()> {
        // Two threads must not rename the file at the same time.
        let file = lock(&self.file);
        if fs_err::metadata(&*file).is_ok_and(|metadata| metadata.len() > self.max_bytes) {
            let mut previous = file.clone().into_os_string();
            previous.push(".1");
            fs_err::rename(&*file, previous)?;
        }
        erp_files::append(&file, lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_is_full_becomes_the_previous_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("calls.ndjson");
        let record = Record { file: Mutex::new(file.clone()), max_bytes: 3 };
        for line in ["aaaa\n", "bbbb\n", "cc\n", "d\n"] {
            record.add(line.as_bytes()).unwrap();
        }
        let read = |file: &std::path::Path| std::fs::read_to_string(file).unwrap();
        assert_eq!(read(&file), "cc\nd\n");
        assert_eq!(read(&folder.path().join("calls.ndjson.1")), "bbbb\n");
    }
}
