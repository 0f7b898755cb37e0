//! Writes the files of a project: the only part that touches the disk.

use std::path::{Path, PathBuf};

use erp_files::{FileAccess, WriteError};
use thiserror::Error;

use super::PlannedFile;

/// The reason why no project was written.
#[derive(Debug, Error)]
pub enum ScaffoldError {
    /// The folder exists and is not empty.
    #[error("{} is there already and is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// Files exist that would be overwritten.
    #[error("{} would be overwritten", .0.join(", "))]
    Exists(Vec<String>),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The folder could not be created or moved to its place.
    #[error("cannot make {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
}

/// The kind of folder that a project is written into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetFolder {
    /// A folder that does not exist or is empty: the project appears complete, or not at all.
    NewFolder,
    /// An existing folder: none of its files is overwritten.
    ExistingFolder,
}

/// Writes the files of a project. A new folder appears complete or not at all; in an existing one, no file is
/// overwritten.
///
/// # Errors
/// [`ScaffoldError`].
pub fn write(folder: &Path, planned: &[PlannedFile], target: TargetFolder) -> Result<(), ScaffoldError> {
    if target == TargetFolder::ExistingFolder {
        // Files of an interrupted run are no obstacle: another run completes the project.
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
