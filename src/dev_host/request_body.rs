//! Bodies of requests: within a bound each and all together, and within a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::http::text;
use super::shared::Shared;
use crate::platform::Response;

/// Bytes of a request at the most: a package and a little more.
const MAX_BODY_BYTES: usize = 65 << 20;
/// How long a client may need for the next part of its body, and for a turn to send it.
const BODY_WAIT: Duration = Duration::from_secs(30);
/// How long it may need for the whole body.
const WHOLE_BODY_WAIT: Duration = Duration::from_mins(5);

/// A request's body. All bodies together have a bound; who does not fit into it waits for its turn.
pub(super) async fn read_body(
    shared: &Shared,
    headers: &HeaderMap,
    body: HttpBody,
    held: &mut Vec<OwnedSemaphorePermit>,
) -> Result<Vec<u8>, Response> {
    let refusal =
        |status: u16, code: &str, message: String| Response::json(status, json!({ "code": code, "message": message }));
    let too_large = || refusal(413, "http.too_large", format!("the body has more than {MAX_BODY_BYTES} bytes"));
    let promised = text(headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
    if promised.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    let began = Instant::now();
    let mut read = Vec::new();
    let mut parts = body.into_data_stream();
    loop {
        let left = WHOLE_BODY_WAIT.saturating_sub(began.elapsed());
        let part = tokio::time::timeout(BODY_WAIT.min(left), parts.next()).await;
        let part = part.map_err(|_| refusal(408, "http.too_slow", "the body came too slowly".to_owned()))?;
        let Some(part) = part else { return Ok(read) };
        let part = part.map_err(|error| refusal(400, "http.bad_body", format!("the body cannot be read: {error}")))?;
        if read.len() + part.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        let bytes = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let turn = tokio::time::timeout(BODY_WAIT, Arc::clone(&shared.bodies).acquire_many_owned(bytes)).await;
        match turn {
            Ok(Ok(turn)) => match held.first_mut() {
                Some(first) => first.merge(turn),
                None => held.push(turn),
            },
            _ => return Err(refusal(503, "http.busy", "too much is being sent at this moment: try again".to_owned())),
        }
        read.extend_from_slice(&part);
    }
}
