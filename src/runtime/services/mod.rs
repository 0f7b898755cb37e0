//! The host functions: one implementation, which both host APIs adapt.
//!
//! Each function checks the capability, enforces the call's limits, does the work in the call's
//! transaction, and adds a record to the trace. They can be tested without any WebAssembly.

mod blobs;
mod config;
mod context;
mod database;
mod events;
mod expressions;
mod http;
mod keys;
mod known_secrets;
mod legacy;
mod memory;
mod shown;
mod v1;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use erp_manifest::codes::errors;
use erp_manifest::contract::{HostEffect, HostFunction};
use erp_manifest::document::{weight, weight_of_text};
use erp_manifest::{LIST, Manifest, PermissionCode};
use erp_storage::{RowReach, Scope, StoreError, Unit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use wasmtime::Trap;

use self::known_secrets::KnownSecrets;
use self::shown::HostResult;
use super::call_clock::CallClock;
use super::call_end::CallEnd;
use super::error::{ServiceError, shorten};
use super::faults::FaultAction;
use super::interrupt::Interrupt;
use super::limits::CallLimits;
use super::quirks::Quirk;
use super::recording::{Answer, Replay};
use super::request::CallContext;
use super::surroundings::Surroundings;
use super::trace::{Denial, Detail, HostCall, LogLevel, LogRecord, Trace};
use super::usage::{CallUsage, within};
use super::{SharedSurroundings, lock};

/// The longest log message, in bytes; the rest is cut.
const MAX_LOG_BYTES: usize = 8 << 10;
/// The longest subject that a trace keeps, in bytes.
const MAX_SUBJECT_BYTES: usize = 240;
/// The longest accepted name of an entity, key, session or address, in bytes.
const MAX_NAME_BYTES: usize = 64 << 10;
/// The longest reason of a denial that a trace keeps, in bytes.
const MAX_DENIAL_BYTES: usize = 500;

/// A host function, and the entity, key or name that its call concerns.
type CallSubject<'a> = (HostFunction, &'a str);

/// The host's side of one call.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) manifest: Arc<Manifest>,
    pub(super) context: CallContext,
    pub(super) usage: CallUsage,
    /// The unit of work of this call; no other call takes part in it.
    pub(super) unit: Box<dyn Unit>,
    pub(super) surroundings: SharedSurroundings,
    pub(super) trace: Trace,
    pub(super) detail: Detail,
    pub(super) guest: GuestPosition,
    pub(super) clock: CallClock,
    pub(super) end: CallEnd,
    /// A recording that answers instead of the host.
    pub(super) replay: Option<Replay>,
    secrets: KnownSecrets,
}

/// Where the guest is while it calls the host. The border sets it before each host call.
#[derive(Debug, Default)]
pub(super) struct GuestPosition {
    /// Fuel that was burned until the latest host call.
    pub(super) fuel_burned: u64,
    /// The guest's stack at the latest host call, innermost first; empty but at [`Detail::Source`].
    pub(super) frames: Vec<String>,
}

impl Services {
    pub(super) fn new(
        manifest: Arc<Manifest>,
        context: CallContext,
        limits: CallLimits,
        unit: Box<dyn Unit>,
        surroundings: SharedSurroundings,
        detail: Detail,
        interrupt: Interrupt,
    ) -> Services {
        Services {
            manifest,
            context,
            usage: CallUsage::new(limits),
            unit,
            surroundings,
            trace: Trace::default(),
            detail,
            guest: GuestPosition::default(),
            clock: CallClock::start(interrupt),
            end: CallEnd::default(),
            replay: None,
            secrets: KnownSecrets::default(),
        }
    }

    /// Performs one host call: advances a virtual clock, applies a fault that is due, and records the result.
    fn call<T: HostResult>(
        &mut self,
        function: HostFunction,
        subject: &str,
        arguments: impl FnOnce() -> Value,
        work: impl FnOnce(&mut Services) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let fault = {
            let mut surroundings = lock(&self.surroundings);
            surroundings.advance(1);
            surroundings.take_fault(|place| place.meets(function, subject))
        };
        let is_full = self.detail >= Detail::Full;
        let is_named = subject.len() <= MAX_NAME_BYTES;
        let arguments = if is_full && is_named {
            let arguments = self.secrets.redact(arguments());
            self.kept(arguments)
        } else {
            Value::Null
        };
        let (rows, writes) = (self.usage.rows(), self.usage.writes());
        // Secrets are removed before the text is cut, so that no part of one remains.
        let end = subject.floor_char_boundary(MAX_SUBJECT_BYTES + 1 + self.secrets.longest());
        let subject = shortened(&self.without_secrets(subject[..end].to_owned()));
        if let Some(replay) = &mut self.replay {
            let result = match replay.answer(function, &subject, &arguments) {
                Answer::Given(shown) => match T::read(&shown) {
                    Some(given) => Ok(given),
                    None => Err(self.diverged(format!("{function}: the recording cannot be read"))),
                },
                Answer::Failed(error) => Err(error),
                Answer::Diverged(why) => Err(self.diverged(why)),
            };
            self.trace.host_calls.push(HostCall {
                function,
                subject,
                error: result.as_ref().err().map(|error| error.code.to_string()),
                fuel: self.guest.fuel_burned,
                rows: 0,
                // The recording has them already.
                arguments: Value::Null,
                result: Value::Null,
                sql: Vec::new(),
                frames: std::mem::take(&mut self.guest.frames),
            });
            return result;
        }
        let result = self.attempt(function, fault, is_named, work);
        let has_written = self.usage.writes() != writes;
        let mut result = result.and_then(|given| {
            let bytes = given.bytes();
            self.usage.take_result(bytes)?;
            if has_written {
                self.usage.take_written(bytes)?;
            }
            Ok(given)
        });
        let error = result.as_ref().err();
        if let Some(error) = error.filter(|error| has_written && error.code.is_limit()) {
            self.end.spoil(error);
        }
        if let Some(error) = error.filter(|error| error.code == errors::CAP_DENIED) {
            let mut message = self.without_secrets(error.message.clone());
            shorten(&mut message, MAX_DENIAL_BYTES);
            self.trace.deny(Denial { function, subject: subject.clone(), message });
        }
        let code = error.map(|error| error.code.to_string());
        let shown = match (&mut result, is_full) {
            (Ok(given), true) => self.secrets.redact(given.shown()),
            (Err(error), true) => self.secrets.redact(error.to_json()),
            (_, false) => Value::Null,
        };
        let record = HostCall {
            function,
            subject,
            error: code,
            fuel: self.guest.fuel_burned,
            rows: self.usage.rows() - rows,
            arguments,
            result: self.kept(shown),
            sql: if is_full { self.unit.take_statements() } else { Vec::new() },
            frames: std::mem::take(&mut self.guest.frames),
        };
        self.trace.host_calls.push(record);
        result
    }

    /// Does the work of a host call, unless a fault or a limit prevents it.
    fn attempt<T>(
        &mut self,
        function: HostFunction,
        fault: Option<FaultAction>,
        is_named: bool,
        work: impl FnOnce(&mut Services) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let is_of_tenants = function.effect() == HostEffect::Writes && function != HostFunction::EventsPublish;
        if is_of_tenants && self.context.tenant.is_nil() && !self.meets(Quirk::InitWritesForNobody) {
            let message = format!("`init` runs for no tenant, and `{function}` writes what belongs to one");
            return Err(ServiceError::new(errors::TENANT_NONE, message));
        }
        match fault {
            Some(FaultAction::Fail(message)) => {
                // The failure is that of the function's backend: the network or the database.
                let is_request = function.effect() == HostEffect::Sends;
                let code = if is_request { errors::HTTP_FAILED } else { errors::HOST_DATABASE };
                Err(ServiceError::new(code, message))
            }
            Some(FaultAction::EndFuel) => {
                self.end.trap = Some(Trap::OutOfFuel);
                Err(ServiceError::new(errors::LIMIT_FUEL, "the fuel is spent"))
            }
            Some(FaultAction::Delay(time)) => {
                Surroundings::pass(&self.surroundings, time.min(self.usage.limits.time()));
                if self.clock.delay(time, self.usage.limits.time()) {
                    work(self)
                } else {
                    self.end.trap = Some(Trap::Interrupt);
                    Err(ServiceError::new(errors::LIMIT_TIME, "the time is over"))
                }
            }
            None if self.trace.host_calls.len() as u64 >= self.usage.limits.host_calls() => {
                let message = format!("a call may call the host {} times", self.usage.limits.host_calls());
                let error = ServiceError::new(errors::LIMIT_HOST_CALLS, message);
                // The first refusal is an ordinary error. A guest that goes on is ended: it would only fill the trace.
                if self.trace.host_calls.len() as u64 > self.usage.limits.host_calls() {
                    self.end.trap = Some(Trap::Interrupt);
                    self.end.spoil(&error);
                }
                Err(error)
            }
            None if !is_named => {
                let message = format!("a name has at most {MAX_NAME_BYTES} bytes");
                Err(ServiceError::new(errors::LIMIT_ARGUMENT_BYTES, message))
            }
            None => work(self),
        }
    }

    /// Records a quirk that the call encountered; returns whether the host imitates it.
    fn meets(&mut self, quirk: Quirk) -> bool {
        if !self.trace.quirks.contains(&quirk) {
            self.trace.quirks.push(quirk);
        }
        lock(&self.surroundings).imitates_quirks()
    }

    /// Ends the guest: the recording has no answer to its request.
    fn diverged(&mut self, why: String) -> ServiceError {
        self.end.trap = Some(Trap::Interrupt);
        if let Some(replay) = &mut self.replay {
            replay.diverge(why.clone());
        }
        ServiceError::new(errors::HOST_UNSUPPORTED, why)
    }

    /// Draws a time or a random value from the host's surroundings, or takes it from the recording.
    pub(super) fn entropy<T: Serialize + DeserializeOwned>(&mut self, draw: impl FnOnce(&mut Surroundings) -> T) -> T {
        if let Some(replay) = &mut self.replay {
            match replay.entropy().and_then(|recorded| serde_json::from_value(recorded).ok()) {
                Some(value) => return value,
                None => {
                    self.diverged("one more time or random value is asked for".to_owned());
                }
            }
        }
        let value = draw(&mut lock(&self.surroundings));
        if self.detail >= Detail::Full && (self.trace.entropy.len() as u64) < self.usage.limits.host_calls() {
            let kept = self.kept(json!(value));
            self.trace.entropy.push(kept);
        }
        value
    }

    /// Returns random bytes. A recording holds them as base64, since an array of numbers takes 16 times as much.
    fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        let text = self.entropy(|surroundings| STANDARD.encode(surroundings.random_bytes(count)));
        STANDARD.decode(text).unwrap_or_default()
    }

    /// Runs `work` in the call's unit of work and scope. Its third argument returns the id of the next new row.
    fn in_unit<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Unit, &Scope, &mut dyn FnMut() -> String) -> Result<T, StoreError>,
    ) -> Result<T, ServiceError> {
        self.with_scope(&self.scope(), work)
    }

    fn with_scope<T>(
        &mut self,
        scope: &Scope,
        work: impl FnOnce(&mut dyn Unit, &Scope, &mut dyn FnMut() -> String) -> Result<T, StoreError>,
    ) -> Result<T, ServiceError> {
        let surroundings = Arc::clone(&self.surroundings);
        let mut new_id = move || lock(&surroundings).uuid();
        work(&mut *self.unit, scope, &mut new_id).map_err(ServiceError::from)
    }

    fn scope(&self) -> Scope {
        let now = lock(&self.surroundings).now();
        let scope = Scope::of_tenant(&self.context.tenant, now);
        match &self.context.caller {
            Some(caller) => scope.by(&caller.id),
            None => scope,
        }
    }

    /// Returns the rows of an entity that the guest reaches: those that the call's user may change or see. If the user
    /// has neither permission, or no user is calling, these are all rows: an approver need not be able to list the rows
    /// that are approved.
    fn reach(&self, entity: &str, action: &str) -> RowReach {
        let Some(caller) = &self.context.caller else { return RowReach::All };
        let codes = [action, LIST].map(|action| PermissionCode::new(format!("{entity}.{action}")));
        let code = codes.into_iter().flatten().find(|code| caller.may(code));
        code.map_or(RowReach::All, |code| caller.reach(&code))
    }

    /// Parses JSON from a guest. Text that would take too much memory is rejected before parsing.
    fn read_json(&self, what: &str, text: &str) -> Result<Value, ServiceError> {
        let most = self.usage.limits.argument_bytes();
        if text.len() as u64 > most || weight_of_text(text) > most {
            let message = format!("{what} would take more than {most} bytes of memory");
            return Err(ServiceError::new(errors::LIMIT_ARGUMENT_BYTES, message));
        }
        serde_json::from_str(text)
            .map_err(|error| ServiceError::new(errors::DB_BAD_JSON, format!("{what} is not valid JSON: {error}")))
    }

    /// Parses a JSON object from a guest.
    fn read_object(&self, what: &str, text: &str) -> Result<Map<String, Value>, ServiceError> {
        match self.read_json(what, text)? {
            Value::Object(fields) => Ok(fields),
            _ => Err(ServiceError::new(errors::DB_BAD_JSON, format!("{what} is not a JSON object"))),
        }
    }

    /// Parses JSON for a host call; if that fails, records the host call as refused.
    fn parse_json(&mut self, asked: CallSubject<'_>, what: &str, text: &str) -> Result<Value, ServiceError> {
        self.read_json(what, text).or_else(|error| self.refuse(asked, error))
    }

    /// Parses a JSON object for a host call; if that fails, records the host call as refused.
    fn parse_object(
        &mut self,
        asked: CallSubject<'_>,
        what: &str,
        text: &str,
    ) -> Result<Map<String, Value>, ServiceError> {
        self.read_object(what, text).or_else(|error| self.refuse(asked, error))
    }

    /// Records a host call that is refused before it begins.
    fn refuse<T>(&mut self, (function, subject): CallSubject<'_>, error: ServiceError) -> Result<T, ServiceError> {
        let refused = self.call(function, subject, || Value::Null, |_| Err::<(), _>(error.clone()));
        Err(refused.err().unwrap_or(error))
    }

    /// Refuses a list that is longer than the larger of the limits `rows` and `writes`.
    fn bound_items(&mut self, asked: CallSubject<'_>, items: usize) -> Result<(), ServiceError> {
        let most = self.usage.limits.rows().max(self.usage.limits.writes());
        within(errors::LIMIT_ROWS, items as u64, most, "things may be named at once")
            .or_else(|error| self.refuse(asked, error))
    }

    /// Returns a value for the trace, or `{omitted_bytes}` if the trace has no room for it.
    fn kept(&mut self, value: Value) -> Value {
        let weight = weight(&value);
        if self.usage.take_trace(weight) {
            return value;
        }
        self.trace.omitted_bytes += weight;
        json!({ "omitted_bytes": weight })
    }

    /// Returns the time that is left for the call.
    pub(super) fn time_left(&self) -> Duration {
        self.clock.left_of(self.usage.limits.time())
    }

    /// Adds a log record. Control characters are escaped, so that a guest cannot forge lines.
    pub(super) fn log(&mut self, level: LogLevel, message: &str, fields: Value) {
        lock(&self.surroundings).advance(1);
        // Secrets are removed before the text is cut or escaped, so that no part of one remains.
        let longest = self.secrets.longest();
        let message = &message[..message.floor_char_boundary(MAX_LOG_BYTES + longest)];
        let message = self.without_secrets(message.to_owned());
        let end = message.floor_char_boundary(MAX_LOG_BYTES);
        if level == LogLevel::Error && !message.trim().is_empty() {
            message[..end].trim().clone_into(&mut self.end.last_error_line);
        }
        let fields = if fields.is_null() { fields } else { self.secrets.redact(fields) };
        let size = end as u64 + if fields.is_null() { 0 } else { weight(&fields) };
        let is_over = self.trace.logs.len() as u64 >= self.usage.limits.log_records();
        if is_over || !self.usage.take_log(size) {
            self.trace.suppressed_logs += 1;
            return;
        }
        let message: String = message[..end]
            .trim_end_matches('\n')
            .chars()
            .flat_map(|character| {
                let escape = character.is_control() && character != '\n' && character != '\t';
                let escaped = escape.then(|| character.escape_default());
                escaped.into_iter().flatten().chain((!escape).then_some(character))
            })
            .collect();
        self.trace.logs.push(LogRecord { level, message, fields });
    }

    /// Replaces the secrets that the guest has received in a text.
    // The longest first: replacing a part of a secret must not leave the rest of it.
    pub(super) fn without_secrets(&self, text: String) -> String {
        self.secrets.redact_text(text)
    }
}

/// Shortens the subject of a call for the trace: a guest must not fill the host's memory with names.
fn shortened(subject: &str) -> String {
    let mut kept = subject[..subject.floor_char_boundary(MAX_SUBJECT_BYTES + 1)].to_owned();
    shorten(&mut kept, MAX_SUBJECT_BYTES);
    kept
}

fn denied(message: impl Into<String>) -> ServiceError {
    ServiceError::new(errors::CAP_DENIED, message)
}
