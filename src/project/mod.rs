//! A plugin project on the disk: where its parts are, and what is in them.

mod discover;
mod files;

pub use discover::{MANIFEST_FILE, Project, ProjectError};
pub use files::{FileError, package_files};
