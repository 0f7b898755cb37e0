//! Template and answers to files: a pure rendering, and one writer that touches the disk.

mod template;
mod write;

pub use template::{Answers, PlannedFile, Template, TemplateError, builtin};
pub use write::{ScaffoldError, write};
