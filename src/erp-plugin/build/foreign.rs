//! Common parts of builds in other languages than Rust: running tools and showing their output.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use thiserror::Error;

use super::cancel::Cancel;
use crate::settings::command;

/// The build of a guest that is not a Rust crate.
pub struct ForeignBuild<'b> {
    /// The folder of the project.
    pub root: &'b Path,
    /// The file with the exports, relative to `root`.
    pub entry: &'b str,
    /// The generated WIT file of the host API that the guest is built for.
    pub wit: &'b Path,
    /// The name of the world in `wit`.
    pub world: &'b str,
    /// True where nothing may be downloaded.
    pub offline: bool,
    /// Cancels the build.
    pub cancel: &'b Cancel,
    /// Reports progress: a verb and its object.
    pub on_step: &'b dyn Fn(&str, &str),
    /// Receives the output of a tool that failed.
    pub show: &'b dyn Fn(&str),
}

/// The reason why a build failed.
#[derive(Debug, Error)]
pub enum ForeignError {
    /// The file that lists the build's packages is missing.
    #[error("there is no {0}, {1}")]
    NoFile(&'static str, &'static str),
    /// A program cannot be run.
    #[error("`{program}` cannot be run: {why}")]
    NoTool {
        /// The name of the program.
        program: String,
        /// The error, and what provides the program.
        why: String,
    },
    /// A download is needed.
    #[error("{0} must be downloaded, and --offline forbids it")]
    Offline(&'static str),
    /// A program failed; its output was passed on.
    #[error("{program} failed ({status})")]
    Failed {
        /// The name of the program.
        program: String,
        /// Its exit status.
        status: ExitStatus,
    },
    /// A folder cannot be made, or a file or a pipe cannot be used.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl std::fmt::Debug for ForeignBuild<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForeignBuild").field("root", &self.root).field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl ForeignBuild<'_> {
    /// The path of a build output in `target/erp-plugin`; creates the folder.
    pub(super) fn out(&self, name: &str) -> Result<PathBuf, ForeignError> {
        let folder = erp_files::inside(self.root, Path::new("target/erp-plugin")).map_err(std::io::Error::other)?;
        fs_err::create_dir_all(&folder)?;
        Ok(folder.join(name))
    }
}

/// A program that a build runs.
pub(super) struct Tool {
    program: OsString,
    name: String,
    brought_by: &'static str,
}

impl Tool {
    /// A program of this machine.
    pub(super) fn named(name: &str, brought_by: &'static str) -> Tool {
        Tool { program: name.into(), name: name.to_owned(), brought_by }
    }

    /// A program that was installed for the project.
    pub(super) fn at(path: &Path) -> Tool {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Tool { program: path.into(), name, brought_by: "the project's own packages bring it" }
    }

    /// Runs the program in the project; `show` receives its output if it fails.
    pub(super) fn run(&self, root: &Path, arguments: &[&str], build: &ForeignBuild<'_>) -> Result<(), ForeignError> {
        let missing = |error: std::io::Error| ForeignError::NoTool {
            program: self.name.clone(),
            why: format!("{error}; {}", self.brought_by),
        };
        // Both streams go into one pipe, in the order of writing.
        let (mut said, out) = std::io::pipe().map_err(ForeignError::Io)?;
        let error = out.try_clone().map_err(ForeignError::Io)?;
        let mut command = command(&self.program);
        command
            .current_dir(root)
            .args(arguments)
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(error);
        let child = build.cancel.spawn(&mut command).map_err(missing)?;
        // Now the child is the only writer, so reading ends when the child ends.
        drop(command);
        let mut text = Vec::new();
        said.read_to_end(&mut text)?;
        let status = child.wait()?;
        if status.success() {
            return Ok(());
        }
        (build.show)(&String::from_utf8_lossy(&text));
        Err(ForeignError::Failed { program: self.name.clone(), status })
    }
}
