//! Compiling components: in a process of its own with a deadline and a bound of memory, into a folder of the user's.

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
