//! Requests and responses without a socket.

use std::sync::Arc;

use erp_manifest::PermissionCode;
use erp_manifest::codes::errors;
use erp_manifest::document::{did_you_mean, parse_strict_json, weight_of_text};
use erp_runtime::Interrupt;
use erp_storage::Row;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::http_api::{Access, QueryKey, Route};
use crate::{AdmittedPackage, Identity, PlatformError};

/// Maximum memory that the JSON of a request takes, in bytes.
const MAX_OBJECT: u64 = 4 << 20;

/// A request after authentication.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The user; `None` without a valid token.
    pub identity: Option<Identity>,
    /// Whether the request has a bearer token, valid or not.
    pub has_token: bool,
    /// The `accept-language` header, if present.
    pub accept_language: Option<String>,
    /// The `content-digest` header, if present.
    pub content_digest: Option<String>,
    /// The `content-type` header, if present.
    pub content_type: Option<String>,
    /// The id for all calls of the request; if `None`, each call gets a new id.
    pub request_id: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// The package in the body, if a lane has admitted it already.
    pub admitted: Option<Arc<AdmittedPackage>>,
    /// Ends the calls that the request causes, set when the client leaves.
    pub interrupt: Option<Interrupt>,
}

/// The body of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Value),
    /// A row.
    Row(Row),
    /// A page of rows. The server serializes it outside the platform's lock.
    Rows(RowPage),
    /// Bytes of a media type.
    Bytes(String, Vec<u8>),
}

/// A page of rows, as the HTTP API returns it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowPage {
    /// The rows.
    #[serde(rename = "items")]
    pub rows: Vec<Row>,
    /// Number of rows that match; `None` if they were not counted.
    pub total: Option<u64>,
    /// The number of the page, from 1.
    pub page: u64,
    /// Maximum number of rows of a page.
    pub page_size: u64,
    /// The cursor for the next page; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// A response.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// Further headers, with names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

impl Request {
    /// Returns the user of the request.
    ///
    /// # Errors
    /// 401 without a valid token.
    pub fn user(&self) -> Result<&Identity, PlatformError> {
        self.identity.as_ref().ok_or_else(|| {
            if self.has_token {
                PlatformError::new(errors::AUTH_INVALID, "nobody here has this bearer token")
            } else {
                PlatformError::new(errors::AUTH_MISSING, "this needs a bearer token: `authorization: Bearer …`")
            }
        })
    }

    /// Returns the user of the request, if they have a permission.
    ///
    /// # Errors
    /// 401 as [`Request::user`], 403 without the permission.
    pub fn require(&self, permission: &PermissionCode) -> Result<&Identity, PlatformError> {
        let user = self.user()?;
        if user.caller.may(permission) { Ok(user) } else { Err(PlatformError::denied(permission)) }
    }

    /// Returns the body as a JSON object.
    ///
    /// # Errors
    /// 400 for any other body, 413 if it would take more than 4 MiB of memory.
    pub fn object(&self) -> Result<Map<String, Value>, PlatformError> {
        self.object_within(MAX_OBJECT)
    }

    /// Returns the body as a JSON object that takes at most `most` bytes of memory.
    ///
    /// # Errors
    /// 400 for any other body, 413 if it would take more memory.
    pub(super) fn object_within(&self, most: u64) -> Result<Map<String, Value>, PlatformError> {
        // A body that is not UTF-8 is reported below.
        let text = std::str::from_utf8(&self.body).unwrap_or_default();
        if self.body.len() as u64 > most || weight_of_text(text) > most {
            let message = format!("the body would take more than {most} bytes of memory: send less at once");
            return Err(PlatformError::new(errors::HTTP_TOO_LARGE, message));
        }
        let bad =
            |why: String| PlatformError::new(errors::HTTP_BAD_JSON, format!("the body is not a JSON object: {why}"));
        match parse_strict_json(&self.body) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(_) => Err(bad("it is another value".to_owned())),
            Err(error) => Err(bad(error)),
        }
    }

    /// Returns the body as a JSON object; an empty object for an empty body.
    ///
    /// # Errors
    /// As [`Request::object`].
    pub fn object_or_empty(&self) -> Result<Map<String, Value>, PlatformError> {
        if self.body.is_empty() { Ok(Map::new()) } else { self.object() }
    }

    /// Returns the error for a path or method without a route.
    pub fn no_route(&self) -> PlatformError {
        PlatformError::new(errors::HTTP_NO_ROUTE, format!("there is nothing at {} {}", self.method, self.path))
    }

    /// Creates a request from a method and a target: the path and query of a URL, percent-encoded.
    pub fn new(method: &str, target: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(key), decode(value))
            })
            .collect();
        Request { method: method.to_owned(), path: decode_path(path), query, ..Request::default() }
    }

    /// Checks that the user may use a route and that it knows all keys of the query. Permissions of an entity, a page
    /// or an action are checked later.
    ///
    /// # Errors
    /// 401 and 403 as [`Request::require`], 400 for an unknown or repeated key of the query.
    pub fn admit(&self, route: &Route) -> Result<(), PlatformError> {
        match route.access {
            Access::Public => {}
            Access::Permission(code) => _ = self.require(code)?,
            Access::User | Access::ListEntity | Access::ManageEntity | Access::Declared => _ = self.user()?,
        }
        self.only(route.query)
    }

    /// Refuses repeated keys and keys that the route does not read: a misspelled filter must not return all rows.
    ///
    /// # Errors
    /// [`PlatformError`] with status 400.
    fn only(&self, known: &[QueryKey]) -> Result<(), PlatformError> {
        let known: Vec<&str> = known.iter().map(|key| key.name).collect();
        let twice = self
            .query
            .iter()
            .enumerate()
            .find(|(index, (key, _))| self.query[..*index].iter().any(|(other, _)| other == key));
        if let Some((_, (key, _))) = twice {
            return Err(PlatformError::new(errors::HTTP_BAD_QUERY, format!("`{key}` is in the query twice")));
        }
        let Some((key, _)) = self.query.iter().find(|(key, _)| !known.contains(&key.as_str())) else { return Ok(()) };
        let help = match (did_you_mean(key, known.iter().copied()), known.as_slice()) {
            (Some(help), _) => help,
            (None, []) => "there is none here".to_owned(),
            (None, known) => format!("known here: {}", known.join(", ")),
        };
        Err(PlatformError::new(errors::HTTP_BAD_QUERY, format!("unknown key `{key}` in the query; {help}")))
    }

    /// Returns a number from 1 in the query; `None` if the key is absent.
    ///
    /// # Errors
    /// [`PlatformError`] with status 400 for another value.
    pub(super) fn number(&self, key: &str) -> Result<Option<u32>, PlatformError> {
        match self.query(key).map(|text| (text, text.parse::<u32>())) {
            None => Ok(None),
            Some((_, Ok(number))) if number > 0 => Ok(Some(number)),
            Some((text, _)) => {
                let message = format!("`{key}` must be a whole number from 1, not `{text}`");
                Err(PlatformError::new(errors::HTTP_BAD_QUERY, message))
            }
        }
    }

    /// Returns the first value of a key of the query.
    pub fn query(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl Response {
    /// Creates a response with JSON.
    pub fn json(status: u16, body: Value) -> Response {
        Response { status, body: Body::Json(body), headers: Vec::new() }
    }

    /// Creates a response with a row.
    pub fn row(status: u16, row: Row) -> Response {
        Response { status, body: Body::Row(row), headers: Vec::new() }
    }

    /// Creates a response with a page of rows and status 200.
    pub fn rows(page: RowPage) -> Response {
        Response { status: 200, body: Body::Rows(page), headers: Vec::new() }
    }

    /// Creates a response without a body.
    pub fn empty(status: u16) -> Response {
        Response { status, body: Body::Empty, headers: Vec::new() }
    }

    /// Creates a response with bytes of a media type.
    pub fn bytes(status: u16, content_type: String, bytes: Vec<u8>) -> Response {
        Response { status, body: Body::Bytes(content_type, bytes), headers: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Response {
        self.headers.push((name, value.to_owned()));
        self
    }
}

fn decode(text: &str) -> String {
    decode_path(&text.replace('+', " "))
}

/// Decodes percent-encoding. Invalid escapes stay unchanged.
fn decode_path(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_decoded() {
        let request = Request::new("GET", "/a%20b/c?search=%E8%9E%BA+x&filter=%7B%7D&empty");
        assert_eq!(request.path, "/a b/c");
        assert_eq!(request.query("search"), Some("螺 x"));
        assert_eq!(request.query("empty"), Some(""));
        assert_eq!(Request::new("GET", "/100%").path, "/100%");
    }
}
