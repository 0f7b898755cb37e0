//! The host: everything that calls of plugins need, for a platform that embeds the runtime.
//!
//! ```text
//! Host ──┬── Runtime         the engine, compiled plugins
//!        ├── Storage         units of work, from a database, a pool, or the platform's own
//!        ├── Surroundings    clock, randomness, network, secrets
//!        └── sinks           events, audit, traces: called after the commit
//! ```

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use erp_manifest::codes::errors;
use erp_storage::Storage;

use super::error::{CallError, ServiceError};
use super::limits::CallLimits;
use super::plugin::LoadedPlugin;
use super::request::{CallContext, CallOutcome, CallRequest, Invocation};
use super::sinks::{AuditSink, EventSink, FinishedCall, Sinks, TraceSink};
use super::surroundings::{SharedSurroundings, Surroundings};
use super::trace::{Detail, Trace};
use super::workers::Workers;
use super::{Interrupt, Runtime, RuntimeError};

/// The most attempts of a call whose unit of work conflicts with others, and the base of the pause between attempts.
const MOST_ATTEMPTS: u32 = 12;
const PAUSE: Duration = Duration::from_micros(500);

/// Everything that calls of plugins need. Threads can share it; clones are the same host.
pub struct Host<S> {
    parts: Arc<Parts<S>>,
    workers: Arc<Workers>,
}

struct Parts<S> {
    runtime: Arc<Runtime>,
    storage: S,
    surroundings: SharedSurroundings,
    sinks: Sinks,
}

/// A request to call a plugin: on whose behalf, and what to call.
#[derive(Debug, Clone)]
pub struct HostCallRequest {
    /// The tenant, user and trigger of the call.
    pub context: CallContext,
    /// The limits of the call; if none, [`CallLimits::of`] the manifest.
    pub limits: Option<CallLimits>,
    /// How much detail the trace keeps.
    pub detail: Detail,
    /// What to call.
    pub invocation: Invocation,
}

impl HostCallRequest {
    /// Creates a request with the manifest's limits and an outline trace.
    pub fn new(context: CallContext, invocation: Invocation) -> HostCallRequest {
        HostCallRequest { context, limits: None, detail: Detail::Outline, invocation }
    }
}

impl<S> Clone for Host<S> {
    fn clone(&self) -> Host<S> {
        Host { parts: Arc::clone(&self.parts), workers: Arc::clone(&self.workers) }
    }
}

impl<S> std::fmt::Debug for Host<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

/// Builds a [`Host`].
pub struct HostBuilder<S> {
    parts: Parts<S>,
    threads: usize,
}

impl<S> std::fmt::Debug for HostBuilder<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostBuilder").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl<S: Storage + 'static> HostBuilder<S> {
    /// Sets the clock, randomness, network and source of secrets. By default these are the clock and randomness of this
    /// machine, no network, and the storage's secrets.
    #[must_use]
    pub fn with_surroundings(mut self, surroundings: Surroundings) -> HostBuilder<S> {
        self.parts.surroundings = Arc::new(Mutex::new(surroundings));
        self
    }

    /// Sets where events of plugins go once they are committed.
    #[must_use]
    pub fn with_events(mut self, sink: Arc<dyn EventSink>) -> HostBuilder<S> {
        self.parts.sinks.events = Some(sink);
        self
    }

    /// Sets where changed rows are recorded once they are committed.
    #[must_use]
    pub fn with_audit(mut self, sink: Arc<dyn AuditSink>) -> HostBuilder<S> {
        self.parts.sinks.audit = Some(sink);
        self
    }

    /// Sets where finished calls go: logs, metrics, traces.
    #[must_use]
    pub fn with_traces(mut self, sink: Arc<dyn TraceSink>) -> HostBuilder<S> {
        self.parts.sinks.traces = Some(sink);
        self
    }

    /// Sets how many async calls run at the same time; by default the number of CPU cores. Further calls wait.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> HostBuilder<S> {
        self.threads = threads;
        self
    }

    /// Builds the host.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] if the threads cannot be started.
    pub fn build(self) -> Result<Host<S>, RuntimeError> {
        let workers = Workers::new(self.threads);
        let workers = workers.map_err(|error| RuntimeError::Engine(format!("no threads for calls: {error}")))?;
        Ok(Host { parts: Arc::new(self.parts), workers: Arc::new(workers) })
    }
}

impl<S: Storage + 'static> Host<S> {
    /// Begins to build a host on a storage.
    pub fn builder(runtime: Arc<Runtime>, storage: S) -> HostBuilder<S> {
        let surroundings = Arc::new(Mutex::new(Surroundings::of_this_machine()));
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        HostBuilder { parts: Parts { runtime, storage, surroundings, sinks: Sinks::default() }, threads }
    }

    /// Returns the runtime, which loads plugins.
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.parts.runtime
    }

    /// Returns the storage that keeps the rows.
    pub fn storage(&self) -> &S {
        &self.parts.storage
    }

    /// Calls a plugin on this thread, and blocks until the guest is done. Any number of threads may call.
    ///
    /// If the unit of work conflicts with another one or the database is busy, the unit is rolled back. The call is
    /// then retried, so that it takes effect exactly once. There are at most twelve attempts, and none after the time
    /// of one call has passed. A call that has sent an HTTP request is not retried: it fails with `db.conflict` or
    /// `db.busy`.
    pub fn call(&self, plugin: &LoadedPlugin, request: &HostCallRequest) -> CallOutcome {
        self.parts.call(plugin, request, &Interrupt::default())
    }

    /// Calls a plugin on one of the host's threads. The executor never blocks on a guest, and any executor works.
    ///
    /// Dropping the future ends the guest: within 10 ms while it computes, at its next host call, or as soon as the
    /// database has ended the current statement. The call is then rolled back, unless its commit had begun.
    pub fn call_async(
        &self,
        plugin: &LoadedPlugin,
        request: HostCallRequest,
    ) -> impl Future<Output = CallOutcome> + Send + use<S> {
        let (parts, plugin, interrupt) = (Arc::clone(&self.parts), plugin.clone(), Interrupt::default());
        let ends = interrupt.clone();
        let pending = self.workers.spawn(interrupt, move || parts.call(&plugin, &request, &ends));
        async move {
            pending.await.unwrap_or_else(|| {
                let error = ServiceError::new(errors::HOST_BUG, "the host failed while it served the call");
                CallOutcome { result: Err(CallError::Host(error)), trace: Trace::default() }
            })
        }
    }
}

impl<S: Storage> Parts<S> {
    fn call(&self, plugin: &LoadedPlugin, request: &HostCallRequest, interrupt: &Interrupt) -> CallOutcome {
        let (mut attempt, started) = (1, Instant::now());
        let limits = request.limits.clone().unwrap_or_else(|| CallLimits::of(plugin.manifest()));
        let outcome = loop {
            let made = CallRequest {
                context: request.context.clone(),
                limits: limits.clone(),
                detail: request.detail,
                probe: None,
                interrupt: interrupt.clone(),
                attempt,
                invocation: &request.invocation,
            };
            let outcome = self.runtime.call(plugin, made, &self.storage, &self.surroundings, |_| Ok(()), |_| Ok(()));
            let has_met = match &outcome.result {
                Err(CallError::Host(error)) => {
                    [errors::DB_CONFLICT, errors::DB_BUSY].iter().any(|code| error.code == *code)
                }
                _ => false,
            };
            let is_over = attempt == MOST_ATTEMPTS || started.elapsed() >= limits.time();
            if !has_met || is_over || outcome.trace.has_left_the_host() || interrupt.is_set() {
                break outcome;
            }
            // Two calls that wait equally long would conflict again.
            std::thread::sleep(PAUSE * attempt + Duration::from_nanos(outcome.trace.nanoseconds % 499_979));
            attempt += 1;
        };
        self.sinks.notify(&FinishedCall {
            manifest: plugin.manifest(),
            context: &request.context,
            invocation: &request.invocation,
            error: outcome.result.as_ref().err(),
            trace: &outcome.trace,
        });
        outcome
    }
}
