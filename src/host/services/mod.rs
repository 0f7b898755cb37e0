//! What the host does for a guest: one implementation, which both host APIs adapt.
//!
//! Each function checks the capability, holds the call to its bounds, does the work in the call's
//! transaction, and leaves a record in the trace. They can be tested without any WebAssembly.

mod config;
mod database;
mod events;
mod legacy;
mod v1;

use std::sync::Arc;

use serde_json::Value;

use super::call::{CallContext, Caller};
use super::error::ServiceError;
use super::limits::CallLimits;
use super::trace::{LogLevel, LogRecord, Trace};
use super::{SharedDatabase, SharedSurroundings, lock};
use crate::manifest::Manifest;
use crate::store::{Database, Scope};

/// Longest log message in bytes; the rest is cut.
const MAX_LOG_BYTES: usize = 8 << 10;

/// The host's side of one call.
#[derive(Debug)]
pub(super) struct Services {
    pub(super) manifest: Arc<Manifest>,
    pub(super) context: CallContext,
    pub(super) limits: CallLimits,
    pub(super) database: SharedDatabase,
    pub(super) surroundings: SharedSurroundings,
    pub(super) trace: Trace,
    rows: u64,
    writes: u32,
}

impl Services {
    pub(super) fn new(
        manifest: Arc<Manifest>,
        context: CallContext,
        limits: CallLimits,
        database: SharedDatabase,
        surroundings: SharedSurroundings,
    ) -> Services {
        Services { manifest, context, limits, database, surroundings, trace: Trace::default(), rows: 0, writes: 0 }
    }

    /// Does one host call: counts it, moves a virtual clock, records how it went.
    fn call<T>(
        &mut self,
        function: &'static str,
        subject: &str,
        work: impl FnOnce(&mut Services) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let is_faulty = {
            let mut surroundings = lock(&self.surroundings);
            surroundings.advance(1);
            surroundings.takes_fault()
        };
        let result = if is_faulty {
            let error = ServiceError::new("host.database", "the database failed, as a test wanted it");
            Err(ServiceError { retryable: true, ..error })
        } else if self.trace.host_calls.len() >= self.limits.host_calls as usize {
            Err(limit("limit.host_calls", format!("a call may call the host {} times", self.limits.host_calls)))
        } else {
            work(self)
        };
        self.trace.record(function, subject, result.as_ref().err());
        result
    }

    /// Works with the database in the call's scope; `new_id` gives ids of new rows.
    fn with_database<T>(
        &self,
        work: impl FnOnce(&mut Database, &Scope, &mut dyn FnMut() -> String) -> Result<T, crate::store::StoreError>,
    ) -> Result<T, ServiceError> {
        let scope = self.scope();
        let surroundings = Arc::clone(&self.surroundings);
        let mut new_id = move || lock(&surroundings).uuid();
        work(&mut lock(&self.database), &scope, &mut new_id).map_err(ServiceError::from)
    }

    fn scope(&self) -> Scope {
        Scope {
            tenant: self.context.tenant.clone(),
            user: self.context.caller.as_ref().map(|caller| caller.id.clone()),
            now: lock(&self.surroundings).now(),
        }
    }

    fn take_rows(&mut self, rows: usize) -> Result<(), ServiceError> {
        self.rows += rows as u64;
        if self.rows > self.limits.rows {
            return Err(limit("limit.rows", format!("a call may read {} rows", self.limits.rows)));
        }
        Ok(())
    }

    fn take_writes(&mut self, writes: usize) -> Result<(), ServiceError> {
        self.writes = self.writes.saturating_add(u32::try_from(writes).unwrap_or(u32::MAX));
        if self.writes > self.limits.writes {
            return Err(limit("limit.writes", format!("a call may write {} rows", self.limits.writes)));
        }
        Ok(())
    }

    /// Writes to the log. Control characters become visible, so that a guest cannot forge lines.
    pub(super) fn log(&mut self, level: LogLevel, message: &str, fields: Value) {
        lock(&self.surroundings).advance(1);
        if self.trace.logs.len() >= self.limits.log_records as usize {
            self.trace.suppressed_logs += 1;
            return;
        }
        let end = message.floor_char_boundary(MAX_LOG_BYTES);
        let message = message[..end]
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

    pub(super) fn current_user(&mut self) -> Result<Value, ServiceError> {
        self.call("context.current-user", "", |services| match &services.context.caller {
            Some(Caller { id, name, permissions }) => {
                Ok(serde_json::json!({ "id": id, "name": name, "permissions": permissions }))
            }
            None => Err(ServiceError::new("auth.anonymous", "no user is calling")),
        })
    }

    pub(super) fn check_permission(&mut self, code: &str) -> bool {
        let allowed = self.call("context.check-permission", code, |services| {
            Ok(services.context.caller.as_ref().is_some_and(|caller| caller.may(code)))
        });
        allowed.unwrap_or(false)
    }
}

fn limit(code: &str, message: String) -> ServiceError {
    ServiceError::new(code, message)
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
