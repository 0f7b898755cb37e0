//! The network: uploading packages to a platform, a dev host or an OCI registry, and requests that plugins send.

mod address;
mod client;
mod connection;
mod network;
mod oci;
mod publish_error;
mod retry;
mod sent;

pub use address::origin;
use client::printable;
pub use client::{Client, UploadResult};
pub use connection::ServerConnection;
pub use network::NetworkTransport;
pub use oci::{OciPackage, OciPublished, Push, push};
pub use publish_error::PublishError;
