//! Code that is generated from the contract and the manifest.

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

/// The notice at the head of every generated file.
pub const MARK: &str = "Made by `erp-plugin generate`, which `erp-plugin build` runs; changes here are overwritten.";

/// Folders that contain only generated files.
pub const GENERATED_FOLDERS: [&str; 1] = ["src/erp"];

/// A generated file, which users do not edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// The path relative to the project, with `/`.
    pub path: String,
    /// The text of the file.
    pub text: String,
}

impl GeneratedFile {
    fn new(path: &str, text: String) -> GeneratedFile {
        GeneratedFile { path: path.to_owned(), text }
    }
}

/// The error that the bindings could not be generated.
#[derive(Debug, Error)]
#[error("bindings for `{world}` could not be generated: {reason}")]
pub struct GenerateError {
    world: String,
    reason: String,
}

/// Returns the files for a manifest and its world, in the language that `[build]` names.
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
