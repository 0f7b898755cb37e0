//! A folder whose packages run: each is verified, held against the rules, installed, started; what changes there follows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::digest::sha256_hex;
use crate::platform::{Platform, PlatformError};

/// A folder of packages, and what has been made of them.
#[derive(Debug)]
pub struct PluginFolder {
    folder: PathBuf,
    seen: BTreeMap<PathBuf, Seen>,
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
        PluginFolder { folder, seen: BTreeMap::new() }
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
            // The same plugin may have come back under another name.
            let plugin = plugin.filter(|id| self.seen.values().all(|seen| seen.plugin.as_ref() != Some(id)));
            if let Some(id) = plugin {
                let outcome = match platform.disable(&id) {
                    Ok(()) => FolderOutcome::Gone(id),
                    Err(error) => FolderOutcome::Refused(error.to_string()),
                };
                events.push(FolderEvent { file: name(&path), outcome });
            }
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
            let (outcome, plugin) = match start(platform, &bytes) {
                Ok((id, version)) => (FolderOutcome::Runs { id: id.clone(), version }, Some(id)),
                Err(error) => (FolderOutcome::Refused(error.to_string()), plugin),
            };
            events.push(FolderEvent { file: name(&path), outcome });
            self.seen.insert(path, Seen { digest, plugin, is_settled: true });
        }
        Ok(events)
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
