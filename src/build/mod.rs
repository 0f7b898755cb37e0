//! Source to component: cargo, then the linking away of WASI.

mod compile;
mod toolchain;

pub use compile::{Artifact, BuildError, BuildOptions, compile};
pub use toolchain::{TOOLCHAIN_SCRIPT, Toolchain, ToolchainError, ToolchainFacts, look_around, run_script};
