//! Requests that plugins send into the world: which addresses a manifest allows, who carries them, and
//! cassettes that answer instead of the network.

mod cassette;
mod pattern;
mod transport;

pub use cassette::{BodyText, Cassette, Interaction};
pub use pattern::{UrlPattern, UrlPatternError, allowed, is_public};
pub use transport::{HttpRequest, HttpResponse, HttpTransport, Network, TransportBounds, TransportError};
