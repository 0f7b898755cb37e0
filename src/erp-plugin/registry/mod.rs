//! Uploading packages to a platform, a dev host or an OCI registry.

mod address;
mod client;
mod connection;
mod oci;
mod publish_error;
mod retry;
mod sent;

pub use address::origin;
use client::printable;
pub use client::{Client, UploadResult};
pub use connection::ServerConnection;
pub use oci::{OciPackage, OciPushResult, Push, push};
pub use publish_error::PublishError;
