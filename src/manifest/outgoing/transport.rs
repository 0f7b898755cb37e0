//! Requests and responses, and who carries them.

use std::fmt;
use std::time::Duration;

/// A request as the host sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Such as `GET`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Which addresses of the network a request may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Only addresses that are public.
    Public,
    /// Private ones too: the manifest names the host as it stands.
    Any,
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The address is a private one.
    #[error("{0}")]
    Refused(String),
    /// Nobody answers for this request: it is in no cassette.
    #[error("{0}")]
    Unknown(String),
    /// The network or the other side failed.
    #[error("{0}")]
    Failed(String),
}

/// What one request may cost, from looking up the name to the last byte of the response.
#[derive(Clone, Copy)]
pub struct TransportBounds<'a> {
    /// Time.
    pub timeout: Duration,
    /// Bytes of the response's body.
    pub most_bytes: u64,
    /// Says that the response is not wanted any more; asked every now and then.
    pub is_interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// Sends requests of plugins: over the network, or from a cassette.
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
