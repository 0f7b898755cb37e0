//! What all threads and connections of a dev host have in common, and the order in which it is locked.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::StateFolder;
use super::call_book::{CallBook, PendingRequest};
use super::frames::FrameTickets;
use super::journal::Journal;
use super::lanes::{self, tenants_of};
use super::projects::Projects;
use super::queues::{QueuedWork, Queues};
use super::record::Record;
use super::request_body::BodyRoom;
use super::slow_reads::SlowReads;
use super::terminal::{Terminal, lines};
use crate::host::{Interrupt, lock};
use crate::manifest::TenantId;
use crate::platform::{Activity, Directory, PackageCompiler, Platform, Snapshot};
use crate::store::StoreError;

/// Requests that wait at the most; more of them wait where they cost nothing, in their sockets.
const MAX_WAITING: usize = 1_024;
/// Bytes of answers that are being sent at the same time, beside small ones.
pub(super) const MAX_ANSWERS: usize = 256 << 20;

/// What all that serve have in common.
#[derive(Debug)]
pub(super) struct Shared {
    platform: Mutex<Platform>,
    /// What the platform knows, as the lanes work with it.
    snapshot: RwLock<Arc<Snapshot>>,
    /// What further lanes are made from, without the platform's lock; none where the database takes one connection alone.
    pub(super) first_lane: Option<Mutex<Platform>>,
    /// Taken by calls of plugins while they run, and by requests that write rows; whoever changes plugins takes both, in
    /// this order, and then the platform.
    pub(super) calls_gate: RwLock<()>,
    pub(super) rows_gate: RwLock<()>,
    pub(super) compiler: PackageCompiler,
    /// Set when the host ends.
    pub(super) ending: Interrupt,
    /// The users, for whoever need not wait for the platform to know who asks.
    pub(super) directory: RwLock<Directory>,
    state_folder: Mutex<StateFolder>,
    pub(super) port: u16,
    pub(super) queues: Arc<Queues>,
    pub(super) slow_reads: SlowReads,
    /// Requests that may wait, bytes of bodies that may be held, and bytes of answers that are being sent.
    pub(super) places: Arc<Semaphore>,
    pub(super) bodies: BodyRoom,
    pub(super) answers: Arc<Semaphore>,
    pub(super) journal: Journal,
    calls: Mutex<CallBook>,
    pub(super) projects: Option<Projects>,
    pub(super) frames: FrameTickets,
    terminal: Terminal,
    record: Option<Record>,
}

/// What a host is made of.
pub(super) struct SharedParts {
    pub(super) platform: Platform,
    pub(super) state_folder: StateFolder,
    pub(super) projects: Option<Projects>,
    pub(super) terminal: Terminal,
    pub(super) record: Option<Record>,
    pub(super) port: u16,
}

impl Shared {
    pub(super) fn new(parts: SharedParts) -> Result<Shared, StoreError> {
        let SharedParts { platform, state_folder, projects, terminal, record, port } = parts;
        Ok(Shared {
            snapshot: RwLock::new(Arc::new(platform.snapshot())),
            first_lane: platform.lane()?.map(Mutex::new),
            calls_gate: RwLock::default(),
            rows_gate: RwLock::default(),
            compiler: platform.compiler(),
            ending: Interrupt::default(),
            directory: RwLock::new(platform.directory().clone()),
            platform: Mutex::new(platform),
            state_folder: Mutex::new(state_folder),
            port,
            queues: Arc::new(Queues::new()),
            slow_reads: SlowReads::default(),
            places: Arc::new(Semaphore::new(MAX_WAITING)),
            bodies: BodyRoom::default(),
            answers: Arc::new(Semaphore::new(MAX_ANSWERS)),
            journal: Journal::default(),
            calls: Mutex::default(),
            projects,
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

    /// The platform itself. What changes of it is known to the lanes as soon as it is given back.
    pub(super) fn platform(&self) -> FirstPlatform<'_> {
        FirstPlatform { platform: lock(&self.platform), shared: self }
    }

    /// Whether there are lanes beside the platform.
    pub(super) fn has_lanes(&self) -> bool {
        self.first_lane.is_some()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works with the platform while no plugin is called and no row written: to change plugins. Nothing where others are
    /// at work until then.
    pub(super) fn exclusively<T>(&self, until: Instant, work: impl FnOnce(&mut Platform) -> T) -> Option<T> {
        let _calls = closed(&self.calls_gate, until)?;
        let _rows = closed(&self.rows_gate, until)?;
        Some(work(&mut self.platform()))
    }

    /// Has the events of a tenant delivered, and does not wait.
    pub(super) fn deliver_later(&self, tenant: TenantId) {
        self.queues.events.push(QueuedWork::Deliver { tenant, waiting: None, done: None });
    }

    /// Has the events of a tenant delivered; returns after that.
    pub(super) fn deliver_now(&self, tenant: TenantId) {
        let (done, waiting) = std::sync::mpsc::channel();
        self.queues.events.push(QueuedWork::Deliver { tenant, waiting: None, done: Some(done) });
        // Nothing comes where the host ends.
        let _ = waiting.recv();
    }

    /// Works with the platform, and notes the activity.
    pub(super) fn with_platform<T>(&self, work: impl FnOnce(&mut Platform) -> T) -> T {
        let mut platform = self.platform();
        platform.set_interrupt(self.ending.within());
        let done = work(&mut platform);
        platform.set_interrupt(Interrupt::default());
        let activity = platform.take_activity();
        drop(platform);
        self.note_activity(activity);
        done
    }

    /// The same, while no plugin is called and no row written.
    pub(super) fn with_platform_exclusively<T>(&self, work: impl FnOnce(&mut Platform) -> T) -> T {
        // Other requests pass for this time. After it they wait too, or an edit would never be served.
        let until = Instant::now() + lanes::WRITERS_WAIT;
        let calls = closed(&self.calls_gate, until);
        let _calls = calls.unwrap_or_else(|| self.calls_gate.write().unwrap_or_else(PoisonError::into_inner));
        let rows = closed(&self.rows_gate, until);
        let _rows = rows.unwrap_or_else(|| self.rows_gate.write().unwrap_or_else(PoisonError::into_inner));
        self.with_platform(work)
    }

    /// Notes activity that no request caused, and has its events delivered.
    pub(super) fn note_activity(&self, activity: Activity) {
        let tenants = tenants_of(&activity);
        self.note(None, activity);
        if self.has_lanes() {
            for tenant in tenants {
                self.deliver_later(tenant);
            }
        }
    }

    /// Publishes activity to the stream, the recording and the terminal.
    pub(super) fn note(&self, asked: Option<PendingRequest>, activity: Activity) {
        if let Some(record) = &self.record
            && let Err(error) = record.add(activity.recorded_lines().as_bytes())
        {
            self.say(&format!("cannot record: {error}"));
        }
        if let Some(asked) = asked.as_ref().filter(|asked| self.terminal.tells_all || asked.status >= 400) {
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

/// The platform itself, until it is given back.
pub(super) struct FirstPlatform<'s> {
    platform: MutexGuard<'s, Platform>,
    shared: &'s Shared,
}

impl Deref for FirstPlatform<'_> {
    type Target = Platform;

    fn deref(&self) -> &Platform {
        &self.platform
    }
}

impl DerefMut for FirstPlatform<'_> {
    fn deref_mut(&mut self) -> &mut Platform {
        &mut self.platform
    }
}

impl Drop for FirstPlatform<'_> {
    fn drop(&mut self) {
        if self.shared.has_lanes() {
            let snapshot = Arc::new(self.platform.snapshot());
            *self.shared.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queues.close();
    }
}

/// Closes a gate, as soon as no one is inside. Until then others may still enter. None if that does not happen in time.
fn closed(gate: &RwLock<()>, until: Instant) -> Option<RwLockWriteGuard<'_, ()>> {
    loop {
        match gate.try_write() {
            Ok(closed) => return Some(closed),
            Err(TryLockError::Poisoned(closed)) => return Some(closed.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
