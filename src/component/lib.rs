//! A built component: what is in it, and why.

mod bounds;
pub mod codes;
mod cost;
mod inputs;
mod lines;
mod metadata;
mod module;
mod names;
mod nesting;
mod paths;
mod producers;
mod read;
mod shapes;
mod strip;
mod why;

pub use bounds::{Excess, MAX_BYTES, excess};
pub use inputs::{BuildInputs, ComponentOrigin, without_inputs};
pub use lines::{LinePoint, LineTable, LinesError};
pub use metadata::{Description, DescriptionError, describe, description};
pub use module::{Module, ModuleFunction};
pub use paths::{local_path, path_into};
pub use producers::{Producer, producers};
pub use read::features;
pub use read::{Binary, ComponentInfo, classify, read, wit_text};
pub use strip::stripped;
pub use why::{ImportReason, remedy, why};
