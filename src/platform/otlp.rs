//! Converts calls to OpenTelemetry spans, in the JSON of OTLP 1.x (`ExportTraceServiceRequest`).

use erp_manifest::digest::sha256_hex;
use serde_json::{Value, json};

use super::{Activity, CallRecord};

impl Activity {
    /// Returns the calls and their host calls as spans. The span of a host call has no length; its time is estimated
    /// from the fuel that the call had used.
    pub fn to_otlp(&self) -> Value {
        let spans: Vec<Value> = self.calls.iter().enumerate().flat_map(|(number, call)| spans(number, call)).collect();
        json!({ "resourceSpans": [{
            "resource": { "attributes": [text("service.name", "erp-plugin")] },
            "scopeSpans": [{ "scope": { "name": "erp-plugin", "version": env!("CARGO_PKG_VERSION") }, "spans": spans }],
        }] })
    }
}

fn spans(number: usize, call: &CallRecord) -> Vec<Value> {
    let trace_id = &sha256_hex(call.request_id.as_bytes())[..32];
    let id = |part: usize| sha256_hex(format!("{} {number} {part}", call.request_id).as_bytes())[..16].to_owned();
    let start = u64::try_from(call.began_ms).unwrap_or(0).saturating_mul(1_000_000);
    let length = call.trace.nanoseconds;
    let mut attributes = vec![
        text("erp.plugin", &call.plugin),
        text("erp.tenant", call.tenant.as_str()),
        number_of("erp.fuel", call.trace.fuel),
        number_of("erp.memory_bytes", call.trace.memory),
        number_of("erp.rows_changed", call.trace.changes.len() as u64),
    ];
    let mut status = json!({});
    if let Some(error) = &call.error {
        attributes.push(text("error.type", error.code().as_str()));
        status = json!({ "code": 2, "message": error.to_string() });
    }
    let log = |record: &erp_runtime::LogRecord| {
        json!({ "timeUnixNano": start.to_string(), "name": "log", "attributes": [
            text("level", record.level.word()), text("message", &record.message),
        ] })
    };
    let mut spans = vec![json!({
        "traceId": trace_id, "spanId": id(0), "name": call.label, "kind": 2,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + length).to_string(),
        "attributes": attributes, "status": status, "events": call.trace.logs.iter().map(log).collect::<Vec<_>>(),
    })];
    for (index, host_call) in call.trace.host_calls.iter().enumerate() {
        let share = host_call.fuel as f64 / call.trace.fuel.max(1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the call's time")]
        let at = start + (length as f64 * share.min(1.0)) as u64;
        let mut attributes = vec![
            text("erp.subject", &host_call.subject),
            number_of("erp.fuel_before", host_call.fuel),
            number_of("erp.rows", host_call.rows),
        ];
        attributes.extend(host_call.sql.first().map(|sql| text("db.query.text", sql)));
        attributes.extend(host_call.frames.first().map(|frame| text("code.function.name", frame)));
        let status = match &host_call.error {
            Some(code) => json!({ "code": 2, "message": code }),
            None => json!({}),
        };
        spans.push(json!({
            "traceId": trace_id, "spanId": id(index + 1), "parentSpanId": id(0), "name": host_call.function, "kind": 3,
            "startTimeUnixNano": at.to_string(), "endTimeUnixNano": at.to_string(), "attributes": attributes,
            "status": status,
        }));
    }
    spans
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Returns an attribute with an integer, which OTLP's JSON writes as text.
fn number_of(key: &str, value: u64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}
