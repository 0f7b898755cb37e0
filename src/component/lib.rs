//! Reads built WebAssembly components: their border, what compiling them would cost, and where they come from.
//!
//! ```text
//! bytes ──► classify ──► excess? ──► read ──► ComponentInfo ──► why, wit_text
//!                         │
//!                 refused before anything is validated
//! ```
//!
//! ```
//! use erp_component::{Binary, classify, read};
//!
//! assert!(matches!(classify(b"no wasm"), Binary::Other));
//! assert_eq!(read(b"no wasm").unwrap_err().code.name(), "component/not-wasm");
//! ```
//!
//! The bytes may be untrusted: their size bounds the cost of reading, and a panic of a decoder becomes a finding.
//! [`read`], [`excess`] and [`ComponentInfo`] are stable.

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
pub use strip::strip_component;
pub use why::{ImportReason, remedy, why};
