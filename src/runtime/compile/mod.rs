//! Compiles components in a separate process with limits of time and memory, and stores their code in a folder.

mod cache;
mod child;
mod compiler;
mod functions;
mod limits;

pub use child::as_compiler;
pub use compiler::Compilation;
pub(super) use compiler::{CodeKind, Compiler};
pub(super) use functions::CompiledFunctions;
pub use limits::CompileLimits;

use compiler::component_of_code;
