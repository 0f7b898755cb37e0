//! A dev host from its start to its end: the platform, what feeds it, and the sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, TryLockError, Weak};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::call_book::{Asked, CallBook};
use super::followers::Followers;
use super::frames::Frames;
use super::journal::Journal;
use super::lanes::{self, tenants_of};
use super::place::REGISTRY;
use super::projects::Projects;
use super::queues::{Queues, Work};
use super::sockets;
use super::workshop::Workshop;
use super::{FolderEvent, FolderOutcome, HostPlace, PluginFolder, Settling};
use super::{StateFolder, StateFolderError};
use crate::diagnostics::printable;
use crate::files;
use crate::host::{Detail, Interrupt, LimitOverrides, RuntimeError, Surroundings};
use crate::manifest::TenantId;
use crate::outgoing::HttpTransport;
use crate::platform::{Activity, Admission, Compiler, Directory, Gate, Platform, PlatformError, Registrar, Snapshot};
use crate::signing::TrustStore;
use crate::store::StoreError;

/// How long running requests may take when the host stops.
const GRACE: Duration = Duration::from_secs(1);
/// How long threads may take that are still busy then.
const LAST_GRACE: Duration = Duration::from_millis(300);
/// Requests that wait at the most; more of them wait where they cost nothing, in their sockets.
const MAX_WAITING: usize = 1_024;
/// Bytes of bodies that are held at the same time.
pub(super) const MAX_BODIES: usize = 256 << 20;
/// How often a folder of plugins is looked into; a file counts when it was the same twice.
const FOLDER_PAUSE: Duration = Duration::from_millis(300);

/// How to serve.
#[derive(Debug)]
pub struct Options {
    /// Who sends requests of plugins; nobody where it is none.
    pub transport: Option<Arc<dyn HttpTransport>>,
    /// Bounds of calls in the place of the manifests\' own.
    pub limits: LimitOverrides,
    /// A file that every call of a plugin is added to, to be replayed.
    pub record: Option<PathBuf>,
    /// A folder whose packages run.
    pub plugins: Option<PathBuf>,
    /// The projects that are followed; nobody's where it is none.
    pub workshop: Option<Arc<dyn Workshop>>,
    /// Whether known defects of the platform of today are imitated.
    pub imitates_quirks: bool,
    /// The port; 0 for a free one.
    pub port: u16,
    /// Where the state is.
    pub place: HostPlace,
    /// Whose packages are taken.
    pub admission: Admission,
    /// Whom the host trusts.
    pub trust: TrustStore,
    /// Gets what happens, line by line, for a terminal.
    pub tell: SyncSender<String>,
    /// Whether it gets requests that went as they should, too.
    pub tells_all: bool,
}

/// Why there is no dev host.
#[derive(Debug, Error)]
pub enum DevHostError {
    /// The state folder cannot be used.
    #[error(transparent)]
    StateFolder(#[from] StateFolderError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime cannot start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// What was there cannot be brought back.
    #[error("the state cannot be brought back: {0}")]
    Recover(#[from] PlatformError),
    /// The folder of plugins cannot be read.
    #[error("the folder of plugins cannot be read: {0}")]
    Folder(std::io::Error),
    /// The port cannot be had.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The server broke off.
    #[error("the server stopped: {0}")]
    Serve(std::io::Error),
}

/// A dev host that listens already.
#[derive(Debug)]
pub struct DevHost {
    /// Where it listens; always on this machine alone.
    pub address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    shared: Arc<Shared>,
    folder: Option<PluginFolder>,
    followers: Option<Followers>,
}

/// Whether a dev host serves in this process: then a panic ends a request, and not the process.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Whether a panic ends a request alone.
pub fn outlives_panics() -> bool {
    SERVES.load(Ordering::Relaxed)
}

/// What all that serve have in common.
#[derive(Debug)]
pub(super) struct Shared {
    platform: Mutex<Platform>,
    /// What the platform knows, as the lanes work with it.
    snapshot: RwLock<Arc<Snapshot>>,
    /// Whether there are lanes beside the platform.
    pub(super) has_lanes: bool,
    /// Taken by calls of plugins while they run, and by requests that write rows; whoever changes plugins takes both, in
    /// this order, and then the platform.
    pub(super) calls_gate: RwLock<()>,
    pub(super) rows_gate: RwLock<()>,
    pub(super) compiler: Compiler,
    /// Set when the host ends.
    pub(super) ending: Interrupt,
    /// The users, for whoever need not wait for the platform to know who asks.
    pub(super) directory: RwLock<Directory>,
    state_folder: Mutex<StateFolder>,
    pub(super) port: u16,
    pub(super) queues: Arc<Queues>,
    /// Requests that may wait, and bytes of bodies that may be held.
    pub(super) places: Arc<Semaphore>,
    pub(super) bodies: Arc<Semaphore>,
    pub(super) journal: Journal,
    calls: Mutex<CallBook>,
    pub(super) projects: Option<Projects>,
    pub(super) frames: Frames,
    tell: SyncSender<String>,
    /// Lines that the terminal did not take.
    untold: AtomicU64,
    tells_all: bool,
    record: Option<PathBuf>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, StateFolder> {
        self.state_folder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn book(&self) -> MutexGuard<'_, CallBook> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The platform itself. What changes of it is known to the lanes as soon as it is given back.
    pub(super) fn platform(&self) -> FirstPlatform<'_> {
        FirstPlatform { platform: self.platform.lock().unwrap_or_else(PoisonError::into_inner), shared: self }
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

    /// Lets somebody deliver the events of a tenant.
    pub(super) fn deliver_later(&self, tenant: TenantId) {
        self.queues.events.push(Work::Deliver { tenant, waiting: None, done: None });
    }

    /// Delivers the events of a tenant; gives back when they were.
    pub(super) fn deliver_now(&self, tenant: TenantId) {
        let (done, waiting) = std::sync::mpsc::channel();
        self.queues.events.push(Work::Deliver { tenant, waiting: None, done: Some(done) });
        // Nothing comes where the host ends.
        let _ = waiting.recv();
    }

    /// Works with the platform, and tells what came of it.
    pub(super) fn with_platform<T>(&self, work: impl FnOnce(&mut Platform) -> T) -> T {
        let mut platform = self.platform();
        let done = work(&mut platform);
        let activity = platform.take_activity();
        drop(platform);
        self.note_activity(activity);
        done
    }

    /// The same, while no plugin is called and no row written.
    pub(super) fn with_platform_exclusively<T>(&self, work: impl FnOnce(&mut Platform) -> T) -> T {
        // Others pass as long as that costs nobody much; after that they wait too, or an edit would never be served.
        let until = Instant::now() + lanes::WRITERS_WAIT;
        let calls = closed(&self.calls_gate, until);
        let _calls = calls.unwrap_or_else(|| self.calls_gate.write().unwrap_or_else(PoisonError::into_inner));
        let rows = closed(&self.rows_gate, until);
        let _rows = rows.unwrap_or_else(|| self.rows_gate.write().unwrap_or_else(PoisonError::into_inner));
        self.with_platform(work)
    }

    /// Tells what happened without a request, and lets what it told be delivered.
    pub(super) fn note_activity(&self, activity: Activity) {
        let tenants = tenants_of(&activity);
        self.note(None, activity);
        if self.has_lanes {
            for tenant in tenants {
                self.deliver_later(tenant);
            }
        }
    }

    /// Tells what happened: to who watches, to the recording, and to the terminal.
    pub(super) fn note(&self, asked: Option<Asked>, activity: Activity) {
        if let Some(file) = &self.record
            && let Err(error) = files::append(file, activity.recorded_lines().as_bytes())
        {
            self.say(&format!("cannot record: {error}"));
        }
        if let Some(asked) = asked.as_ref().filter(|asked| self.tells_all || asked.status >= 400) {
            self.say(&format!("{} {} {}", asked.status, asked.method, asked.path));
        }
        for line in lines(&activity) {
            self.say(&line);
        }
        let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
        self.book().note(&self.journal, &directory, asked, activity);
    }

    /// Lines for the terminal. Nobody listens any more where the host is stopping.
    pub(super) fn say(&self, text: &str) {
        for line in text.lines() {
            // A terminal that is held must hold nothing else.
            let untold = self.untold.swap(0, Ordering::Relaxed);
            let line = if untold == 0 {
                printable(line)
            } else {
                format!("({untold} lines were not shown)\n{}", printable(line))
            };
            if let Err(TrySendError::Full(_)) = self.tell.try_send(line) {
                self.untold.fetch_add(untold + 1, Ordering::Relaxed);
            }
        }
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
        if self.shared.has_lanes {
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

impl DevHost {
    /// Opens the state, brings back what ran, and listens.
    ///
    /// # Errors
    /// [`DevHostError`].
    pub fn start(options: Options) -> Result<DevHost, DevHostError> {
        let mut surroundings = Surroundings::of_this_machine();
        if let Some(transport) = options.transport {
            surroundings = surroundings.with_transport(transport);
        }
        surroundings.imitate_quirks(options.imitates_quirks);
        let (state_folder, mut platform) = options.place.platform(surroundings)?;
        if state_folder.has_lost_rows && options.place.database.is_none() {
            let line = "platform.sqlite is gone, or empty: plugins and rows begin anew, the users stay";
            let _ = options.tell.try_send(line.to_owned());
        }
        platform.set_limits(options.limits);
        // Whoever looks at a call wants to see all of it. Where in the source each call of the host was made takes
        // milliseconds to find in a debug build: a replay says that.
        platform.set_detail(Detail::Full);
        platform.set_gate(Gate {
            admission: options.admission,
            trust: options.trust,
            registrar: Some(Registrar { name: REGISTRY.to_owned(), key: state_folder.registry_key()? }),
        });
        let projects = options.workshop.map(Projects::new).transpose()?;
        platform.recover_but(&projects.as_ref().map(Projects::names).unwrap_or_default())?;
        let memory = state_folder.plugin_folder_memory();
        let mut folder = options.plugins.map(|folder| PluginFolder::new(folder).remembering(memory));
        if let Some(folder) = &mut folder {
            folder.look(Settling::AtOnce).map_err(DevHostError::Folder)?;
            for event in &folder.follow(&mut platform) {
                let _ = options.tell.try_send(printable(&folder_line(event)));
            }
        }

        let listen = |source| DevHostError::Listen { port: options.port, source };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(listen)?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let directory = RwLock::new(platform.directory().clone());
        let shared = Arc::new(Shared {
            snapshot: RwLock::new(Arc::new(platform.snapshot())),
            has_lanes: platform.lane()?.is_some(),
            calls_gate: RwLock::default(),
            rows_gate: RwLock::default(),
            compiler: platform.compiler(),
            ending: Interrupt::default(),
            platform: Mutex::new(platform),
            directory,
            state_folder: Mutex::new(state_folder),
            port: address.port(),
            queues: Arc::new(Queues::new()),
            places: Arc::new(Semaphore::new(MAX_WAITING)),
            bodies: Arc::new(Semaphore::new(MAX_BODIES)),
            journal: Journal::default(),
            calls: Mutex::default(),
            projects,
            frames: Frames::default(),
            tell: options.tell,
            untold: AtomicU64::new(0),
            tells_all: options.tells_all,
            record: options.record,
        });
        let activity = shared.platform().take_activity();
        shared.note(None, activity);
        let followers = shared.projects.as_ref().map(|projects| Followers::begin(&shared, projects));
        super::console::prepare();
        lanes::begin(&shared).map_err(listen)?;
        Ok(DevHost { address, runtime, listener, shared, folder, followers })
    }

    /// The plugins, with their states.
    pub fn plugins(&self) -> Vec<crate::store::PluginRecord> {
        self.shared.platform().plugins()
    }

    /// The folder with its state and users.
    pub fn state_folder(&self) -> MutexGuard<'_, StateFolder> {
        self.shared.state()
    }

    /// Serves until the user interrupts it or it is told to end.
    ///
    /// # Errors
    /// [`DevHostError::Serve`].
    pub fn serve(self) -> Result<(), DevHostError> {
        if let Some(folder) = self.folder {
            let shared = Arc::downgrade(&self.shared);
            self.runtime.spawn_blocking(move || follow(folder, &shared));
        }
        if let Some(followers) = self.followers {
            let shared = Arc::downgrade(&self.shared);
            self.runtime.spawn_blocking(move || followers.follow(&shared));
        }
        SERVES.store(true, Ordering::Relaxed);
        let last = self.shared;
        let listener = self.listener;
        let result = self.runtime.block_on(async move {
            tokio::select! {
                result = sockets::serve(&listener, &last) => result,
                () = interrupted() => {
                    // Calls that run end at their next border; who waits for an answer has a moment to hear it.
                    last.ending.set();
                    if let Some(projects) = &last.projects {
                        projects.end_builds();
                    }
                    drop(listener);
                    sockets::idle(GRACE).await;
                    Ok(())
                }
            }
        });
        self.runtime.shutdown_timeout(LAST_GRACE);
        result.map_err(DevHostError::Serve)
    }
}

/// Follows a folder of packages until the host stops. Requests and scans take turns, so a call that runs ends on the version
/// that it began with.
fn follow(mut folder: PluginFolder, shared: &Weak<Shared>) {
    let mut trouble = String::new();
    loop {
        std::thread::sleep(FOLDER_PAUSE);
        let Some(shared) = shared.upgrade() else { return };
        let said = match folder.look(Settling::SameTwice) {
            Ok(has_work) => {
                trouble.clear();
                if has_work { follow_once(&mut folder, &shared) } else { Vec::new() }
            }
            // Said once, and not at every look.
            Err(error) => {
                let said = format!("the folder of plugins cannot be read: {error}");
                let is_known = std::mem::replace(&mut trouble, said.clone()) == said;
                if is_known { Vec::new() } else { vec![said] }
            }
        };
        for line in said {
            shared.say(&line);
        }
    }
}

/// Compiling takes seconds where an interpreter is inside: requests are answered meanwhile.
fn follow_once(folder: &mut PluginFolder, shared: &Shared) -> Vec<String> {
    folder.compile_ahead(&shared.compiler);
    shared.with_platform_exclusively(|platform| folder.follow(platform)).iter().map(folder_line).collect()
}

fn folder_line(event: &FolderEvent) -> String {
    match &event.outcome {
        FolderOutcome::Runs { id, version } => format!("{}: {id} {version} runs", event.file),
        FolderOutcome::Refused(why) => format!("{}: refused: {why}", event.file),
        FolderOutcome::Gone(id) => format!("{} brings {id} any more: disabled", event.file),
    }
}

/// Closes a gate. Who waits for it stands in nobody's way: others pass until nobody is inside for a moment.
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

/// Ctrl-C, or the signal that process managers send.
async fn interrupted() {
    let ctrl_c = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            return ctrl_c.await;
        };
        tokio::select! {
            () = ctrl_c => {}
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    ctrl_c.await;
}

/// What plugins did, a line each.
fn lines(activity: &Activity) -> Vec<String> {
    let mut lines = Vec::new();
    for call in &activity.calls {
        let outcome = call.error.as_ref().map_or_else(|| "ok".to_owned(), ToString::to_string);
        lines.push(format!(
            "  {} {}: {outcome} ({} fuel, {} rows)",
            call.plugin,
            call.label,
            call.trace.fuel,
            call.trace.changes.len()
        ));
        for record in &call.trace.logs {
            lines.push(format!("    {}: {}", record.level, record.message));
        }
    }
    lines
}
