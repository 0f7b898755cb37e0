//! Atomic file writes: a kill at any moment leaves either the old file or the new one.
//!
//! Serves the other crates of this workspace, and may change with any version.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::{Builder, NamedTempFile, TempDir};
use thiserror::Error;

/// The names of files that are being written begin with `PREFIX` and end with `SUFFIX`.
const PREFIX: &str = ".erp-plugin-";
const SUFFIX: &str = ".tmp";
/// A temporary file older than this belongs to a writer that was killed.
const LEFT_BEHIND: Duration = Duration::from_hours(1);

/// The error that a file could not be written.
#[derive(Debug, Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAccess {
    /// What the umask allows.
    Shared,
    /// The user alone (0600).
    Private,
}

/// Replaces a file with `bytes`, and creates missing folders above it.
///
/// # Errors
/// [`WriteError`]; the old file is unchanged then.
pub fn write(path: &Path, bytes: &[u8], access: FileAccess) -> Result<(), WriteError> {
    put(path, bytes, access, std::fs::File::sync_all)?;
    // The rename is durable once the folder is synced to the disk.
    #[cfg(unix)]
    fs_err::File::open(folder_of(path))
        .and_then(|folder| folder.sync_all())
        .map_err(|source| WriteError { path: path.to_path_buf(), source })?;
    Ok(())
}

/// Like [`write`], for files that can be regenerated: a kill leaves the old file or the new one, but the call does not
/// wait for the disk.
///
/// # Errors
/// [`WriteError`]; the old file is unchanged then.
pub fn write_unsynced(path: &Path, bytes: &[u8], access: FileAccess) -> Result<(), WriteError> {
    put(path, bytes, access, |_| Ok(()))
}

fn put(
    path: &Path,
    bytes: &[u8],
    access: FileAccess,
    settle: impl FnOnce(&std::fs::File) -> io::Result<()>,
) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_path_buf(), source };
    let folder = folder_of(path);
    match access {
        FileAccess::Shared => fs_err::create_dir_all(folder).map_err(failed)?,
        // Files next to a private one are mostly private too.
        FileAccess::Private => make_private_folder(folder).map_err(failed)?,
    }
    sweep(folder);
    let file = new_file(folder, access).map_err(failed)?;
    let written = file.as_file();
    // The `File` itself: errors of its wrapper would name the temporary path.
    { written }.write_all(bytes).and_then(|()| settle(written)).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Runs `make` to create a file at a temporary path in the same folder, then moves it to `path`. `make` must close all
/// its handles to the file.
///
/// # Errors
/// Errors of `make`, and [`WriteError`]; an old file is unchanged then.
pub fn make<T, E: From<WriteError>>(path: &Path, make: impl FnOnce(&Path) -> Result<T, E>) -> Result<T, E> {
    let failed = |source| WriteError { path: path.to_path_buf(), source };
    let folder = folder_of(path);
    fs_err::create_dir_all(folder).map_err(failed)?;
    sweep(folder);
    let staging: TempDir = Builder::new().prefix(PREFIX).suffix(SUFFIX).tempdir_in(folder).map_err(failed)?;
    let staged = staging.path().join("file");
    let made = make(&staged)?;
    fs_err::File::open(&staged).and_then(|file| file.sync_all()).map_err(failed)?;
    fs_err::rename(&staged, path).map_err(failed)?;
    Ok(made)
}

/// Removes temporary files of killed writers from a folder, if they are old enough.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let age = || entry.metadata().and_then(|metadata| metadata.modified()).ok()?.elapsed().ok();
        if is_ours && age().is_some_and(|age| age > LEFT_BEHIND) {
            let path = entry.path();
            // A file that cannot be removed stays.
            let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Appends bytes to a file; creates the file if it is missing.
///
/// # Errors
/// Errors of the file system.
pub fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    fs_err::OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
}

/// The reason for which a path does not stay in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutsideError {
    /// The path is absolute, or contains `..`.
    #[error("`{}` leads out of the project", .0.display())]
    Leaves(PathBuf),
    /// A part of the path is a symbolic link, which may lead anywhere.
    #[error("`{}` is a link; links in a project are not followed", .0.display())]
    Link(PathBuf),
}

/// Resolves a path relative to a folder: it must stay in the folder and contain no symbolic link. A missing part is no
/// error: it may be created later.
///
/// # Errors
/// [`OutsideError`].
pub fn inside(folder: &Path, path: &Path) -> Result<PathBuf, OutsideError> {
    let mut reached = folder.to_path_buf();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => continue,
            std::path::Component::Normal(part) => reached.push(part),
            _ => return Err(OutsideError::Leaves(path.to_path_buf())),
        }
        if fs_err::symlink_metadata(&reached).is_ok_and(|metadata| metadata.is_symlink()) {
            let shown = reached.strip_prefix(folder).unwrap_or(&reached);
            return Err(OutsideError::Link(shown.to_path_buf()));
        }
    }
    Ok(reached)
}

/// Creates a folder and its missing parents; only this user may enter the new ones (0700), whatever the umask.
///
/// # Errors
/// Errors of the file system.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}

/// Creates a file that only this user may read and write (0600), or makes an existing one of this user so.
///
/// # Errors
/// Errors of the file system.
pub fn make_private_file(file: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(file)?;
    keep_private(&opened, 0o600)
}

/// Sets `mode` on a file or folder of this user if others have rights on it.
fn keep_private(opened: &std::fs::File, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let metadata = opened.metadata()?;
        if metadata.mode() & 0o077 != 0 && metadata.uid() == rustix::process::geteuid().as_raw() {
            opened.set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
    }
    let _ = (opened, mode);
    Ok(())
}

/// Creates a folder that only this user may enter (0700), or makes an existing one of this user so.
///
/// # Errors
/// Errors of the file system.
pub fn make_folder_private(folder: &Path) -> io::Result<()> {
    make_private_folder(folder)?;
    #[cfg(unix)]
    keep_private(&std::fs::File::open(folder)?, 0o700)?;
    Ok(())
}

/// The owner of a file or folder, and whether others may write to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// It belongs to this user, and no other user may write to it.
    Own,
    /// It belongs to this user, and others may write to it.
    Shared,
    /// It belongs to another user.
    Foreign,
}

impl Ownership {
    /// Reads the ownership from metadata; `Own` on systems where files have no owners.
    pub fn of(metadata: &std::fs::Metadata) -> Ownership {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            if metadata.uid() != rustix::process::geteuid().as_raw() {
                return Ownership::Foreign;
            }
            if metadata.mode() & 0o022 != 0 {
                return Ownership::Shared;
            }
        }
        let _ = metadata;
        Ownership::Own
    }

    /// Succeeds only if no other user can have written the file or folder.
    ///
    /// # Errors
    /// What is wrong, and the command or action that fixes it.
    pub fn require(self, path: &Path) -> Result<(), String> {
        let path = path.display();
        match self {
            Ownership::Own => Ok(()),
            Ownership::Shared => Err(format!("others may write {path}; run: chmod go-w {path}")),
            Ownership::Foreign => Err(format!("{path} belongs to another user; remove it")),
        }
    }
}

/// The ownership of a file or folder itself; a symbolic link is not followed.
///
/// # Errors
/// Errors of the file system.
pub fn ownership(path: &Path) -> io::Result<Ownership> {
    fs_err::symlink_metadata(path).map(|metadata| Ownership::of(&metadata))
}

/// Opens a file for reading; fails if it is a symbolic link.
///
/// # Errors
/// Errors of the file system.
pub fn open_unfollowed(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0));
    }
    options.open(path)
}

/// Writes a file only if its content differs; returns whether it did.
///
/// # Errors
/// [`WriteError`].
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool, WriteError> {
    if fs_err::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    write(path, bytes, FileAccess::Shared).map(|()| true)
}

/// Creates the temporary file: with mode 0600, or with 0666 minus the umask, as for any new file.
fn new_file(folder: &Path, access: FileAccess) -> io::Result<NamedTempFile> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        let mode = if access == FileAccess::Private { 0o600 } else { 0o666 };
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    }
    let _ = access;
    Builder::new().prefix(PREFIX).suffix(SUFFIX).make_in(folder, |path| options.open(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_writers_left_goes_once_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        for (name, is_old) in [(".erp-plugin-a.tmp", true), (".erp-plugin-b.tmp", false), (".other.tmp", true)] {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
        }
        write(&folder.path().join("file"), b"new", FileAccess::Shared).unwrap();
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".erp-plugin-b.tmp", ".other.tmp", "file"]);
    }

    #[test]
    fn errors_name_the_file_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("file")).unwrap();
        let error = write(&folder.path().join("file"), b"new", FileAccess::Shared).unwrap_err().to_string();
        assert!(error.contains("/file: ") && !error.contains(PREFIX), "{error}");
        let error = write(&folder.path().join("file/\0/x"), b"new", FileAccess::Shared).unwrap_err().to_string();
        assert!(!error.contains(PREFIX), "{error}");
    }

    #[test]
    fn a_file_that_is_not_finished_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let failed: Result<(), WriteError> = make(&file, |staged| {
            write(staged, b"half", FileAccess::Shared).unwrap();
            Err(WriteError { path: file.clone(), source: io::Error::other("the end") })
        });
        assert!(failed.is_err() && std::fs::read_dir(folder.path()).unwrap().next().is_none());
        make::<_, WriteError>(&file, |staged| {
            write(staged, b"whole", FileAccess::Shared).unwrap();
            Ok(())
        })
        .unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "whole");
    }
}
