//! The network: uploading packages to a platform or a dev host, and requests that plugins send.

mod client;
mod network;
mod retry;

pub use client::{Client, PublishError, Published};
pub use network::NetworkTransport;
