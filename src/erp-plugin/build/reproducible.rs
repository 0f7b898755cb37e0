//! What makes a build the same on every machine: no path of this one in what is compiled, and no moment.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cargo_config::CargoConfig;
use super::cargo_project::CargoProject;
use super::compile::BuildOptions;
use super::toolchain::TARGET;

/// What builds that stamp a time are told by default: 1980-01-01, zip's zero of time.
const EPOCH: &str = "315532800";

/// What replaces the workspace's folder.
pub const SOURCE_FOLDER: &str = "/plugin";

/// Where local packages beside the workspace seem to lie.
const BESIDE_FOLDER: &str = "/beside";

/// The folders of this machine whose names must not be in a component, and what stands there in their place.
///
/// Later ones win where one lies in another.
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

/// Makes a cargo build the same everywhere.
pub(super) fn make_reproducible(
    command: &mut Command,
    options: &BuildOptions,
    root: &Path,
    project: &CargoProject,
    config: &CargoConfig,
) {
    let remap = |(from, to): &(PathBuf, String)| format!("--remap-path-prefix={}={to}", from.display());
    // Flags of the environment, and those of `[build]`, would push ours aside: they go first, and ours behind them.
    let own = options.variables.rustflags.iter().chain(&config.build_rustflags).cloned();
    let flags: Vec<String> = own.chain(folders(options, root, project).iter().map(remap)).collect();
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // Through `--config` the flags are beside those of the project's own .cargo/config.toml, and reach the plugin
    // and its libraries only, not the programs that build them.
    let flags = toml::Value::from(flags);
    command.arg("--config").arg(format!("target.{TARGET}.rustflags={flags}"));
    // The lines of the source: they go into a file of their own, and not into what ships.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "none").env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    command.env("SOURCE_DATE_EPOCH", options.source_date_epoch.as_deref().unwrap_or(EPOCH));
}
