//! A plugin project on the disk: where its parts are, and what is in them.

mod discover;
mod files;
mod secrets;
mod watch;
mod workspace;

pub use discover::{MANIFEST_FILE, Project, ProjectError, manifest_in};
pub use files::{FileError, FileProblem, package_files};
pub use secrets::{FoundSecret, find_secret, find_token};
pub use watch::{Concern, FolderWatch};
pub use workspace::{Member, WorkspaceError, members, workspace_root};
