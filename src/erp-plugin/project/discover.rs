//! Finds the project of the user's current folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use erp_files::OutsideError;
use erp_manifest::Manifest;
use erp_manifest::diagnostics::{Report, SourceFile};
use thiserror::Error;

/// The name of the manifest's file.
pub const MANIFEST_FILE: &str = "plugin.toml";
/// Names of a manifest in JSON, which other tools write.
const JSON_MANIFESTS: [&str; 2] = ["plugin.json", "manifest.json"];

/// A folder with a manifest.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub root: PathBuf,
    /// The manifest's file.
    pub manifest_file: PathBuf,
    /// The manifest's text, with the path that the user sees.
    pub source: Arc<SourceFile>,
}

/// Why a project cannot be opened.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// Neither the folder nor one above it has a manifest.
    #[error("there is no {MANIFEST_FILE} in {} or above it", folder.display())]
    NotFound {
        /// Where the search began.
        folder: PathBuf,
    },
    /// The manifest cannot be read.
    #[error("cannot read the manifest: {0}")]
    Unreadable(std::io::Error),
    /// A folder that commands read and write is a link.
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Folders of a project that commands read and write.
const OWN_FOLDERS: [&str; 9] =
    ["dist", "dist/debug", "src", "src/erp", "tests", "tests/snapshots", "tests/data", ".erp-plugin", "pages"];

/// The manifest of a folder: `plugin.toml`, or else one in JSON. Many files are called `manifest.json`: such a file
/// counts only with a key that plugin manifests have.
pub fn manifest_in(folder: &Path) -> Option<PathBuf> {
    let file = folder.join(MANIFEST_FILE);
    if file.is_file() {
        return Some(file);
    }
    JSON_MANIFESTS.iter().map(|name| folder.join(name)).find(|file| {
        let text = fs_err::read_to_string(file).unwrap_or_default();
        let is_named_so = file.file_name().is_some_and(|name| name == JSON_MANIFESTS[0]);
        !text.is_empty() && (is_named_so || ["\"metadata\"", "\"node_kinds\""].iter().any(|key| text.contains(key)))
    })
}

impl Project {
    /// Opens the project of a folder, or of the nearest one above it.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub fn find(folder: &Path) -> Result<Project, ProjectError> {
        match folder.ancestors().find_map(manifest_in) {
            Some(file) => Project::open(&file, folder),
            None => Err(ProjectError::NotFound { folder: folder.to_path_buf() }),
        }
    }

    /// Opens the project of exactly this folder.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub fn in_folder(folder: &Path, from: &Path) -> Result<Project, ProjectError> {
        Project::open(&manifest_in(folder).unwrap_or_else(|| folder.join(MANIFEST_FILE)), from)
    }

    /// Opens the project of a manifest. `from` is the user's current folder: paths are shown relative to it.
    ///
    /// # Errors
    /// [`ProjectError::Unreadable`] and [`ProjectError::Outside`].
    pub fn open(file: &Path, from: &Path) -> Result<Project, ProjectError> {
        let text = fs_err::read_to_string(file).map_err(ProjectError::Unreadable)?;
        let root = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        for folder in OWN_FOLDERS {
            erp_files::inside(&root, Path::new(folder))?;
        }
        let shown = file.strip_prefix(from).unwrap_or(file);
        Ok(Project { source: SourceFile::new(shown, text), root, manifest_file: file.to_path_buf() })
    }

    /// The same project with another text of its manifest, which is not written to the disk.
    #[must_use]
    pub fn with_text(&self, text: String) -> Project {
        Project { source: SourceFile::new(self.source.path(), text), ..self.clone() }
    }

    /// Parses the manifest; returns it, if it could be read, with the findings.
    pub fn manifest(&self) -> (Option<Manifest>, Report) {
        erp_manifest::parse(&self.source)
    }

    /// Where `build --release` writes the component that ships.
    pub fn component_file(&self, manifest: &Manifest) -> PathBuf {
        self.root.join("dist").join(format!("{}.wasm", *manifest.metadata.id))
    }

    /// Where `build` writes the component for development.
    pub fn debug_component_file(&self, manifest: &Manifest) -> PathBuf {
        self.root.join("dist/debug").join(format!("{}.wasm", *manifest.metadata.id))
    }

    /// Where commands that only read the built component find it: the one that ships if it exists, or else the one for
    /// development.
    pub fn built_component_file(&self, manifest: &Manifest) -> PathBuf {
        let files = [self.component_file(manifest), self.debug_component_file(manifest)];
        files.into_iter().find(|file| file.is_file()).unwrap_or_else(|| self.component_file(manifest))
    }

    /// Where a release build writes the component with the lines of its source, which does not ship.
    pub fn lines_file(&self, manifest: &Manifest) -> PathBuf {
        self.root.join("dist").join(format!("{}.lines.wasm", *manifest.metadata.id))
    }

    /// Where `build` writes the bill of materials of the component.
    pub fn sbom_file(&self, manifest: &Manifest) -> PathBuf {
        self.root.join("dist").join(format!("{}.cdx.json", *manifest.metadata.id))
    }

    /// Where `build` writes the provenance of the component.
    pub fn provenance_file(&self, manifest: &Manifest) -> PathBuf {
        self.root.join("dist").join(format!("{}.provenance.json", *manifest.metadata.id))
    }

    /// Where `pack` writes the package.
    pub fn package_file(&self, manifest: &Manifest) -> PathBuf {
        self.root.join("dist").join(format!("{}-{}.erpx", *manifest.metadata.id, *manifest.metadata.version))
    }

    /// The scenario files, sorted.
    ///
    /// # Errors
    /// An error if a folder cannot be read.
    pub fn scenario_files(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![self.root.join("tests")];
        while let Some(folder) = folders.pop() {
            if !folder.is_dir() {
                continue;
            }
            for entry in fs_err::read_dir(&folder)? {
                let entry = entry?;
                let (path, kind) = (entry.path(), entry.file_type()?);
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() && path.to_string_lossy().ends_with(".test.toml") {
                    files.push(path);
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// The content of a file of the project, by its path relative to the manifest. None for a path that leaves the
    /// project or goes over a link, and for a file that cannot be read.
    pub fn file(&self, path: &str) -> Option<Vec<u8>> {
        fs_err::read(erp_files::inside(&self.root, Path::new(path)).ok()?).ok()
    }
}
