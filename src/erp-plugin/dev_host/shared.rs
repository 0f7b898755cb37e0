//! The state that all threads and connections of a dev host share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use erp_manifest::TenantId;
use erp_platform::{Activity, Directory, Platform};
use erp_runtime::{Interrupt, lock};
use erp_storage::StoreError;
use tokio::sync::Semaphore;

use super::StateFolder;
use super::call_book::{AnsweredRequest, CallBook};
use super::frames::FrameTickets;
use super::hosted_platform::{FirstPlatform, HostedPlatform};
use super::journal::Journal;
use super::queues::{QueuedWork, Queues};
use super::record::Record;
use super::request_body::BodyRoom;
use super::slow_reads::SlowReads;
use super::terminal::{Terminal, lines};

/// The most requests in the queues; further ones wait before they are queued, where they cost little.
const MAX_WAITING: usize = 1_024;
/// The most bytes of responses that are being sent at the same time, not counting small ones.
pub(super) const MAX_ANSWERS: usize = 256 << 20;

/// The queues of requests, and the room that requests and responses may take.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) queues: Arc<Queues>,
    pub(super) slow_reads: SlowReads,
    /// Permits for requests in the queues.
    pub(super) places: Arc<Semaphore>,
    /// Room for request bodies.
    pub(super) bodies: BodyRoom,
    /// Permits for the bytes of responses that are being sent.
    pub(super) answers: Arc<Semaphore>,
}

impl Default for Traffic {
    fn default() -> Traffic {
        Traffic {
            queues: Arc::new(Queues::new()),
            slow_reads: SlowReads::default(),
            places: Arc::new(Semaphore::new(MAX_WAITING)),
            bodies: BodyRoom::default(),
            answers: Arc::new(Semaphore::new(MAX_ANSWERS)),
        }
    }
}

/// The state that all threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) hosted: HostedPlatform,
    /// Set when the host stops.
    pub(super) ending: Interrupt,
    /// The users, so that a user can be identified without waiting for the platform.
    pub(super) directory: RwLock<Directory>,
    state_folder: Mutex<StateFolder>,
    pub(super) port: u16,
    pub(super) traffic: Traffic,
    pub(super) journal: Journal,
    calls: Mutex<CallBook>,
    pub(super) frames: FrameTickets,
    terminal: Terminal,
    record: Option<Record>,
}

/// The parts of a host.
pub(super) struct SharedParts {
    pub(super) platform: Platform,
    pub(super) state_folder: StateFolder,
    pub(super) terminal: Terminal,
    pub(super) record: Option<Record>,
    pub(super) port: u16,
}

impl Shared {
    pub(super) fn new(parts: SharedParts) -> Result<Shared, StoreError> {
        let SharedParts { mut platform, state_folder, terminal, record, port } = parts;
        let ending = Interrupt::default();
        platform.set_ending(ending.clone());
        Ok(Shared {
            ending,
            directory: RwLock::new(platform.directory().clone()),
            hosted: HostedPlatform::new(platform)?,
            state_folder: Mutex::new(state_folder),
            port,
            traffic: Traffic::default(),
            journal: Journal::default(),
            calls: Mutex::default(),
            frames: FrameTickets::default(),
            terminal,
            record,
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, StateFolder> {
        lock(&self.state_folder)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, CallBook> {
        lock(&self.calls)
    }

    /// Locks the platform. Dropping the guard publishes its changes to the lanes.
    pub(super) fn platform(&self) -> FirstPlatform<'_> {
        self.hosted.platform()
    }

    /// Queues the delivery of a tenant's events, and does not wait.
    pub(super) fn deliver_later(&self, tenant: TenantId) {
        self.traffic.queues.events.push(QueuedWork::Deliver { tenant, waiting: None, done: None });
    }

    /// Has the events of a tenant delivered, and waits for that.
    pub(super) fn deliver_now(&self, tenant: TenantId) {
        let (done, waiting) = std::sync::mpsc::channel();
        self.traffic.queues.events.push(QueuedWork::Deliver { tenant, waiting: None, done: Some(done) });
        // It fails if the host stops.
        let _ = waiting.recv();
    }

    /// Runs `work` with the platform, and notes its activity.
    pub(super) fn with_platform<T>(&self, work: impl FnOnce(&mut Platform) -> T) -> T {
        let mut platform = self.platform();
        let done = work(&mut platform);
        let activity = platform.take_activity();
        drop(platform);
        self.note_activity(activity);
        done
    }

    /// The same, while no plugin is called and no row is written.
    pub(super) fn with_platform_exclusively<T>(&self, work: impl FnOnce(&mut Platform) -> T) -> T {
        let _gates = self.hosted.close_gates();
        self.with_platform(work)
    }

    /// Notes activity that no request caused, and has its events delivered.
    pub(super) fn note_activity(&self, activity: Activity) {
        let tenants = tenants_of(&activity);
        self.note(None, activity);
        if self.hosted.has_lanes() {
            for tenant in tenants {
                self.deliver_later(tenant);
            }
        }
    }

    /// Publishes activity to the stream, the recording and the terminal.
    pub(super) fn note(&self, asked: Option<AnsweredRequest>, activity: Activity) {
        if let Some(record) = &self.record
            && let Err(error) = record.add(activity.recorded_lines().as_bytes())
        {
            self.say(&format!("cannot record: {error}"));
        }
        if let Some(asked) = asked.as_ref().filter(|asked| self.terminal.prints_all_requests || asked.status >= 400) {
            self.say(&format!("{} {} {}", asked.status, asked.method, asked.path));
        }
        for line in lines(&activity) {
            self.say(&line);
        }
        let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
        self.book().note(&self.journal, &directory, asked, activity);
    }

    /// Prints lines to the terminal.
    pub(super) fn say(&self, text: &str) {
        self.terminal.print(text);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.traffic.queues.close();
    }
}

/// The tenants whose events are to be delivered.
pub(super) fn tenants_of(activity: &Activity) -> Vec<TenantId> {
    let mut tenants: Vec<TenantId> = activity.events.iter().map(|(tenant, _)| tenant.clone()).collect();
    tenants.sort();
    tenants.dedup();
    tenants
}
