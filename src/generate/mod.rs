//! Code made from the contract and the manifest.

mod bindings;

pub use bindings::{GenerateError, rust_bindings};
