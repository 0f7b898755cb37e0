//! What comes from outside a command line: environment variables and the user's folders.

mod environment;
mod folders;

pub use environment::{Environment, VARIABLES};
pub use folders::Folders;
