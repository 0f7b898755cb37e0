//! A built component: what is in it, why, and how WASI is linked away.

mod bounds;
pub(crate) mod codes;
mod compose;
mod cost;
mod idle;
mod inputs;
mod lines;
mod link;
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
pub use compose::{ComposeError, ComposedComponent, PLUGIN, Part, PartConnection, compose};
pub use idle::idle_guest;
pub use inputs::{BuildInputs, ComponentOrigin, without_inputs};
pub use lines::{LinePoint, LineTable, LinesError};
pub use link::{LinkError, LinkedComponent, link, own_packages};
pub use metadata::{Description, DescriptionError, describe, description};
pub use module::{Module, ModuleFunction};
pub use paths::{local_path, path_into};
pub use producers::{Producer, producers};
pub(crate) use read::features;
pub use read::{Binary, ComponentInfo, classify, read, wit_text};
pub use strip::stripped;
pub use why::{ImportReason, remedy, why};
