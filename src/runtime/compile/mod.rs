//! Compiles components in a separate process with limits of time and memory, and stores their code in a folder.

mod cache;
mod child;
mod compiler;
mod functions;
mod limits;

pub use child::run_as_compiler;
pub(super) use compiler::{CodeKind, Compiler};
pub use compiler::{Compilation, CompilerProgram};
pub(super) use functions::CompiledFunctions;
pub use limits::CompileLimits;

use compiler::component_of_code;
