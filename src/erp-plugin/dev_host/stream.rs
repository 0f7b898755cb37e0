//! `/_dev/stream`: the records of the journal, as they are added.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response as HttpResponse};
use erp_manifest::codes::errors;
use erp_platform::http_api::Route;
use erp_platform::{PlatformError, Request};
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::http::{http_response, secured, text};
use super::routes::refusal;
use super::shared::Shared;

/// How often an idle event stream sends a keep-alive comment.
const ALIVE: Duration = Duration::from_secs(15);

/// Streams the journal as server-sent events, or as a JSON document a line. `kinds` selects kinds, separated by commas.
/// The stream continues after the record `last-event-id` or `after`; without them, it begins with the next record.
pub(super) fn stream(shared: &Arc<Shared>, request: &Request, route: &Route, headers: &HeaderMap) -> HttpResponse {
    if let Err(error) = request.admit(route) {
        return http_response(refusal(&error));
    }
    let kinds: Vec<String> = request
        .query("kinds")
        .unwrap_or_default()
        .split(',')
        .filter(|kind| !kind.is_empty())
        .map(str::to_owned)
        .collect();
    let place = text(headers, "last-event-id").or_else(|| request.query("after").map(str::to_owned));
    let place = match place.map(|place| place.parse()) {
        None => shared.journal.last(),
        Some(Ok(place)) => place,
        Some(Err(_)) => {
            let message = "`after` and `last-event-id` are the number of an event";
            return http_response(refusal(&PlatformError::new(errors::HTTP_BAD_QUERY, message)));
        }
    };
    let wants_lines =
        text(headers, header::ACCEPT.as_str()).is_some_and(|kinds| kinds.contains("application/x-ndjson"));
    let news = shared.journal.news();
    // A stream must not keep the host alive.
    let shared = Arc::downgrade(shared);
    let batches = stream::unfold((place, news), move |(place, mut news)| {
        let (shared, kinds) = (shared.clone(), kinds.clone());
        async move {
            let mut place = place;
            loop {
                let batch = shared.upgrade()?.journal.after(place, &kinds);
                place = batch.last;
                if batch.gap.is_some() || !batch.entries.is_empty() {
                    let mut records: Vec<(u64, &'static str, String)> = Vec::new();
                    if let Some((from, to)) = batch.gap {
                        records.push((
                            to,
                            "gap",
                            json!({ "kind": "gap", "data": { "from": from, "to": to } }).to_string(),
                        ));
                    }
                    records.extend(batch.entries.iter().map(|entry| (entry.id, entry.kind, entry.text())));
                    return Some((records, (place, news)));
                }
                news.changed().await.ok()?;
            }
        }
    });
    if wants_lines {
        let lines = batches.map(|records| {
            let text: String = records.into_iter().map(|(_, _, entry)| entry + "\n").collect();
            Ok::<_, Infallible>(text)
        });
        let mut response = HttpResponse::new(HttpBody::from_stream(lines));
        let kind = header::HeaderValue::from_static("application/x-ndjson");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        secured(response.headers_mut());
        return response;
    }
    let events = batches.flat_map(|records| {
        let event = |(id, kind, entry): (u64, &'static str, String)| {
            Ok::<_, Infallible>(Event::default().id(id.to_string()).event(kind).data(entry))
        };
        stream::iter(records.into_iter().map(event).collect::<Vec<_>>())
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)).into_response();
    secured(response.headers_mut());
    response
}
