//! The client of a platform's HTTP API: uploads, requests and streams.

use std::io::{self, Cursor, Read};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use erp_manifest::codes::ErrorCode;
use erp_manifest::digest::sha256_hex;
use reqwest::blocking::{Body, Client as HttpClient, RequestBuilder, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::address::{check_token, checked_address, is_loopback};
use super::sent::{Upload, Waits};
use super::{PublishError, ServerConnection, retry};

/// The most bytes of a response.
const MAX_ANSWER_BYTES: u64 = 1 << 20;
/// The slowest upload in bytes per second: it extends the time limit of an upload by the size of the package.
const SLOWEST_BYTES_A_SECOND: u64 = 32 << 10;
const MEDIA_TYPE: &str = "application/vnd.erpx.v1+zip";

/// A client of a platform, with its token.
pub struct Client {
    http: HttpClient,
    base: String,
    connection: ServerConnection,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// An upload that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadResult {
    /// True if the platform already had exactly this package.
    pub already_there: bool,
    /// How often it was sent.
    pub attempts: u32,
    /// The platform's receipt.
    pub receipt: Value,
}

impl Client {
    /// A client for a platform. A token is only sent over https, or to this machine.
    ///
    /// # Errors
    /// [`PublishError::BadAddress`] and [`PublishError::Client`].
    pub fn new(address: &str, connection: ServerConnection) -> Result<Client, PublishError> {
        let ServerConnection { token, .. } = &connection;
        let base = checked_address(address, token.is_some())?;
        check_token(token.as_deref().map(String::as_str))?;
        // It has no effect if a provider was installed before.
        crate::network::choose_cryptography();
        let mut builder = HttpClient::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(connection.timeout)
            .user_agent(concat!("erp-plugin/", env!("CARGO_PKG_VERSION")));
        if base.starts_with("http://") {
            // Without TLS there is nothing to verify: a machine without certificates can publish to itself.
            builder = builder.tls_certs_only([]);
        }
        if let Some(pem) = &connection.ca {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| PublishError::BadAddress("the file of the authority holds no certificate".to_owned()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        builder = match &connection.proxy {
            Some(proxy) => {
                let bad = |error: reqwest::Error| PublishError::BadAddress(format!("`{proxy}` is no proxy: {error}"));
                builder.proxy(reqwest::Proxy::all(proxy).map_err(bad)?)
            }
            // This machine is reached without a proxy.
            None if is_loopback(&base) => builder.no_proxy(),
            None => builder,
        };
        let http = builder.build().map_err(|error| PublishError::Client(chain(&error)))?;
        Ok(Client { http, base, connection })
    }

    /// Sends a request to the platform's API; returns status and body, whatever the status is.
    ///
    /// # Errors
    /// [`PublishError::Unreachable`], [`PublishError::Certificate`], [`PublishError::NotAPlatform`], and
    /// [`PublishError::BadAddress`] for an invalid method.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), PublishError> {
        let method = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|_| PublishError::BadAddress(format!("`{method}` is no HTTP method")))?;
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = self.authorized(request).send().map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        if status == 204 { Ok((status, Value::Null)) } else { self.json(response).map(|body| (status, body)) }
    }

    /// Opens a stream of JSON documents, one a line, for at most `wait`; without it, the stream has no end.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn stream(&self, path: &str, wait: Option<Duration>) -> Result<impl std::io::Read + use<>, PublishError> {
        const NEVER: Duration = Duration::from_hours(10 * 365 * 24);
        let request = self.http.get(format!("{}{path}", self.base)).header("accept", "application/x-ndjson");
        let request = self.authorized(request).timeout(wait.unwrap_or(NEVER));
        let response = request.send().map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response)) }
    }

    /// The receipt of a version; none if the platform does not have the version.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn receipt(&self, id: &str, version: &str) -> Result<Option<Value>, PublishError> {
        let request = self.http.get(format!("{}/api/v1/admin/plugins/{id}/versions/{version}", self.base));
        let response = self.authorized(request).send().map_err(|error| self.unreachable(&error))?;
        match response.status().as_u16() {
            200 => self.json(response).map(Some),
            404 => Ok(None),
            _ => Err(self.refused(response)),
        }
    }

    /// Sends a package. After a failure that leaves open whether it arrived, the platform is asked before it is sent
    /// again. `sent` gets the number of bytes of each part, `retrying` the reason and the length of each wait.
    ///
    /// # Errors
    /// [`PublishError`].
    pub fn publish(
        &self,
        id: &str,
        version: &str,
        package: &[u8],
        sent: impl Fn(u64) + Clone + Send + 'static,
        mut retrying: impl FnMut(&str, Duration),
    ) -> Result<UploadResult, PublishError> {
        let sent_now = Upload { id, version, sha256: sha256_hex(package) };
        let mut waits = Waits { left: retry::MAX_TOTAL_WAIT, pause: self.connection.pause, retrying: &mut retrying };
        let mut attempt = 0;
        loop {
            match self.probe(&sent_now, attempt, &mut waits) {
                Ok(Some(receipt)) => {
                    return match sent_now.accepted(receipt, attempt == 0, attempt) {
                        Err(error @ PublishError::WrongReceipt { .. }) if attempt > 0 => Err(self.unknown(&error)),
                        answer => answer,
                    };
                }
                Ok(None) => {}
                // It was sent, and the platform cannot be asked whether it has it.
                Err(error) if attempt > 0 => return Err(self.unknown(&error)),
                Err(error) => return Err(error),
            }
            attempt += 1;
            let mut is_reached = false;
            let (why, retry_after) = match self.send(package, sent.clone()) {
                Ok(response) if response.status().is_success() => match self.json(response) {
                    Ok(receipt) => match sent_now.accepted(receipt, false, attempt) {
                        Ok(published) => return Ok(published),
                        Err(error) => return self.what_became_of(&sent_now, attempt, error),
                    },
                    // A response that was cut off leaves open what was stored: the platform is asked.
                    Err(PublishError::Unreachable { reason, .. }) => (reason, None),
                    Err(error) => return self.what_became_of(&sent_now, attempt, error),
                },
                Ok(response) => match self.refused(response) {
                    PublishError::Unavailable { reason, retry_after, .. } => {
                        is_reached = true;
                        (reason, retry_after)
                    }
                    error => return Err(error),
                },
                Err(error) if is_transient(&error) => (chain(&error), None),
                Err(error) => return Err(self.unreachable(&error)),
            };
            if attempt >= retry::MAX_ATTEMPTS || !waits.wait(attempt, retry_after, &why) {
                let address = self.base.clone();
                let error = if is_reached {
                    PublishError::Unavailable { address, reason: why, retry_after }
                } else {
                    PublishError::Unreachable { address, reason: why }
                };
                return self.what_became_of(&sent_now, attempt, error);
            }
        }
    }

    /// The result after a package was sent without a valid response: the platform may have accepted it nevertheless. If
    /// it says that it has not, the failure is returned.
    fn what_became_of(
        &self,
        sent: &Upload<'_>,
        attempts: u32,
        failure: PublishError,
    ) -> Result<UploadResult, PublishError> {
        match self.receipt(sent.id, sent.version) {
            Ok(Some(receipt)) => match sent.accepted(receipt, false, attempts) {
                Err(PublishError::WrongReceipt { .. }) => Err(self.unknown(&failure)),
                answer => answer,
            },
            Ok(None) => Err(failure),
            Err(_) => Err(self.unknown(&failure)),
        }
    }

    fn unknown(&self, failure: &PublishError) -> PublishError {
        PublishError::Unknown { address: self.base.clone(), reason: failure.to_string() }
    }

    /// Asks whether the platform has the version. A platform that is down is asked again, as long as there are attempts
    /// left.
    fn probe(&self, sent: &Upload<'_>, attempts: u32, waits: &mut Waits<'_>) -> Result<Option<Value>, PublishError> {
        let mut attempt = attempts;
        loop {
            attempt += 1;
            let answer = self.receipt(sent.id, sent.version);
            let (why, asked) = match &answer {
                Err(PublishError::Unavailable { reason, retry_after, .. }) => (reason, *retry_after),
                Err(PublishError::Unreachable { reason, .. }) => (reason, None),
                _ => return answer,
            };
            if attempt >= retry::MAX_ATTEMPTS || !waits.wait(attempt, asked, why) {
                return answer;
            }
        }
    }

    fn send(&self, package: &[u8], sent: impl Fn(u64) + Send + 'static) -> reqwest::Result<Response> {
        let body = CountedBody { bytes: Cursor::new(package.to_vec()), sent };
        let request = self
            .http
            .post(format!("{}/api/v1/admin/plugins/upload", self.base))
            .header("content-type", MEDIA_TYPE)
            .timeout(self.connection.timeout + Duration::from_secs(package.len() as u64 / SLOWEST_BYTES_A_SECOND))
            .header("idempotency-key", sha256_hex(package))
            .header("content-digest", format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(package))))
            .body(Body::sized(body, package.len() as u64));
        self.authorized(request).send()
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.connection.token {
            Some(token) => request.bearer_auth(token.as_str()),
            None => request,
        }
    }

    fn json(&self, response: Response) -> Result<Value, PublishError> {
        let bytes = answer(response).map_err(|error| PublishError::Unreachable {
            address: self.base.clone(),
            reason: format!("its answer broke off: {error}"),
        })?;
        serde_json::from_slice(&bytes).map_err(|_| PublishError::NotAPlatform {
            address: self.base.clone(),
            reason: "the answer is not JSON".to_owned(),
        })
    }

    fn refused(&self, response: Response) -> PublishError {
        let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
        if (300..400).contains(&status) {
            let reason = "it redirects; a token never follows a redirect, so name the address itself".to_owned();
            return PublishError::NotAPlatform { address: self.base.clone(), reason };
        }
        let body: Value =
            answer(response).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null);
        let clean = |text: &str| self.without_token(&printable(text));
        let text = |key: &str| body[key].as_str().map(clean);
        if retry::is_transient(status) {
            let message = text("message").map_or_else(String::new, |message| format!(": {message}"));
            let reason = format!("it answered {status}{message}");
            return PublishError::Unavailable { address: self.base.clone(), reason, retry_after };
        }
        let problems = body["details"]["problems"].as_array().into_iter().flatten();
        PublishError::Refused {
            status,
            code: ErrorCode::of_text(&text("code").unwrap_or_else(|| "no code".to_owned())),
            message: text("message").unwrap_or_else(|| "the platform gave no reason".to_owned()),
            problems: problems
                .filter_map(|problem| Some(format!("{}: {}", problem["code"].as_str()?, problem["message"].as_str()?)))
                .map(|line| clean(&line))
                .collect(),
            retry_after,
        }
    }

    /// Removes the token from a server's text, which may repeat it: a token is never shown.
    fn without_token(&self, text: &str) -> String {
        match &self.connection.token {
            Some(token) => text.replace(token.as_str(), "…"),
            None => text.to_owned(),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> PublishError {
        let (address, reason) = (self.base.clone(), chain(error));
        if is_about_certificate(error) {
            return PublishError::Certificate { address, reason };
        }
        PublishError::Unreachable { address, reason }
    }
}

/// The system clock, against which a moment in `Retry-After` is measured.
#[expect(clippy::disallowed_methods, reason = "a wait on the network, which no guest sees")]
fn clock() -> SystemTime {
    SystemTime::now()
}

fn retry_after(response: &Response) -> Option<Duration> {
    retry::retry_after(response.headers().get("retry-after")?.to_str().ok()?, clock())
}

/// Whether a retry may help: it does not for an invalid certificate.
fn is_transient(error: &reqwest::Error) -> bool {
    !error.is_builder() && !is_about_certificate(error)
}

/// Searches the causes: reqwest wraps the error of TLS in others, and I/O errors hide theirs.
fn is_about_certificate(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref::<rustls::Error>(), Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        let hidden = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = hidden.map(|hidden| hidden as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    false
}

fn answer(response: Response) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.take(MAX_ANSWER_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The causes of an error, without the address, which the message already names.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

/// The first 2000 characters of a server's text, on one line that cannot control a terminal.
pub(super) fn printable(text: &str) -> String {
    erp_manifest::diagnostics::printable(text).chars().take(2_000).collect()
}

/// Reports how many bytes of the body were read, which is how many were sent.
struct CountedBody<F> {
    bytes: Cursor<Vec<u8>>,
    sent: F,
}

impl<F: Fn(u64)> Read for CountedBody<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        (self.sent)(count as u64);
        Ok(count)
    }
}
