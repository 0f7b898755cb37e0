//! The metadata that cargo reports of a project, read once before a build that ships.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package, PackageId, TargetKind};

use super::compile::BuildError;
use super::toolchain::TARGET;
use crate::settings::private_variables;

/// The arguments of `cargo metadata`.
#[derive(Debug, Clone, Copy)]
pub(super) struct MetadataQuery<'q> {
    /// The folder of the package, absolute and without symbolic links.
    pub(super) root: &'q Path,
    /// The cargo program to run.
    pub(super) cargo: &'q OsString,
    /// Whether to pass `--offline`.
    pub(super) offline: bool,
    /// Whether the lock file may not change.
    pub(super) locked: bool,
    /// Whether `locked` is the default, which the user did not ask for.
    pub(super) locked_by_default: bool,
    /// cargo's home, where it is not the usual one.
    pub(super) home: Option<&'q Path>,
}

/// A package with the metadata that cargo reports of it and of its dependencies.
#[derive(Debug)]
pub struct CargoProject {
    /// All packages and their dependencies.
    pub(super) metadata: Metadata,
    /// The package that makes the component.
    own: PackageId,
}

/// A package whose source is on this machine and is not downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPackage {
    /// The name of the package.
    pub name: String,
    /// The folder of its `Cargo.toml`.
    pub folder: PathBuf,
}

impl CargoProject {
    /// Reads the metadata of the package in a folder and of all its dependencies; cargo downloads missing ones.
    pub(super) fn learn(question: MetadataQuery<'_>) -> Result<CargoProject, BuildError> {
        let shallow = ask(question, true)?;
        let own = own_package(&shallow, question.root)?.id.clone();
        let has_lock = shallow.workspace_root.join("Cargo.lock").is_file();
        let locked = question.locked && (has_lock || !question.locked_by_default);
        let metadata = ask(MetadataQuery { locked, ..question }, false).map_err(|error| match error {
            BuildError::Metadata(said) if locked && question.locked_by_default && said.contains("--locked") => {
                BuildError::LockOutdated
            }
            other => other,
        })?;
        Ok(CargoProject { metadata, own })
    }

    /// Reads the metadata without dependencies, so that cargo need not read the lock file.
    pub(super) fn learn_shallow(question: MetadataQuery<'_>) -> Result<CargoProject, BuildError> {
        let metadata = ask(question, true)?;
        let own = own_package(&metadata, question.root)?.id.clone();
        Ok(CargoProject { metadata, own })
    }

    /// The package that makes the component.
    pub(super) fn own(&self) -> Option<&Package> {
        self.metadata.packages.iter().find(|package| package.id == self.own)
    }

    /// The package as an unambiguous argument of cargo's `--package`.
    pub(super) fn specification(&self) -> &str {
        &self.own.repr
    }

    /// The folder of the workspace, or of the package where it belongs to none.
    pub fn workspace(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// The folder for build output.
    pub(super) fn target(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// The path of the lock file, which need not exist.
    pub fn lock_file(&self) -> PathBuf {
        self.workspace().join("Cargo.lock")
    }

    /// The local packages that the build reads, also those of other workspaces. Members of the workspace that the
    /// package does not need are left out.
    pub fn local_packages(&self) -> Vec<LocalPackage> {
        let needed = self.needed();
        let local = |package: &&Package| package.source.is_none() && needed.contains(&&package.id);
        let mut found: Vec<LocalPackage> = self
            .metadata
            .packages
            .iter()
            .filter(local)
            .filter_map(|package| {
                let folder = package.manifest_path.parent()?.as_std_path().to_path_buf();
                Some(LocalPackage { name: package.name.to_string(), folder })
            })
            .collect();
        found.sort_by(|left, right| left.folder.cmp(&right.folder));
        found
    }

    /// The package and all its direct and indirect dependencies.
    fn needed(&self) -> Vec<&PackageId> {
        let mut needed = vec![&self.own];
        let nodes = self.metadata.resolve.iter().flat_map(|resolve| &resolve.nodes).collect::<Vec<_>>();
        let mut at = 0;
        while let Some(id) = needed.get(at) {
            if let Some(node) = nodes.iter().find(|node| node.id == **id) {
                let new: Vec<&PackageId> = node.dependencies.iter().filter(|id| !needed.contains(id)).collect();
                needed.extend(new);
            }
            at += 1;
        }
        needed
    }
}

fn own_package<'m>(metadata: &'m Metadata, root: &Path) -> Result<&'m Package, BuildError> {
    let is_own = |package: &&Package| {
        let folder = package.manifest_path.parent().map(cargo_metadata::camino::Utf8Path::as_std_path);
        folder.is_some_and(|folder| folder == root || fs_err::canonicalize(folder).is_ok_and(|folder| folder == root))
    };
    let own = metadata.packages.iter().find(is_own).ok_or_else(|| {
        BuildError::Metadata(format!("{} describes a workspace and no package", root.join("Cargo.toml").display()))
    })?;
    if own.targets.iter().any(|target| target.is_kind(TargetKind::CDyLib)) {
        Ok(own)
    } else {
        Err(BuildError::NoCdylib(own.name.to_string()))
    }
}

fn ask(question: MetadataQuery<'_>, is_shallow: bool) -> Result<Metadata, BuildError> {
    let mut command = MetadataCommand::new();
    for name in private_variables() {
        command.env_remove(name);
    }
    command.manifest_path(question.root.join("Cargo.toml")).current_dir(question.root).cargo_path(question.cargo);
    // cargo's own messages say what is wrong; a backtrace adds nothing.
    command.env("RUST_BACKTRACE", "0").env("RUSTUP_AUTO_INSTALL", "0");
    if let Some(home) = question.home {
        command.env("CARGO_HOME", home);
    }
    let mut options = vec!["--filter-platform".to_owned(), TARGET.to_owned()];
    if is_shallow {
        command.no_deps();
    }
    if question.offline {
        options.push("--offline".to_owned());
    }
    if question.locked && !is_shallow {
        options.push("--locked".to_owned());
    }
    command.other_options(options);
    command.exec().map_err(|error| {
        let text = match error {
            cargo_metadata::Error::CargoMetadata { stderr } => stderr,
            other => other.to_string(),
        };
        BuildError::Metadata(text.trim().trim_start_matches("error: ").to_owned())
    })
}
