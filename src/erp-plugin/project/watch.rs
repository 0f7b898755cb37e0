//! Which files of a project changed. The content counts: a file that is written without a change has not changed.
//!
//! Files are polled: that works the same on every system, on network drives and in containers, and a project has only
//! some dozens of them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use ignore::WalkBuilder;

use super::MANIFEST_FILE;

/// Folders without files that users write by hand.
const SKIPPED: [&str; 7] = ["target", "dist", "node_modules", "venv", ".git", ".erp-plugin", "__pycache__"];
/// What a build writes into the source, which is no change by the user.
const MADE: [&str; 2] = ["src/erp", "src/bindings.rs"];

/// What a changed file affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// The manifest and the files that it names: pages, labels, rows.
    Manifest,
    /// What the component is built from.
    Source,
    /// Lock files of crates and packages, which builds write and users change with other tools.
    Lock,
    /// Scenarios.
    Tests,
}

/// The files of a project as they were at the last look.
#[derive(Debug)]
pub struct FolderWatch {
    root: PathBuf,
    /// Folders of crates outside the project, which are watched like its source.
    beside: Vec<PathBuf>,
    /// The files of the last look, with size and modification time.
    stamps: Stamps,
    /// Digests of the contents whose changes were already returned.
    known: BTreeMap<PathBuf, u64>,
    /// When a file was last seen to change, while it may still be being written; none if all files are settled.
    unsettled: Option<Instant>,
}

type Stamps = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// How long files must stay unchanged before a change counts.
const SETTLING: Duration = Duration::from_millis(20);

impl FolderWatch {
    /// Watches the project of a folder; the present content counts as known.
    pub fn new(root: &Path) -> FolderWatch {
        let stamps = stamps(root, &[]);
        let known = stamps.keys().filter_map(|file| Some((file.clone(), digest(&root.join(file))?))).collect();
        FolderWatch { root: root.to_path_buf(), beside: Vec::new(), stamps, known, unsettled: None }
    }

    /// Also watches folders of crates outside the project, instead of the previous ones; their present content counts
    /// as known.
    pub fn follow(&mut self, beside: Vec<PathBuf>) {
        if beside == self.beside {
            return;
        }
        self.beside = beside;
        let there = stamps(&self.root, &self.beside);
        for file in there.keys().filter(|file| file.is_absolute()) {
            if let Some(digest) = digest(file) {
                self.known.entry(file.clone()).or_insert(digest);
            }
        }
        self.known.retain(|file, _| !file.is_absolute() || there.contains_key(file));
        self.stamps.retain(|file, _| !file.is_absolute());
        self.stamps.extend(there.into_iter().filter(|(file, _)| file.is_absolute()));
    }

    /// Returns what changed since the last look that found a change. A file that has just changed may still be being
    /// written: it counts at a later look that finds it unchanged.
    pub fn look(&mut self, now: Instant) -> BTreeSet<Concern> {
        self.compare(now).1
    }

    /// As [`FolderWatch::look`], but changed source counts at once, for a caller that cancels its work if the file
    /// changes again.
    pub fn look_early(&mut self, now: Instant) -> BTreeSet<Concern> {
        let (before, mut found) = self.compare(now);
        let Some(before) = before else { return found };
        for (file, stamp) in &self.stamps {
            if concern(file) != Some(Concern::Source) || before.get(file) == Some(stamp) {
                continue;
            }
            if let Some(digest) = digest(&self.root.join(file))
                && self.known.insert(file.clone(), digest) != Some(digest)
            {
                found.insert(Concern::Source);
            }
        }
        found
    }

    /// Whether all files were settled at the last look.
    pub fn is_settled(&self) -> bool {
        self.unsettled.is_none()
    }

    /// The files of the look before, if they were different, and the changes that count.
    fn compare(&mut self, now: Instant) -> (Option<Stamps>, BTreeSet<Concern>) {
        let there = stamps(&self.root, &self.beside);
        if there != self.stamps {
            self.unsettled = Some(now);
            return (Some(std::mem::replace(&mut self.stamps, there)), BTreeSet::new());
        }
        if self.unsettled.is_none_or(|since| now.saturating_duration_since(since) < SETTLING) {
            return (None, BTreeSet::new());
        }
        self.unsettled = None;
        let current: BTreeMap<PathBuf, u64> =
            there.keys().filter_map(|file| Some((file.clone(), digest(&self.root.join(file))?))).collect();
        let known = std::mem::replace(&mut self.known, current);
        let gone = known.keys().filter(|file| !self.known.contains_key(*file));
        let changed = self.known.iter().filter(|(file, digest)| known.get(*file) != Some(digest)).map(|(file, _)| file);
        (None, gone.chain(changed).filter_map(|file| concern(file)).collect())
    }
}

/// Endings of files that a manifest can name: rows, labels, pages and their assets. Other files in the project, such as
/// a database or a log, do not matter.
const NAMED: [&str; 17] = [
    "toml", "csv", "json", "html", "css", "js", "mjs", "svg", "png", "jpg", "jpeg", "webp", "gif", "woff2", "txt",
    "hbs", "md",
];

/// What a file of a project affects, by its path in the project; none if it does not matter.
fn concern(file: &Path) -> Option<Concern> {
    if file.is_absolute() {
        return Some(Concern::Source);
    }
    let name = file.to_string_lossy();
    let first = file.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    Some(match first.as_deref() {
        _ if name == MANIFEST_FILE => Concern::Manifest,
        Some("plugin.json" | "manifest.json") => Concern::Manifest,
        Some("tests") => Concern::Tests,
        Some("Cargo.lock" | "package-lock.json") => Concern::Lock,
        Some("src" | "wit" | ".cargo" | "Cargo.toml" | "build.rs") => Concern::Source,
        Some("package.json" | "tsconfig.json" | "requirements.txt") => Concern::Source,
        // Crates of `[[link]]` may be anywhere.
        _ if name.ends_with(".rs") || name.ends_with("Cargo.toml") => Concern::Source,
        _ if NAMED.iter().any(|ending| file.extension().is_some_and(|own| own == *ending)) => Concern::Manifest,
        _ => return None,
    })
}

/// The files of a project by relative paths, and those of folders outside it by absolute paths.
fn stamps(root: &Path, beside: &[PathBuf]) -> Stamps {
    let mut found = stamps_of(root);
    for folder in beside {
        let own = stamps_of(folder).into_iter().filter(|(file, _)| concern(file) == Some(Concern::Source));
        found.extend(own.map(|(file, stamp)| (folder.join(file), stamp)));
    }
    found
}

fn stamps_of(root: &Path) -> Stamps {
    let mut walk = WalkBuilder::new(root);
    walk.hidden(false)
        .require_git(false)
        .filter_entry(|entry| !entry.file_name().to_str().is_some_and(|name| SKIPPED.contains(&name)));
    let mut found = Stamps::new();
    for entry in walk.build().flatten() {
        let Ok(metadata) = entry.metadata() else { continue };
        let Ok(file) = entry.path().strip_prefix(root) else { continue };
        if metadata.is_file() && concern(file).is_some() && !MADE.iter().any(|made| file.starts_with(made)) {
            found.insert(file.to_path_buf(), (metadata.len(), metadata.modified().ok()));
        }
    }
    found
}

/// Suffices to distinguish two versions of a file, and serves no other purpose.
fn digest(file: &Path) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&fs_err::read(file).ok()?);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_content_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs_err::create_dir_all(file.parent().unwrap()).unwrap();
            std::io::Write::write_all(&mut fs_err::File::create(file).unwrap(), text.as_bytes()).unwrap();
        };
        write("plugin.toml", "a");
        write("src/lib.rs", "a");
        write("target/x", "a");
        let mut watch = FolderWatch::new(folder.path());
        let mut now = Instant::now();
        let mut later = || {
            now += SETTLING;
            now
        };
        assert!(watch.look(later()).is_empty());
        write("plugin.toml", "longer");
        assert!(watch.look(later()).is_empty(), "it may still be written");
        assert_eq!(watch.look(later()), BTreeSet::from([Concern::Manifest]));
        assert!(watch.look(later()).is_empty());
        write("src/lib.rs", "another text");
        write("src/erp/mod.rs", "made");
        write("target/x", "another");
        watch.look(later());
        assert_eq!(watch.look(later()), BTreeSet::from([Concern::Source]));
        write("src/lib.rs", "a third text");
        watch.look(later());
        write("src/lib.rs", "another text");
        let mut found = BTreeSet::new();
        for _ in 0..3 {
            found.extend(watch.look(later()));
        }
        assert!(found.is_empty(), "it is as it was");
        fs_err::remove_file(folder.path().join("src/lib.rs")).unwrap();
        watch.look(later());
        assert_eq!(watch.look(later()), BTreeSet::from([Concern::Source]));
        write("src/lib.rs", "half");
        write("plugin.toml", "half");
        assert_eq!(watch.look_early(later()), BTreeSet::from([Concern::Source]));
        write("src/lib.rs", "half and half");
        write("plugin.toml", "half and half");
        assert_eq!(watch.look_early(later()), BTreeSet::from([Concern::Source]));
        assert_eq!(watch.look_early(later()), BTreeSet::from([Concern::Manifest]), "the source was told of");
    }
}
