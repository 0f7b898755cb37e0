//! Runs cargo and finds the component that it built.

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
use super::cargo_project::{CargoProject, MetadataQuery};
use super::reproducible::make_reproducible;
use super::source_files::{cargo_files, read_variables};
use super::toolchain::{TARGET, Toolchain};

/// The purpose of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// Fast to build, with names and paths of this machine: cargo's `dev`.
    Dev,
    /// For release: small, and the same on every machine. cargo's `release`.
    Release,
    /// Another profile of cargo, built like a release.
    Named(String),
}

impl Profile {
    /// The name of the profile in cargo.
    pub fn name(&self) -> &str {
        match self {
            Profile::Dev => "dev",
            Profile::Release => "release",
            Profile::Named(name) => name,
        }
    }
}

/// The options of a build.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// The folder with `Cargo.toml`.
    pub root: PathBuf,
    /// The cargo program to run.
    pub cargo: OsString,
    /// The toolchain to build with.
    pub toolchain: Toolchain,
    /// The profile to build.
    pub profile: Profile,
    /// cargo's `--target-dir`.
    pub target_dir: Option<PathBuf>,
    /// cargo's `--locked`. With `locked_by_default` it applies only where a lock file exists.
    pub locked: bool,
    /// Whether `locked` is the default, which the user did not ask for: then [`BuildError::LockOutdated`] replaces
    /// cargo's message.
    pub locked_by_default: bool,
    /// cargo's `--offline`.
    pub offline: bool,
    /// cargo's home, where it is known.
    pub cargo_home: Option<PathBuf>,
    /// Settings of cargo from environment variables.
    pub variables: CargoVariables,
    /// `SOURCE_DATE_EPOCH` of the environment.
    pub source_date_epoch: Option<String>,
    /// cargo's `--quiet`.
    pub quiet: bool,
    /// Whether cargo's messages have colours.
    pub color: bool,
    /// Cancels the build.
    pub cancel: Cancel,
    /// The destination of cargo's progress messages.
    pub messages_to: MessageTarget,
}

/// The destination of cargo's progress messages, which are separate from the compiler's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageTarget {
    /// The terminal, while cargo runs.
    #[default]
    Terminal,
    /// The receiver of the compiler's messages, after those.
    Messages,
}

/// The reason why a build failed.
#[derive(Debug, Error)]
pub enum BuildError {
    /// `cargo metadata` failed; the text is cargo's own message.
    #[error("cargo cannot read the project: {0}")]
    Metadata(String),
    /// The package has no library that compiles to a WebAssembly file.
    #[error("the package `{0}` has no library of the crate type `cdylib`")]
    NoCdylib(String),
    /// `Cargo.toml` and `Cargo.lock` disagree; a build that ships uses only locked versions.
    #[error("Cargo.lock does not say what Cargo.toml says: it was changed since")]
    LockOutdated,
    /// The project forbids `unsafe_code`, which the generated bindings need.
    #[error("`unsafe_code` is forbidden here, and the bindings to the host need it")]
    UnsafeForbidden,
    /// The configured linker makes core modules, not components.
    #[error("the linker `{}` makes core modules, and plugins are components", .0.linker)]
    Linker(NamedLinker),
    /// cargo could not be run.
    #[error("cargo cannot be run: {0}")]
    Cargo(std::io::Error),
    /// cargo failed; its messages were passed on.
    #[error("cargo build failed ({0})")]
    Failed(ExitStatus),
    /// The source cannot be copied to another folder.
    #[error("the source cannot be copied: {0}")]
    Copy(std::io::Error),
    /// cargo succeeded, but reported no WebAssembly file.
    #[error("cargo built the package, but no .wasm file came of it")]
    NoArtifact,
}

/// The result of a build by cargo.
#[derive(Debug)]
pub struct CompiledCrate {
    /// The component in cargo's folder, as the compiler wrote it.
    pub artifact: PathBuf,
    /// The files that it was built from: digests by paths relative to the project.
    pub files: BTreeMap<String, String>,
    /// The environment variables that its source read: digests of their values.
    pub variables: BTreeMap<String, String>,
    /// The metadata of the project; none for a development build of a plain package, which does not wait for it.
    pub project: Option<CargoProject>,
    /// The digest of cargo's configuration.
    pub settings: String,
}

/// Builds the package and finds its component. `show` receives cargo's messages as cargo renders them.
///
/// # Errors
/// [`BuildError`].
pub fn compile(options: &BuildOptions, mut show: impl FnMut(&str)) -> Result<CompiledCrate, BuildError> {
    let root = fs_err::canonicalize(&options.root).unwrap_or_else(|_| options.root.clone());
    let config = CargoConfig::read(&root, &options.variables);
    let began = now();
    let question = MetadataQuery {
        root: &root,
        cargo: &options.cargo,
        offline: options.offline,
        locked: options.locked,
        locked_by_default: options.locked_by_default,
        home: options.cargo_home.as_deref(),
    };
    // The user waits for this after every edit, and `cargo metadata` costs as much as a small build.
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
    let locked = options.locked && (!options.locked_by_default || has_lock());
    for (flag, wanted) in [("--locked", locked), ("--offline", options.offline), ("--quiet", options.quiet)] {
        if wanted {
            command.arg(flag);
        }
    }
    if let Some(project) = project.as_ref().filter(|_| options.profile != Profile::Dev) {
        make_reproducible(&mut command, options, &root, project, &config);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    if options.messages_to == MessageTarget::Messages {
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
                    // E0453 is an `allow` inside of `forbid`, which the compiler always rejects.
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

/// Whether a file is a core WebAssembly module and not a component.
fn is_core_module(file: &Path) -> bool {
    let mut header = [0; 8];
    let read = fs_err::File::open(file).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header == *b"\0asm\x01\0\0\0"
}

/// Returns the text that could be read; an error ends it early.
fn read_all(mut stderr: ChildStderr) -> String {
    let mut text = Vec::new();
    let _ = stderr.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether `Cargo.toml` itself declares a package with a cdylib and no workspace: then cargo builds just this package
/// in its folder. In all other cases only cargo knows.
fn is_plain_package(root: &Path) -> bool {
    let manifest = fs_err::read_to_string(root.join("Cargo.toml")).ok();
    let Some(manifest) = manifest.and_then(|text| text.parse::<toml::Table>().ok()) else { return false };
    let types = manifest.get("lib").and_then(|library| library.get("crate-type")).and_then(toml::Value::as_array);
    let is_cdylib = types.is_some_and(|types| types.iter().any(|kind| kind.as_str() == Some("cdylib")));
    is_cdylib && manifest.contains_key("package") && !manifest.contains_key("workspace")
}
