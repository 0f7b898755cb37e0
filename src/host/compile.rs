//! Compiling components, and the caches of compiled code.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;
use wasmtime::{CacheStore, Engine};

use super::lock;
use crate::digest::sha256_hex;
use crate::files::{self, Access};

/// Bytes in the folder at the most; what was not used for the longest time goes first.
const MAX_FOLDER_BYTES: u64 = 512 << 20;
/// Bytes of functions in memory at the most, in each of two halves.
const MAX_HALF_BYTES: usize = 128 << 20;

/// Compiled components by content, in a folder of the user's own.
#[derive(Debug, Clone)]
pub(super) struct CompileCache {
    folder: Option<PathBuf>,
}

impl CompileCache {
    /// A cache in a folder; none where there is no folder.
    pub(super) fn new(folder: Option<PathBuf>) -> CompileCache {
        CompileCache { folder }
    }

    /// The compiled component, from the cache where it is there; whether it was.
    pub(super) fn component(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<(Component, bool)> {
        let Some(folder) = &self.folder else {
            return Component::from_binary(engine, bytes).map(|component| (component, false));
        };
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let file = folder.join(format!("{}-{:016x}.cwasm", sha256_hex(bytes), hasher.finish()));
        if let Some(component) = read_cached(engine, &file) {
            return Ok((component, true));
        }
        let component = Component::from_binary(engine, bytes)?;
        write_cached(&component, folder, &file);
        Ok((component, false))
    }
}

/// A cache that cannot be written only costs time.
fn write_cached(component: &Component, folder: &Path, file: &Path) {
    let Ok(code) = component.serialize() else { return };
    let mut content = Sha256::digest(&code).to_vec();
    content.extend(code);
    if files::write_unsynced(file, &content, Access::Private).is_ok() {
        bound(folder, MAX_FOLDER_BYTES);
    }
}

/// Takes away what was not used for the longest time, until a folder holds so many bytes at the most.
fn bound(folder: &Path, most: u64) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    let file = |entry: fs_err::DirEntry| {
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((metadata.modified().ok()?, metadata.len(), entry.path()))
    };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries.flatten().filter_map(file).collect();
    files.sort();
    let mut held: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in files {
        if held <= most {
            return;
        }
        // Another process may have taken it away already.
        let _ = fs_err::remove_file(path);
        held -= bytes;
    }
}

#[expect(clippy::disallowed_methods, reason = "how old a file of the cache is, no plugin ever learns")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn read_cached(engine: &Engine, file: &Path) -> Option<Component> {
    let content = fs_err::read(file).ok()?;
    // It was used now; where that cannot be written down, it goes sooner.
    let _ = fs_err::File::options().append(true).open(file).and_then(|file| file.set_modified(now()));
    let (digest, code) = content.split_at_checked(32)?;
    if Sha256::digest(code).as_slice() != digest {
        return None;
    }
    // SAFETY: the code was made by this engine's configuration (its hash is part of the file's
    // name, and wasmtime checks its own version), it is whole (the digest), and it lies in a file
    // that only this user can write, who could replace the program itself as well.
    #[expect(unsafe_code, reason = "see the safety comment; the only way to skip compiling")]
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// Functions that were compiled since the program began, by what they were compiled from. What was not asked for while
/// half of it was filled anew is forgotten.
#[derive(Debug, Default)]
pub(super) struct CompiledFunctions(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Vec<u8>, Vec<u8>>,
    young_bytes: usize,
    old: HashMap<Vec<u8>, Vec<u8>>,
}

impl Halves {
    fn keep(&mut self, key: Vec<u8>, code: Vec<u8>) {
        let bytes = key.len() + code.len();
        if self.young_bytes + bytes > MAX_HALF_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let key_bytes = key.len();
        let before = self.young.insert(key, code).map_or(0, |before| key_bytes + before.len());
        self.young_bytes = self.young_bytes + bytes - before;
    }
}

impl CacheStore for CompiledFunctions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let mut halves = lock(&self.0);
        if let Some(code) = halves.young.get(key) {
            return Some(Cow::Owned(code.clone()));
        }
        let (key, code) = halves.old.remove_entry(key)?;
        halves.keep(key, code.clone());
        Some(Cow::Owned(code))
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        lock(&self.0).keep(key.to_vec(), code);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_are_asked_for_stay() {
        let functions = CompiledFunctions::default();
        let eighth = || vec![0; MAX_HALF_BYTES / 8 - 4];
        functions.insert(b"used", eighth());
        functions.insert(b"unused", eighth());
        for number in 0..40_u8 {
            functions.insert(&[number], eighth());
            assert!(functions.get(b"used").is_some(), "after {number}");
        }
        assert!(functions.get(b"unused").is_none());
        let halves = lock(&functions.0);
        assert!(halves.young.len() + halves.old.len() <= 16);
    }

    #[test]
    fn a_folder_keeps_what_was_used_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for (age, name) in [(30, "oldest"), (20, "old"), (10, "new")] {
            files::write_unsynced(&file(name), &[0; 100], Access::Private).unwrap();
            let time = now() - std::time::Duration::from_secs(age);
            fs_err::File::options().append(true).open(file(name)).unwrap().set_modified(time).unwrap();
        }
        bound(folder.path(), 300);
        assert!(file("oldest").is_file());
        bound(folder.path(), 250);
        assert!(!file("oldest").is_file() && file("old").is_file() && file("new").is_file());
    }
}
