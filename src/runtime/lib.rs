//! The runtime: loads components, gives them the host API, and runs one call at a time in a fresh
//! instance inside one transaction.
//!
//! It can be embedded: it knows no terminal, no HTTP and no folder but the cache that it is given.

mod arguments;
mod call;
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
mod stand_in;
mod surroundings;
mod trace;
mod usage;
mod workers;

pub use caller::{Caller, Department, EffectiveScope};
pub use compile::{Compilation, CompileLimits, as_compiler};
pub use engine::{Runtime, RuntimeError};
pub use error::shorten;
pub use error::{CallError, ServiceError, TrapKind};
pub use faults::{Fault, FaultAction, FaultPlace, Times};
pub use host::{Host, HostAction, HostBuilder, HostCallRequest};
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

/// Locks what a panicking thread may have left locked: nothing behind these locks is ever half done.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
