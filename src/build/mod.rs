//! Source to component: cargo, the same on every machine, and the account of it.

mod compile;
mod elsewhere;
mod provenance;
mod reproducible;
mod sbom;
mod source;
mod toolchain;

pub use compile::{Artifact, BuildError, BuildOptions, Profile, compile};
pub use elsewhere::Elsewhere;
pub use provenance::{BuildRecord, ProvenancePredicate, provenance};
pub use reproducible::SOURCE_FOLDER;
pub use sbom::{Product, bill_of_materials};
pub use source::SourceRevision;
pub use toolchain::{TOOLCHAIN_SCRIPT, Toolchain, ToolchainError, ToolchainFacts, look_around, run_script};
