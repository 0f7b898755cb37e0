//! Request bodies: bounded in size each, per tenant and in total, and bounded in time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, header};
use erp_manifest::TenantId;
use erp_manifest::codes::{Code, errors};
use erp_platform::{PlatformError, Request, Response};
use erp_runtime::lock;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::http::text;
use super::shared::Shared;

/// The most bytes of a request body: slightly more than a package may have.
const MAX_BODY_BYTES: usize = 65 << 20;
/// Bytes of a body that need no reserved room: small bodies never wait for large ones.
const SMALL_BODY: usize = 64 << 10;
/// The most bytes of larger bodies that are held at the same time, for all tenants and for one.
const MAX_BODIES: usize = 256 << 20;
const MAX_BODIES_OF_A_TENANT: usize = 160 << 20;
/// Bytes that a body of unknown length reserves at a time.
const STEP: usize = 4 << 20;
/// How long a client may take for the next part of its body, and how long a body may wait for room.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// How long a client may take for the complete body.
const WHOLE_BODY_WAIT: Duration = Duration::from_mins(5);

/// Room for the bodies of requests.
#[derive(Debug)]
pub(super) struct BodyRoom {
    all: Arc<Semaphore>,
    of_tenants: Mutex<BTreeMap<TenantId, Arc<Semaphore>>>,
}

impl Default for BodyRoom {
    fn default() -> BodyRoom {
        BodyRoom { all: Arc::new(Semaphore::new(MAX_BODIES)), of_tenants: Mutex::default() }
    }
}

impl BodyRoom {
    /// Waits for room; none if there is none within `BODY_WAIT`, or if the request has no tenant.
    async fn take(&self, tenant: Option<&TenantId>, bytes: usize) -> Option<[OwnedSemaphorePermit; 2]> {
        let bytes = u32::try_from(bytes).ok()?;
        let of_tenant = {
            let mut of_tenants = lock(&self.of_tenants);
            let name = tenant?.clone();
            Arc::clone(of_tenants.entry(name).or_insert_with(|| Arc::new(Semaphore::new(MAX_BODIES_OF_A_TENANT))))
        };
        let both = async {
            let own = of_tenant.acquire_many_owned(bytes).await.ok()?;
            let all = Arc::clone(&self.all).acquire_many_owned(bytes).await.ok()?;
            Some([own, all])
        };
        tokio::time::timeout(BODY_WAIT, both).await.ok().flatten()
    }
}

/// Reads a request's body. A known length is reserved before reading, so that such a body never waits for room half
/// way.
pub(super) async fn read_body(
    shared: &Shared,
    headers: &HeaderMap,
    body: HttpBody,
    request: &Request,
    held: &mut Vec<OwnedSemaphorePermit>,
) -> Result<Vec<u8>, Response> {
    let refusal = |code: Code, message: String| PlatformError::new(code, message).response();
    let too_large = || refusal(errors::HTTP_TOO_LARGE, format!("the body has more than {MAX_BODY_BYTES} bytes"));
    let busy = || refusal(errors::HTTP_BUSY, "too many large bodies are being sent: try again".to_owned());
    let tenant = request.identity.as_ref().map(|identity| &identity.tenant);
    let length = text(headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    let mut room = SMALL_BODY;
    if let Some(length) = length.filter(|length| *length > SMALL_BODY) {
        held.extend(shared.traffic.bodies.take(tenant, length).await.ok_or_else(busy)?);
        room = length;
    }
    let began = Instant::now();
    let mut read = Vec::new();
    let mut parts = body.into_data_stream();
    loop {
        let left = WHOLE_BODY_WAIT.saturating_sub(began.elapsed());
        let part = tokio::time::timeout(BODY_WAIT.min(left), parts.next()).await;
        let part = part.map_err(|_| refusal(errors::HTTP_TOO_SLOW, "the body came too slowly".to_owned()))?;
        let Some(part) = part else { return Ok(read) };
        let part = part.map_err(|error| refusal(errors::HTTP_BAD_BODY, format!("the body cannot be read: {error}")))?;
        if read.len() + part.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        if read.len() + part.len() > room {
            held.extend(shared.traffic.bodies.take(tenant, STEP).await.ok_or_else(busy)?);
            room += STEP;
        }
        read.extend_from_slice(&part);
    }
}
