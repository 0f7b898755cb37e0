//! A built component: what is in it, and how WASI is linked away.

mod link;
mod read;

pub use link::{LinkError, Linked, link};
pub(crate) use read::features;
pub use read::{Binary, ComponentInfo, classify, read};
