//! The only part that touches the disk.

use std::path::{Path, PathBuf};

use erp_files::{FileAccess, WriteError};
use thiserror::Error;

use super::PlannedFile;

/// Why nothing was scaffolded.
#[derive(Debug, Error)]
pub enum ScaffoldError {
    /// The folder is there and holds something.
    #[error("{} is there already and is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// Files are there that would be overwritten.
    #[error("{} would be overwritten", .0.join(", "))]
    Exists(Vec<String>),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The folder could not be moved into its place.
    #[error("cannot make {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What a project is written into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetFolder {
    /// A folder that must not be there yet: it appears whole, or not at all.
    NewFolder,
    /// A folder that is there, with what is in it: nothing of that is overwritten.
    FolderThatIsThere,
}

/// Writes the files of a project. A new folder appears whole or not at all; in one that exists,
/// nothing is overwritten.
///
/// # Errors
/// [`ScaffoldError`].
pub fn write(folder: &Path, planned: &[PlannedFile], target: TargetFolder) -> Result<(), ScaffoldError> {
    if target == TargetFolder::FolderThatIsThere {
        // What an interrupted run left is no obstacle: run again, it completes.
        let differs = |file: &&PlannedFile| {
            let path = folder.join(&file.path);
            path.exists() && !fs_err::read(path).is_ok_and(|there| there == file.content)
        };
        let there: Vec<String> = planned.iter().filter(differs).map(|file| file.path.clone()).collect();
        if !there.is_empty() {
            return Err(ScaffoldError::Exists(there));
        }
        return write_all(folder, planned);
    }
    let is_empty = |folder: &Path| fs_err::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if folder.exists() && !is_empty(folder) {
        return Err(ScaffoldError::NotEmpty(folder.to_path_buf()));
    }
    let failed = |source| ScaffoldError::Folder { folder: folder.to_path_buf(), source };
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs_err::create_dir_all(parent).map_err(failed)?;
    let staging = tempfile::Builder::new().prefix(".erp-plugin-new-").tempdir_in(parent).map_err(failed)?;
    let content = staging.path().join("project");
    fs_err::create_dir(&content).map_err(failed)?;
    write_all(&content, planned)?;
    if folder.exists() {
        fs_err::remove_dir(folder).map_err(failed)?;
    }
    fs_err::rename(&content, folder).map_err(failed)
}

fn write_all(folder: &Path, planned: &[PlannedFile]) -> Result<(), ScaffoldError> {
    for file in planned {
        erp_files::write(&folder.join(&file.path), &file.content, FileAccess::Shared)?;
    }
    Ok(())
}
