//! Turns a template and answers into files: rendering is pure, and only one writer touches the disk.

mod infer;
mod parameters;
mod template;
mod write;

pub use infer::{EntityGuess, FieldGuess, InferError, MAX_FILE as MAX_INFERRED_FILE, infer};
pub use parameters::{Parameter, ParameterKind};
pub use template::{About, Answers, PlannedFile, Template, TemplateError, builtin};
pub use write::{ScaffoldError, TargetFolder, write};
