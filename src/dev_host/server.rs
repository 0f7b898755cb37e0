//! The HTTP server: sockets, headers, tokens. What is answered comes from `platform`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response as HttpResponse;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpListener;

use super::place::REGISTRY;
use super::{FolderEvent, FolderOutcome, HostPlace, PluginFolder, Settling};
use super::{StateFolder, StateFolderError};
use crate::files;
use crate::host::{Detail, LimitOverrides, RuntimeError, Surroundings};
use crate::outgoing::HttpTransport;
use crate::platform::{Activity, Admission, Body, Gate, Platform, PlatformError, Registrar, Request, Response};
use crate::signing::TrustStore;
use crate::store::StoreError;

/// Bytes of a request at the most: a package and a little more.
const MAX_BODY_BYTES: usize = 65 << 20;
/// How long running requests may take when the host stops.
const GRACE: Duration = Duration::from_secs(5);
/// How often a folder of plugins is looked into; a file counts when it was the same twice.
const FOLDER_PAUSE: Duration = Duration::from_millis(300);

/// How to serve.
#[derive(Debug)]
pub struct Options {
    /// Who sends requests of plugins; nobody where it is none.
    pub transport: Option<Arc<dyn HttpTransport>>,
    /// Bounds of calls in the place of the manifests\' own.
    pub limits: LimitOverrides,
    /// A file that every call of a plugin is added to, to be replayed.
    pub record: Option<PathBuf>,
    /// A folder whose packages run.
    pub plugins: Option<PathBuf>,
    /// The port; 0 for a free one.
    pub port: u16,
    /// Where the state is.
    pub place: HostPlace,
    /// Whose packages are taken.
    pub admission: Admission,
    /// Whom the host trusts.
    pub trust: TrustStore,
    /// Gets a line for each request, and one for each call of a plugin.
    pub tell: Sender<String>,
}

/// Why there is no dev host.
#[derive(Debug, Error)]
pub enum DevHostError {
    /// The state folder cannot be used.
    #[error(transparent)]
    StateFolder(#[from] StateFolderError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime cannot start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// What was there cannot be brought back.
    #[error("the state cannot be brought back: {0}")]
    Recover(#[from] PlatformError),
    /// The folder of plugins cannot be read.
    #[error("the folder of plugins cannot be read: {0}")]
    Folder(std::io::Error),
    /// The port cannot be had.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The server broke off.
    #[error("the server stopped: {0}")]
    Serve(std::io::Error),
}

/// A dev host that listens already.
#[derive(Debug)]
pub struct DevHost {
    /// Where it listens; always on this machine alone.
    pub address: SocketAddr,
    /// The folder with its state and users.
    pub state_folder: StateFolder,
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    shared: Arc<Shared>,
    folder: Option<PluginFolder>,
}

#[derive(Debug)]
struct Shared {
    platform: Mutex<Platform>,
    port: u16,
    tell: Sender<String>,
    record: Option<PathBuf>,
}

impl DevHost {
    /// Opens the state, brings back what ran, and listens.
    ///
    /// # Errors
    /// [`DevHostError`].
    pub fn start(options: Options) -> Result<DevHost, DevHostError> {
        let mut surroundings = Surroundings::of_this_machine();
        if let Some(transport) = options.transport {
            surroundings = surroundings.with_transport(transport);
        }
        let (state_folder, mut platform) = options.place.platform(surroundings)?;
        platform.set_limits(options.limits);
        if options.record.is_some() {
            platform.set_detail(Detail::Full);
        }
        platform.set_gate(Gate {
            admission: options.admission,
            trust: options.trust,
            registrar: Some(Registrar { name: REGISTRY.to_owned(), key: state_folder.registry_key()? }),
        });
        platform.recover()?;
        let memory = state_folder.plugin_folder_memory();
        let mut folder = options.plugins.map(|folder| PluginFolder::new(folder).remembering(memory));
        if let Some(folder) = &mut folder {
            folder.look(Settling::AtOnce).map_err(DevHostError::Folder)?;
            for event in &folder.follow(&mut platform) {
                let _ = options.tell.send(folder_line(event));
            }
        }

        let listen = |source| DevHostError::Listen { port: options.port, source };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(listen)?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Arc::new(Shared {
            platform: Mutex::new(platform),
            port: address.port(),
            tell: options.tell,
            record: options.record,
        });
        Ok(DevHost { address, state_folder, runtime, listener, shared, folder })
    }

    /// The plugins, with their states.
    pub fn plugins(&self) -> Vec<crate::store::PluginRecord> {
        self.shared.platform.lock().unwrap_or_else(PoisonError::into_inner).plugins()
    }

    /// Serves until the user interrupts it or it is told to end.
    ///
    /// # Errors
    /// [`DevHostError::Serve`].
    pub fn serve(self) -> Result<(), DevHostError> {
        if let Some(folder) = self.folder {
            let shared = Arc::downgrade(&self.shared);
            self.runtime.spawn_blocking(move || follow(folder, &shared));
        }
        let router = Router::new().fallback(answer).with_state(self.shared);
        let listener = self.listener;
        let result = self.runtime.block_on(async move {
            let (stopped, stopping) = tokio::sync::oneshot::channel::<()>();
            let server = axum::serve(listener, router).with_graceful_shutdown(async move {
                interrupted().await;
                let _ = stopped.send(());
            });
            tokio::select! {
                result = server => result,
                // A client that holds its connection open does not hold us.
                () = async { let _ = stopping.await; tokio::time::sleep(GRACE).await } => Ok(()),
            }
        });
        self.runtime.shutdown_timeout(GRACE);
        result.map_err(DevHostError::Serve)
    }
}

/// Follows a folder of packages until the host stops. Requests and scans take turns, so a call that runs ends on the version
/// that it began with.
fn follow(mut folder: PluginFolder, shared: &Weak<Shared>) {
    let mut trouble = String::new();
    loop {
        std::thread::sleep(FOLDER_PAUSE);
        let Some(shared) = shared.upgrade() else { return };
        let said = match folder.look(Settling::SameTwice) {
            Ok(has_work) => {
                trouble.clear();
                if has_work { follow_once(&mut folder, &shared) } else { Vec::new() }
            }
            // Said once, and not at every look.
            Err(error) => {
                let said = format!("the folder of plugins cannot be read: {error}");
                let is_known = std::mem::replace(&mut trouble, said.clone()) == said;
                if is_known { Vec::new() } else { vec![said] }
            }
        };
        for line in said {
            if shared.tell.send(crate::diagnostics::printable(&line)).is_err() {
                return;
            }
        }
    }
}

/// Compiling takes seconds where an interpreter is inside: requests are answered meanwhile.
fn follow_once(folder: &mut PluginFolder, shared: &Shared) -> Vec<String> {
    let compiler = shared.platform.lock().unwrap_or_else(PoisonError::into_inner).compiler();
    folder.compile_ahead(&compiler);
    let mut platform = shared.platform.lock().unwrap_or_else(PoisonError::into_inner);
    let events = folder.follow(&mut platform);
    let activity = platform.take_activity();
    drop(platform);
    events.iter().map(folder_line).chain(lines(&activity)).collect()
}

fn folder_line(event: &FolderEvent) -> String {
    match &event.outcome {
        FolderOutcome::Runs { id, version } => format!("{}: {id} {version} runs", event.file),
        FolderOutcome::Refused(why) => format!("{}: refused: {why}", event.file),
        FolderOutcome::Gone(id) => format!("{} brings {id} any more: disabled", event.file),
    }
}

/// Ctrl-C, or the signal that process managers send.
async fn interrupted() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            return ctrl_c.await;
        };
        tokio::select! {
            () = ctrl_c => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    ctrl_c.await;
}

async fn answer(State(shared): State<Arc<Shared>>, request: HttpRequest) -> HttpResponse {
    let (parts, body) = request.into_parts();
    if let Some(refusal) = refuse_strangers(&parts.headers, shared.port) {
        return http_response(refusal);
    }
    let Ok(body) = to_bytes(body, MAX_BODY_BYTES).await else {
        let message = format!("the body has more than {MAX_BODY_BYTES} bytes");
        return http_response(Response::json(413, json!({ "code": "http.too_large", "message": message })));
    };
    let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path().to_owned(), ToString::to_string);
    let mut request = Request::new(parts.method.as_str(), &target);
    request.accept_language = text(&parts.headers, header::ACCEPT_LANGUAGE.as_str());
    request.content_digest = text(&parts.headers, "content-digest");
    request.content_type = text(&parts.headers, header::CONTENT_TYPE.as_str());
    request.body = body.to_vec();
    let token = text(&parts.headers, header::AUTHORIZATION.as_str())
        .and_then(|value| value.split_once(' ').map(|(scheme, token)| (scheme.to_owned(), token.trim().to_owned())))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token);
    // Guests and SQLite block; the threads that serve sockets must not.
    let answered = tokio::task::spawn_blocking(move || {
        let mut platform = shared.platform.lock().unwrap_or_else(PoisonError::into_inner);
        request.has_token = token.is_some();
        request.identity = token.and_then(|token| platform.directory().user(&token).cloned());
        let response = platform.handle(&request);
        let activity = platform.take_activity();
        drop(platform);
        if let Some(file) = &shared.record
            && let Err(error) = files::append(file, activity.recorded_lines().as_bytes())
        {
            let _ = shared.tell.send(format!("cannot record: {error}"));
        }
        let first = format!("{} {} {}", response.status, request.method, request.path);
        for line in std::iter::once(first).chain(lines(&activity)).map(|line| crate::diagnostics::printable(&line)) {
            // Nobody listens any more where the host is stopping.
            let _ = shared.tell.send(line);
        }
        response
    })
    .await;
    match answered {
        Ok(response) => http_response(response),
        Err(_) => {
            let message = "the dev host failed on this request; its log says more";
            http_response(Response::json(500, json!({ "code": "host.bug", "message": message })))
        }
    }
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

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn http_response(response: Response) -> HttpResponse {
    const JSON: &str = "application/json; charset=utf-8";
    let (content_type, body) = match response.body {
        Body::Empty => (JSON.to_owned(), HttpBody::empty()),
        Body::Json(Value::Null) => (JSON.to_owned(), HttpBody::from("null")),
        Body::Json(value) => (JSON.to_owned(), HttpBody::from(value.to_string())),
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
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    answer
}

/// What plugins did, a line each.
fn lines(activity: &Activity) -> Vec<String> {
    let mut lines = Vec::new();
    for call in &activity.calls {
        let outcome = call.error.as_ref().map_or_else(|| "ok".to_owned(), ToString::to_string);
        lines.push(format!(
            "  {} {}: {outcome} ({} fuel, {} rows)",
            call.plugin,
            call.label,
            call.trace.fuel,
            call.trace.changes.len()
        ));
        for record in &call.trace.logs {
            lines.push(format!("    {}: {}", record.level, record.message));
        }
    }
    lines
}
