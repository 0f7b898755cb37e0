//! Writing files so that a kill at any moment leaves the old file or the new one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};
use thiserror::Error;

/// A file could not be written.
#[derive(Debug, Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// What the umask allows.
    Shared,
    /// The user alone (0600).
    Private,
}

/// Puts `bytes` in the place of a file, with all folders above it.
///
/// # Errors
/// [`WriteError`]; the old file is still there then.
pub fn write(path: &Path, bytes: &[u8], access: Access) -> Result<(), WriteError> {
    put(path, bytes, access, std::fs::File::sync_all)?;
    // The rename itself lasts once the folder is on the disk.
    #[cfg(unix)]
    fs_err::File::open(folder_of(path))
        .and_then(|folder| folder.sync_all())
        .map_err(|source| WriteError { path: path.to_path_buf(), source })?;
    Ok(())
}

/// As [`write`], for what can be made again: a kill leaves the old file or the new one, but nobody waits until the disk
/// has it.
///
/// # Errors
/// [`WriteError`]; the old file is still there then.
pub fn write_unsynced(path: &Path, bytes: &[u8], access: Access) -> Result<(), WriteError> {
    put(path, bytes, access, |_| Ok(()))
}

fn put(
    path: &Path,
    bytes: &[u8],
    access: Access,
    settle: impl FnOnce(&std::fs::File) -> io::Result<()>,
) -> Result<(), WriteError> {
    let failed = |source| WriteError { path: path.to_path_buf(), source };
    let folder = folder_of(path);
    fs_err::create_dir_all(folder).map_err(failed)?;
    let mut file = new_file(folder, access).map_err(failed)?;
    file.write_all(bytes).and_then(|()| settle(file.as_file())).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Adds bytes to the end of a file, which is made where it is not there.
///
/// # Errors
/// What the file system says.
pub fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    fs_err::OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
}

/// A path that does not stay in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OutsideError {
    /// It is absolute, or climbs out.
    #[error("`{}` leads out of the project", .0.display())]
    Leaves(PathBuf),
    /// A part of it is a link, which may lead anywhere.
    #[error("`{}` is a link; links in a project are not followed", .0.display())]
    Link(PathBuf),
}

/// Where a path leads that is relative to a folder: inside of it, over no link. What is missing on the way is no error:
/// it may be about to be made.
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

/// Makes a folder with all those above it that are missing; only this user may enter the new ones, whatever the umask.
///
/// # Errors
/// What the file system says.
pub fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}

/// Makes a file that only this user may read and write, or makes one that is there so.
///
/// # Errors
/// What the file system says.
pub fn make_private_file(file: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(file)?;
    keep_private(&opened, 0o600)
}

/// Takes away from others what they may do with a file or a folder of this user.
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

/// Makes a folder of this user's own, and closes one that is there to others.
///
/// # Errors
/// What the file system says.
pub fn close_folder(folder: &Path) -> io::Result<()> {
    make_private_folder(folder)?;
    #[cfg(unix)]
    keep_private(&std::fs::File::open(folder)?, 0o700)?;
    Ok(())
}

/// Whom a file or a folder belongs to, and whether others may write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// This user's, and nobody else may write it.
    Own,
    /// This user's, and others may write it.
    Shared,
    /// Somebody else's.
    Foreign,
}

impl Ownership {
    /// Whom what the metadata describe belongs to. Where files have no owners, they are this user's.
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

    /// Nothing where only this user can have written it.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn require(self, path: &Path) -> Result<(), String> {
        let path = path.display();
        match self {
            Ownership::Own => Ok(()),
            Ownership::Shared => Err(format!("others may write {path}; run: chmod go-w {path}")),
            Ownership::Foreign => Err(format!("{path} belongs to another user; remove it")),
        }
    }
}

/// Whom a file or a folder itself belongs to; a link is not followed.
///
/// # Errors
/// What the file system says.
pub fn ownership(path: &Path) -> io::Result<Ownership> {
    fs_err::symlink_metadata(path).map(|metadata| Ownership::of(&metadata))
}

/// Opens a file to read it; a link is not followed.
///
/// # Errors
/// What the file system says.
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

/// Writes a file only where it holds something else; true where it did.
///
/// # Errors
/// [`WriteError`].
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool, WriteError> {
    if fs_err::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    write(path, bytes, Access::Shared).map(|()| true)
}

/// Temporary files are made for the user alone, unless they are asked to have the rights of any new file.
fn new_file(folder: &Path, access: Access) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    #[cfg(unix)]
    if access == Access::Shared {
        use std::os::unix::fs::PermissionsExt;
        // The system takes away from these what the umask forbids.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
