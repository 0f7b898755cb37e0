//! A folder whose packages run: each is verified, checked, installed and started, and changes in the folder are
//! applied.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use erp_manifest::digest::sha256_hex;
use erp_platform::{PackageCompiler, Platform, PlatformError, package_of_parts};
use erp_runtime::Interrupt;
use erp_store::PluginStatus;

use crate::project::{Project, manifest_in, package_files};

/// A folder of packages, and the state of each.
#[derive(Debug)]
pub struct PluginFolder {
    folder: PathBuf,
    seen: BTreeMap<PathBuf, FolderPackage>,
    /// Plugins whose files are gone, and whether a failure to disable them was reported.
    leaving: BTreeMap<String, bool>,
    /// The file that keeps the ids of the folder's plugins while no process follows it.
    memory: Option<PathBuf>,
    /// True until the folder was followed once.
    is_new: bool,
}

/// A package of the folder.
#[derive(Debug)]
struct FolderPackage {
    /// Size and modification time; a file with the same stamp is not read again.
    stamp: (u64, Option<SystemTime>),
    /// The bytes of the package, or why none can be built.
    bytes: Result<Vec<u8>, String>,
    digest: String,
    /// The plugin that was last started from the file.
    plugin: Option<String>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is new or changed, and may still be being written.
    Fresh,
    /// It is settled, and is to be started.
    Ready,
    /// It runs.
    Runs,
    /// It was refused. It is tried again when the folder changes or another plugin starts, which it may need.
    Refused,
}

/// A change in the folder, and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEvent {
    /// The file's name; `no file` for a plugin whose file is gone.
    pub file: String,
    /// The outcome.
    pub outcome: FolderOutcome,
}

/// The outcome for a package or plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderOutcome {
    /// It runs.
    Runs {
        /// The plugin.
        id: String,
        /// The version that runs; it may be newer than the file's.
        version: String,
    },
    /// It was refused, with the reason; the version that ran before keeps running.
    Refused(String),
    /// No file contains the plugin any more: it was disabled. Its data stay.
    Gone(String),
}

/// When a new or changed file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettlingRule {
    /// At once.
    AtOnce,
    /// When two scans in a row find it the same.
    SameTwice,
}

impl PluginFolder {
    /// A folder that was not read yet.
    pub fn new(folder: PathBuf) -> PluginFolder {
        PluginFolder { folder, seen: BTreeMap::new(), leaving: BTreeMap::new(), memory: None, is_new: true }
    }

    /// The same, with a file that keeps the ids of the folder's plugins. A package that is removed while no process
    /// follows the folder is noticed at the first scan.
    #[must_use]
    pub fn remembering(self, memory: PathBuf) -> PluginFolder {
        let known: Option<Vec<String>> = fs_err::read(&memory).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let leaving = known.into_iter().flatten().map(|id| (id, false)).collect();
        PluginFolder { memory: Some(memory), leaving, ..self }
    }

    /// Scans the folder without touching the platform; true if [`PluginFolder::follow`] has work.
    ///
    /// # Errors
    /// An error if the folder cannot be read.
    pub fn look(&mut self, settling: SettlingRule) -> std::io::Result<bool> {
        let mut files = BTreeSet::new();
        files.extend(Loose::of(&self.folder).map(|loose| loose.component));
        for entry in fs_err::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.is_dir() {
                files.extend(Loose::of(&path).map(|loose| loose.component));
            } else if path.extension().is_some_and(|ending| ending == "erpx") && path.is_file() {
                files.insert(path);
            }
        }
        let gone: Vec<PathBuf> = self.seen.keys().filter(|path| !files.contains(*path)).cloned().collect();
        for path in gone {
            let plugin = self.seen.remove(&path).and_then(|seen| seen.plugin);
            self.leaving.extend(plugin.map(|id| (id, false)));
        }
        for path in files {
            // A file that is removed during the scan is noticed at the next one.
            let Some(stamp) = stamp(&path) else { continue };
            let before = self.seen.get_mut(&path);
            if let Some(seen) = before
                && seen.stamp == stamp
            {
                if seen.state == State::Fresh {
                    seen.state = State::Ready;
                }
                continue;
            }
            let Some(bytes) = package(&path) else { continue };
            let digest = sha256_hex(bytes.as_deref().unwrap_or_else(|why| why.as_bytes()));
            let before = self.seen.get(&path);
            let is_same = before.is_some_and(|seen| seen.digest == digest);
            let plugin = before.and_then(|seen| seen.plugin.clone());
            let state = match (before, settling) {
                (Some(seen), _) if is_same && seen.state != State::Fresh => seen.state,
                (_, SettlingRule::AtOnce) => State::Ready,
                (_, SettlingRule::SameTwice) => State::Fresh,
            };
            self.seen.insert(path, FolderPackage { stamp, bytes, digest, plugin, state });
        }
        Ok(self.is_new || !self.leaving.is_empty() || self.seen.values().any(|seen| seen.state == State::Ready))
    }

    /// Compiles the packages to be started into the cache of compiled code, so that a serving platform need not wait.
    pub fn compile_ahead(&self, compiler: &PackageCompiler, interrupt: &Interrupt) {
        for bytes in
            self.seen.values().filter(|seen| seen.state == State::Ready).filter_map(|seen| seen.bytes.as_ref().ok())
        {
            compiler.compile_package(bytes, interrupt);
        }
    }

    /// Applies what the last scan found: new packages start, changed ones replace the running version, and plugins that
    /// no file contains any more stop. A running call ends on the version that it began with.
    pub fn follow(&mut self, platform: &mut Platform) -> Vec<FolderEvent> {
        self.is_new = false;
        let mut events = Vec::new();
        // Plugins that need another one start after it, whatever their files are called.
        loop {
            let mut has_started = false;
            for (path, seen) in &mut self.seen {
                if !matches!(seen.state, State::Ready | State::Refused) {
                    continue;
                }
                let was_refused = seen.state == State::Refused;
                let file = name(path);
                let started = seen.bytes.as_ref().map_err(Clone::clone);
                let started = started.and_then(|bytes| start(platform, bytes).map_err(|error| error.to_string()));
                match started {
                    Ok((id, version)) => {
                        (seen.state, has_started) = (State::Runs, true);
                        let before = seen.plugin.replace(id.clone()).filter(|before| *before != id);
                        self.leaving.extend(before.map(|id| (id, false)));
                        events.push(FolderEvent { file, outcome: FolderOutcome::Runs { id, version } });
                    }
                    Err(error) => {
                        seen.state = State::Refused;
                        if !was_refused {
                            events.push(FolderEvent { file, outcome: FolderOutcome::Refused(error) });
                        }
                    }
                }
            }
            if !has_started || self.seen.values().all(|seen| seen.state != State::Refused) {
                break;
            }
        }
        self.leave(platform, &mut events);
        if !events.is_empty() {
            self.remember();
        }
        events
    }

    /// Stops plugins that no file contains any more. A file that is still being written or was refused may contain one
    /// of them: until that is known, they keep running.
    fn leave(&mut self, platform: &mut Platform, events: &mut Vec<FolderEvent>) {
        let brought: BTreeSet<&String> = self.seen.values().filter_map(|seen| seen.plugin.as_ref()).collect();
        self.leaving.retain(|id, _| !brought.contains(id));
        let is_unclear =
            |seen: &FolderPackage| matches!(seen.state, State::Fresh | State::Refused) && seen.plugin.is_none();
        if self.seen.values().any(is_unclear) {
            return;
        }
        let mut left = BTreeMap::new();
        for (id, was_told) in std::mem::take(&mut self.leaving) {
            match platform.lifecycle().disable(&id) {
                Ok(()) => {
                    events.push(FolderEvent { file: "no file".to_owned(), outcome: FolderOutcome::Gone(id) });
                }
                // Other plugins may depend on it; it is disabled when they are gone.
                Err(error) => {
                    if !was_told {
                        let outcome = FolderOutcome::Refused(error.to_string());
                        events.push(FolderEvent { file: "no file".to_owned(), outcome });
                    }
                    left.insert(id, true);
                }
            }
        }
        self.leaving = left;
    }

    /// Keeps the ids of the folder's plugins. If that fails, the next start does not notice packages that were removed
    /// meanwhile.
    fn remember(&self) {
        let brought = self.seen.values().filter_map(|seen| seen.plugin.as_ref());
        let ids: BTreeSet<&String> = brought.chain(self.leaving.keys()).collect();
        if let Some(memory) = &self.memory {
            let text = serde_json::to_vec(&ids).unwrap_or_default();
            let _ = erp_files::write(memory, &text, erp_files::FileAccess::Shared);
        }
    }
}

/// Uploads a package and ensures that it runs; returns the plugin and the version that then runs.
fn start(platform: &mut Platform, bytes: &[u8]) -> Result<(String, String), PlatformError> {
    let receipt = platform.lifecycle().upload(bytes)?;
    let known = |platform: &Platform| platform.plugins().into_iter().find(|plugin| plugin.id == receipt.id);
    if known(platform).is_none_or(|plugin| plugin.status != PluginStatus::Running) {
        platform.lifecycle().install(&receipt.id)?;
        platform.lifecycle().enable(&receipt.id)?;
    }
    let version = known(platform).map_or(receipt.version.clone(), |plugin| plugin.version);
    Ok((receipt.id, version))
}

/// The file's name in messages; for a loose component, with its folder.
fn name(path: &Path) -> String {
    let last = |path: &Path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    match path.parent().filter(|_| Loose::is_component(path)) {
        Some(folder) => format!("{}/{}", last(folder), last(path)),
        None => last(path),
    }
}

/// A plugin in two files, component and manifest, from before there were packages.
struct Loose {
    component: PathBuf,
    /// None if it is missing, which is then reported.
    manifest: Option<PathBuf>,
}

impl Loose {
    const COMPONENT: &'static str = "plugin.wasm";

    /// The two files of a folder; none without a component.
    fn of(folder: &Path) -> Option<Loose> {
        let component = folder.join(Loose::COMPONENT);
        component.is_file().then(|| Loose { component, manifest: manifest_in(folder) })
    }

    fn is_component(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == Loose::COMPONENT)
    }
}

/// Size and modification time of a plugin's file or files; none if one is gone.
fn stamp(path: &Path) -> Option<(u64, Option<SystemTime>)> {
    let one = |path: &Path| fs_err::metadata(path).map(|metadata| (metadata.len(), metadata.modified().ok())).ok();
    let own = one(path)?;
    if !Loose::is_component(path) {
        return Some(own);
    }
    let Some(manifest) = Loose::of(path.parent()?)?.manifest else { return Some(own) };
    let manifest = one(&manifest)?;
    Some((own.0.wrapping_mul(31).wrapping_add(manifest.0), own.1.max(manifest.1)))
}

/// Builds the package of a loose component with the files beside its manifest that `pack` would include.
fn loose_package(component: Vec<u8>, manifest: &Path) -> Result<Vec<u8>, String> {
    let project = Project::open(manifest, manifest).map_err(|error| error.to_string())?;
    let files = match project.manifest().0 {
        Some(read) => package_files(&project, &read, &[]).map_err(|error| error.to_string())?,
        // `package_of_parts` reports what is wrong with it.
        None => Vec::new(),
    };
    let files = files.into_iter().map(|file| (file.name, file.bytes));
    package_of_parts(component, project.source.text(), files).map_err(|error| error.to_string())
}

/// The package of a file, or of two loose ones; none if the file cannot be read now.
fn package(path: &Path) -> Option<Result<Vec<u8>, String>> {
    let bytes = fs_err::read(path).ok()?;
    if !Loose::is_component(path) {
        return Some(Ok(bytes));
    }
    Some(match Loose::of(path.parent()?)?.manifest {
        Some(manifest) => loose_package(bytes, &manifest),
        None => Err("there is no plugin.toml, plugin.json or manifest.json beside it".to_owned()),
    })
}
