//! The client's side of the upload.

use std::io::{self, Cursor, Read};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::blocking::{Body, Client as HttpClient, RequestBuilder, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::retry;
use crate::digest::sha256_hex;

/// Bytes of an answer at the most.
const MAX_ANSWER_BYTES: u64 = 1 << 20;
const MEDIA_TYPE: &str = "application/vnd.erpx.v1+zip";

/// A platform, and who we are there.
pub struct Client {
    http: HttpClient,
    base: String,
    token: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// An upload that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// True where the platform had exactly this package before.
    pub already_there: bool,
    /// How often it was sent.
    pub attempts: u32,
    /// What the platform gave for it.
    pub receipt: Value,
}

/// Why nothing was uploaded.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The address is none that a token may be sent to.
    #[error("{0}")]
    BadAddress(String),
    /// The client could not be set up.
    #[error("the HTTP client cannot start: {0}")]
    Client(String),
    /// The server could not be reached.
    #[error("cannot reach {address}: {reason}")]
    Unreachable {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The server refused the package.
    #[error("the platform refused the package ({status} {code}): {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The platform's code.
        code: String,
        /// Its text.
        message: String,
        /// Further problems, one a line.
        problems: Vec<String>,
    },
    /// The server did not answer as a platform does.
    #[error("{address} does not answer as a platform does: {reason}")]
    NotAPlatform {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The receipt is for another file.
    #[error("the platform's receipt is for another file ({found}, not {expected})")]
    WrongReceipt {
        /// What was sent.
        expected: String,
        /// What the receipt names.
        found: String,
    },
}

impl Client {
    /// A client for a platform. A token is only sent over https, or on this machine.
    ///
    /// # Errors
    /// [`PublishError::BadAddress`] and [`PublishError::Client`].
    pub fn new(address: &str, token: Option<Zeroizing<String>>, timeout: Duration) -> Result<Client, PublishError> {
        let base = checked_address(address, token.is_some())?;
        if token
            .as_ref()
            .is_some_and(|token| token.trim().is_empty() || token.chars().any(|c| c.is_control() || c.is_whitespace()))
        {
            return Err(PublishError::BadAddress(
                "the token is empty or holds white space: is its file whole?".to_owned(),
            ));
        }
        // An error means that the provider was installed before.
        super::network::choose_cryptography();
        let mut builder = HttpClient::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(timeout)
            .user_agent(concat!("erp-plugin/", env!("CARGO_PKG_VERSION")));
        if base.starts_with("http://") {
            // Without TLS there is nothing to verify: a machine without certificates can publish to itself.
            builder = builder.tls_certs_only([]).no_proxy();
        }
        let http = builder.build().map_err(|error| PublishError::Client(chain(&error)))?;
        Ok(Client { http, base, token })
    }

    /// Asks the platform's API; gives status and body, whatever the status is.
    ///
    /// # Errors
    /// [`PublishError::Unreachable`] and [`PublishError::NotAPlatform`].
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

    /// The receipt of a version that the platform has already.
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

    /// Sends a package. After a failure that leaves open whether it arrived, the platform is asked
    /// before it is sent again. `sent` hears of every byte, `retrying` of every wait.
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
    ) -> Result<Published, PublishError> {
        let sha256 = sha256_hex(package);
        let mut attempt = 0;
        loop {
            if let Some(receipt) = self.probe(id, version, attempt, &mut retrying)? {
                return accepted(receipt, &sha256, attempt == 0, attempt);
            }
            attempt += 1;
            let (why, retry_after) = match self.send(package, sent.clone()) {
                Ok(response) if response.status().is_success() => match self.json(response) {
                    Ok(receipt) => return accepted(receipt, &sha256, false, attempt),
                    // An answer that was cut off leaves open what was stored: the platform is asked.
                    Err(PublishError::Unreachable { reason, .. }) if attempt < retry::MAX_ATTEMPTS => (reason, None),
                    Err(error) => return Err(error),
                },
                Ok(response) if retry::is_transient(response.status().as_u16()) && attempt < retry::MAX_ATTEMPTS => {
                    (format!("the platform answered {}", response.status()), retry_after(&response))
                }
                Ok(response) => return Err(self.refused(response)),
                Err(error) if is_transient(&error) && attempt < retry::MAX_ATTEMPTS => (chain(&error), None),
                Err(error) => return Err(self.unreachable(&error)),
            };
            pause(attempt, retry_after, &why, &mut retrying);
        }
    }

    /// Asks whether the version is there. A platform that is down is asked again, as long as there
    /// are attempts left.
    fn probe(
        &self,
        id: &str,
        version: &str,
        sent: u32,
        retrying: &mut impl FnMut(&str, Duration),
    ) -> Result<Option<Value>, PublishError> {
        let mut attempt = sent;
        loop {
            attempt += 1;
            match self.receipt(id, version) {
                Err(PublishError::Refused { status, message, .. })
                    if retry::is_transient(status) && attempt < retry::MAX_ATTEMPTS =>
                {
                    pause(attempt, None, &message, retrying);
                }
                Err(PublishError::Unreachable { reason, .. }) if attempt < retry::MAX_ATTEMPTS => {
                    pause(attempt, None, &reason, retrying);
                }
                answer => return answer,
            }
        }
    }

    fn send(&self, package: &[u8], sent: impl Fn(u64) + Send + 'static) -> reqwest::Result<Response> {
        let body = Counted { bytes: Cursor::new(package.to_vec()), sent };
        let request = self
            .http
            .post(format!("{}/api/v1/admin/plugins/upload", self.base))
            .header("content-type", MEDIA_TYPE)
            .header("content-digest", format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(package))))
            .body(Body::sized(body, package.len() as u64));
        self.authorized(request).send()
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
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
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            let reason = "it redirects; a token never follows a redirect, so name the address itself".to_owned();
            return PublishError::NotAPlatform { address: self.base.clone(), reason };
        }
        let body: Value =
            answer(response).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null);
        let text = |key: &str| body[key].as_str().map(printable);
        let problems = body["details"]["problems"].as_array().into_iter().flatten();
        PublishError::Refused {
            status,
            code: text("code").unwrap_or_else(|| "no code".to_owned()),
            message: text("message").unwrap_or_else(|| "the platform gave no reason".to_owned()),
            problems: problems
                .filter_map(|problem| Some(format!("{}: {}", problem["code"].as_str()?, problem["message"].as_str()?)))
                .map(|line| printable(&line))
                .collect(),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> PublishError {
        PublishError::Unreachable { address: self.base.clone(), reason: chain(error) }
    }
}

/// A receipt for exactly what was sent.
fn accepted(receipt: Value, sha256: &str, already_there: bool, attempts: u32) -> Result<Published, PublishError> {
    match receipt["sha256"].as_str() {
        Some(found) if found == sha256 => Ok(Published { already_there, attempts, receipt }),
        Some(_) if already_there => Err(PublishError::Refused {
            status: 409,
            code: "plugin.version_taken".to_owned(),
            message: "this version was uploaded before with another content: raise the version".to_owned(),
            problems: Vec::new(),
        }),
        found => {
            Err(PublishError::WrongReceipt { expected: sha256.to_owned(), found: found.unwrap_or("none").to_owned() })
        }
    }
}

/// The address without its last slash.
fn checked_address(address: &str, has_token: bool) -> Result<String, PublishError> {
    let bad = |why: &str| Err(PublishError::BadAddress(format!("`{address}` is no address of a platform: {why}")));
    let Ok(url) = reqwest::Url::parse(address) else { return bad("write it like https://erp.example.com") };
    if url.query().is_some() || url.fragment().is_some() {
        return bad("it has a query or a fragment; name the platform alone");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("a user and a password in it would be shown to others; use a token");
    }
    // An address, and not a name that looks like one: `127.evil.example` is somebody else's.
    let is_loopback = url.host_str().is_some_and(|host| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    });
    match url.scheme() {
        "https" => {}
        "http" if is_loopback || !has_token => {}
        "http" => return bad("a token is only sent over https"),
        _ => return bad("it must begin with https://"),
    }
    Ok(address.trim_end_matches('/').to_owned())
}

fn pause(attempt: u32, retry_after: Option<u64>, why: &str, retrying: &mut impl FnMut(&str, Duration)) {
    let jitter = getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX));
    let wait = retry::wait(attempt, retry_after, jitter);
    retrying(why, wait);
    std::thread::sleep(wait);
}

fn retry_after(response: &Response) -> Option<u64> {
    response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()
}

/// Certificates do not become good by waiting; everything else on the way may.
fn is_transient(error: &reqwest::Error) -> bool {
    !error.is_builder() && !chain(error).contains("certificate")
}

fn answer(response: Response) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.take(MAX_ANSWER_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An error with its causes, and without the address, which is said already.
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

/// The beginning of a server's text, on one line that cannot take over a terminal.
fn printable(text: &str) -> String {
    crate::diagnostics::printable(text).chars().take(2_000).collect()
}

/// Tells how much of the body was read, which is how much was sent.
struct Counted<F> {
    bytes: Cursor<Vec<u8>>,
    sent: F,
}

impl<F: Fn(u64)> Read for Counted<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        (self.sent)(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::checked_address;

    #[test]
    fn tokens_only_go_where_they_are_safe() {
        assert!(
            checked_address("https://erp.example.com/", true).is_ok_and(|address| address == "https://erp.example.com")
        );
        assert!(checked_address("http://127.0.0.1:7171", true).is_ok());
        assert!(checked_address("http://erp.example.com", false).is_ok());
        for bad in [
            "https://erp.example.com/?x=1",
            "https://erp.example.com/#x",
            "http://127.evil.example",
            "http://erp.example.com",
            "https://user:secret@erp.example.com",
            "ftp://x",
            "erp.example.com",
            "file:///etc/passwd",
        ] {
            assert!(checked_address(bad, true).is_err(), "{bad}");
        }
    }
}
