//! Settings from outside of the command line: environment variables and the user's folders.

mod environment;
mod folders;
mod memory;
mod program;

pub use environment::{Environment, VARIABLES};
pub use folders::Folders;
pub use memory::{compiler_program, return_memory_at_once};
pub use program::{command, private_variables, this_program};
