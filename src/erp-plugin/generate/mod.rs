//! Code made from the contract and the manifest.

pub(crate) mod codes;
mod rust;
mod script;
mod typescript_client;
mod wit;

use thiserror::Error;

pub use rust::needed_crates;
pub use typescript_client::typescript_client;
pub use wit::WIT_FILE;

use erp_manifest::contract::World;
use erp_manifest::{Language, Manifest};

/// What every file says that is made.
pub const MARK: &str = "Made by `erp-plugin generate`, which `erp-plugin build` runs; changes here are overwritten.";

/// Folders that hold nothing but what is made.
pub const GENERATED_FOLDERS: [&str; 1] = ["src/erp"];

/// A file that is made, and never edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Relative to the project, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl GeneratedFile {
    fn new(path: &str, text: String) -> GeneratedFile {
        GeneratedFile { path: path.to_owned(), text }
    }
}

/// The bindings could not be made.
#[derive(Debug, Error)]
#[error("bindings for `{world}` could not be generated: {reason}")]
pub struct GenerateError {
    world: String,
    reason: String,
}

/// The files for a manifest and its world, in the language that `[build]` names.
///
/// # Errors
/// [`GenerateError`], which is a bug where the world is one of the embedded ones.
pub fn generated_files(manifest: &Manifest, world: &World) -> Result<Vec<GeneratedFile>, GenerateError> {
    match *manifest.build.language {
        Language::Rust => rust::rust_files(manifest, world),
        Language::Typescript => script::typescript_files(manifest, world),
        Language::Python => script::python_files(manifest, world),
        Language::NoCode => Ok(Vec::new()),
    }
}
