//! The runtime: loads components, provides the host API to them, and runs each call in a fresh instance and its own
//! unit of work. Any number of threads may call.
//!
//! ```text
//! package ──► Runtime::load ──► LoadedPlugin ──► Host::call, Host::call_async ──► CallOutcome
//!                                                        │
//!                              Storage · Surroundings · EventSink · AuditSink · TraceSink
//! ```
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use erp_manifest::{TenantId, diagnostics::SourceFile, parse};
//! use erp_runtime::{CallContext, Compilation, Host, HostCallRequest, Invocation, Runtime, Trigger};
//! use erp_storage::NoStorage;
//!
//! # async fn call(component: &[u8], manifest: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let manifest = parse(&SourceFile::new("plugin.toml", manifest)).0.ok_or("the manifest cannot be read")?;
//! let runtime = Arc::new(Runtime::new(Compilation::default())?);
//! let plugin = runtime.load(component, Arc::new(manifest))?;
//! let host = Host::builder(runtime, NoStorage).with_threads(8).build()?;
//!
//! let context = CallContext {
//!     request_id: "r-1".to_owned(),
//!     tenant: TenantId::nil(),
//!     caller: None,
//!     trigger: Trigger::Lifecycle,
//!     locale: "en".to_owned(),
//!     event_depth: 0,
//! };
//! let outcome = host.call_async(&plugin, HostCallRequest::new(context, Invocation::Init)).await;
//! outcome.result?;
//! # Ok(())
//! # }
//! ```
//!
//! It uses no terminal, no HTTP, no SQL and no folder except the cache folder of [`Compilation`]. The stable parts are
//! [`Host`] with its parameters and results, [`Runtime::load`], the sinks, and the error codes. The guide is
//! `docs/embedding.md`.

mod arguments;
mod call;
mod call_clock;
mod call_end;
mod call_state;
mod caller;
mod capabilities;
mod classify;
mod compile;
mod engine;
mod error;
mod faults;
mod guest;
mod host;
mod interrupt;
mod limits;
mod node;
mod plugin;
mod probe;
mod processing;
mod quirks;
mod random;
mod recording;
mod request;
mod services;
mod sinks;
mod slots;
mod stand_in;
mod surroundings;
mod trace;
mod usage;
mod workers;

pub use caller::{Caller, Department, EffectiveScope};
pub use compile::{Compilation, CompileLimits, CompilerProgram, run_as_compiler};
pub use engine::{Runtime, RuntimeError};
pub use error::shorten;
pub use error::{CallError, ServiceError, TrapKind};
pub use faults::{Fault, FaultAction, FaultPlace, Times};
pub use host::{Host, HostBuilder, HostCallRequest};
pub use interrupt::Interrupt;
pub use limits::{CallLimit, CallLimits, LIMITS, LimitError, LimitOverrides, LimitUnit};
pub use node::{NodeCall, NodePlace, NodeTask};
pub use plugin::{ExportedFunction, LoadedPlugin};
pub use probe::Probe;
pub use processing::{ProcessCall, ProcessedBytes};
pub use quirks::Quirk;
pub use random::Random;
pub use recording::{RecordedCall, RecordedRequest, ReplayOutcome};
pub use request::{CallContext, CallOutcome, CallRequest, Invocation, Trigger, UpgradeHandler};
pub use sinks::{AuditSink, EventSink, FinishedCall, SecretSource, TraceSink};
pub use surroundings::{Clock, RandomSource, Randomness, SharedSurroundings, Surroundings, TimeSource};
pub use trace::{Denial, Detail, EmittedEvent, HostCall, LogLevel, LogRecord, Trace};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex even if a panicking thread poisoned it: the data behind these locks is never left half changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
