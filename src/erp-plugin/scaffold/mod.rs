//! Template and answers to files: a pure rendering, and one writer that touches the disk.

mod infer;
mod parameters;
mod template;
mod write;

pub use infer::{EntityGuess, FieldGuess, InferError, MAX_FILE as MAX_INFERRED_FILE, infer};
pub use parameters::{Parameter, ParameterKind};
pub use template::{About, Answers, PlannedFile, Template, TemplateError, builtin};
pub use write::{ScaffoldError, TargetFolder, write};
