//! What the host and a component promise each other: the versions of the host API that are
//! embedded in the binary, their worlds, and the comparison of a component with one of them.

mod compare;
mod version;

pub use compare::{InterfaceUse, compare};
pub use version::{HostApi, LEGACY, V1_0_0, World, find, versions};
