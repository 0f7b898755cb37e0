//! The HTTP requests of plugins on a developer's machine.

use std::net::SocketAddr;
use std::time::Duration;

use erp_manifest::outgoing::{
    HttpRequest, HttpResponse, HttpTransport, Network, TransportBounds, TransportError, is_public,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};

/// How often a running request checks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// Sends requests over the network. A host name is resolved once, and the connection goes to an address that was
/// checked. A name that resolves to another address later cannot bypass the check.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetworkTransport;

impl HttpTransport for NetworkTransport {
    fn send(
        &self,
        request: &HttpRequest,
        network: Network,
        bounds: TransportBounds<'_>,
    ) -> Result<HttpResponse, TransportError> {
        choose_cryptography();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
        // One timeout for the whole request: a server that sends slowly gets no more time.
        let answer = runtime.block_on(async {
            tokio::select! {
                answer = answer(request, network, bounds.most_bytes) => answer,
                () = tokio::time::sleep(bounds.timeout) => {
                    Err(TransportError::Failed(format!("no complete response within {:?}", bounds.timeout)))
                }
                () = interrupted(bounds.is_interrupted) => {
                    Err(TransportError::Failed("the response is not wanted any more".to_owned()))
                }
            }
        });
        // A pending name lookup must not delay the return.
        runtime.shutdown_background();
        answer
    }
}

async fn interrupted(is_interrupted: &(dyn Fn() -> bool + Sync)) {
    while !is_interrupted() {
        tokio::time::sleep(LOOK).await;
    }
}

async fn answer(request: &HttpRequest, network: Network, most_bytes: u64) -> Result<HttpResponse, TransportError> {
    let url = Url::parse(&request.url).map_err(|error| failed(&error))?;
    let method = Method::from_bytes(request.method.as_bytes()).map_err(|error| failed(&error))?;
    let (host, addresses) = addresses(&url).await?;
    let open: Vec<SocketAddr> =
        addresses.into_iter().filter(|address| network == Network::Any || is_public(address.ip())).collect();
    if open.is_empty() {
        let message = format!("`{host}` leads to a private address: write it into `http` as it is, to allow that");
        return Err(TransportError::Refused(message));
    }
    let client = Client::builder()
        .redirect(Policy::none())
        // A proxy would resolve the name itself, without the check.
        .no_proxy()
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
    let mut response = sending.send().await.map_err(|error| failed(&error))?;
    let status = response.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| failed(&error))? {
        if (body.len() + part.len()) as u64 > most_bytes {
            return Err(TransportError::Failed(format!("the response has more than {most_bytes} bytes")));
        }
        body.extend_from_slice(&part);
    }
    Ok(HttpResponse { status, headers, body })
}

/// The error with all of its causes: `error sending request` alone does not help.
fn failed(error: &dyn std::error::Error) -> TransportError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    TransportError::Failed(text)
}

/// Selects `ring` for TLS in this process. Later calls have no effect.
pub(crate) fn choose_cryptography() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn addresses(url: &Url) -> Result<(String, Vec<SocketAddr>), TransportError> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let found = tokio::net::lookup_host((bare.as_str(), port))
        .await
        .map_err(|error| TransportError::Failed(format!("`{host}` cannot be found: {error}")))?
        .collect();
    Ok((host, found))
}
