//! What the host does for a guest: one implementation, which both host APIs adapt.
//!
//! Each function checks the capability, holds the call to its bounds, does the work in the call's
//! transaction, and leaves a record in the trace. They can be tested without any WebAssembly.

mod blobs;
mod config;
mod context;
mod database;
mod events;
mod expressions;
mod http;
mod keys;
mod legacy;
mod memory;
mod shown;
mod v1;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wasmtime::Trap;

use self::shown::Given;
use super::call::CallContext;
use super::error::ServiceError;
use super::faults::{FaultAction, FaultPlace};
use super::limits::CallLimits;
use super::recording::{Answer, Replay};
use super::surroundings::Surroundings;
use super::trace::{Denial, Detail, HostCall, LogLevel, LogRecord, Trace};
use super::{SharedDatabase, SharedSurroundings, lock};
use crate::manifest::Manifest;
use crate::store::{Database, RowReach, Scope};

/// Longest log message in bytes; the rest is cut.
const MAX_LOG_BYTES: usize = 8 << 10;
/// Shorter secrets are not looked for in texts: half of every text would be stars.
const MIN_REDACTED: usize = 6;

/// The host's side of one call.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) manifest: Arc<Manifest>,
    pub(super) context: CallContext,
    pub(super) limits: CallLimits,
    pub(super) database: SharedDatabase,
    pub(super) surroundings: SharedSurroundings,
    pub(super) trace: Trace,
    pub(super) detail: Detail,
    /// What the guest has burned when it called the host; the border sets it before each call.
    pub(super) fuel_burned: u64,
    /// Where in its source the guest called the host; the border sets it where details are wanted.
    pub(super) frames: Vec<String>,
    /// What ends the guest as soon as the host call returns.
    pub(super) ending: Option<Trap>,
    /// A recording that answers in the place of the host.
    pub(super) replay: Option<Replay>,
    /// Time that the host pretended to need.
    delayed: Duration,
    /// Secrets that the guest has been given.
    secrets: Vec<String>,
    rows: u64,
    writes: u64,
    bytes: u64,
    blob_bytes: u64,
    log_bytes: u64,
    http_requests: u64,
}

impl Services {
    pub(super) fn new(
        manifest: Arc<Manifest>,
        context: CallContext,
        limits: CallLimits,
        database: SharedDatabase,
        surroundings: SharedSurroundings,
        detail: Detail,
    ) -> Services {
        Services {
            manifest,
            context,
            limits,
            database,
            surroundings,
            trace: Trace::default(),
            detail,
            fuel_burned: 0,
            frames: Vec::new(),
            ending: None,
            replay: None,
            delayed: Duration::ZERO,
            secrets: Vec::new(),
            rows: 0,
            writes: 0,
            bytes: 0,
            blob_bytes: 0,
            log_bytes: 0,
            http_requests: 0,
        }
    }

    /// Does one host call: counts it, moves a virtual clock, lets it fail where a test wants it, records how it went.
    fn call<T: Given>(
        &mut self,
        function: &'static str,
        subject: &str,
        arguments: impl FnOnce() -> Value,
        work: impl FnOnce(&mut Services) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let fault = {
            let mut surroundings = lock(&self.surroundings);
            surroundings.advance(1);
            surroundings.take_fault(|place| match place {
                FaultPlace::HostCall { function: wanted, subject: about } => {
                    wanted.as_ref().is_none_or(|wanted| wanted == function)
                        && about.as_ref().is_none_or(|about| about == subject)
                }
                FaultPlace::Commit => false,
            })
        };
        let is_full = self.detail >= Detail::Full;
        let arguments = if is_full { self.redacted(arguments()) } else { Value::Null };
        let rows = self.rows;
        if let Some(replay) = &mut self.replay {
            return match replay.answer(function, subject, &arguments) {
                Answer::Given(shown) => match T::read(&shown) {
                    Some(given) => Ok(given),
                    None => Err(self.diverged(format!("{function}: the recording cannot be read"))),
                },
                Answer::Failed(error) => Err(error),
                Answer::Diverged(why) => Err(self.diverged(why)),
            };
        }
        let result = match fault {
            Some(FaultAction::Fail(message)) => {
                Err(ServiceError { retryable: true, ..ServiceError::new("host.database", message) })
            }
            Some(FaultAction::EndFuel) => {
                self.ending = Some(Trap::OutOfFuel);
                Err(ServiceError::new("limit.fuel", "the fuel is spent"))
            }
            Some(FaultAction::Delay(time)) => {
                let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                lock(&self.surroundings).advance(milliseconds);
                self.delayed += time;
                if self.delayed > self.limits.time() {
                    self.ending = Some(Trap::Interrupt);
                    Err(ServiceError::new("limit.time", "the time is over"))
                } else {
                    work(self)
                }
            }
            None if self.trace.host_calls.len() as u64 >= self.limits.host_calls() => {
                let message = format!("a call may call the host {} times", self.limits.host_calls());
                Err(limit("limit.host_calls", message))
            }
            None => work(self),
        };
        let result = result.and_then(|given| self.take_bytes(given.bytes()).map(|()| given));
        let error = result.as_ref().err();
        if let Some(error) = error.filter(|error| error.code == "cap.denied") {
            let (subject, message) = (subject.to_owned(), error.message.clone());
            self.trace.denials.push(Denial { function, subject, message });
        }
        let record = HostCall {
            function,
            subject: subject.to_owned(),
            error: error.map(|error| error.code.clone()),
            fuel: self.fuel_burned,
            rows: self.rows - rows,
            arguments,
            result: match (&result, is_full) {
                (Ok(given), true) => self.redacted(given.shown()),
                (Err(error), true) => error.to_json(),
                (_, false) => Value::Null,
            },
            sql: if is_full { lock(&self.database).take_statements() } else { Vec::new() },
            frames: std::mem::take(&mut self.frames),
        };
        self.trace.host_calls.push(record);
        result
    }

    /// Ends the guest: what it asks for was never answered.
    fn diverged(&mut self, why: String) -> ServiceError {
        self.ending = Some(Trap::Interrupt);
        if let Some(replay) = &mut self.replay {
            replay.diverge(why.clone());
        }
        ServiceError::new("host.unsupported", why)
    }

    /// Time, or randomness: from the host's surroundings, or as it was recorded.
    pub(super) fn entropy<T: Serialize + DeserializeOwned>(&mut self, draw: impl FnOnce(&mut Surroundings) -> T) -> T {
        if let Some(recorded) = self.replay.as_mut().and_then(Replay::entropy)
            && let Ok(value) = serde_json::from_value(recorded)
        {
            return value;
        }
        let value = draw(&mut lock(&self.surroundings));
        if self.detail >= Detail::Full {
            self.trace.entropy.push(json!(value));
        }
        value
    }

    /// Works with the database in the call's scope; `new_id` gives ids of new rows.
    fn with_database<T>(
        &self,
        work: impl FnOnce(&mut Database, &Scope, &mut dyn FnMut() -> String) -> Result<T, crate::store::StoreError>,
    ) -> Result<T, ServiceError> {
        self.with_scope(&self.scope(), work)
    }

    fn with_scope<T>(
        &self,
        scope: &Scope,
        work: impl FnOnce(&mut Database, &Scope, &mut dyn FnMut() -> String) -> Result<T, crate::store::StoreError>,
    ) -> Result<T, ServiceError> {
        let surroundings = Arc::clone(&self.surroundings);
        let mut new_id = move || lock(&surroundings).uuid();
        work(&mut lock(&self.database), scope, &mut new_id).map_err(ServiceError::from)
    }

    fn scope(&self) -> Scope {
        let now = lock(&self.surroundings).now();
        let scope = Scope::of_tenant(&self.context.tenant, now);
        match &self.context.caller {
            Some(caller) => scope.by(&caller.id),
            None => scope,
        }
    }

    /// Whose rows of an entity the guest reaches: those that the user whom it works for may see. Where the user has
    /// no permission at all, the plugin's own rights count: an approver need not be able to list what is approved.
    fn reach(&self, entity: &str, action: &str) -> RowReach {
        let code = format!("{entity}.{action}");
        match &self.context.caller {
            Some(caller) if caller.may(&code) => caller.reach(&code),
            _ => RowReach::All,
        }
    }

    fn take_rows(&mut self, rows: usize) -> Result<(), ServiceError> {
        self.rows += rows as u64;
        within("limit.rows", self.rows, self.limits.rows(), "rows may be read")
    }

    fn take_writes(&mut self, writes: usize) -> Result<(), ServiceError> {
        self.writes += writes as u64;
        within("limit.writes", self.writes, self.limits.writes(), "rows may be written")
    }

    fn take_bytes(&mut self, bytes: u64) -> Result<(), ServiceError> {
        within("limit.result_bytes", bytes, self.limits.result_bytes(), "bytes may come of one call of the host")?;
        self.bytes += bytes;
        within("limit.bytes", self.bytes, self.limits.bytes(), "bytes may come of all calls of the host")
    }

    /// Writes to the log. Control characters become visible, so that a guest cannot forge lines.
    pub(super) fn log(&mut self, level: LogLevel, message: &str, fields: Value) {
        lock(&self.surroundings).advance(1);
        let end = message.floor_char_boundary(MAX_LOG_BYTES);
        let fields = if fields.is_null() { fields } else { self.redacted(fields) };
        let size = end as u64 + if fields.is_null() { 0 } else { fields.to_string().len() as u64 };
        let is_over = self.trace.logs.len() as u64 >= self.limits.log_records()
            || self.log_bytes + size > self.limits.log_bytes();
        if is_over {
            self.trace.suppressed_logs += 1;
            return;
        }
        self.log_bytes += size;
        let message: String = message[..end]
            .trim_end_matches('\n')
            .chars()
            .flat_map(|character| {
                let escape = character.is_control() && character != '\n' && character != '\t';
                let escaped = escape.then(|| character.escape_default());
                escaped.into_iter().flatten().chain((!escape).then_some(character))
            })
            .collect();
        let message = self.without_secrets(message);
        self.trace.logs.push(LogRecord { level, message, fields });
    }

    /// A text without the secrets that the guest was given.
    pub(super) fn without_secrets(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***"))
    }

    /// A value without the secrets that the guest was given.
    fn redacted(&self, value: Value) -> Value {
        if self.secrets.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(self.without_secrets(text)),
            Value::Array(items) => items.into_iter().map(|item| self.redacted(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(key, value)| (self.without_secrets(key), self.redacted(value))).collect()
            }
            other => other,
        }
    }

    /// Remembers a secret, so that it stands nowhere.
    fn keep_secret(&mut self, secret: &str) {
        if secret.len() >= MIN_REDACTED {
            self.secrets.push(secret.to_owned());
        }
    }
}

fn limit(code: &str, message: String) -> ServiceError {
    ServiceError::new(code, message)
}

/// An error with its bound where there is too much of something.
fn within(code: &str, used: u64, bound: u64, what: &str) -> Result<(), ServiceError> {
    if used <= bound { Ok(()) } else { Err(limit(code, format!("only {bound} {what}"))) }
}

fn denied(message: impl Into<String>) -> ServiceError {
    ServiceError::new("cap.denied", message)
}

/// JSON that came from a guest.
fn parse_json(what: &str, text: &str) -> Result<Value, ServiceError> {
    serde_json::from_str(text)
        .map_err(|error| ServiceError::new("db.bad_json", format!("{what} is not valid JSON: {error}")))
}

/// A JSON object that came from a guest.
fn parse_object(what: &str, text: &str) -> Result<serde_json::Map<String, Value>, ServiceError> {
    match parse_json(what, text)? {
        Value::Object(fields) => Ok(fields),
        _ => Err(ServiceError::new("db.bad_json", format!("{what} is not a JSON object"))),
    }
}
