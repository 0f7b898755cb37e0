//! Requests of plugins to other servers: the addresses that a manifest allows, the transport of requests, and cassettes
//! that replace the network.

mod cassette;
mod pattern;
mod transport;

pub use cassette::{BodyText, Cassette, Interaction};
pub use pattern::{UrlPattern, UrlPatternError, allowed, is_public};
pub use transport::{HttpRequest, HttpResponse, HttpTransport, Network, TransportBounds, TransportError};
