//! The same build in another place: another folder, another home of cargo, and no files of an earlier build.

use std::io;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::cargo_project::{CargoProject, MetadataQuery};
use super::compile::{BuildError, BuildOptions};
use super::source_files::workspace_of;

/// Folders that builds write, and that the source does not need.
const MADE: [&str; 4] = ["target", "dist", ".git", ".erp-plugin"];

/// A copy of a project in a temporary folder, which is deleted with this value.
#[derive(Debug)]
pub struct SourceCopy {
    folder: TempDir,
    root: PathBuf,
}

impl SourceCopy {
    /// Copies the workspace of a project and the local packages outside it that it needs. The relative paths between
    /// them stay the same.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn of(options: &BuildOptions) -> Result<SourceCopy, BuildError> {
        let own = fs_err::canonicalize(&options.root).unwrap_or_else(|_| options.root.clone());
        let project = CargoProject::learn(MetadataQuery {
            root: &own,
            cargo: &options.cargo,
            offline: options.offline,
            locked: true,
            locked_by_default: true,
            home: options.cargo_home.as_deref(),
        })?;
        let mut folders = vec![project.workspace().to_path_buf()];
        for package in project.local_packages() {
            if !folders.iter().any(|known| package.folder.starts_with(known)) {
                // A package of another workspace may inherit from it, so the complete workspace is copied.
                folders.push(workspace_of(&package.folder));
            }
        }
        let folder = tempfile::tempdir().map_err(BuildError::Copy)?;
        let base = folder.path().join("elsewhere");
        // The copy keeps the full path below its base, so that relative paths between folders stay valid.
        let there = |path: &Path| {
            let names = path.components().filter(|part| matches!(part, Component::Normal(_)));
            names.fold(base.clone(), |place, name| place.join(name))
        };
        for from in &folders {
            copy(from, &there(from)).map_err(BuildError::Copy)?;
        }
        // cargo also reads the configuration of parent folders; `second_home` copies that of cargo's home.
        let above = own.ancestors().skip(1).map(|folder| folder.join(".cargo"));
        for from in above.filter(|from| options.cargo_home.as_ref() != Some(from)) {
            for name in ["config.toml", "config"].iter().filter(|name| from.join(name).is_file()) {
                fs_err::create_dir_all(there(&from)).map_err(BuildError::Copy)?;
                fs_err::copy(from.join(name), there(&from).join(name)).map_err(BuildError::Copy)?;
            }
        }
        Ok(SourceCopy { root: there(&own), folder })
    }

    /// Returns the options for a build of the copy.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn options(&self, options: &BuildOptions) -> Result<BuildOptions, BuildError> {
        let home = self.folder.path().join("cargo-home");
        if let Some(known) = &options.cargo_home {
            second_home(known, &home).map_err(BuildError::Copy)?;
        }
        Ok(BuildOptions {
            root: self.root.clone(),
            cargo_home: Some(home),
            target_dir: Some(self.folder.path().join("made")),
            locked: true,
            ..options.clone()
        })
    }
}

/// Creates a home of cargo that shares the downloads and none of the unpacked sources.
fn second_home(known: &Path, home: &Path) -> io::Result<()> {
    fs_err::create_dir_all(home.join("registry"))?;
    for shared in ["registry/index", "registry/cache", "git"] {
        let from = known.join(shared);
        if from.is_dir() {
            link(&from, &home.join(shared))?;
        }
    }
    // No credentials: everything that the build needs was downloaded already.
    for settings in ["config.toml", "config"] {
        let from = known.join(settings);
        if from.is_file() {
            fs_err::copy(from, home.join(settings))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

/// Without symbolic links cargo downloads the crates again.
#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir_all(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let (kind, name) = (entry.file_type()?, entry.file_name());
        if kind.is_dir() {
            // Only beside a `Cargo.toml`: a module of the source may have any of these names.
            let is_made = from.join("Cargo.toml").is_file() && MADE.iter().any(|made| name == *made);
            if !is_made {
                copy(&entry.path(), &to.join(&name))?;
            }
        } else if entry.path().is_file() {
            // For a symbolic link, this copies the file that it points to.
            fs_err::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
