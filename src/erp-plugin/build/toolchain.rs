//! Finds the toolchain that builds for wasm32-wasip2, and installs one.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;
use thiserror::Error;

use crate::settings::command;

/// The script that installs the toolchain; `install.sh` runs the same file.
pub const TOOLCHAIN_SCRIPT: &str = include_str!("toolchain.sh");
/// The target that plugins are compiled for.
pub(super) const TARGET: &str = "wasm32-wasip2";
/// The name under which the script links its toolchain.
const LINKED_NAME: &str = "erp-plugin-wasm";

/// A toolchain that builds plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Toolchain {
    /// The name for `cargo +name`; none for the active one.
    pub name: Option<String>,
    /// What `rustc --version` says.
    pub rustc: String,
}

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ToolchainFacts {
    /// What `cargo --version` says; none if there is no cargo.
    pub cargo: Option<String>,
    /// What `rustup --version` says; none if there is no rustup.
    pub rustup: Option<String>,
    /// The toolchain that builds plugins; none where nothing does.
    pub toolchain: Option<Toolchain>,
    /// Why it does not run, where it is there.
    pub broken: Option<String>,
}

/// The reason why no plugin can be built.
#[derive(Debug, Error)]
pub enum ToolchainError {
    /// cargo is not on the PATH.
    #[error("cargo is not on the PATH")]
    NoCargo,
    /// cargo or rustc exists and does not run, for example where a rust-toolchain.toml names a toolchain that is not
    /// installed.
    #[error("the Rust toolchain of this project does not run: {0}")]
    Broken(String),
    /// No toolchain has a standard library for the target; the value is the version of its rustc.
    #[error("{}", no_target(.0.as_deref()))]
    NoTarget(Option<String>),
    /// The script failed.
    #[error("making the toolchain ready failed{0}")]
    Script(String),
}

impl Toolchain {
    /// Returns the toolchain to build with in `folder`: the one that `wanted` names, else the active one (which a
    /// rust-toolchain.toml may choose), else the one that the script linked.
    ///
    /// # Errors
    /// [`ToolchainError`].
    pub fn find(wanted: Option<&str>, cargo: &OsString, folder: &Path) -> Result<Toolchain, ToolchainError> {
        let candidates = match wanted {
            Some(name) => vec![Some(name.to_owned())],
            None => vec![None, Some(LINKED_NAME.to_owned())],
        };
        let found = candidates.into_iter().find_map(|name| {
            // Both commands ask the same compiler. Each starts a process, and every build waits for both.
            let (rustc, has_target) = std::thread::scope(|scope| {
                let version = scope.spawn(|| rustc(name.as_deref(), &["--version"], folder));
                let has_target = has_target(name.as_deref(), folder);
                (version.join().ok().flatten(), has_target)
            });
            rustc.filter(|_| has_target).map(|rustc| Toolchain { name, rustc })
        });
        if let Some(toolchain) = found {
            return Ok(toolchain);
        }
        match said(cargo, &["--version"], folder) {
            Err(Silence::NotThere) => Err(ToolchainError::NoCargo),
            Err(Silence::Failed(why)) => Err(ToolchainError::Broken(why)),
            Ok(_) => Err(ToolchainError::NoTarget(rustc(wanted, &["--version"], folder))),
        }
    }

    /// The folder of the toolchain with its standard library.
    pub(super) fn sysroot(&self, folder: &Path) -> Option<PathBuf> {
        rustc(self.name.as_deref(), &["--print", "sysroot"], folder).map(PathBuf::from)
    }

    /// Returns a command that runs cargo with this toolchain.
    pub(super) fn cargo(&self, cargo: &OsString) -> Command {
        let mut command = match &self.name {
            // rustup handles `+name`; the cargo that a parent cargo names in CARGO does not.
            Some(name) => {
                let mut command = command("cargo");
                command.arg(format!("+{name}"));
                command
            }
            None => command(cargo),
        };
        command.env("RUSTUP_AUTO_INSTALL", "0");
        command
    }
}

/// Returns the tools of this machine for a project in `folder`.
pub fn toolchain_facts(wanted: Option<&str>, cargo: &OsString, folder: &Path) -> ToolchainFacts {
    let found = Toolchain::find(wanted, cargo, folder);
    ToolchainFacts {
        cargo: version_of(cargo, &["--version"], folder),
        rustup: version_of(&"rustup".into(), &["--version"], folder),
        broken: match &found {
            Err(ToolchainError::Broken(why)) => Some(why.clone()),
            _ => None,
        },
        toolchain: found.ok(),
    }
}

/// Returns the version that a program of this machine prints; none where it cannot be run.
pub fn program_version(program: &str, folder: &Path) -> Option<String> {
    version_of(&program.into(), &["--version"], folder)
}

/// Runs the script; its messages go to standard error.
///
/// # Errors
/// [`ToolchainError::Script`].
pub fn run_script() -> Result<(), ToolchainError> {
    let failed = |why: String| ToolchainError::Script(format!(": {why}"));
    let mut shell = command("sh")
        .args(["-s", "--"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("sh cannot be started: {error}")))?;
    if let Some(mut stdin) = shell.stdin.take() {
        stdin.write_all(TOOLCHAIN_SCRIPT.as_bytes()).map_err(|error| failed(error.to_string()))?;
    }
    let status = shell.wait().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(ToolchainError::Script(String::new())) }
}

fn rustc(toolchain: Option<&str>, arguments: &[&str], folder: &Path) -> Option<String> {
    let mut all: Vec<String> = toolchain.map(|name| format!("+{name}")).into_iter().collect();
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    version_of(&"rustc".into(), &all, folder)
}

fn has_target(toolchain: Option<&str>, folder: &Path) -> bool {
    let libraries = rustc(toolchain, &["--print", "target-libdir", "--target", TARGET], folder);
    libraries.is_some_and(|libraries| has_std(&PathBuf::from(libraries)))
}

fn has_std(folder: &Path) -> bool {
    let Ok(entries) = fs_err::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

/// The first line of a command's output; none where the command cannot be run or fails.
fn version_of(program: &OsString, arguments: &[&str], folder: &Path) -> Option<String> {
    said(program, arguments, folder).ok()
}

/// The reason why a command returned no output.
enum Silence {
    /// The program cannot be started.
    NotThere,
    /// The program failed; the text is the first line of its error output.
    Failed(String),
}

fn said(program: &OsString, arguments: &[&str], folder: &Path) -> Result<String, Silence> {
    let output = command(program)
        .current_dir(folder)
        .args(arguments)
        .env("RUSTUP_AUTO_INSTALL", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|_| Silence::NotThere)?;
    let first = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().trim().to_owned();
    if output.status.success() {
        Ok(first(&output.stdout))
    } else {
        Err(Silence::Failed(first(&output.stderr).trim_start_matches("error: ").to_owned()))
    }
}

fn no_target(rustc: Option<&str>) -> String {
    match rustc {
        Some(rustc) => format!("{rustc}, which this project is built with, does not build for {TARGET}"),
        None => format!("no Rust toolchain on this machine builds for {TARGET}"),
    }
}
