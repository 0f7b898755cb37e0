//! Uploading packages to a platform or a dev host.

mod client;
mod retry;

pub use client::{Client, PublishError, Published};
