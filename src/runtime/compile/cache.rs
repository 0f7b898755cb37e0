//! Compiled components by their content, in a private folder of the user.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use erp_files::{FileAccess, Ownership};
use erp_manifest::digest::sha256_hex;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::CodeKind;

/// The most bytes in the folder; the least recently used files are removed first.
const MAX_FOLDER_BYTES: u64 = 512 << 20;

/// A folder whose code this program runs: it belongs to this user, and no other user may write into it.
#[derive(Debug, Clone)]
pub(super) struct CodeFolder {
    folder: PathBuf,
}

impl CodeFolder {
    /// Opens the folder, and creates it if it is missing.
    ///
    /// # Errors
    /// Why the folder cannot be created, or its files cannot be trusted.
    pub(super) fn open(folder: PathBuf) -> Result<CodeFolder, String> {
        erp_files::make_private_folder(&folder).map_err(|error| error.to_string())?;
        erp_files::ownership(&folder).map_err(|error| error.to_string())?.require(&folder)?;
        Ok(CodeFolder { folder })
    }

    /// Returns the path of the file with the code of a component.
    pub(super) fn file(&self, engine: &Engine, kind: CodeKind, component: &[u8]) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        (engine.precompile_compatibility_hash(), kind).hash(&mut hasher);
        self.folder.join(format!("{}-{:016x}.cwasm", sha256_hex(component), hasher.finish()))
    }

    /// Reads the compiled component; none if its file is missing or damaged.
    ///
    /// # Errors
    /// Why an existing file cannot be trusted.
    pub(super) fn read(engine: &Engine, file: &Path) -> Result<Option<Component>, String> {
        let Ok(mut opened) = erp_files::open_unfollowed(file) else { return Ok(None) };
        let ownership = opened.metadata().map(|metadata| Ownership::of(&metadata));
        ownership.map_err(|error| error.to_string())?.require(file)?;
        let mut content = Vec::new();
        if opened.read_to_end(&mut content).is_err() {
            return Ok(None);
        }
        // Marks the file as used now; if that fails, the file is removed sooner.
        let _ = fs_err::File::options().append(true).open(file).and_then(|file| file.set_modified(now()));
        let Some((digest, code)) = content.split_at_checked(32) else { return Ok(None) };
        if Self::digest(file, code).as_slice() != digest {
            return Ok(None);
        }
        Ok(super::component_of_code(engine, code).ok())
    }

    /// Returns the digest in a file. It also covers the file name, which identifies the component, so that no file can
    /// replace that of another component.
    fn digest(file: &Path, code: &[u8]) -> Vec<u8> {
        let name = file.file_name().unwrap_or_default();
        Sha256::new().chain_update(name.as_encoded_bytes()).chain_update(code).finalize().to_vec()
    }

    /// Stores code. If the folder cannot be written, the component is only compiled again later.
    pub(super) fn write(&self, file: &Path, code: &[u8]) {
        let mut content = Self::digest(file, code);
        content.extend(code);
        if erp_files::write_unsynced(file, &content, FileAccess::Private).is_ok() {
            bound(&self.folder, MAX_FOLDER_BYTES);
        }
    }
}

/// Removes the least recently used files, until a folder holds at most `most` bytes.
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
        // Another process may have removed it already.
        let _ = fs_err::remove_file(path);
        held -= bytes;
    }
}

#[expect(clippy::disallowed_methods, reason = "how old a file of the cache is, no plugin ever learns")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_what_was_used_last() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for (age, name) in [(30, "oldest"), (20, "old"), (10, "new")] {
            erp_files::write_unsynced(&file(name), &[0; 100], FileAccess::Private).unwrap();
            let time = now() - std::time::Duration::from_secs(age);
            fs_err::File::options().append(true).open(file(name)).unwrap().set_modified(time).unwrap();
        }
        bound(folder.path(), 300);
        assert!(file("oldest").is_file());
        bound(folder.path(), 250);
        assert!(!file("oldest").is_file() && file("old").is_file() && file("new").is_file());
    }
}
