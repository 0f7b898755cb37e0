//! What makes a build the same on every machine: no path of this one in what is compiled, and no moment.

use std::path::PathBuf;
use std::process::Command;

use super::compile::{BuildOptions, Place};

/// What builds that stamp a time are told by default: 1980-01-01, zip's zero of time.
const EPOCH: &str = "315532800";

/// What replaces the workspace's folder.
pub const SOURCE_FOLDER: &str = "/plugin";

/// The folders of this machine whose names must not be in a component, and what stands there in their place.
///
/// Later ones win where one lies in another.
fn folders(options: &BuildOptions, place: &Place) -> Vec<(PathBuf, &'static str)> {
    let mut folders = Vec::new();
    if let Some(sysroot) = options.toolchain.sysroot(&options.root) {
        folders.push((sysroot, "/rust"));
    }
    folders.extend(options.cargo_home.clone().map(|folder| (folder, "/cargo")));
    folders.push((place.workspace.clone(), SOURCE_FOLDER));
    folders.push((options.target_dir.clone().unwrap_or_else(|| place.target.clone()), "/target"));
    folders
}

/// Makes a cargo build the same everywhere.
pub(super) fn make_reproducible(command: &mut Command, options: &BuildOptions, place: &Place) {
    let remap = |(from, to): &(PathBuf, &str)| format!("--remap-path-prefix={}={to}", from.display());
    // Flags of the environment would push ours aside: they go first, and ours behind them.
    let flags: Vec<String> =
        options.rustflags.iter().cloned().chain(folders(options, place).iter().map(remap)).collect();
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // Through `--config` the flags are beside those of the project's own .cargo/config.toml, and reach the plugin
    // and its libraries only, not the programs that build them.
    let flags = toml::Value::from(flags);
    command.arg("--config").arg(format!("target.{}.rustflags={flags}", super::toolchain::TARGET));
    // The lines of the source: they go into a file of their own, and not into what ships.
    command.env("CARGO_PROFILE_RELEASE_STRIP", "none").env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    command.env("SOURCE_DATE_EPOCH", options.source_date_epoch.as_deref().unwrap_or(EPOCH));
}
