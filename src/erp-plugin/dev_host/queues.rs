//! The queues of waiting work, one for each kind. The threads that take it are in `lanes.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use erp_manifest::TenantId;
use erp_platform::http_api::Effect;
use erp_platform::{Activity, Request, Response};
use erp_runtime::Interrupt;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// Threads that read.
pub(super) const READERS: usize = 2;
/// Threads that call plugins.
pub(super) const CALLERS: usize = 8;
/// Threads that deliver events to plugins.
pub(super) const DELIVERERS: usize = 3;
/// Threads that have packages compiled.
pub(super) const COMPILERS: usize = 2;

/// The most calls of one tenant that run at the same time; further ones wait, so that no tenant takes all threads.
const CALLS_OF_A_TENANT: usize = 3;
/// The events of a tenant are delivered in order, and its packages are compiled one at a time.
const ONE_OF_A_TENANT: usize = 1;

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    /// What answering it touches.
    pub(super) effect: Effect,
    pub(super) started: Instant,
    pub(super) reply: oneshot::Sender<Response>,
    /// The permits for its place among the waiting requests and for its body.
    #[expect(dead_code, reason = "given back when the job is dropped")]
    pub(super) held: Vec<OwnedSemaphorePermit>,
}

impl Job {
    /// Whether the answer is no longer needed.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed() || self.request.interrupt.as_ref().is_some_and(Interrupt::is_set)
    }

    /// Set when the client disconnects or the host stops.
    pub(super) fn interrupt(&self) -> Interrupt {
        self.request.interrupt.clone().unwrap_or_default()
    }

    pub(super) fn tenant(&self) -> Option<&TenantId> {
        self.request.identity.as_ref().map(|identity| &identity.tenant)
    }
}

/// A job, its response and its activity.
pub(super) struct JobResult {
    pub(super) job: Job,
    pub(super) response: Response,
    pub(super) activity: Activity,
}

/// Work that may take long.
pub(super) enum QueuedWork {
    /// A request that calls a plugin or takes long.
    Answer(Job),
    /// Delivery of a tenant's events, and the answer that waits for it, if any.
    Deliver {
        tenant: TenantId,
        waiting: Option<Box<JobResult>>,
        /// Notified when the delivery is done.
        done: Option<std::sync::mpsc::Sender<()>>,
    },
    /// A request that changes plugins: its code is compiled before the platform handles it.
    Prepare(Job),
}

impl QueuedWork {
    fn tenant(&self) -> Option<&TenantId> {
        match self {
            QueuedWork::Answer(job) | QueuedWork::Prepare(job) => job.tenant(),
            QueuedWork::Deliver { tenant, .. } => Some(tenant),
        }
    }
}

/// A queue that several threads take from, until it is closed.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
    /// The most work of one tenant that runs at the same time; only `take_fairly` applies it.
    of_a_tenant: usize,
    /// Number of threads that take from it. The last free one is reserved for a tenant without running work.
    threads: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    is_closed: bool,
    /// The number of running items by tenant.
    running: BTreeMap<TenantId, usize>,
}

impl<T> Queue<T> {
    fn new(of_a_tenant: usize, threads: usize) -> Queue<T> {
        let state = State { waiting: VecDeque::new(), is_closed: false, running: BTreeMap::new() };
        Queue { state: Mutex::new(state), ready: Condvar::new(), of_a_tenant, threads }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, item: T) {
        self.state().waiting.push_back(item);
        self.ready.notify_one();
    }

    fn close(&self) {
        self.state().is_closed = true;
        self.ready.notify_all();
    }

    /// Takes up to `most` waiting items; waits for the first. None once the queue is closed and empty.
    pub(super) fn take(&self, most: usize) -> Option<Vec<T>> {
        let mut state = self.state();
        while state.waiting.is_empty() {
            if state.is_closed {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let count = state.waiting.len().min(most);
        Some(state.waiting.drain(..count).collect())
    }
}

impl Queue<QueuedWork> {
    /// Takes the oldest work whose tenant is below its limit; waits for such work. None once the queue is closed.
    pub(super) fn take_fairly(&self) -> Option<QueuedWork> {
        let mut state = self.state();
        loop {
            if state.is_closed {
                return None;
            }
            let may_run = |work: &QueuedWork| {
                let running = work.tenant().and_then(|tenant| state.running.get(tenant));
                let is_last_thread = state.running.values().sum::<usize>() + 1 >= self.threads;
                running.is_none_or(|running| *running < self.of_a_tenant && !is_last_thread)
            };
            if let Some(place) = state.waiting.iter().position(may_run)
                && let Some(work) = state.waiting.remove(place)
            {
                if let Some(tenant) = work.tenant() {
                    *state.running.entry(tenant.clone()).or_default() += 1;
                }
                return Some(work);
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Notes that work of a tenant has ended.
    pub(super) fn finish(&self, tenant: &TenantId) {
        let mut state = self.state();
        if let Some(running) = state.running.get_mut(tenant) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(tenant);
            }
        }
        drop(state);
        self.ready.notify_all();
    }
}

/// The queues of a host.
pub(super) struct Queues {
    pub(super) reading: Queue<Job>,
    pub(super) rows: Queue<Job>,
    pub(super) calls: Queue<QueuedWork>,
    /// Events to deliver. Requests that write rows wait for them, so they do not wait behind calls.
    pub(super) events: Queue<QueuedWork>,
    /// Packages to compile.
    pub(super) packages: Queue<QueuedWork>,
    pub(super) platform: Queue<Job>,
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queues").finish_non_exhaustive()
    }
}

impl Queues {
    pub(super) fn new() -> Queues {
        Queues {
            reading: Queue::new(usize::MAX, READERS),
            rows: Queue::new(usize::MAX, 1),
            calls: Queue::new(CALLS_OF_A_TENANT, CALLERS),
            events: Queue::new(ONE_OF_A_TENANT, DELIVERERS),
            packages: Queue::new(ONE_OF_A_TENANT, COMPILERS),
            platform: Queue::new(usize::MAX, 1),
        }
    }

    /// Closes all queues, so that their threads end.
    pub(super) fn close(&self) {
        self.reading.close();
        self.rows.close();
        self.calls.close();
        self.events.close();
        self.packages.close();
        self.platform.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_that_takes_much_leaves_room_for_others() {
        let queue: Queue<QueuedWork> = Queue::new(CALLS_OF_A_TENANT, CALLS_OF_A_TENANT + 2);
        let tenant = |name: &str| TenantId::new(name).unwrap();
        let deliver = |name: &str| QueuedWork::Deliver { tenant: tenant(name), waiting: None, done: None };
        (0..CALLS_OF_A_TENANT + 2).for_each(|_| queue.push(deliver("acme")));
        queue.push(deliver("globex"));
        let taken: Vec<String> =
            (0..=CALLS_OF_A_TENANT).map(|_| queue.take_fairly().unwrap().tenant().unwrap().to_string()).collect();
        assert_eq!(taken, ["acme", "acme", "acme", "globex"]);
        queue.finish(&tenant("acme"));
        queue.push(deliver("initech"));
        assert_eq!(queue.take_fairly().unwrap().tenant().unwrap().as_str(), "acme", "one thread is left beside it");
        assert_eq!(queue.take_fairly().unwrap().tenant().unwrap().as_str(), "initech", "the last one is for the new");
        queue.finish(&tenant("initech"));
        queue.finish(&tenant("acme"));
        assert_eq!(queue.take_fairly().unwrap().tenant().unwrap().as_str(), "acme");
        queue.close();
        assert!(queue.take_fairly().is_none());
    }
}
