//! If the strict reader accepts an archive, another reader lists the same names and bytes, and the writer writes it
//! again.
#![no_main]

use std::io::{Cursor, Read};

use erp_package::strict_zip::{Limits, read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(entries) = read(bytes, &Limits::default()) else { return };
    let mut other = zip::ZipArchive::new(Cursor::new(bytes)).expect("another reader opens it");
    assert_eq!(other.len(), entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let mut file = other.by_index(index).expect("another reader finds the entry");
        assert_eq!(file.name().expect("a name"), entry.name);
        let mut content = Vec::new();
        file.read_to_end(&mut content).expect("another reader inflates it");
        assert_eq!(content, entry.bytes);
    }
    let again = write(&entries).expect("what was read can be written");
    assert_eq!(read(&again, &Limits::default()).expect("and read again"), entries);
});
