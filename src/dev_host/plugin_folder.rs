//! A folder whose packages run: each is verified, held against the rules, installed, started; what changes there follows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::sha256_hex;
use crate::files;
use crate::platform::{Compiler, Platform, PlatformError};

/// A folder of packages, and what has been made of them.
#[derive(Debug)]
pub struct PluginFolder {
    folder: PathBuf,
    seen: BTreeMap<PathBuf, Seen>,
    /// Where the plugins that the folder brought are remembered while nobody follows it.
    memory: Option<PathBuf>,
    /// Those that it brought before, until the first look.
    before: Vec<String>,
}

/// A package that was looked at.
#[derive(Debug)]
struct Seen {
    digest: String,
    /// The plugin, where it runs.
    plugin: Option<String>,
    /// True where the file was the same at the scan before: nobody is still writing it.
    is_settled: bool,
}

/// What became of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEvent {
    /// The file's name.
    pub file: String,
    /// The plugin and its version where it runs; why not, where it does not; none where its file is gone.
    pub outcome: FolderOutcome,
}

/// What became of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderOutcome {
    /// It runs.
    Runs {
        /// The plugin.
        id: String,
        /// Its version.
        version: String,
    },
    /// It was refused; what ran before runs on.
    Refused(String),
    /// Its file is gone, and the plugin was disabled. Its data stay.
    Gone(String),
}

impl PluginFolder {
    /// A folder that nobody has looked into.
    pub fn new(folder: PathBuf) -> PluginFolder {
        PluginFolder { folder, seen: BTreeMap::new(), memory: None, before: Vec::new() }
    }

    /// The same, with a file that remembers what the folder brought: what goes while nobody looks is gone at the first
    /// look.
    #[must_use]
    pub fn remembering(self, memory: PathBuf) -> PluginFolder {
        let known = fs_err::read(&memory).ok().and_then(|text| serde_json::from_slice(&text).ok());
        PluginFolder { memory: Some(memory), before: known.unwrap_or_default(), ..self }
    }

    /// Looks into the folder and follows it: new packages start, changed ones take the place of what runs, and plugins
    /// whose files are gone stop. A call that runs ends on the version that it began with. With `settles`, a file counts
    /// only when it was the same at the scan before.
    ///
    /// # Errors
    /// The folder that cannot be read.
    pub fn scan(&mut self, platform: &mut Platform, settles: bool) -> std::io::Result<Vec<FolderEvent>> {
        let mut files = Vec::new();
        for entry in fs_err::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "erpx") && path.is_file() {
                files.push(path);
            }
        }
        files.sort();
        let mut events = Vec::new();
        let gone: Vec<PathBuf> = self.seen.keys().filter(|path| !files.contains(path)).cloned().collect();
        for path in gone {
            let plugin = self.seen.remove(&path).and_then(|seen| seen.plugin);
            events.extend(plugin.and_then(|id| self.leave(platform, id, &name(&path))));
        }
        for path in files {
            // A file that goes while it is read is gone at the next scan.
            let Ok(bytes) = fs_err::read(&path) else { continue };
            let digest = sha256_hex(&bytes);
            let before = self.seen.get(&path);
            let is_same = before.is_some_and(|seen| seen.digest == digest);
            if is_same && before.is_some_and(|seen| seen.is_settled) {
                continue;
            }
            let plugin = before.and_then(|seen| seen.plugin.clone());
            if settles && !is_same {
                self.seen.insert(path, Seen { digest, plugin, is_settled: false });
                continue;
            }
            let file = name(&path);
            let (outcome, now) = match start(platform, &bytes) {
                Ok((id, version)) => (FolderOutcome::Runs { id: id.clone(), version }, Some(id)),
                Err(error) => (FolderOutcome::Refused(error.to_string()), plugin.clone()),
            };
            events.push(FolderEvent { file: file.clone(), outcome });
            let replaced = plugin.filter(|before| now.as_ref() != Some(before));
            self.seen.insert(path, Seen { digest, plugin: now, is_settled: true });
            events.extend(replaced.and_then(|id| self.leave(platform, id, &file)));
        }
        for id in std::mem::take(&mut self.before) {
            events.extend(self.leave(platform, id, "a file"));
        }
        if !events.is_empty() {
            self.remember();
        }
        Ok(events)
    }

    /// Compiles what the next scan will start, into the cache of compiled code.
    pub fn compile_ahead(&self, compiler: &Compiler) {
        let settling = self.seen.iter().filter(|(_, seen)| !seen.is_settled);
        for (path, seen) in settling {
            if let Ok(bytes) = fs_err::read(path)
                && sha256_hex(&bytes) == seen.digest
            {
                compiler.compile(&bytes);
            }
        }
    }

    /// Stops a plugin that no file brings any more.
    fn leave(&self, platform: &mut Platform, id: String, file: &str) -> Option<FolderEvent> {
        // The same plugin may have come back under another name.
        if self.seen.values().any(|seen| seen.plugin.as_ref() == Some(&id)) {
            return None;
        }
        let outcome = match platform.disable(&id) {
            Ok(()) => FolderOutcome::Gone(id),
            Err(error) => FolderOutcome::Refused(error.to_string()),
        };
        Some(FolderEvent { file: file.to_owned(), outcome })
    }

    /// Where it cannot be written, the next start only knows less.
    fn remember(&self) {
        let ids: Vec<&String> = self.seen.values().filter_map(|seen| seen.plugin.as_ref()).collect();
        if let Some(memory) = &self.memory {
            let text = serde_json::to_vec(&ids).unwrap_or_default();
            let _ = files::write(memory, &text, files::Access::Shared);
        }
    }
}

/// Takes a package and sees that it runs.
fn start(platform: &mut Platform, bytes: &[u8]) -> Result<(String, String), PlatformError> {
    let receipt = platform.upload(bytes)?;
    let is_running = |platform: &Platform| {
        let known = platform.plugins().into_iter().find(|plugin| plugin.id == receipt.id);
        known.is_some_and(|plugin| plugin.status == crate::store::PluginStatus::Running)
    };
    if !is_running(platform) {
        platform.install(&receipt.id)?;
        platform.enable(&receipt.id)?;
    }
    Ok((receipt.id, receipt.version))
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
