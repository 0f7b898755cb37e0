//! Compiling components, and the cache of compiled code.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::sha256_hex;
use crate::files::{self, Access};

/// Compiled code by content, in a folder of the user's own.
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
        let code = component.serialize()?;
        let mut content = Sha256::digest(&code).to_vec();
        content.extend(code);
        // A cache that cannot be written only costs time.
        let _ = files::write(&file, &content, Access::Private);
        Ok((component, false))
    }
}

fn read_cached(engine: &Engine, file: &Path) -> Option<Component> {
    let content = fs_err::read(file).ok()?;
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
