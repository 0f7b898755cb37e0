//! Connections: how many may be open, how long they may idle, and how they end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use super::host::AnsweringHost;
use super::http::answer;

/// The most open connections; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 512;
/// How long a client may take for the headers of its next request; the connection of a silent client is closed.
const HEADERS_WAIT: Duration = Duration::from_secs(30);
/// How long a client may leave its answer unread.
const UNREAD_WAIT: Duration = Duration::from_secs(30);
/// How long to wait after a connection could not be accepted, as when the system has no more file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// The number of requests that are being answered.
static ANSWERING: AtomicUsize = AtomicUsize::new(0);

/// A request that is being answered; dropping it ends its count.
struct OpenRequest;

impl OpenRequest {
    fn begin() -> OpenRequest {
        ANSWERING.fetch_add(1, Ordering::Relaxed);
        OpenRequest
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        ANSWERING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves connections until the future is dropped.
pub(super) async fn serve(listener: &TcpListener, host: &AnsweringHost) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut is_told = false;
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
        let socket = match listener.accept().await {
            Ok((socket, _)) => socket,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => continue,
            // For example, all file descriptors are in use: that passes.
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    host.shared.say(&format!("a connection was not accepted: {error}"));
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let _ = socket.set_nodelay(true);
        let mut socket = TimeoutStream::new(socket);
        socket.set_write_timeout(Some(UNREAD_WAIT));
        let host = host.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let host = host.clone();
            async move {
                let _answering = OpenRequest::begin();
                Ok::<_, Infallible>(answer(host, request.map(Body::new)).await)
            }
        });
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WAIT)
                // A date before 1970 cannot be written.
                .auto_date_header(is_clock_set())
                .serve_connection(TokioIo::new(Box::pin(socket)), service);
            // An error of a connection concerns only its client.
            let _ = connection.await;
            drop(place);
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "the library reads the same clock")]
fn is_clock_set() -> bool {
    std::time::SystemTime::now() >= std::time::SystemTime::UNIX_EPOCH
}

/// Waits until no request is being answered, for at most `most`.
pub(super) async fn idle(most: Duration) {
    let began = Instant::now();
    while ANSWERING.load(Ordering::Relaxed) > 0 && began.elapsed() < most {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Time to send the answers that are ready.
    tokio::time::sleep(Duration::from_millis(20)).await;
}
