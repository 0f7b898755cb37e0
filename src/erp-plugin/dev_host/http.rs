//! HTTP requests: who sends them, which queue they go to, and how they are answered.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::Request as HttpRequest;
use axum::http::response::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response as HttpResponse;
use erp_manifest::codes::errors;
use erp_platform::http_api::{Effect, HostOperation, Operation, PlatformOperation, find};
use erp_platform::{Body, Platform, PlatformError, Request, Response};
use erp_runtime::Interrupt;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::host::AnsweringHost;
use super::lanes::bug;
use super::queues::{Job, QueuedWork};
use super::request_body::read_body;
use super::shared::{MAX_ANSWERS, Shared};
use super::{console, form, routes, stream};

/// Size in bytes up to which a response is sent without reserving room.
const SMALL_ANSWER: usize = 64 << 10;
/// The default content security policy: pages load resources from this host only.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-src 'self'; \
                      object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn answer(host: AnsweringHost, request: HttpRequest) -> HttpResponse {
    let shared = Arc::clone(&host.shared);
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    if let Some(refusal) = refuse_strangers(&parts.headers, shared.port) {
        return http_response(refusal);
    }
    let method = parts.method.as_str();
    if let Some(asset) = console::asset(method, parts.uri.path(), &parts.headers) {
        return asset;
    }
    if method == "GET" && parts.uri.path() == "/health" {
        // Answered from the snapshot, without a thread of the platform.
        return http_response(Platform::health_of_host(&shared.hosted.snapshot().plugins_in_error()));
    }
    if parts.uri.path().starts_with("/_frame/") {
        let (shared, method, path) =
            (Arc::clone(&shared), method.to_owned(), Request::new(method, parts.uri.path()).path);
        // It waits for the platform, which may be busy; threads that serve sockets must not wait.
        let framed = tokio::task::spawn_blocking(move || routes::frame(&shared, &method, &path)).await;
        return framed.unwrap_or_else(|_| routes::bytes(500, "text/plain; charset=utf-8", "the dev host failed"));
    }
    let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), ToString::to_string);
    let mut request = Request::new(method, &target);
    request.accept_language = text(&parts.headers, header::ACCEPT_LANGUAGE.as_str());
    request.content_digest = text(&parts.headers, "content-digest");
    request.content_type = text(&parts.headers, header::CONTENT_TYPE.as_str());
    request.request_id = Some(request_id(&parts.headers));
    let token = text(&parts.headers, header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' ').map(|(scheme, token)| (scheme.to_owned(), token.trim().to_owned())))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    request.has_token = token.is_some();
    request.identity =
        token.and_then(|token| shared.directory.read().unwrap_or_else(PoisonError::into_inner).user(&token).cloned());
    // The body of a request without a known user is never read.
    let mut held = Vec::new();
    match request.user() {
        Ok(_) => match read_body(&shared, &parts.headers, body, &request, &mut held).await {
            Ok(body) => match form_body(&mut request, body).await {
                Ok(body) => request.body = body,
                Err(error) => return http_response(error.response()),
            },
            Err(refusal) => return http_response(refusal),
        },
        Err(error) if needs_token(&request.path) => return http_response(error.response()),
        Err(_) => {}
    }
    let route = find(&request.method, &request.path).map(|found| found.route);
    if let Some(route) = route.filter(|route| route.operation == Operation::DevHost(HostOperation::Stream)) {
        return stream::stream(&shared, &request, route, &parts.headers);
    }
    let name = request.request_id.clone();
    let room = Arc::clone(&shared.traffic.answers);
    // The host's own routes wait for compilers and tests, and must not hold up those of the platform.
    let response = if route.is_some_and(|route| matches!(route.operation, Operation::DevHost(_))) {
        let answered = tokio::task::spawn_blocking(move || {
            let response = routes::answer(&host, &request);
            drop(held);
            response
        });
        answered.await.ok()
    } else {
        // An unknown route is refused as quickly as a read is answered.
        let effect = route.map_or(Effect::Reads, |route| route.effect);
        queued(&shared, request, effect, started, held).await
    };
    let response = response.unwrap_or_else(|| bug().response());
    let mut answer = bounded_response(&room, response);
    if let Some(name) = name.and_then(|name| header::HeaderValue::from_str(&name).ok()) {
        answer.headers_mut().insert("x-request-id", name);
    }
    answer
}

/// The body as the platform takes it: the form of an upload becomes a package.
async fn form_body(request: &mut Request, body: Vec<u8>) -> Result<Vec<u8>, PlatformError> {
    let upload = Operation::Platform(PlatformOperation::UploadPackage);
    let is_upload = find(&request.method, &request.path).is_some_and(|found| found.route.operation == upload);
    match form::boundary(request.content_type.as_deref()).filter(|_| is_upload) {
        Some(boundary) => {
            // The digest is that of the form, not of the package made from it.
            request.content_digest = None;
            form::package(boundary, body).await
        }
        None if is_upload && form::is_form(request.content_type.as_deref()) => {
            Err(PlatformError::new(errors::HTTP_BAD_FORM, "the content type names no boundary of the form's parts"))
        }
        None => Ok(body),
    }
}

/// Whether every route under a path needs a token.
fn needs_token(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/_dev/")
}

/// Sets the interrupt of a request when its future is dropped, as when the client disconnects.
struct LeaveSignal(Interrupt);

impl Drop for LeaveSignal {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Queues a request and waits for its response; none if a bug lost it.
async fn queued(
    shared: &Arc<Shared>,
    request: Request,
    effect: Effect,
    started: Instant,
    mut held: Vec<OwnedSemaphorePermit>,
) -> Option<Response> {
    // Excess requests wait here, where they cost little.
    held.push(Arc::clone(&shared.traffic.places).acquire_owned().await.ok()?);
    let (reply, answer) = oneshot::channel();
    let interrupt = shared.ending.within();
    let _leaving = LeaveSignal(interrupt.clone());
    let request = Request { interrupt: Some(interrupt), ..request };
    let job = Job { request, effect, started, reply, held };
    let queues = &shared.traffic.queues;
    match effect {
        Effect::Reads if shared.traffic.slow_reads.contains(&job.request) => queues.calls.push(QueuedWork::Answer(job)),
        Effect::Reads => queues.reading.push(job),
        Effect::WritesRows => queues.rows.push(job),
        Effect::ReadsLong | Effect::Calls => queues.calls.push(QueuedWork::Answer(job)),
        Effect::ChangesPlugins => queues.packages.push(QueuedWork::Prepare(job)),
        Effect::ChangesPlatform => queues.platform.push(job),
    }
    answer.await.ok()
}

/// The valid request id that the client sent, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = text(headers, "x-request-id").filter(|id| {
        (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    });
    given.unwrap_or_else(|| {
        let mut random = [0; 16];
        // Without random bytes all ids are equal: a canary share and a filter by request id do not work then.
        let _ = getrandom::fill(&mut random);
        uuid::Builder::from_random_bytes(random).into_uuid().to_string()
    })
}

/// Refuses requests that a browser sends for pages of other sites, also by a name that resolves to this machine.
fn refuse_strangers(headers: &HeaderMap, port: u16) -> Option<Response> {
    let ours = |host: &str| [format!("127.0.0.1:{port}"), format!("localhost:{port}")].iter().any(|own| own == host);
    // One value of each header, in readable text: a browser sends nothing else for our own pages.
    let only = |name| {
        let mut values = headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().unwrap_or_default());
        (first, values.next().is_none())
    };
    let ((host, one_host), (origin, one_origin)) = (only(header::HOST), only(header::ORIGIN));
    let origin_is_ours = origin.is_none_or(|origin| origin.strip_prefix("http://").is_some_and(ours));
    if one_host && one_origin && host.is_some_and(ours) && origin_is_ours {
        return None;
    }
    let message = "the dev host only answers requests for 127.0.0.1 and localhost";
    Some(Response::json(403, json!({ "code": errors::HTTP_FOREIGN_HOST, "message": message })))
}

pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The HTTP response, not counted against the room for large responses.
pub(super) fn http_response(response: Response) -> HttpResponse {
    let (head, bytes) = serialized(response);
    HttpResponse::from_parts(head, HttpBody::from(bytes))
}

/// The HTTP response, if its bytes have room among those that are being sent; otherwise `HTTP_BUSY`. It keeps its room
/// until the last byte has left. It does not wait for room, since it is in memory already.
fn bounded_response(room: &Arc<Semaphore>, response: Response) -> HttpResponse {
    let (head, bytes) = serialized(response);
    if bytes.len() <= SMALL_ANSWER {
        return HttpResponse::from_parts(head, HttpBody::from(bytes));
    }
    let wanted = u32::try_from(bytes.len().min(MAX_ANSWERS)).unwrap_or(u32::MAX);
    match Arc::clone(room).try_acquire_many_owned(wanted) {
        Ok(place) => HttpResponse::from_parts(head, HttpBody::from(Bytes::from_owner(CountedBytes { bytes, place }))),
        Err(_) => {
            let message = "too many large answers are being sent: read them, and try again";
            http_response(PlatformError::new(errors::HTTP_BUSY, message).response())
        }
    }
}

/// Bytes that are being sent, with the permit for their room.
struct CountedBytes {
    bytes: Vec<u8>,
    #[expect(dead_code, reason = "given back when the bytes were sent")]
    place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for CountedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn serialized(response: Response) -> (Parts, Vec<u8>) {
    const JSON: &str = "application/json; charset=utf-8";
    let (content_type, bytes) = match response.body {
        Body::Empty => (JSON.to_owned(), Vec::new()),
        Body::Json(value) => (JSON.to_owned(), json_bytes(&value)),
        Body::Row(row) => (JSON.to_owned(), json_bytes(&row)),
        Body::Rows(page) => (JSON.to_owned(), json_bytes(&page)),
        Body::Bytes(content_type, bytes) => (content_type, bytes),
    };
    let (mut head, ()) = HttpResponse::new(()).into_parts();
    head.status = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // A plugin names the content type; one that is no valid header value is sent as bytes.
    let unknown = header::HeaderValue::from_static("application/octet-stream");
    let content_type = header::HeaderValue::from_str(&content_type).unwrap_or(unknown);
    head.headers.insert(header::CONTENT_TYPE, content_type);
    for (name, value) in response.headers {
        if let Ok(value) = header::HeaderValue::from_str(&value) {
            head.headers.insert(name, value);
        }
    }
    head.headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    secured(&mut head.headers);
    (head, bytes)
}

fn json_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// Sets the headers that every response has for the security of browsers.
pub(super) fn secured(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_DNS_PREFETCH_CONTROL, "off"),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
}
