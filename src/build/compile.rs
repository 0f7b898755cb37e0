//! Runs cargo and finds what it made.

use std::ffi::OsString;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ExitStatus, Stdio};

use cargo_metadata::{CrateType, Message, MetadataCommand, TargetKind};
use thiserror::Error;

use super::cancel::Cancel;
use super::reproducible::make_reproducible;
use super::toolchain::{TARGET, Toolchain};
use crate::settings::private_variables;

/// What a build is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// Fast to build, with names and places of this machine: cargo's `dev`.
    Dev,
    /// What ships: small, and the same on every machine. cargo's `release`.
    Release,
    /// Another one of cargo's, built like what ships.
    Named(String),
}

impl Profile {
    /// cargo's name of it.
    pub fn name(&self) -> &str {
        match self {
            Profile::Dev => "dev",
            Profile::Release => "release",
            Profile::Named(name) => name,
        }
    }
}

/// How to build.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// The folder with `Cargo.toml`.
    pub root: PathBuf,
    /// The cargo to use.
    pub cargo: OsString,
    /// The toolchain.
    pub toolchain: Toolchain,
    /// What it is for.
    pub profile: Profile,
    /// cargo's `--target-dir`.
    pub target_dir: Option<PathBuf>,
    /// cargo's `--locked`.
    pub locked: bool,
    /// cargo's `--offline`.
    pub offline: bool,
    /// Where cargo keeps crates.
    pub cargo_home: Option<PathBuf>,
    /// Flags of rustc in the environment.
    pub rustflags: Vec<String>,
    /// `SOURCE_DATE_EPOCH` of the environment.
    pub source_date_epoch: Option<String>,
    /// cargo's `--quiet`.
    pub quiet: bool,
    /// Colours in cargo's messages.
    pub color: bool,
    /// What can give the build up.
    pub cancel: Cancel,
    /// Where cargo talks.
    pub speech: Speech,
}

/// Where cargo says what it does, beside the compiler's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Speech {
    /// On the terminal, while it does it.
    #[default]
    Terminal,
    /// With the compiler's messages, behind them.
    Messages,
}

/// Why nothing was built.
#[derive(Debug, Error)]
pub enum BuildError {
    /// `cargo metadata` failed: its own message says why.
    #[error("cargo cannot read the project: {0}")]
    Metadata(String),
    /// The package has no library that becomes WebAssembly.
    #[error("the package `{0}` has no library of the crate type `cdylib`")]
    NoCdylib(String),
    /// cargo could not be run.
    #[error("cargo cannot be run: {0}")]
    Cargo(std::io::Error),
    /// cargo failed; its messages were shown.
    #[error("cargo build failed ({0})")]
    Failed(ExitStatus),
    /// The source cannot be copied to another place.
    #[error("the source cannot be copied: {0}")]
    Copy(std::io::Error),
    /// cargo succeeded, but told of no WebAssembly file.
    #[error("cargo built the package, but no .wasm file came of it")]
    NoArtifact,
}

/// Builds the package and finds its component. `show` gets cargo's messages as cargo renders them.
///
/// # Errors
/// [`BuildError`].
pub fn compile(options: &BuildOptions, mut show: impl FnMut(&str)) -> Result<PathBuf, BuildError> {
    // Every edit waits for this, and asking cargo where it works costs as much as a small build.
    let (package, place) = match (&options.profile, own_words(&options.root)) {
        (Profile::Dev, Some(package)) => (package, None),
        (Profile::Dev, None) => (cdylib_package(&options.root, options)?.0, None),
        _ => cdylib_package(&options.root, options).map(|(package, place)| (package, Some(place)))?,
    };
    let mut command = options.toolchain.cargo(&options.cargo);
    command.current_dir(&options.root).args([
        "build",
        "--lib",
        "--target",
        TARGET,
        "--profile",
        options.profile.name(),
        "--package",
        &package,
    ]);
    command.arg(if options.color { "--message-format=json-diagnostic-rendered-ansi" } else { "--message-format=json" });
    command.arg(if options.color { "--color=always" } else { "--color=never" });
    if let Some(home) = &options.cargo_home {
        command.env("CARGO_HOME", home);
    }
    if let Some(folder) = &options.target_dir {
        command.arg("--target-dir").arg(folder);
    }
    for (flag, wanted) in [("--locked", options.locked), ("--offline", options.offline), ("--quiet", options.quiet)] {
        if wanted {
            command.arg(flag);
        }
    }
    if let Some(place) = place {
        make_reproducible(&mut command, options, &place);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    if options.speech == Speech::Messages {
        command.stderr(Stdio::piped());
    }
    let mut cargo = options.cancel.spawn(&mut command).map_err(BuildError::Cargo)?;
    let speech = cargo.stderr.take().map(|stderr| std::thread::spawn(move || read_all(stderr)));
    let mut component = None;
    if let Some(output) = cargo.stdout.take() {
        let reader: Box<dyn Read> = Box::new(output);
        for message in Message::parse_stream(BufReader::new(reader)).flatten() {
            match message {
                Message::CompilerMessage(message) => {
                    if let Some(rendered) = &message.message.rendered {
                        show(rendered);
                    }
                }
                Message::CompilerArtifact(made)
                    if made.target.is_kind(TargetKind::CDyLib)
                        && made.target.crate_types.contains(&CrateType::CDyLib) =>
                {
                    let file = made.filenames.iter().find(|file| file.extension() == Some("wasm"));
                    if let Some(file) = file {
                        component = Some(file.clone().into_std_path_buf());
                    }
                }
                _ => {}
            }
        }
    }
    if let Some(said) = speech.and_then(|speech| speech.join().ok()) {
        show(&said);
    }
    let status = cargo.wait().map_err(BuildError::Cargo)?;
    if !status.success() {
        return Err(BuildError::Failed(status));
    }
    component.ok_or(BuildError::NoArtifact)
}

/// What could be read of it is shown.
fn read_all(mut stderr: ChildStderr) -> String {
    let mut text = Vec::new();
    let _ = stderr.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The package's name, where its `Cargo.toml` says itself that it makes a cdylib; what is told otherwise only cargo knows.
fn own_words(root: &Path) -> Option<String> {
    let manifest = fs_err::read_to_string(root.join("Cargo.toml")).ok()?.parse::<toml::Table>().ok()?;
    let types = manifest.get("lib")?.get("crate-type")?.as_array()?;
    let name = manifest.get("package")?.get("name")?.as_str()?;
    types.iter().any(|kind| kind.as_str() == Some("cdylib")).then(|| name.to_owned())
}

/// The folder of the workspace that is built.
pub(super) fn workspace_of(options: &BuildOptions) -> Result<PathBuf, BuildError> {
    cdylib_package(&options.root, options).map(|(_, place)| place.workspace)
}

/// Where cargo works.
pub(super) struct Place {
    /// The folder of the workspace.
    pub(super) workspace: PathBuf,
    /// The folder of what is made.
    pub(super) target: PathBuf,
}

/// The name of the package in `root`, which must make a cdylib, and where it is built.
fn cdylib_package(root: &Path, options: &BuildOptions) -> Result<(String, Place), BuildError> {
    let mut command = MetadataCommand::new();
    for name in private_variables() {
        command.env_remove(name);
    }
    command.manifest_path(root.join("Cargo.toml")).current_dir(root).cargo_path(&options.cargo).no_deps();
    // cargo's own messages say what is wrong; a stack of this tool's frames says nothing.
    command.env("RUST_BACKTRACE", "0").env("RUSTUP_AUTO_INSTALL", "0");
    if options.offline {
        command.other_options(vec!["--offline".to_owned()]);
    }
    let metadata = command.exec().map_err(|error| {
        let text = match error {
            cargo_metadata::Error::CargoMetadata { stderr } => stderr,
            other => other.to_string(),
        };
        BuildError::Metadata(text.trim().trim_start_matches("error: ").to_owned())
    })?;
    let manifest = root.join("Cargo.toml");
    let manifest = fs_err::canonicalize(&manifest).unwrap_or(manifest);
    let package = metadata
        .packages
        .iter()
        .find(|package| package.manifest_path.as_std_path() == manifest)
        .ok_or_else(|| BuildError::Metadata(format!("{} is no package", manifest.display())))?;
    if package.targets.iter().any(|target| target.is_kind(TargetKind::CDyLib)) {
        let place = Place {
            workspace: metadata.workspace_root.clone().into_std_path_buf(),
            target: metadata.target_directory.clone().into_std_path_buf(),
        };
        Ok((package.name.to_string(), place))
    } else {
        Err(BuildError::NoCdylib(package.name.to_string()))
    }
}
