//! A writer of zip archives that can be wrong in every field.

/// The header of an entry, as it is in one of the two places of a zip: local or central.
#[derive(Clone)]
pub struct Head {
    pub version_made: u16,
    pub version_needed: u16,
    pub flags: u16,
    pub method: u16,
    pub time: u16,
    pub date: u16,
    pub crc: u32,
    pub stored_size: u32,
    pub size: u32,
    pub name: Vec<u8>,
    pub extra: Vec<u8>,
    pub comment: Vec<u8>,
    pub disk: u16,
    pub internal: u16,
    pub external: u32,
    /// The offset that is stated for the local header; `None` for the true one.
    pub offset: Option<u32>,
}

#[derive(Clone)]
pub struct ForgedEntry {
    pub local: Head,
    pub central: Head,
    /// Bytes before the local header, which belong to no entry.
    pub before: Vec<u8>,
    pub data: Vec<u8>,
    /// Bytes after the data, which belong to no entry.
    pub after: Vec<u8>,
}

#[derive(Clone, Default)]
pub struct Forged {
    pub before: Vec<u8>,
    pub entries: Vec<ForgedEntry>,
    /// Bytes between the entries and the directory.
    pub gap: Vec<u8>,
    /// Bytes after the directory, before the end record.
    pub directory_tail: Vec<u8>,
    pub disk: u16,
    pub directory_disk: u16,
    pub count: Option<u16>,
    pub count_all: Option<u16>,
    pub directory_size: Option<u32>,
    pub directory_offset: Option<u32>,
    pub comment: Vec<u8>,
    pub after: Vec<u8>,
}

impl ForgedEntry {
    /// A stored file, as the canonical writer writes it.
    pub fn stored(name: &str, data: &[u8]) -> ForgedEntry {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        ForgedEntry::of(name, 0, data.to_vec(), crc.sum(), data.len())
    }

    /// A deflated file.
    pub fn deflated(name: &str, data: &[u8]) -> ForgedEntry {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        ForgedEntry::of(name, 8, deflate(data), crc.sum(), data.len())
    }

    /// A file with the given data, checksum and size, whether true or not.
    pub fn of(name: &str, method: u16, data: Vec<u8>, crc: u32, size: usize) -> ForgedEntry {
        let head = Head {
            version_made: 0x0314,
            version_needed: 20,
            flags: 0,
            method,
            time: 0,
            date: 0x21,
            crc,
            stored_size: data.len() as u32,
            size: size as u32,
            name: name.as_bytes().to_vec(),
            extra: Vec::new(),
            comment: Vec::new(),
            disk: 0,
            internal: 0,
            external: 0o100_644 << 16,
            offset: None,
        };
        ForgedEntry { local: head.clone(), central: head, before: Vec::new(), data, after: Vec::new() }
    }

    /// Changes both headers.
    pub fn both(&mut self, change: impl Fn(&mut Head)) {
        change(&mut self.local);
        change(&mut self.central);
    }
}

pub fn deflate(data: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

impl Forged {
    /// A valid archive of a few files.
    pub fn good() -> Forged {
        Forged {
            entries: vec![
                ForgedEntry::stored("mimetype", b"application/vnd.erpx.v1+zip"),
                ForgedEntry::stored("META/release.dsse.json", b"{}"),
                ForgedEntry::stored("erpx.json", b"{}"),
                ForgedEntry::deflated("assets/data.txt", &b"one line like another\n".repeat(100)),
                ForgedEntry::stored("component.wasm", b"\0asm\x0d\0\x01\0"),
            ],
            ..Forged::default()
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.before.clone();
        let mut directory = Vec::new();
        for entry in &self.entries {
            out.extend(&entry.before);
            let offset = out.len() as u32;
            out.extend(b"PK\x03\x04");
            common(&mut out, &entry.local);
            out.extend(&entry.local.name);
            out.extend(&entry.local.extra);
            out.extend(&entry.data);
            out.extend(&entry.after);
            let head = &entry.central;
            directory.extend(b"PK\x01\x02");
            directory.extend(head.version_made.to_le_bytes());
            common(&mut directory, head);
            directory.extend((head.comment.len() as u16).to_le_bytes());
            directory.extend(head.disk.to_le_bytes());
            directory.extend(head.internal.to_le_bytes());
            directory.extend(head.external.to_le_bytes());
            directory.extend(head.offset.unwrap_or(offset).to_le_bytes());
            directory.extend(&head.name);
            directory.extend(&head.extra);
            directory.extend(&head.comment);
        }
        out.extend(&self.gap);
        let start = out.len() as u32;
        let count = self.count.unwrap_or(self.entries.len() as u16);
        out.extend(&directory);
        out.extend(&self.directory_tail);
        out.extend(b"PK\x05\x06");
        out.extend(self.disk.to_le_bytes());
        out.extend(self.directory_disk.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(self.count_all.unwrap_or(count).to_le_bytes());
        out.extend(self.directory_size.unwrap_or(directory.len() as u32).to_le_bytes());
        out.extend(self.directory_offset.unwrap_or(start).to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(&self.comment);
        out.extend(&self.after);
        out
    }
}

fn common(out: &mut Vec<u8>, head: &Head) {
    for field in [head.version_needed, head.flags, head.method, head.time, head.date] {
        out.extend(field.to_le_bytes());
    }
    for field in [head.crc, head.stored_size, head.size] {
        out.extend(field.to_le_bytes());
    }
    out.extend((head.name.len() as u16).to_le_bytes());
    out.extend((head.extra.len() as u16).to_le_bytes());
}

/// An invalid archive: the name of its flaw, the code that it is refused with, and its bytes.
pub type Attack = (&'static str, &'static str, Vec<u8>);

fn attack(name: &'static str, code: &'static str, change: impl FnOnce(&mut Forged)) -> Attack {
    let mut forged = Forged::good();
    change(&mut forged);
    (name, code, forged.bytes())
}

fn named(name: &'static str, code: &'static str, bytes: &'static [u8]) -> Attack {
    attack(name, code, |zip| zip.entries[3].both(|head| head.name = bytes.to_vec()))
}

fn field(name: &'static str, code: &'static str, change: impl Fn(&mut Head)) -> Attack {
    attack(name, code, |zip| zip.entries[3].both(change))
}

/// Returns every attack on the container.
#[expect(clippy::too_many_lines, reason = "a table, a row an attack")]
pub fn attacks() -> Vec<Attack> {
    let good = Forged::good().bytes();
    let mut all = vec![
        ("no bytes at all", "archive/too-short", Vec::new()),
        ("21 bytes", "archive/too-short", good[..21].to_vec()),
        attack("a byte behind the end", "archive/end-not-at-end", |zip| zip.after = vec![0]),
        attack("a byte before the beginning", "archive/not-contiguous", |zip| zip.before = vec![0]),
        attack("an end with a second zip as its comment", "archive/directory-range", |zip| {
            zip.comment = Forged::good().bytes();
        }),
        attack("an end record with an empty comment and a second end", "archive/directory-range", |zip| {
            zip.directory_tail = Forged::default().bytes();
        }),
        attack("a zip64 locator before the end", "archive/directory-range", |zip| {
            zip.directory_tail = [b"PK\x06\x07".as_slice(), &[0; 16]].concat();
        }),
        attack("a zip64 record in the place of the directory", "archive/zip64", |zip| {
            zip.directory_offset = Some(u32::MAX);
        }),
        attack("a zip64 count", "archive/zip64", |zip| (zip.count, zip.count_all) = (Some(u16::MAX), Some(u16::MAX))),
        field("a zip64 size", "archive/zip64", |head| head.size = u32::MAX),
        field("a zip64 extra field", "archive/extra", |head| head.extra = vec![1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        attack("another disk", "archive/multi-disk", |zip| zip.disk = 1),
        attack("a directory on another disk", "archive/multi-disk", |zip| zip.directory_disk = 1),
        attack("an entry on another disk", "archive/multi-disk", |zip| zip.entries[3].central.disk = 1),
        attack("two counts", "archive/count-mismatch", |zip| zip.count_all = Some(4)),
        attack("a count that is one too low", "archive/directory-range", |zip| zip.count = Some(4)),
        attack("a count that is one too high", "archive/directory-range", |zip| zip.count = Some(6)),
        attack("no entries", "archive/limit", |zip| zip.entries.clear()),
        attack("a directory that begins a byte later", "archive/directory-range", |zip| {
            let mut at = Forged::good();
            at.entries.clear();
            zip.directory_offset = Some(1);
        }),
        attack("a directory of another size", "archive/directory-range", |zip| zip.directory_size = Some(1)),
        attack("a gap before the directory", "archive/gap", |zip| zip.gap = vec![0; 7]),
        attack("a gap between entries", "archive/not-contiguous", |zip| zip.entries[2].before = vec![0; 7]),
        attack("a hidden entry between two others", "archive/not-contiguous", |zip| {
            let hidden = Forged { entries: vec![ForgedEntry::stored("hidden.txt", b"hidden")], ..Forged::default() };
            let bytes = hidden.bytes();
            let end = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
            zip.entries[2].before = bytes[..end].to_vec();
        }),
        attack("an entry that points at another's data", "archive/not-contiguous", |zip| {
            zip.entries[3].central.offset = Some(0);
        }),
        attack("entries that overlap", "archive/not-contiguous", |zip| {
            let local = zip.entries[1].local.clone();
            zip.entries[2].central = local;
            zip.entries[2].central.name = b"erpx.json".to_vec();
            zip.entries[2].central.offset = Some(60);
        }),
        attack("another name before the data", "archive/local-mismatch", |zip| {
            zip.entries[3].local.name = b"assets/evil.txt".to_vec();
        }),
        attack("a shorter name before the data", "archive/local-mismatch", |zip| {
            zip.entries[3].local.name = b"x".to_vec();
        }),
        attack("another method before the data", "archive/local-mismatch", |zip| zip.entries[3].local.method = 0),
        attack("another size before the data", "archive/local-mismatch", |zip| zip.entries[3].local.size = 1),
        attack("another checksum before the data", "archive/local-mismatch", |zip| zip.entries[3].local.crc ^= 1),
        attack("another time before the data", "archive/local-mismatch", |zip| zip.entries[3].local.time = 1),
        attack("an extra field before the data only", "archive/extra", |zip| zip.entries[3].local.extra = vec![0; 4]),
        field("a data descriptor", "archive/flags", |head| head.flags = 8),
        field("an encryption bit", "archive/flags", |head| head.flags = 1),
        field("strong encryption", "archive/flags", |head| head.flags = 0x40),
        field("the UTF-8 bit", "archive/flags", |head| head.flags = 0x800),
        field("a reserved bit", "archive/flags", |head| head.flags = 0x8000),
        field("one byte of extra field", "archive/extra", |head| head.extra = vec![0]),
        field("an extra field with a Unicode path", "archive/extra", |head| {
            head.extra = [&[0x75, 0x70, 9, 0, 1, 0, 0, 0, 0][..], b"evil"].concat();
        }),
        attack("a comment of an entry", "archive/extra", |zip| zip.entries[3].central.comment = b"x".to_vec()),
        field("a newer version of zip", "archive/version", |head| head.version_needed = 45),
        attack("another maker", "archive/not-canonical", |zip| zip.entries[3].central.version_made = 0x031e),
        field("a time", "archive/not-canonical", |head| head.time = 0x6000),
        field("a date", "archive/not-canonical", |head| head.date = 0x5321),
        attack("internal attributes", "archive/not-canonical", |zip| zip.entries[3].central.internal = 1),
        attack("a link", "archive/not-regular", |zip| zip.entries[3].central.external = 0o120_777 << 16),
        attack("a device", "archive/not-regular", |zip| zip.entries[3].central.external = 0o060_644 << 16),
        attack("a pipe", "archive/not-regular", |zip| zip.entries[3].central.external = 0o010_644 << 16),
        attack("a setuid bit", "archive/not-regular", |zip| zip.entries[3].central.external = 0o104_755 << 16),
        attack("a folder's attribute", "archive/not-regular", |zip| zip.entries[3].central.external |= 0x10),
        attack("a folder", "archive/name", |zip| zip.entries[3].both(|head| head.name = b"assets/".to_vec())),
        attack("one name twice", "archive/duplicate-name", |zip| {
            let again = zip.entries[3].clone();
            zip.entries.insert(4, again);
        }),
        attack("one name twice apart from its case", "archive/duplicate-name", |zip| {
            zip.entries.insert(3, ForgedEntry::stored("ASSETS/data.txt", b"x"));
        }),
        attack("a file that is a folder", "archive/file-is-folder", |zip| {
            zip.entries.insert(3, ForgedEntry::stored("assets", b"x"));
        }),
        attack("another order", "archive/order", |zip| zip.entries.swap(3, 4)),
        attack("the signature at the end", "archive/order", |zip| zip.entries.swap(1, 4)),
        attack("a stored entry with two sizes", "archive/size", |zip| zip.entries[4].both(|head| head.size = 1)),
        attack("a checksum of something else", "archive/crc", |zip| zip.entries[3].both(|head| head.crc ^= 1)),
        field("a size that is too small", "archive/deflate", |head| head.size = 10),
        field("a size that is too large", "archive/deflate", |head| head.size += 1),
        attack("bytes behind the compressed stream", "archive/deflate", |zip| {
            let entry = &mut zip.entries[3];
            entry.data.push(0);
            entry.both(|head| head.stored_size += 1);
        }),
        attack("two compressed streams", "archive/deflate", |zip| {
            let entry = &mut zip.entries[3];
            let second = deflate(b"more");
            entry.data.extend(&second);
            entry.both(|head| head.stored_size += second.len() as u32);
        }),
        attack("a compressed stream that was cut", "archive/deflate", |zip| {
            let entry = &mut zip.entries[3];
            entry.data.pop();
            entry.both(|head| head.stored_size -= 1);
        }),
        attack("a bad compressed stream", "archive/deflate", |zip| {
            let entry = &mut zip.entries[3];
            entry.data = vec![0xff; 20];
            entry.both(|head| head.stored_size = 20);
        }),
        attack("a distance that is too far", "archive/deflate", |zip| {
            // A block of fixed codes that copies from before the beginning.
            let entry = &mut zip.entries[3];
            entry.data = vec![0x4b, 0x04, 0x22, 0x00];
            entry.both(|head| head.stored_size = 4);
        }),
        attack("10 MB out of 10 kB", "archive/limit", |zip| {
            zip.entries[3] = ForgedEntry::deflated("assets/data.txt", &vec![0; 10 << 20]);
        }),
        attack("17 MB out of many small ones", "archive/limit", |zip| {
            let small = ForgedEntry::deflated("assets/x", &vec![0; 1 << 20]);
            zip.entries.splice(
                3..4,
                (0..17).map(|number| {
                    let mut entry = small.clone();
                    entry.both(|head| head.name = format!("assets/{number:02}").into_bytes());
                    entry
                }),
            );
        }),
        field("a promise of 3 GB", "archive/limit", |head| head.size = 3 << 30),
        attack("sizes whose sum would not fit", "archive/limit", |zip| {
            let mut large = zip.entries[3].clone();
            large.both(|head| head.size = 0xffff_fffe);
            zip.entries.splice(
                3..4,
                (0..9).map(|number| {
                    let mut entry = large.clone();
                    entry.both(|head| head.name = format!("assets/{number}").into_bytes());
                    entry
                }),
            );
        }),
        attack("4,097 entries", "archive/limit", |zip| {
            zip.entries.splice(3..4, (0..4_093).map(|number| ForgedEntry::stored(&format!("a/{number:04}"), b"")));
        }),
        attack("a large JSON file", "archive/limit", |zip| {
            zip.entries[2] = ForgedEntry::stored("erpx.json", &vec![b' '; (1 << 20) + 1]);
        }),
        named("two dots", "archive/name", b"../x"),
        named("two dots inside", "archive/name", b"a/../../x"),
        named("an absolute name", "archive/name", b"/abs"),
        named("a name of a network", "archive/name", b"//abs"),
        named("a drive", "archive/name", b"C:\\x"),
        named("two dots of Windows", "archive/name", b"..\\x"),
        named("a backslash", "archive/name", b"a\\b"),
        named("a dot", "archive/name", b"./a"),
        named("two slashes", "archive/name", b"a//b"),
        named("dots that become two", "archive/name", b"..././x"),
        named("an empty name", "archive/name", b""),
        named("a NUL", "archive/name", b"a\0b"),
        named("a line end", "archive/name", b"a\nb"),
        named("an escape character", "archive/name", b"a\x1b[31mb"),
        named("a DEL", "archive/name", b"a\x7fb"),
        named("a byte order mark", "archive/name", b"\xef\xbb\xbfa"),
        named("a mark that turns the writing", "archive/name", b"a\xe2\x80\xaeb"),
        named("full-width letters", "archive/name", b"\xef\xbd\x81"),
        named("overlong UTF-8", "archive/name", b"\xc0\xaf"),
        named("a byte of an old code page", "archive/name", b"\x81"),
        named("a stream of Windows", "archive/name", b"name:ads"),
        named("a dot at the end", "archive/name", b"a."),
        named("a space at the end", "archive/name", b"a "),
        named("a device with an ending", "archive/name", b"con.json"),
        named("a device", "archive/name", b"COM1"),
        named("a hidden file", "archive/name", b".env"),
        named("9 folders", "archive/name", b"a/b/c/d/e/f/g/h/i"),
        attack("a name of 201 bytes", "archive/name", |zip| {
            zip.entries[3].both(|head| head.name = [vec![b'a'; 100], b"/".to_vec(), vec![b'b'; 100]].concat());
        }),
    ];
    for method in [1, 2, 3, 4, 5, 6, 9, 12, 14, 93, 95, 98, 99, 1_000] {
        all.push(field("a method that nobody needs", "archive/method", move |head| head.method = method));
    }
    for (name, bytes) in [
        ("a tar", {
            let mut tar = vec![0; 512];
            tar[257..262].copy_from_slice(b"ustar");
            tar
        }),
        ("a RAR", b"Rar!\x1a\x07\x01\x00 and the rest of it".to_vec()),
        ("a program", b"\x7fELF\x02\x01\x01 and the rest of the program".to_vec()),
        ("a PDF", b"%PDF-1.7 and the rest of the document".to_vec()),
        ("a module", b"\0asm\x01\0\0\0 and the rest of the module".to_vec()),
    ] {
        all.push((name, "archive/end-not-at-end", bytes));
    }
    all
}
