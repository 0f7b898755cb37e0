//! Recorded calls: all data that crossed the host's border, enough to run a guest again without a host.
//!
//! A guest receives all data through the host API, so the recorded results, in order, replace the database, the clock
//! and the network. A new build that makes the same host calls receives the same results; any other host call is
//! reported as a difference.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use erp_manifest::TenantId;
use erp_manifest::contract::HostFunction;
use erp_storage::StoredEvent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::engine::{Runtime, RuntimeError};
use super::error::{CallError, ServiceError};
use super::interrupt::Interrupt;
use super::limits::CallLimits;
use super::node::NodeCall;
use super::plugin::LoadedPlugin;
use super::processing::ProcessCall;
use super::request::{CallContext, CallOutcome, CallRequest, Invocation, Trigger};
use super::surroundings::Surroundings;
use super::trace::{Detail, Trace};

/// One call: a line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedCall {
    /// The format of this line: 1.
    pub schema: u32,
    /// The id of the plugin.
    pub plugin: String,
    /// The version of the plugin.
    pub version: String,
    /// When the call began, in milliseconds since 1970.
    pub began_ms: i64,
    /// What was called: `{"init"}`, `{"upgrade"}`, `{"tenant_created"}`, `{"event"}`, `{"action", "input"}`,
    /// `{"node_definitions"}`, `{"node"}`, `{"process"}`, `{"wave"}` or `{"function", "arguments"}`.
    pub invocation: Value,
    /// The context: `{tenant, request_id, trigger, locale, event_depth, user}`.
    pub context: Value,
    /// The limits of the call, by name.
    #[serde(default)]
    pub limits: BTreeMap<String, u64>,
    /// `{function, subject, arguments, result, error}` of each host call, in order.
    pub host_calls: Vec<Value>,
    /// Times and random values, in order.
    pub entropy: Vec<Value>,
    /// The result: `{"ok"}`, `{"error": {code, message}}`, or `{"host_failed": true}`.
    pub result: Value,
    /// The log records: `{level, message, fields}`.
    pub logs: Vec<Value>,
    /// The published events: `{type, payload}`.
    pub events: Vec<Value>,
    /// The burned fuel.
    pub fuel: u64,
}

/// The request of a call, in the form of a recording.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    invocation: Value,
    context: Value,
    limits: BTreeMap<String, u64>,
}

impl RecordedRequest {
    /// Converts a request.
    pub fn of(request: &CallRequest<'_>) -> RecordedRequest {
        RecordedRequest {
            invocation: invocation_json(request.invocation),
            context: context_json(&request.context),
            limits: request.limits.by_name().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// The result of replaying a recorded call with another build.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayOutcome {
    /// The differences from the recording, one line each; empty if the guest did the same.
    pub differences: Vec<String>,
    /// The burned fuel; meaningful only if there are no differences.
    pub fuel: u64,
    /// The guest's frames at each host call, with [`Detail::Source`].
    pub frames: Vec<Vec<String>>,
}

/// Converts an invocation to the form of a recording.
fn invocation_json(invocation: &Invocation) -> Value {
    match invocation {
        Invocation::Init => json!({ "init": true }),
        Invocation::Upgrade(handlers) => {
            json!({ "upgrade": handlers.iter().map(|handler| handler.name.as_str()).collect::<Vec<_>>() })
        }
        Invocation::TenantCreated => json!({ "tenant_created": true }),
        Invocation::Event { event, attempt } => json!({ "event": {
            "id": event.id, "type": event.event_type, "source": event.source, "payload": event.payload,
            "occurred_at_ms": event.occurred_at_ms, "attempt": attempt,
        } }),
        Invocation::Action { name, input } => json!({ "action": name, "input": input }),
        Invocation::NodeDefinitions => json!({ "node_definitions": true }),
        Invocation::Node(call) => json!({ "node": call }),
        Invocation::Process(call) => json!({ "process": **call }),
        Invocation::Wave(text) => json!({ "wave": text }),
        Invocation::Named { function, arguments } => json!({ "function": function, "arguments": arguments }),
    }
}

/// Converts a context to the form of a recording.
fn context_json(context: &CallContext) -> Value {
    let user = context.caller.as_ref().map(|caller| {
        let department = caller.department.as_ref().map(|department| &department.id);
        json!({ "id": caller.id, "name": caller.name, "permissions": caller.permissions, "department": department })
    });
    json!({
        "tenant": context.tenant, "request_id": context.request_id, "trigger": context.trigger.word(),
        "locale": context.locale, "event_depth": context.event_depth, "user": user,
    })
}

impl RecordedCall {
    /// Creates the recording of a call that was traced with [`Detail::Full`].
    pub fn new(
        plugin: &str,
        version: &str,
        began_ms: i64,
        RecordedRequest { invocation, context, limits }: RecordedRequest,
        error: Option<&CallError>,
        result: Option<&Value>,
        trace: &Trace,
    ) -> RecordedCall {
        let host_calls = trace
            .host_calls
            .iter()
            .map(|call| {
                json!({
                    "function": call.function, "subject": call.subject, "arguments": call.arguments,
                    "result": call.result, "error": call.error,
                })
            })
            .collect();
        RecordedCall {
            schema: 1,
            plugin: plugin.to_owned(),
            version: version.to_owned(),
            began_ms,
            invocation,
            context,
            limits,
            host_calls,
            entropy: trace.entropy.clone(),
            result: result_json(error, result),
            logs: logs_json(trace),
            events: trace.events.iter().map(|event| json!(event)).collect(),
            fuel: trace.fuel,
        }
    }

    fn context(&self) -> Option<CallContext> {
        let text = |key: &str| self.context[key].as_str().map(str::to_owned);
        let user = &self.context["user"];
        let caller = user["id"].as_str().map(|id| Caller {
            id: id.to_owned(),
            name: user["name"].as_str().unwrap_or_default().to_owned(),
            permissions: serde_json::from_value(user["permissions"].clone()).unwrap_or_default(),
            department: None,
        });
        Some(CallContext {
            request_id: text("request_id")?,
            tenant: TenantId::new(text("tenant")?)?,
            caller,
            trigger: Trigger::from_word(self.context["trigger"].as_str()?)?,
            locale: text("locale")?,
            event_depth: u32::try_from(self.context["event_depth"].as_u64()?).ok()?,
        })
    }
}

fn result_json(error: Option<&CallError>, result: Option<&Value>) -> Value {
    match error {
        // A failure of the host itself does not happen again in a replay.
        Some(CallError::Host(_)) => json!({ "host_failed": true }),
        Some(error) => json!({ "error": { "code": error.code(), "message": error.to_string() } }),
        None => json!({ "ok": result }),
    }
}

fn logs_json(trace: &Trace) -> Vec<Value> {
    let one = |record: &super::LogRecord| json!({ "level": record.level.word(), "message": record.message, "fields": record.fields });
    trace.logs.iter().map(one).collect()
}

/// The answer of a recording to a host call.
pub(super) enum Answer {
    Given(Value),
    Failed(ServiceError),
    Diverged(String),
}

/// A recording during its replay.
#[derive(Debug)]
pub(super) struct Replay {
    calls: VecDeque<Value>,
    entropy: VecDeque<Value>,
    made: usize,
    diverged: Option<String>,
}

impl Replay {
    fn of(recorded: &RecordedCall) -> Replay {
        Replay {
            calls: recorded.host_calls.iter().cloned().collect(),
            entropy: recorded.entropy.iter().cloned().collect(),
            made: 0,
            diverged: None,
        }
    }

    pub(super) fn answer(&mut self, function: HostFunction, subject: &str, arguments: &Value) -> Answer {
        self.made += 1;
        let number = self.made;
        let Some(recorded) = self.calls.pop_front() else {
            return Answer::Diverged(format!("host call {number}: `{function} {subject}` is new"));
        };
        let was = |key: &str| recorded[key].as_str().unwrap_or_default();
        if (was("function"), was("subject")) != (function.name(), subject) {
            let (old, about) = (was("function"), was("subject"));
            return Answer::Diverged(format!("host call {number}: `{function} {subject}`, was `{old} {about}`"));
        }
        if recorded["arguments"] != *arguments {
            let before = &recorded["arguments"];
            return Answer::Diverged(format!(
                "host call {number}: `{function} {subject}` with {arguments}, was {before}"
            ));
        }
        if recorded["error"].is_null() {
            Answer::Given(recorded["result"].clone())
        } else {
            Answer::Failed(ServiceError::from_json(&recorded["result"]))
        }
    }

    pub(super) fn entropy(&mut self) -> Option<Value> {
        self.entropy.pop_front()
    }

    pub(super) fn diverge(&mut self, why: String) {
        self.diverged.get_or_insert(why);
    }
}

impl Runtime {
    /// Replays a recorded call with a build of the plugin: the recording answers instead of the host. With
    /// [`Detail::Source`] the frames of each host call are captured too, which takes milliseconds for each.
    ///
    /// # Errors
    /// [`RuntimeError::Load`] if the recording is of another plugin or cannot be read.
    pub fn replay(
        &self,
        plugin: &LoadedPlugin,
        recorded: &RecordedCall,
        detail: Detail,
    ) -> Result<ReplayOutcome, RuntimeError> {
        let failed = |why: String| RuntimeError::Load(why);
        let id = plugin.manifest.metadata.id.as_str();
        if recorded.schema != 1 || recorded.plugin != id {
            return Err(failed(format!(
                "the recording is of `{}` (schema {}), not of `{id}`",
                recorded.plugin, recorded.schema
            )));
        }
        let context = recorded.context().ok_or_else(|| failed("its context cannot be read".to_owned()))?;
        let tenant = context.tenant.clone();
        let surroundings = Arc::new(Mutex::new(Surroundings::of_this_machine()));
        let said = &recorded.invocation;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let event = &said["event"];
        let event = StoredEvent {
            seq: 1,
            id: text(&event["id"]),
            tenant,
            event_type: text(&event["type"]),
            source: text(&event["source"]),
            payload: event["payload"].clone(),
            occurred_at_ms: event["occurred_at_ms"].as_i64().unwrap_or(0),
            depth: context.event_depth,
        };
        let attempt = u32::try_from(said["event"]["attempt"].as_u64().unwrap_or(1)).unwrap_or(1);
        let (name, wave, function) = (text(&said["action"]), text(&said["wave"]), text(&said["function"]));
        let arguments: Map<String, Value> = said["arguments"].as_object().cloned().unwrap_or_default();
        let node: Result<NodeCall, _> = serde_json::from_value(said["node"].clone());
        let process: Result<ProcessCall, _> = serde_json::from_value(said["process"].clone());
        let invocation = match said.as_object().and_then(|said| said.keys().next()).map(String::as_str) {
            Some("init") => Invocation::Init,
            Some("tenant_created") => Invocation::TenantCreated,
            Some("event") => Invocation::Event { event: Arc::new(event), attempt },
            Some("action") => Invocation::Action { name, input: said["input"].clone() },
            Some("node_definitions") => Invocation::NodeDefinitions,
            Some("node") => Invocation::Node(node.map_err(|error| failed(error.to_string()))?),
            Some("process") => Invocation::Process(Arc::new(process.map_err(|error| failed(error.to_string()))?)),
            Some("wave") => Invocation::Wave(wave),
            Some("function") => Invocation::Named { function, arguments },
            _ => return Err(failed("its invocation cannot be read".to_owned())),
        };
        let limits = CallLimits::of(&plugin.manifest).with_values(&recorded.limits);
        let detail = detail.max(Detail::Full);
        let interrupt = Interrupt::default();
        let request =
            CallRequest { context, limits, detail, probe: None, interrupt, attempt: 1, invocation: &invocation };
        let (outcome, replay) = Runtime::call_replayed(plugin, request, &surroundings, Replay::of(recorded));
        let differences = differences(recorded, &outcome, replay.as_ref());
        let frames = outcome.trace.host_calls.into_iter().map(|call| call.frames).collect();
        Ok(ReplayOutcome { differences, fuel: outcome.trace.fuel, frames })
    }
}

fn differences(recorded: &RecordedCall, outcome: &CallOutcome, replay: Option<&Replay>) -> Vec<String> {
    // After the first host call that differs from the recording, everything else differs too.
    if let Some(why) = replay.and_then(|replay| replay.diverged.clone()) {
        return vec![why];
    }
    let mut found = Vec::new();
    let unused = replay.map_or(0, |replay| replay.entropy.len());
    if unused > 0 {
        found.push(format!("{unused} fewer times or random values are asked for"));
    }
    let left = replay.map_or(0, |replay| replay.calls.len());
    if left > 0 {
        let first = replay.and_then(|replay| replay.calls.front()).map_or(&Value::Null, |call| &call["function"]);
        found.push(format!("{left} fewer calls of the host, from {first}"));
    }
    let result = result_json(outcome.result.as_ref().err(), outcome.result.as_ref().ok());
    if result != recorded.result && recorded.result.get("host_failed").is_none() {
        found.push(format!("result: {result}, was {}", recorded.result));
    }
    let logs = logs_json(&outcome.trace);
    if logs != recorded.logs {
        found.push(format!("log: {}, was {}", Value::from(logs), Value::from(recorded.logs.clone())));
    }
    found
}
