//! HTTP requests and responses, and the trait that sends them.

use std::fmt;
use std::time::Duration;

/// A request as the host sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// The complete URL.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
}

/// The response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The network addresses that a request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Only public addresses.
    Public,
    /// Private addresses too, because the manifest names the host literally.
    Any,
}

/// The reason why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The host has only private addresses, and the request may reach only public ones.
    #[error("{0}")]
    Refused(String),
    /// The cassette has no response for this request.
    #[error("{0}")]
    Unknown(String),
    /// The network or the server failed, or the cassette is broken.
    #[error("{0}")]
    Failed(String),
}

/// The limits of one request, from the lookup of the name to the last byte of the response.
#[derive(Clone, Copy)]
pub struct TransportBounds<'a> {
    /// The maximum time.
    pub timeout: Duration,
    /// The maximum size of the response's body, in bytes.
    pub most_bytes: u64,
    /// Returns whether the response is no longer needed; called from time to time.
    pub is_interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// Sends requests of plugins, over the network or to a cassette.
pub trait HttpTransport: Send + Sync + fmt::Debug {
    /// Sends one request and waits for its response. Redirects are not followed.
    ///
    /// # Errors
    /// [`TransportError`].
    fn send(
        &self,
        request: &HttpRequest,
        network: Network,
        bounds: TransportBounds<'_>,
    ) -> Result<HttpResponse, TransportError>;
}
