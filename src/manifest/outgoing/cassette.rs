//! Cassettes: recorded responses that tests replay instead of using the network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{HttpRequest, HttpResponse, HttpTransport, Network, TransportBounds, TransportError};

/// A request and its response, as in the file of a cassette. Request headers are left out, because they often hold
/// credentials and rarely matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// The method, such as `GET`.
    pub method: String,
    /// The complete URL.
    pub url: String,
    /// The body that a request must have to match; if absent, every body matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_body: Option<BodyText>,
    /// The HTTP status of the response.
    pub status: u16,
    /// The headers of the response, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// The body of the response.
    #[serde(default)]
    pub body: BodyText,
}

/// Bytes: text if they are UTF-8, otherwise Base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BodyText {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Base64 {
        /// Base64 in the standard alphabet, with padding.
        base64: String,
    },
}

impl Default for BodyText {
    fn default() -> BodyText {
        BodyText::Text(String::new())
    }
}

impl BodyText {
    fn of(bytes: &[u8]) -> BodyText {
        match std::str::from_utf8(bytes) {
            Ok(text) => BodyText::Text(text.to_owned()),
            Err(_) => BodyText::Base64 { base64: STANDARD.encode(bytes) },
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, TransportError> {
        match self {
            BodyText::Text(text) => Ok(text.clone().into_bytes()),
            BodyText::Base64 { base64 } => STANDARD
                .decode(base64)
                .map_err(|error| TransportError::Failed(format!("the cassette holds broken Base64: {error}"))),
        }
    }
}

/// Replays recorded responses, and records new ones if it has a network.
#[derive(Debug)]
pub struct Cassette {
    interactions: Mutex<Vec<Interaction>>,
    network: Option<Arc<dyn HttpTransport>>,
}

impl Cassette {
    /// Creates a cassette with these interactions. Other requests go to `network` and are recorded; without it they
    /// fail.
    pub fn new(interactions: Vec<Interaction>, network: Option<Arc<dyn HttpTransport>>) -> Cassette {
        Cassette { interactions: Mutex::new(interactions), network }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Interaction>> {
        self.interactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All interactions; those that were recorded come last.
    pub fn interactions(&self) -> Vec<Interaction> {
        self.known().clone()
    }
}

impl HttpTransport for Cassette {
    fn send(
        &self,
        request: &HttpRequest,
        network: Network,
        bounds: TransportBounds<'_>,
    ) -> Result<HttpResponse, TransportError> {
        let body = request.body.as_deref().map(BodyText::of);
        let known = self
            .known()
            .iter()
            .find(|known| {
                known.method == request.method
                    && known.url == request.url
                    && known.request_body.as_ref().is_none_or(|wanted| Some(wanted) == body.as_ref())
            })
            .cloned();
        if let Some(known) = known {
            let (status, headers, body) = (known.status, known.headers.clone(), known.body.bytes()?);
            return Ok(HttpResponse { status, headers, body });
        }
        let Some(outside) = &self.network else {
            let message = format!("no recorded response to {} {}", request.method, request.url);
            return Err(TransportError::Unknown(message));
        };
        let response = outside.send(request, network, bounds)?;
        self.known().push(Interaction {
            method: request.method.clone(),
            url: request.url.clone(),
            request_body: body,
            status: response.status,
            // A cookie is a credential of the person who records.
            headers: response
                .headers
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"))
                .cloned()
                .collect(),
            body: BodyText::of(&response.body),
        });
        Ok(response)
    }
}
