//! The threads that answer requests, each with a platform of its own, so that no request waits for a call of another.
//!
//! | work | threads | waits for |
//! |---|---|---|
//! | reading | [`READERS`] | other reads, for [`QUICK_READ`] each; the callers take slower ones |
//! | writing rows, committed together | 1 | other writers, for [`WRITERS_WAIT`] |
//! | plugin calls, imports, exports, demo rows, SQL, long reads | [`CALLERS`] | other writers, once it writes itself |
//! | delivery of events | [`DELIVERERS`] | the same |
//! | plugins: upload, change, removal | [`COMPILERS`] | the compiler, then calls and writes, for [`WRITERS_WAIT`] |
//! | the rest of the platform: faults, clock, users, keys | 1 | a change of plugins |
//!
//! A database with one connection (PostgreSQL, until the platform supports several) is shared by all threads, one at a
//! time.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLockReadGuard, Weak};
use std::time::{Duration, Instant};

use erp_manifest::TenantId;
use erp_manifest::codes::errors;
use erp_platform::http_api::{PlatformOperation, find};
use erp_platform::{Activity, Body, Origin, Platform, PlatformError, Request, Response, Snapshot, WorkBounds};
use erp_runtime::lock;
use erp_storage::StoreError;

use super::call_book::AnsweredRequest;
use super::hosted_platform::WRITERS_WAIT;
use super::queues::{CALLERS, COMPILERS, DELIVERERS, Job, JobResult, Queue, QueuedWork, Queues, READERS};
use super::shared::{Shared, tenants_of};

/// The most requests that are committed together.
const GROUP: usize = 128;
/// The most reads whose clients are woken together: waking a thread costs as much as reading a row.
const TOLD_TOGETHER: usize = 8;
/// How long a reader reads for one request. A slower one is answered by a caller from the beginning, where it holds up
/// only its own tenant.
const QUICK_READ: Duration = Duration::from_millis(200);
/// How long the statements of one request may take in total. A call of a plugin has a time limit of its own.
const LONG_WORK: Duration = Duration::from_secs(10);
/// The same for a request that writes rows: it is shorter, since others wait for it.
const SHORT_WRITE: Duration = Duration::from_secs(1);
/// An answer is not held back for other reads that take longer than this.
const TOGETHER: Duration = Duration::from_millis(5);

/// The error of a request that a bug ended.
pub(super) fn bug() -> PlatformError {
    PlatformError::new(errors::HOST_BUG, "the dev host failed on this request; see its log")
}

/// Starts the threads. They end when the queues are closed.
pub(super) fn begin(shared: &Arc<Shared>) -> std::io::Result<()> {
    let spawn = |name: &str, work: fn(&Queues, &mut Seat)| {
        let (queues, shared) = (Arc::clone(&shared.traffic.queues), Arc::downgrade(shared));
        // A panic outside a request's own work ends that work, not the thread that others need.
        let again =
            move || while catch_unwind(AssertUnwindSafe(|| work(&queues, &mut Seat::new(shared.clone())))).is_err() {};
        std::thread::Builder::new().name(name.to_owned()).spawn(again).map(|_| ())
    };
    (0..READERS).try_for_each(|_| spawn("reader", read))?;
    (0..CALLERS).try_for_each(|_| spawn("caller", call))?;
    (0..DELIVERERS).try_for_each(|_| spawn("deliverer", deliver_events))?;
    (0..COMPILERS).try_for_each(|_| spawn("compiler", compile))?;
    spawn("rows", write_rows)?;
    spawn("platform", change_platform)
}

/// The platform that a thread works with.
struct Seat {
    shared: Weak<Shared>,
    /// The thread's own platform and the snapshot that it follows. None if the database has no connection for it.
    lane: Option<(Platform, Option<Arc<Snapshot>>)>,
}

impl Seat {
    fn new(shared: Weak<Shared>) -> Seat {
        Seat { shared, lane: None }
    }

    /// Runs `work` with the thread's own platform if the database has a connection for it, or else with the first one.
    /// The flag is true for the thread's own.
    fn with<T>(&mut self, shared: &Shared, work: impl FnOnce(&mut Platform, bool) -> T) -> T {
        let current = shared.hosted.snapshot();
        if self.lane.is_none() {
            // Without a further connection, the first platform answers.
            self.lane = shared
                .hosted
                .first_lane
                .as_ref()
                .and_then(|first| lock(first).lane().ok().flatten())
                .map(|lane| (lane, None));
        }
        match &mut self.lane {
            Some((lane, known)) => {
                if !known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &current)) {
                    lane.follow(&current);
                    *known = Some(current);
                }
                work(lane, true)
            }
            None => work(&mut shared.platform(), false),
        }
    }

    /// Answers a request.
    fn answer(&mut self, shared: &Shared, job: Job, statements: Duration) -> JobResult {
        self.with(shared, |platform, is_own| answer(platform, job, is_own, Some(statements)))
    }
}

/// Answers a request with a platform. `statements` bounds the total time of its statements; changes of plugins have no
/// bound. Unless `is_own`, events are delivered at once.
fn answer(platform: &mut Platform, job: Job, is_own: bool, statements: Option<Duration>) -> JobResult {
    // Requests that change plugins waited before, for their compiler and for the gates.
    let waited = if statements.is_some() { job.started.elapsed() } else { Duration::ZERO };
    let patience = WRITERS_WAIT.saturating_sub(waited);
    // A panic in one request must not end the others; every unit of work begins with a clean transaction.
    let answered = platform.within(&WorkBounds { interrupt: job.interrupt(), statements, patience }, |platform| {
        catch_unwind(AssertUnwindSafe(|| {
            if is_own { platform.answer(&job.request) } else { platform.handle(&job.request) }
        }))
    });
    let response = answered.unwrap_or_else(|_| bug().response());
    JobResult { job, response, activity: platform.take_activity() }
}

fn read(queues: &Queues, seat: &mut Seat) {
    while let Some(jobs) = queues.reading.take(TOLD_TOGETHER) {
        let Some(shared) = seat.shared.upgrade() else { return };
        let mut together = Vec::new();
        for job in jobs.into_iter().filter(|job| !job.is_abandoned()) {
            let began = Instant::now();
            let done = read_one(&shared, seat, job);
            if is_too_slow(&done.response) && !done.job.is_abandoned() {
                shared.traffic.slow_reads.note(&done.job.request);
                queues.calls.push(QueuedWork::Answer(done.job));
            } else {
                together.push(done);
            }
            if began.elapsed() > TOGETHER {
                settle_all(&shared, &mut together);
            }
        }
        settle_all(&shared, &mut together);
    }
}

fn settle_all(shared: &Shared, together: &mut Vec<JobResult>) {
    for done in together.drain(..) {
        settle(shared, done);
    }
}

/// A reader takes no lock. If an upgrade changed the tables while it read, it reads again after the upgrade.
fn read_one(shared: &Shared, seat: &mut Seat, job: Job) -> JobResult {
    let before = shared.hosted.snapshot();
    let done = seat.answer(shared, job, QUICK_READ);
    if done.response.status != 500 {
        return done;
    }
    // An upgrade is committed before the lanes know its tables; it holds this gate until they do.
    drop(read_gate(&shared.hosted.rows_gate));
    if Arc::ptr_eq(&before, &shared.hosted.snapshot()) { done } else { seat.answer(shared, done.job, QUICK_READ) }
}

fn is_too_slow(response: &Response) -> bool {
    matches!(&response.body, Body::Json(body) if body["code"] == errors::DB_TOO_SLOW.name())
}

fn call(queues: &Queues, seat: &mut Seat) {
    work(&queues.calls, seat);
}

fn deliver_events(queues: &Queues, seat: &mut Seat) {
    work(&queues.events, seat);
}

fn compile(queues: &Queues, seat: &mut Seat) {
    work(&queues.packages, seat);
}

/// Takes work that may take long, and does it.
fn work(queue: &Queue<QueuedWork>, seat: &mut Seat) {
    while let Some(work) = queue.take_fairly() {
        let Some(shared) = seat.shared.upgrade() else { return };
        match work {
            QueuedWork::Answer(job) => {
                let _finished = TenantTurn { queue, tenant: job.tenant().cloned() };
                if !job.is_abandoned() {
                    let done = {
                        let _running = read_gate(&shared.hosted.calls_gate);
                        seat.answer(&shared, job, LONG_WORK)
                    };
                    settle(&shared, done);
                }
            }
            QueuedWork::Prepare(mut job) => {
                let _finished = TenantTurn { queue, tenant: job.tenant().cloned() };
                let done = match prepare(&shared, seat, &mut job) {
                    Err(error) => Some(JobResult { job, response: error.response(), activity: Activity::default() }),
                    Ok(()) if job.is_abandoned() => None,
                    Ok(()) => change_plugins(&shared, job),
                };
                if let Some(done) = done {
                    settle(&shared, done);
                }
            }
            QueuedWork::Deliver { tenant, waiting, done } => {
                let finished = TenantTurn { queue, tenant: Some(tenant.clone()) };
                deliver(&shared, seat, &tenant, waiting);
                drop(finished);
                // The requester may be gone.
                if let Some(done) = done {
                    let _ = done.send(());
                }
            }
        }
    }
}

/// Frees the turn of a tenant when it is dropped, however the work ended.
struct TenantTurn<'q> {
    queue: &'q Queue<QueuedWork>,
    tenant: Option<TenantId>,
}

impl Drop for TenantTurn<'_> {
    fn drop(&mut self) {
        if let Some(tenant) = &self.tenant {
            self.queue.finish(tenant);
        }
    }
}

/// Delivers a tenant's events, and then answers the request that published them.
fn deliver(shared: &Shared, seat: &mut Seat, tenant: &TenantId, waiting: Option<Box<JobResult>>) {
    let interrupt = shared.ending.within();
    let origin = waiting.as_ref().map(|done| Origin::of(&done.job.request)).unwrap_or_default();
    let bounds = WorkBounds { interrupt, statements: None, patience: WRITERS_WAIT };
    let activity = {
        let _running = read_gate(&shared.hosted.calls_gate);
        seat.with(shared, |platform, _| {
            // The request that published the events was committed: if their delivery fails, its answer stays true, and
            // they are delivered with the next ones.
            let _ = platform.within(&bounds, |platform| {
                let mut events = platform.events().on_behalf_of(origin);
                catch_unwind(AssertUnwindSafe(|| events.deliver_events_of(tenant)))
            });
            platform.take_activity()
        })
    };
    shared.note_activity(activity);
    if let Some(done) = waiting {
        // The client may have disconnected.
        let _ = done.job.reply.send(done.response);
    }
}

/// Verifies and compiles the package that a request uploads or starts, before the platform handles it, so that no other
/// request waits. Compiling ends when the client disconnects.
fn prepare(shared: &Shared, seat: &mut Seat, job: &mut Job) -> Result<(), PlatformError> {
    // A request that will be refused is not prepared.
    let Some(found) = find(&job.request.method, &job.request.path) else { return Ok(()) };
    job.request.admit(found.route)?;
    let plugin = found.value("id");
    let package = match found.route.platform_operation() {
        Some(PlatformOperation::UploadPackage) => {
            let admitted = seat.with(shared, |platform, _| platform.admission().admit(&job.request.body))?;
            shared.hosted.compiler.compile(admitted.component(), &job.interrupt());
            job.request.admitted = Some(Arc::new(admitted));
            None
        }
        Some(PlatformOperation::EnablePlugin) => seat.with(shared, |platform, _| platform.package_bytes(plugin)),
        Some(PlatformOperation::RollBackPlugin) => seat.with(shared, |platform, _| platform.package_before(plugin)),
        _ => None,
    };
    if let Some(package) = package {
        shared.hosted.compiler.compile_package(&package, &job.interrupt());
    }
    Ok(())
}

/// Changes plugins while no call runs and no row is written; none if a bug lost the request.
fn change_plugins(shared: &Shared, job: Job) -> Option<JobResult> {
    // Once begun, the change is completed: a client that disconnects must not leave a plugin half changed.
    let request = Request { interrupt: Some(shared.ending.within()), ..job.request };
    let job = Job { request, ..job };
    let until = Instant::now() + WRITERS_WAIT;
    let waiting = Cell::new(Some(job));
    let changed = shared.hosted.exclusively(until, |platform| {
        waiting.take().map(|job| answer(platform, job, shared.hosted.has_lanes(), None))
    });
    match (changed.flatten(), waiting.take()) {
        (Some(done), _) => Some(done),
        (None, Some(job)) => {
            Some(JobResult { job, response: refusal(&StoreError::Busy.into()), activity: Activity::default() })
        }
        (None, None) => None,
    }
}

fn change_platform(queues: &Queues, seat: &mut Seat) {
    while let Some(jobs) = queues.platform.take(1) {
        let Some(shared) = seat.shared.upgrade() else { return };
        for job in jobs.into_iter().filter(|job| !job.is_abandoned()) {
            let done = answer(&mut shared.platform(), job, shared.hosted.has_lanes(), Some(LONG_WORK));
            settle(&shared, done);
        }
    }
}

fn write_rows(queues: &Queues, seat: &mut Seat) {
    while let Some(jobs) = queues.rows.take(GROUP) {
        let Some(shared) = seat.shared.upgrade() else { return };
        let jobs: Vec<Job> = jobs.into_iter().filter(|job| !job.is_abandoned()).collect();
        let running = read_gate(&shared.hosted.rows_gate);
        let settled = seat.with(&shared, |platform, is_own| write_group(platform, jobs, is_own));
        drop(running);
        for done in settled {
            settle(&shared, done);
        }
    }
}

/// Answers several requests in one transaction: it waits for the disk once, and then all clients are answered.
fn write_group(platform: &mut Platform, jobs: Vec<Job>, is_own: bool) -> Vec<JobResult> {
    let oldest = jobs.iter().map(|job| job.started.elapsed()).max().unwrap_or_default();
    let patience = WRITERS_WAIT.saturating_sub(oldest);
    if jobs.len() < 2 || !is_own || !platform.begin_group(patience) {
        // One by one, each waits as long as it may.
        return jobs.into_iter().map(|job| answer(platform, job, is_own, Some(SHORT_WRITE))).collect();
    }
    let mut together: Vec<JobResult> =
        jobs.into_iter().map(|job| answer(platform, job, is_own, Some(SHORT_WRITE))).collect();
    if let Err(error) = platform.end_group() {
        // Nothing was committed, so no client may get a success.
        for done in &mut together {
            done.activity = Activity::default();
            done.response = refusal(&error);
        }
    }
    together
}

fn read_gate(gate: &std::sync::RwLock<()>) -> RwLockReadGuard<'_, ()> {
    gate.read().unwrap_or_else(PoisonError::into_inner)
}

fn refusal(error: &PlatformError) -> Response {
    error.response()
}

/// Notes what a request did before it is answered, so that the client's next request finds its call. Events that it
/// published are delivered first, so that the client sees their effects too.
fn settle(shared: &Shared, mut done: JobResult) {
    let asked = asked_of(&done);
    let activity = std::mem::take(&mut done.activity);
    let tenants = tenants_of(&activity);
    shared.note(Some(asked), activity);
    let mut tenants = tenants.into_iter();
    match tenants.next_back().filter(|_| shared.hosted.has_lanes()) {
        Some(last) => {
            tenants.for_each(|tenant| shared.deliver_later(tenant));
            shared.traffic.queues.events.push(QueuedWork::Deliver {
                tenant: last,
                waiting: Some(Box::new(done)),
                done: None,
            });
        }
        // The client may have disconnected.
        None => _ = done.job.reply.send(done.response),
    }
}

fn asked_of(done: &JobResult) -> AnsweredRequest {
    let request = &done.job.request;
    let error = match &done.response.body {
        Body::Json(body) if done.response.status >= 400 => Some(body.clone()),
        _ => None,
    };
    AnsweredRequest {
        method: request.method.clone(),
        path: request.path.clone(),
        only_reads: done.job.effect.only_reads(),
        status: done.response.status,
        request_id: request.request_id.clone().unwrap_or_default(),
        tenant: request.identity.as_ref().map(|user| user.tenant.to_string()),
        user: request.identity.as_ref().map(|user| user.caller.name.clone()),
        microseconds: u64::try_from(done.job.started.elapsed().as_micros()).unwrap_or(u64::MAX),
        error,
    }
}
