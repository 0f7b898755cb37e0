//! Recent calls and requests with their details, and which of them wrote which version of a row.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use erp_manifest::document::weight;
use erp_platform::{Activity, CallRecord, Directory};
use erp_runtime::{CallError, RecordedCall, shorten};
use erp_storage::RowChange;
use serde_json::{Value, json};

use super::journal::Journal;

/// The most calls and requests that are kept in short form.
const KEPT: usize = 1_000;
/// The most bytes of their details. The oldest detail is dropped first; then only the short form remains.
const KEPT_BYTES: usize = 6 << 20;
/// The most row changes that are kept of each; an import may have thousands.
const KEPT_CHANGES: usize = 200;
/// The most row versions whose writers are kept.
const KEPT_VERSIONS: usize = 10_000;

/// An answered request, as the call book notes it.
#[derive(Debug, Clone)]
pub(super) struct AnsweredRequest {
    pub(super) method: String,
    pub(super) path: String,
    /// Whether its route changes nothing.
    pub(super) only_reads: bool,
    pub(super) status: u16,
    pub(super) request_id: String,
    pub(super) tenant: Option<String>,
    pub(super) user: Option<String>,
    pub(super) microseconds: u64,
    /// The JSON body of an error response; none for a success.
    pub(super) error: Option<Value>,
}

/// A kept call or request.
#[derive(Debug)]
struct BookEntry {
    id: u64,
    summary: Value,
    detail: Option<Detail>,
}

/// The details of a call as JSON text, which takes a tenth of the memory of values.
#[derive(Debug)]
struct Detail {
    shown: Box<str>,
    /// A [`RecordedCall`]; none for a request, and for a call that was not recorded.
    recorded: Option<Box<str>>,
}

impl Detail {
    fn bytes(&self) -> usize {
        self.shown.len() + self.recorded.as_ref().map_or(0, |recorded| recorded.len())
    }
}

/// The recent calls and requests.
#[derive(Debug, Default)]
pub(super) struct CallBook {
    calls: VecDeque<BookEntry>,
    last: u64,
    /// The first call that may still have its detail, and the bytes of all details.
    first_detail: u64,
    detail_bytes: usize,
    /// The call that wrote a version of a row, by entity, row and version.
    writers: BTreeMap<(String, String, u32), u64>,
    order: VecDeque<(String, String, u32)>,
}

impl CallBook {
    /// Keeps what a request did, or what happened without one, and appends it to the journal.
    pub(super) fn note(
        &mut self,
        journal: &Journal,
        directory: &Directory,
        asked: Option<AnsweredRequest>,
        activity: Activity,
    ) {
        let Activity { calls, changes, events, upgrades } = activity;
        let is_calls = |change: &RowChange| {
            calls.iter().any(|call| {
                call.trace
                    .changes
                    .iter()
                    .any(|own| own.row.id == change.row.id && own.row.version == change.row.version)
            })
        };
        let own: Vec<Arc<RowChange>> = changes.into_iter().filter(|change| !is_calls(change)).collect();
        if let Some(asked) = asked {
            // A successful request that only read and called no plugin is not kept.
            let matters = !asked.only_reads || asked.status >= 400 || !calls.is_empty();
            if matters {
                self.keep_request(journal, &asked, &own);
            }
        } else {
            for change in &own {
                journal.append("change", &change_json(change));
            }
        }
        for call in calls {
            self.keep_call(journal, directory, &call);
        }
        for (tenant, event) in events {
            journal.append("event", &json!({ "tenant": tenant, "type": event.event_type, "payload": event.payload }));
        }
        for report in upgrades.into_iter().filter(|report| !report.steps.is_empty()) {
            journal.append("schema", &json!(report));
        }
    }

    fn keep_request(&mut self, journal: &Journal, asked: &AnsweredRequest, changes: &[Arc<RowChange>]) {
        let id = self.next();
        let shown = json!({
            "id": id, "kind": "request", "label": format!("{} {}", asked.method, asked.path), "method": asked.method,
            "path": asked.path, "status": asked.status, "request_id": asked.request_id, "tenant": asked.tenant,
            "user": asked.user, "microseconds": asked.microseconds, "error": asked.error,
            "began_ms": erp_manifest::Moment::of_system_clock().unix_ms - i64::try_from(asked.microseconds / 1000).unwrap_or(0),
            "changes": changes.iter().take(KEPT_CHANGES).map(change_json).collect::<Vec<_>>(), "rows": changes.len(),
        });
        self.keep(journal, "request", id, &shown, None, changes);
    }

    fn keep_call(&mut self, journal: &Journal, directory: &Directory, call: &CallRecord) {
        let id = self.next();
        let trace = &call.trace;
        let user = call.user.as_ref().and_then(|id| directory.users().find(|user| user.caller.id == *id));
        for host_call in &trace.host_calls {
            journal.append(
                "host",
                &json!({
                    "call": id, "plugin": call.plugin, "function": host_call.function, "subject": host_call.subject,
                    "error": host_call.error, "fuel": host_call.fuel, "rows": host_call.rows, "sql": host_call.sql,
                }),
            );
        }
        for record in &trace.logs {
            journal.append(
                "log",
                &json!({
                    "call": id, "plugin": call.plugin, "tenant": call.tenant, "level": record.level.word(),
                    "message": record.message, "fields": record.fields,
                }),
            );
        }
        let invocation = call.recorded.as_ref().map(|recorded| recorded.invocation.clone());
        let result = call.recorded.as_ref().map(|recorded| recorded.result.clone());
        let shown = json!({
            "id": id, "kind": "call", "label": call.label, "plugin": call.plugin, "version": call.version,
            "tenant": call.tenant, "user": user.map(|user| user.caller.name.clone()), "request_id": call.request_id,
            "began_ms": call.began_ms, "microseconds": trace.nanoseconds / 1_000, "fuel": trace.fuel,
            "memory_bytes": trace.memory, "error": call.error.as_ref().map(error_json), "invocation": invocation,
            "result": result,
            "host_calls": trace.host_calls, "denials": trace.denials,
            "logs": trace.logs.iter().map(|record| {
                json!({ "level": record.level.word(), "message": record.message, "fields": record.fields })
            }).collect::<Vec<_>>(),
            "suppressed_logs": trace.suppressed_logs,
            "events": call.recorded.as_ref().map(|recorded| recorded.events.clone()),
            "changes": trace.changes.iter().take(KEPT_CHANGES).map(change_json).collect::<Vec<_>>(), "rows": trace.changes.len(),
            "quirks": trace.quirks.iter().map(|quirk| quirk.sentence()).collect::<Vec<_>>(),
        });
        self.keep(journal, "call", id, &shown, call.recorded.as_ref(), &trace.changes);
    }

    fn keep(
        &mut self,
        journal: &Journal,
        kind: &'static str,
        id: u64,
        shown: &Value,
        recorded: Option<&RecordedCall>,
        changes: &[Arc<RowChange>],
    ) {
        for (index, change) in changes.iter().enumerate() {
            if index < KEPT_CHANGES {
                journal.append("change", &change_json(change));
            }
            let version = (change.entity.clone(), change.row.id.clone(), change.row.version);
            if self.writers.insert(version.clone(), id).is_none() {
                self.order.push_back(version);
            }
            if self.order.len() > KEPT_VERSIONS
                && let Some(oldest) = self.order.pop_front()
            {
                self.writers.remove(&oldest);
            }
        }
        let summary = summary(shown);
        journal.append(kind, &summary);
        let recorded = recorded.and_then(|recorded| serde_json::to_string(recorded).ok()).map(String::into_boxed_str);
        let detail = Detail { shown: shown.to_string().into_boxed_str(), recorded };
        self.detail_bytes += detail.bytes();
        if self.calls.len() == KEPT {
            let oldest = self.calls.pop_front().and_then(|kept| kept.detail);
            self.detail_bytes -= oldest.map_or(0, |detail| detail.bytes());
        }
        self.calls.push_back(BookEntry { id, summary, detail: Some(detail) });
        // The newest detail stays however large it is: the user is about to look at it.
        while self.detail_bytes > KEPT_BYTES && self.first_detail < id {
            let freed = self.kept_mut(self.first_detail).and_then(|kept| kept.detail.take());
            self.detail_bytes -= freed.map_or(0, |detail| detail.bytes());
            self.first_detail += 1;
        }
    }

    /// The position of a call in the list: the numbers have no gaps.
    fn place(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.calls.front()?.id)?).ok()
    }

    fn kept(&self, id: u64) -> Option<&BookEntry> {
        self.calls.get(self.place(id)?)
    }

    fn kept_mut(&mut self, id: u64) -> Option<&mut BookEntry> {
        let place = self.place(id)?;
        self.calls.get_mut(place)
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The wanted calls in short form, newest first, at most `most`.
    pub(super) fn list(&self, wanted: impl Fn(&Value) -> bool, most: usize) -> Vec<Value> {
        self.calls.iter().rev().map(|kept| &kept.summary).filter(|shown| wanted(shown)).take(most).cloned().collect()
    }

    /// A call with its details. If they were dropped, the short form, with `"is_short": true`.
    pub(super) fn get(&self, id: u64) -> Option<Value> {
        let kept = self.kept(id)?;
        if let Some(detail) = &kept.detail {
            return serde_json::from_str(&detail.shown).ok();
        }
        let mut short = kept.summary.clone();
        for key in ["host_calls", "denials", "logs", "events", "changes", "quirks"] {
            short[key] = json!([]);
        }
        short["is_short"] = json!(true);
        Some(short)
    }

    /// The recording of a call, to be replayed; none if it was not recorded or was dropped.
    pub(super) fn recorded(&self, id: u64) -> Option<RecordedCall> {
        let recorded = self.kept(id)?.detail.as_ref()?.recorded.as_ref()?;
        serde_json::from_str(recorded).ok()
    }

    /// The recordings of the calls of a request.
    pub(super) fn recorded_of_request(&self, request_id: &str) -> Vec<RecordedCall> {
        let of = self.calls.iter().filter(|kept| kept.summary["request_id"] == request_id);
        of.filter_map(|kept| self.recorded(kept.id)).collect()
    }

    /// The calls that wrote the versions of a row, as far as they are kept: version → call.
    pub(super) fn writers(&self, entity: &str, row: &str) -> BTreeMap<u32, u64> {
        let key = |version| (entity.to_owned(), row.to_owned(), version);
        self.writers.range(key(0)..=key(u32::MAX)).map(|((_, _, version), call)| (*version, *call)).collect()
    }
}

/// The short form of a call, as lists show it.
fn summary(shown: &Value) -> Value {
    let keys = [
        "id",
        "kind",
        "label",
        "method",
        "path",
        "status",
        "plugin",
        "version",
        "tenant",
        "user",
        "request_id",
        "began_ms",
        "microseconds",
        "fuel",
        "memory_bytes",
        "error",
    ];
    let mut short: serde_json::Map<String, Value> =
        keys.iter().filter_map(|key| Some(((*key).to_owned(), in_short(shown.get(*key)?)))).collect();
    let count = |key: &str| shown[key].as_array().map_or(0, Vec::len);
    short.insert("host_calls".to_owned(), json!(count("host_calls")));
    short.insert("rows".to_owned(), shown["rows"].clone());
    short.insert("events".to_owned(), json!(count("events")));
    short.insert("logs".to_owned(), json!(count("logs")));
    Value::Object(short)
}

/// The most bytes of a text in a short form, and of an error that is kept complete.
const SHORT_TEXT: usize = 400;
const SHORT_ERROR: u64 = 2_000;

/// A value as a short form keeps it.
fn in_short(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let mut text = text.clone();
            shorten(&mut text, SHORT_TEXT);
            text.into()
        }
        Value::Object(error) if weight(value) > SHORT_ERROR => {
            json!({ "code": error.get("code").map(in_short), "message": error.get("message").map(in_short) })
        }
        other => other.clone(),
    }
}

fn change_json(change: &Arc<RowChange>) -> Value {
    json!({
        "kind": change.kind, "entity": change.entity, "tenant": change.tenant, "id": change.row.id,
        "version": change.row.version, "before": change.before, "after": change.row.data,
    })
}

fn error_json(error: &CallError) -> Value {
    let frames = match error {
        CallError::Trap { frames, .. } => frames.as_slice(),
        _ => &[],
    };
    json!({ "code": error.code(), "message": error.to_string(), "frames": frames })
}
