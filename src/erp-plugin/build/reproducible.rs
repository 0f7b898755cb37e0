//! Makes a build the same on every machine: the output contains no path of this machine and no time.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cargo_config::CargoConfig;
use super::cargo_project::CargoProject;
use super::compile::BuildOptions;
use super::toolchain::TARGET;

/// The default of `SOURCE_DATE_EPOCH`, in seconds: 1980-01-01, the earliest time of the zip format.
const EPOCH: &str = "315532800";

/// The path that replaces the workspace's folder in a component.
pub const SOURCE_FOLDER: &str = "/plugin";

/// The apparent folder of local packages outside the workspace.
const BESIDE_FOLDER: &str = "/beside";

/// The folders of this machine whose paths must not be in a component, each with its replacement.
///
/// Later entries win where one folder is inside another.
fn folders(options: &BuildOptions, root: &Path, project: &CargoProject) -> Vec<(PathBuf, String)> {
    let mut folders = Vec::new();
    if let Some(sysroot) = options.toolchain.sysroot(root) {
        folders.push((sysroot, "/rust".to_owned()));
    }
    folders.extend(options.cargo_home.clone().map(|folder| (folder, "/cargo".to_owned())));
    let workspace = project.workspace();
    for package in project.local_packages().into_iter().filter(|package| !package.folder.starts_with(workspace)) {
        folders.push((package.folder, format!("{BESIDE_FOLDER}/{}", package.name)));
    }
    folders.push((workspace.to_path_buf(), SOURCE_FOLDER.to_owned()));
    let target = options.target_dir.clone().unwrap_or_else(|| project.target().to_path_buf());
    folders.push((target, "/target".to_owned()));
    folders
}

/// Makes the output of a cargo command the same on every machine.
pub(super) fn make_reproducible(
    command: &mut Command,
    options: &BuildOptions,
    root: &Path,
    project: &CargoProject,
    config: &CargoConfig,
) {
    let remap = |(from, to): &(PathBuf, String)| format!("--remap-path-prefix={}={to}", from.display());
    // cargo uses one source of flags: the environment would replace ours, and ours would replace those of `[build]`.
    // This joins all of them, ours last.
    let own = options.variables.rustflags.iter().chain(&config.build_rustflags).cloned();
    let flags: Vec<String> = own.chain(folders(options, root, project).iter().map(remap)).collect();
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // With `--config`, cargo joins the flags with those of the project's own .cargo/config.toml. They apply to the
    // plugin and its libraries only, not to the programs that build them.
    let flags = toml::Value::from(flags);
    command.arg("--config").arg(format!("target.{TARGET}.rustflags={flags}"));
    // The line tables of the source go into a file of their own, not into the component that ships.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "none").env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    command.env("SOURCE_DATE_EPOCH", options.source_date_epoch.as_deref().unwrap_or(EPOCH));
}
