//! Builds of components from source: reproducible ones with cargo, those of other languages, and their provenance.

mod cancel;
mod cargo_config;
mod cargo_project;
mod compile;
mod foreign;
mod provenance;
mod python;
mod reproducible;
mod sbom;
mod source;
mod source_copy;
mod source_files;
mod toolchain;
mod typescript;

pub use cancel::Cancel;
pub use cargo_config::{CargoConfig, CargoVariables, NamedLinker};
pub use cargo_project::{CargoProject, LocalPackage};
pub use compile::{BuildError, BuildOptions, CompiledCrate, MessageTarget, Profile, compile};
pub use foreign::{ForeignBuild, ForeignError};
pub use provenance::{BuildRecord, ProvenancePredicate, provenance};
pub use reproducible::SOURCE_FOLDER;
pub use sbom::{Product, bill_of_materials};
pub use source::SourceRevision;
pub use source_copy::SourceCopy;
pub use source_files::{PresentInputs, changes, folders_beside, script_files, source_changes, workspace_of};
pub use toolchain::{
    TOOLCHAIN_SCRIPT, Toolchain, ToolchainError, ToolchainFacts, program_version, run_script, toolchain_facts,
};

use std::path::PathBuf;

/// Builds a guest in TypeScript or JavaScript.
///
/// # Errors
/// [`ForeignError`].
pub fn compile_typescript(build: &ForeignBuild<'_>) -> Result<PathBuf, ForeignError> {
    typescript::compile(build)
}

/// Builds a guest in Python.
///
/// # Errors
/// [`ForeignError`].
pub fn compile_python(build: &ForeignBuild<'_>) -> Result<PathBuf, ForeignError> {
    python::compile(build)
}
