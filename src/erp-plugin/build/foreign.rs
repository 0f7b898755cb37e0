//! What builds of other languages than Rust have in common: tools that are run, and what they say.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use thiserror::Error;

use super::cancel::Cancel;
use crate::settings::command;

/// A guest that is no crate.
pub struct ForeignBuild<'b> {
    /// The folder of the project.
    pub root: &'b Path,
    /// The file with the exports, relative to it.
    pub entry: &'b str,
    /// The host API that it is built for, as generated.
    pub wit: &'b Path,
    /// The world there.
    pub world: &'b str,
    /// True where nothing may be downloaded.
    pub offline: bool,
    /// What can give the build up.
    pub cancel: &'b Cancel,
    /// Gets what is being done.
    pub tell: &'b dyn Fn(&str, &str),
    /// Gets what tools say.
    pub show: &'b dyn Fn(&str),
}

/// Why nothing was built.
#[derive(Debug, Error)]
pub enum ForeignError {
    /// A file that says what to build with is not there.
    #[error("there is no {0}, {1}")]
    NoFile(&'static str, &'static str),
    /// A program is not there.
    #[error("`{program}` cannot be run: {why}")]
    NoTool {
        /// Its name.
        program: String,
        /// Why, and who brings it.
        why: String,
    },
    /// Something must be downloaded.
    #[error("{0} must be downloaded, and --offline forbids it")]
    Offline(&'static str),
    /// A program failed; what it said was shown.
    #[error("{program} failed ({status})")]
    Failed {
        /// Its name.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A folder cannot be made.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl std::fmt::Debug for ForeignBuild<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ForeignBuild").field("root", &self.root).field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl ForeignBuild<'_> {
    /// A file of what is made.
    pub(super) fn out(&self, name: &str) -> Result<PathBuf, ForeignError> {
        let folder = erp_files::inside(self.root, Path::new("target/erp-plugin")).map_err(std::io::Error::other)?;
        fs_err::create_dir_all(&folder)?;
        Ok(folder.join(name))
    }
}

/// A program.
pub(super) struct Tool {
    program: OsString,
    name: String,
    brought_by: &'static str,
}

impl Tool {
    /// A program of the machine.
    pub(super) fn named(name: &str, brought_by: &'static str) -> Tool {
        Tool { program: name.into(), name: name.to_owned(), brought_by }
    }

    /// A program that was installed for the project.
    pub(super) fn at(path: &Path) -> Tool {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Tool { program: path.into(), name, brought_by: "the project's own packages bring it" }
    }

    /// Runs it in the project; what it says is shown where it fails.
    pub(super) fn run(&self, root: &Path, arguments: &[&str], build: &ForeignBuild<'_>) -> Result<(), ForeignError> {
        let missing = |error: std::io::Error| ForeignError::NoTool {
            program: self.name.clone(),
            why: format!("{error}; {}", self.brought_by),
        };
        // Both streams into one, in the order in which they were written.
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
        // The last writer is the child: its end is the end of what is read.
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
