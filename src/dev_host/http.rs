//! Requests as they come from sockets: whose they are, where they go, and how they are answered.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response as HttpResponse;
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::server::Shared;
use super::worker::Job;
use super::{console, routes, stream};
use crate::platform::{Body, Request, Response};

/// Bytes of a request at the most: a package and a little more.
const MAX_BODY_BYTES: usize = 65 << 20;
/// What pages of the console may do: nothing that does not come from this host.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-src 'self'; \
                      object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn answer(State(shared): State<Arc<Shared>>, request: HttpRequest) -> HttpResponse {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    if let Some(refusal) = refuse_strangers(&parts.headers, shared.port) {
        return http_response(refusal);
    }
    let method = parts.method.as_str();
    if let Some(asset) = console::asset(method, parts.uri.path(), &parts.headers) {
        return asset;
    }
    if parts.uri.path().starts_with("/_frame/") {
        let (shared, method, path) =
            (Arc::clone(&shared), method.to_owned(), Request::new(method, parts.uri.path()).path);
        // It waits for the platform, which may be busy; the threads that serve sockets must not.
        let framed = tokio::task::spawn_blocking(move || routes::frame(&shared, &method, &path)).await;
        return framed.unwrap_or_else(|_| routes::bytes(500, "text/plain; charset=utf-8", "the dev host failed"));
    }
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        let message = format!("the body has more than {MAX_BODY_BYTES} bytes");
        return http_response(Response::json(413, json!({ "code": "http.too_large", "message": message })));
    };
    let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), ToString::to_string);
    let mut request = Request::new(method, &target);
    request.accept_language = text(&parts.headers, header::ACCEPT_LANGUAGE.as_str());
    request.content_digest = text(&parts.headers, "content-digest");
    request.content_type = text(&parts.headers, header::CONTENT_TYPE.as_str());
    request.request_id = Some(request_id(&parts.headers));
    request.body = body.to_vec();
    let token = text(&parts.headers, header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' ').map(|(scheme, token)| (scheme.to_owned(), token.trim().to_owned())))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    request.has_token = token.is_some();
    request.identity =
        token.and_then(|token| shared.directory.read().unwrap_or_else(PoisonError::into_inner).user(&token).cloned());
    if stream::is_stream(&request) {
        return stream::stream(&shared, &request, &parts.headers);
    }
    let (tell, told) = oneshot::channel();
    let name = request.request_id.clone();
    // What the host itself answers waits for compilers and tests, and must not hold up what the platform answers.
    let response = if routes::is_own(&request) {
        tokio::task::spawn_blocking(move || routes::answer(&shared, &request)).await.ok()
    } else {
        let job = Job { request, started, tell };
        // The queue is bounded: a flood of requests waits here, where it costs little.
        let jobs = shared.jobs.clone();
        match jobs.try_send(job) {
            Ok(()) => told.await.ok(),
            Err(std::sync::mpsc::TrySendError::Full(job)) => {
                let sent = tokio::task::spawn_blocking(move || jobs.send(job).is_ok()).await;
                if sent.unwrap_or(false) { told.await.ok() } else { None }
            }
            Err(std::sync::mpsc::TrySendError::Disconnected(_)) => None,
        }
    };
    let response = response.unwrap_or_else(|| {
        let message = "the dev host failed on this request; its log says more";
        Response::json(500, json!({ "code": "host.bug", "message": message }))
    });
    let mut answer = http_response(response);
    if let Some(name) = name.and_then(|name| header::HeaderValue::from_str(&name).ok()) {
        answer.headers_mut().insert("x-request-id", name);
    }
    answer
}

/// The name that the client gave its request, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = text(headers, "x-request-id").filter(|id| {
        (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    });
    given.unwrap_or_else(|| {
        let mut random = [0; 16];
        // Without randomness the ids are alike, which only the canary notices.
        let _ = getrandom::fill(&mut random);
        uuid::Builder::from_random_bytes(random).into_uuid().to_string()
    })
}

/// A page of another site that a browser shows must not reach the dev host, also not by a name that
/// resolves to this machine.
fn refuse_strangers(headers: &HeaderMap, port: u16) -> Option<Response> {
    let ours = |host: &str| [format!("127.0.0.1:{port}"), format!("localhost:{port}")].iter().any(|own| own == host);
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    let origin = text(headers, header::ORIGIN.as_str());
    let origin_is_ours = origin.as_deref().is_none_or(|origin| origin.strip_prefix("http://").is_some_and(ours));
    if ours(&host) && origin_is_ours {
        return None;
    }
    let message = "the dev host only answers requests for 127.0.0.1 and localhost";
    Some(Response::json(403, json!({ "code": "http.foreign_host", "message": message })))
}

pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

pub(super) fn http_response(response: Response) -> HttpResponse {
    const JSON: &str = "application/json; charset=utf-8";
    let (content_type, body) = match response.body {
        Body::Empty => (JSON.to_owned(), HttpBody::empty()),
        Body::Json(value) => (JSON.to_owned(), json_body(&value)),
        Body::Row(row) => (JSON.to_owned(), json_body(&row)),
        Body::Rows(page) => (JSON.to_owned(), json_body(&page)),
        Body::Bytes(content_type, bytes) => (content_type, HttpBody::from(bytes)),
    };
    let mut answer = HttpResponse::new(body);
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    // A plugin names the type of what it made; what is no header is handed out as bytes.
    let unknown = header::HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_str(&content_type).unwrap_or(unknown));
    for (name, value) in response.headers {
        if let Ok(value) = header::HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    secured(headers);
    answer
}

fn json_body(value: &impl Serialize) -> HttpBody {
    HttpBody::from(serde_json::to_vec(value).unwrap_or_default())
}

/// What every answer says to browsers.
pub(super) fn secured(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
}
