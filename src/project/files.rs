//! The files that go into a package beside the component and the manifest.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Project;
use crate::archive::{Entry, name_problem};
use crate::manifest::Manifest;

/// Folders whose files go along.
const FOLDERS: [&str; 2] = ["assets", "pages"];
/// Single files that go along where they are there.
const FILES: [&str; 3] = ["README.md", "LICENSE", "CHANGELOG.md"];

/// Why a file cannot go along.
#[derive(Debug, Error)]
pub enum FileError {
    /// Its name would not mean the same everywhere.
    #[error("`{}` cannot be packed: {problem}", path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// It is a link, a device or a pipe.
    #[error("`{}` is no regular file", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// It looks like a secret.
    #[error("`{}` looks like a secret ({what}) and is not packed", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What it looks like.
        what: &'static str,
    },
    /// It cannot be read.
    #[error("cannot read a file of the project: {0}")]
    Unreadable(io::Error),
}

/// The files, sorted by name. The same project gives the same files, whatever order the folder has.
///
/// # Errors
/// [`FileError`].
pub fn package_files(project: &Project, manifest: &Manifest) -> Result<Vec<Entry>, FileError> {
    let mut names = Vec::new();
    let pages = manifest.ui.pages.iter().filter_map(|page| page.file.as_ref()).map(|file| (**file).clone());
    let listed = FOLDERS.iter().chain(&FILES).map(|name| (*name).to_owned());
    for name in listed.chain([manifest.i18n.dir.clone()]).chain(pages) {
        collect(&project.root, &project.root.join(name), &mut names)?;
    }
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|name| {
            let path = project.root.join(&name);
            let bytes = fs_err::read(&path).map_err(FileError::Unreadable)?;
            match secret(&bytes) {
                Some(what) => Err(FileError::Secret { path: PathBuf::from(&name), what }),
                None => Ok(Entry { name, bytes }),
            }
        })
        .collect()
}

/// A file, or all files of a folder. A link is never followed: what it leads to may be anybody's.
fn collect(root: &Path, path: &Path, names: &mut Vec<String>) -> Result<(), FileError> {
    let kind = match fs_err::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::Unreadable(error)),
    };
    if kind.is_dir() {
        for entry in fs_err::read_dir(path).map_err(FileError::Unreadable)? {
            collect(root, &entry.map_err(FileError::Unreadable)?.path(), names)?;
        }
        return Ok(());
    }
    let relative = path.strip_prefix(root).unwrap_or(path).to_path_buf();
    if !kind.is_file() {
        return Err(FileError::NotRegular { path: relative });
    }
    let name = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    if let Some(problem) = name_problem(&name) {
        return Err(FileError::Name { path: relative, problem });
    }
    names.push(name);
    Ok(())
}

/// What a file's content looks like, where it looks like something that nobody means to publish.
fn secret(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64 << 10)]);
    [
        ("-----BEGIN PRIVATE KEY-----", "a private key"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "a private key"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
    ]
    .into_iter()
    .find(|(mark, _)| text.contains(mark))
    .map(|(_, what)| what)
}
