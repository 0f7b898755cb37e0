//! The network as plugins reach it from a developer's machine.

use std::io::Read;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::redirect::Policy;
use reqwest::{Method, Url};

use crate::outgoing::{HttpRequest, HttpResponse, HttpTransport, Network, TransportError, is_public};

/// Sends requests over the network. Names are looked up once, and the connection goes to an address that was looked
/// at: a name that leads somewhere else a moment later leads nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetworkTransport;

impl HttpTransport for NetworkTransport {
    fn send(
        &self,
        request: &HttpRequest,
        network: Network,
        timeout: Duration,
        most_bytes: u64,
    ) -> Result<HttpResponse, TransportError> {
        let failed = |error: &dyn std::fmt::Display| TransportError::Failed(error.to_string());
        let url = Url::parse(&request.url).map_err(|error| failed(&error))?;
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| failed(&error))?;
        let (host, addresses) = addresses(&url)?;
        let open: Vec<SocketAddr> =
            addresses.into_iter().filter(|address| network == Network::Any || is_public(address.ip())).collect();
        if open.is_empty() {
            let message = format!("`{host}` leads to a private address: write it into `http` as it is, to allow that");
            return Err(TransportError::Refused(message));
        }
        choose_cryptography();
        let client = Client::builder()
            .redirect(Policy::none())
            // A proxy would look the name up by itself.
            .no_proxy()
            .timeout(timeout)
            .resolve_to_addrs(&host, &open)
            .build()
            .map_err(|error| failed(&error))?;
        let mut sending = client.request(method, url);
        for (name, value) in &request.headers {
            sending = sending.header(name, value);
        }
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
        let response = sending.send().map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let mut body = Vec::new();
        response.take(most_bytes.saturating_add(1)).read_to_end(&mut body).map_err(|error| failed(&error))?;
        if body.len() as u64 > most_bytes {
            return Err(TransportError::Failed(format!("the response has more than {most_bytes} bytes")));
        }
        Ok(HttpResponse { status, headers, body })
    }
}

/// TLS is done by `ring`, chosen once for the process.
pub(super) fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn addresses(url: &Url) -> Result<(String, Vec<SocketAddr>), TransportError> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, port)
        .to_socket_addrs()
        .map_err(|error| TransportError::Failed(format!("`{host}` cannot be found: {error}")))?;
    Ok((host, found.collect()))
}
