//! The files that go into a package beside the component and the manifest.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use erp_files::OutsideError;
use erp_manifest::{Manifest, name_problem};
use erp_package::strict_zip::ArchiveEntry;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use thiserror::Error;

use super::Project;
use super::secrets::find_secret;

/// Folders whose files are packed.
const FOLDERS: [&str; 2] = ["assets", "pages"];
/// Single files that are packed if they exist.
const FILES: [&str; 3] = ["README.md", "LICENSE", "CHANGELOG.md"];
/// The file that lists what is not packed, in git's syntax.
const IGNORE_FILE: &str = ".erpxignore";

/// Why a file cannot be packed.
#[derive(Debug, Error)]
pub enum FileProblem {
    /// Its name does not mean the same on every system.
    #[error("`{name}` cannot be packed: {problem}")]
    Name {
        /// The file.
        name: String,
        /// Why.
        problem: String,
    },
    /// On systems that ignore case, it has the path of another file, or a path inside one.
    #[error("`{name}` and `{other}` cannot both be packed: where case does not count, they are one")]
    Clash {
        /// The file.
        name: String,
        /// The other one.
        other: String,
    },
    /// It is a link, a device or a pipe.
    #[error("`{name}` is no regular file")]
    NotRegular {
        /// The file.
        name: String,
    },
    /// It leads out of the project, or over a link.
    #[error("{0}, so it cannot be packed")]
    Outside(OutsideError),
    /// It looks like a secret.
    #[error("`{name}`{} looks like {what}", line.map_or_else(String::new, |line| format!(" (line {line})")))]
    Secret {
        /// The file.
        name: String,
        /// The line, from 1.
        line: Option<usize>,
        /// What it looks like.
        what: &'static str,
    },
}

/// Why the files cannot be packed.
#[derive(Debug, Error)]
pub enum FileError {
    /// All files that cannot be packed.
    #[error("{} of the files cannot be packed", .0.len())]
    Refused(Vec<FileProblem>),
    /// `.erpxignore` cannot be parsed.
    #[error("{IGNORE_FILE}: {0}")]
    Ignore(String),
    /// A file or folder cannot be read.
    #[error("cannot read a file of the project: {0}")]
    Unreadable(io::Error),
}

/// The files, sorted by name. The same project gives the same files, whatever order its folders have. `allowed` are
/// files that are packed although they look like secrets.
///
/// # Errors
/// [`FileError`] with all problems.
pub fn package_files(
    project: &Project,
    manifest: &Manifest,
    allowed: &[String],
) -> Result<Vec<ArchiveEntry>, FileError> {
    let ignored = ignored(&project.root)?;
    let mut found = ProjectFile { ignored, allowed, names: Vec::new(), problems: Vec::new() };
    let pages = manifest.ui.pages.iter().filter_map(|page| page.file.as_ref()).map(|file| (**file).clone());
    let listed = FOLDERS.iter().chain(&FILES).map(|name| (*name).to_owned());
    // The manifest as it is written: one whose fixture files were read no longer names them.
    let written = project.manifest().0;
    let fixtures = written.iter().flat_map(|manifest| manifest.fixtures.iter().chain(&manifest.demo));
    let fixtures = fixtures.filter_map(|fixture| fixture.file.as_ref()).map(|file| (**file).clone());
    for name in listed.chain([manifest.i18n.dir.clone()]).chain(pages).chain(fixtures) {
        match erp_files::inside(&project.root, Path::new(&name)) {
            Ok(path) => found.collect(&project.root, &path)?,
            Err(error) => found.problems.push(FileProblem::Outside(error)),
        }
    }
    let ProjectFile { mut names, mut problems, .. } = found;
    names.sort();
    names.dedup();
    problems.extend(clashes(&names));
    let mut entries = Vec::with_capacity(names.len());
    for name in names {
        let bytes = fs_err::read(project.root.join(&name)).map_err(FileError::Unreadable)?;
        match find_secret(&name, &bytes).filter(|_| !allowed.contains(&name)) {
            Some(secret) => problems.push(FileProblem::Secret { name, line: secret.line, what: secret.what }),
            None => entries.push(ArchiveEntry { name, bytes }),
        }
    }
    if problems.is_empty() { Ok(entries) } else { Err(FileError::Refused(problems)) }
}

/// Pairs of files that have the same path if case is ignored, or one of which is then a folder of the other.
fn clashes(names: &[String]) -> Vec<FileProblem> {
    let mut known: BTreeMap<String, &String> = BTreeMap::new();
    let mut found = Vec::new();
    for name in names {
        if let Some(other) = known.insert(name.to_ascii_lowercase(), name) {
            found.push(FileProblem::Clash { name: name.clone(), other: other.clone() });
        }
    }
    for (lower, name) in &known {
        let mut folders = lower.match_indices('/').map(|(at, _)| &lower[..at]);
        if let Some(other) = folders.find_map(|folder| known.get(folder)) {
            found.push(FileProblem::Clash { name: (*name).clone(), other: (*other).clone() });
        }
    }
    found
}

/// Whether a file is one that operating systems leave in folders, which is never packed.
fn is_litter(name: &str) -> bool {
    let is_named = |part: &str| matches!(part, ".DS_Store" | "__MACOSX" | "Thumbs.db" | "desktop.ini");
    name.split('/').any(|part| is_named(part) || part.starts_with("._"))
}

struct ProjectFile<'a> {
    ignored: Gitignore,
    allowed: &'a [String],
    names: Vec<String>,
    problems: Vec<FileProblem>,
}

impl ProjectFile<'_> {
    /// Collects a file, or all files of a folder. A link is never followed: it may lead out of the project.
    fn collect(&mut self, root: &Path, path: &Path) -> Result<(), FileError> {
        let kind = match fs_err::symlink_metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(FileError::Unreadable(error)),
        };
        let relative: PathBuf = path.strip_prefix(root).unwrap_or(path).to_path_buf();
        if self.ignored.matched_path_or_any_parents(&relative, kind.is_dir()).is_ignore() {
            return Ok(());
        }
        if kind.is_dir() {
            for entry in fs_err::read_dir(path).map_err(FileError::Unreadable)? {
                self.collect(root, &entry.map_err(FileError::Unreadable)?.path())?;
            }
            return Ok(());
        }
        let name = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
        if is_litter(&name) {
            return Ok(());
        }
        if !kind.is_file() {
            self.problems.push(FileProblem::NotRegular { name });
        } else if let Some(secret) = find_secret(&name, b"").filter(|_| !self.allowed.contains(&name)) {
            // A name that marks a secret is reported as a secret, not as a name that cannot be packed.
            self.problems.push(FileProblem::Secret { name, line: None, what: secret.what });
        } else if let Some(problem) = name_problem(&name) {
            self.problems.push(FileProblem::Name { name, problem });
        } else {
            self.names.push(name);
        }
        Ok(())
    }
}

fn ignored(root: &Path) -> Result<Gitignore, FileError> {
    let mut builder = GitignoreBuilder::new(root);
    let file = root.join(IGNORE_FILE);
    if file.is_file()
        && let Some(error) = builder.add(file)
    {
        return Err(FileError::Ignore(error.to_string()));
    }
    builder.build().map_err(|error| FileError::Ignore(error.to_string()))
}
