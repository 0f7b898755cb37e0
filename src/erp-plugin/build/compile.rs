//! Runs cargo and finds what it made.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, ExitStatus, Stdio};
use std::time::SystemTime;

use cargo_metadata::{CrateType, Message, TargetKind};
use thiserror::Error;

use super::cancel::Cancel;
use super::cargo_config::{CargoConfig, CargoVariables, NamedLinker};
use super::cargo_project::{CargoProject, CargoQuestion};
use super::reproducible::make_reproducible;
use super::source_files::{cargo_files, read_variables};
use super::toolchain::{TARGET, Toolchain};

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
    /// cargo's `--locked`, where there is a lock file.
    pub locked: bool,
    /// Nobody asked for `locked`: what cargo says of it is said in other words.
    pub locks_by_itself: bool,
    /// cargo's `--offline`.
    pub offline: bool,
    /// Where cargo keeps crates.
    pub cargo_home: Option<PathBuf>,
    /// What variables say to cargo.
    pub variables: CargoVariables,
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
    /// `Cargo.toml` asks for what the lock file does not have, and what ships is built from what is locked.
    #[error("Cargo.lock does not say what Cargo.toml says: it was changed since")]
    LockOutdated,
    /// The project forbids what the generated bindings cannot do without.
    #[error("`unsafe_code` is forbidden here, and the bindings to the host need it")]
    UnsafeForbidden,
    /// A linker that makes no components.
    #[error("the linker `{}` makes core modules, and plugins are components", .0.linker)]
    Linker(NamedLinker),
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

/// What cargo made of a package.
#[derive(Debug)]
pub struct CompiledCrate {
    /// The component as the compiler made it, in cargo's folder.
    pub artifact: PathBuf,
    /// The files that it was made of: digests by paths relative to the project.
    pub files: BTreeMap<String, String>,
    /// The variables that its source read: digests of their values.
    pub variables: BTreeMap<String, String>,
    /// What cargo knows of the project; none for a build for development, which does not wait for it.
    pub project: Option<CargoProject>,
    /// The digest of cargo's configuration.
    pub settings: String,
}

/// Builds the package and finds its component. `show` gets cargo's messages as cargo renders them.
///
/// # Errors
/// [`BuildError`].
pub fn compile(options: &BuildOptions, mut show: impl FnMut(&str)) -> Result<CompiledCrate, BuildError> {
    let root = fs_err::canonicalize(&options.root).unwrap_or_else(|_| options.root.clone());
    let config = CargoConfig::read(&root, &options.variables);
    let began = now();
    let question = CargoQuestion {
        root: &root,
        cargo: &options.cargo,
        offline: options.offline,
        locked: options.locked,
        locks_by_itself: options.locks_by_itself,
        home: options.cargo_home.as_deref(),
    };
    // Every edit waits for this, and asking cargo where it works costs as much as a small build.
    let project = match &options.profile {
        Profile::Dev if is_plain_package(&root) => None,
        Profile::Dev => Some(CargoProject::learn_shallow(question)?),
        _ => Some(CargoProject::learn(question)?),
    };
    let mut command = options.toolchain.cargo(&options.cargo);
    command.current_dir(&root).args(["build", "--lib", "--target", TARGET, "--profile", options.profile.name()]);
    if let Some(project) = &project {
        command.args(["--package", project.specification()]);
    }
    command.arg(if options.color { "--message-format=json-diagnostic-rendered-ansi" } else { "--message-format=json" });
    command.arg(if options.color { "--color=always" } else { "--color=never" });
    if let Some(home) = &options.cargo_home {
        command.env("CARGO_HOME", home);
    }
    if let Some(folder) = &options.target_dir {
        command.arg("--target-dir").arg(folder);
    }
    let has_lock = || project.as_ref().is_none_or(|project| project.lock_file().is_file());
    let locked = options.locked && (!options.locks_by_itself || has_lock());
    for (flag, wanted) in [("--locked", locked), ("--offline", options.offline), ("--quiet", options.quiet)] {
        if wanted {
            command.arg(flag);
        }
    }
    if let Some(project) = project.as_ref().filter(|_| options.profile != Profile::Dev) {
        make_reproducible(&mut command, options, &root, project, &config);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    if options.speech == Speech::Messages {
        command.stderr(Stdio::piped());
    }
    let mut cargo = options.cancel.spawn(&mut command).map_err(BuildError::Cargo)?;
    let speech = cargo.stderr.take().map(|stderr| std::thread::spawn(move || read_all(stderr)));
    let mut artifact = None;
    let mut needs_unsafe = false;
    if let Some(output) = cargo.stdout.take() {
        let reader: Box<dyn Read> = Box::new(output);
        for message in Message::parse_stream(BufReader::new(reader)).flatten() {
            match message {
                Message::CompilerMessage(message) => {
                    // `allow` inside of `forbid`, which the compiler never lets pass.
                    let code = message.message.code.as_ref().map(|code| code.code.as_str());
                    needs_unsafe |= code == Some("E0453") && message.message.message.contains("unsafe_code");
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
                        artifact = Some(file.clone().into_std_path_buf());
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
        return Err(if needs_unsafe { BuildError::UnsafeForbidden } else { BuildError::Failed(status) });
    }
    let artifact = artifact.ok_or(BuildError::NoArtifact)?;
    if let Some(named) = config.linker.filter(|_| is_core_module(&artifact)) {
        return Err(BuildError::Linker(named));
    }
    let (files, variables) = (cargo_files(&root, &artifact, began), read_variables(&artifact));
    Ok(CompiledCrate { files, variables, artifact, project, settings: config.digest })
}

#[expect(clippy::disallowed_methods, reason = "compared with times of files, and told to nobody")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Whether a file is WebAssembly without the layer of components.
fn is_core_module(file: &Path) -> bool {
    let mut header = [0; 8];
    let read = fs_err::File::open(file).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header == *b"\0asm\x01\0\0\0"
}

/// What could be read of it is shown.
fn read_all(mut stderr: ChildStderr) -> String {
    let mut text = Vec::new();
    let _ = stderr.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether the `Cargo.toml` says itself that it makes a cdylib and is no workspace: then cargo builds just this package in its
/// folder. What is told otherwise only cargo knows.
fn is_plain_package(root: &Path) -> bool {
    let manifest = fs_err::read_to_string(root.join("Cargo.toml")).ok();
    let Some(manifest) = manifest.and_then(|text| text.parse::<toml::Table>().ok()) else { return false };
    let types = manifest.get("lib").and_then(|library| library.get("crate-type")).and_then(toml::Value::as_array);
    let is_cdylib = types.is_some_and(|types| types.iter().any(|kind| kind.as_str() == Some("cdylib")));
    is_cdylib && manifest.contains_key("package") && !manifest.contains_key("workspace")
}
