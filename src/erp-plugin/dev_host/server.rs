//! A dev host from start to stop: the platform, the folder and the projects that feed it, and the sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, MutexGuard, Weak};
use std::time::Duration;

use erp_manifest::diagnostics::printable;
use erp_manifest::outgoing::HttpTransport;
use erp_package::signing::TrustStore;
use erp_platform::{Admission, Gate, PlatformError, Registrar};
use erp_runtime::{Detail, LimitOverrides, RuntimeError, Surroundings};
use erp_storage::StoreError;
use semver::Version;
use thiserror::Error;
use tokio::net::TcpListener;

use super::followers::Followers;
use super::host::AnsweringHost;
use super::place::REGISTRY;
use super::projects::Projects;
use super::record::Record;
use super::shared::{Shared, SharedParts};
use super::terminal::Terminal;
use super::workshop::ProjectTools;
use super::{
    FolderEvent, FolderOutcome, HostPlace, PluginFolder, SettlingRule, StateFolder, StateFolderError, lanes, sockets,
};

/// How long running requests may take when the host stops.
const GRACE: Duration = Duration::from_secs(1);
/// How long threads that are still busy after that may take.
const LAST_GRACE: Duration = Duration::from_millis(300);
/// How often the folder of plugins is scanned. A file counts when two scans in a row find it the same.
const FOLDER_PAUSE: Duration = Duration::from_millis(300);

/// The options of a dev host.
#[derive(Debug)]
pub struct Options {
    /// Sends the HTTP requests of plugins. None: every such request fails.
    pub transport: Option<Arc<dyn HttpTransport>>,
    /// Limits of calls that replace those of the manifests.
    pub limits: LimitOverrides,
    /// A file that every plugin call is appended to, for replay.
    pub record: Option<PathBuf>,
    /// A folder whose packages run.
    pub plugins: Option<PathBuf>,
    /// Reads and builds the followed projects. None: no project is followed.
    pub workshop: Option<Arc<dyn ProjectTools>>,
    /// Whether known defects of today's platform are imitated.
    pub imitates_quirks: bool,
    /// The version that the platform reports. None: `erp_manifest::contract::PLATFORM_VERSION`.
    pub platform_version: Option<Version>,
    /// The port; 0 for a free one.
    pub port: u16,
    /// Where the state is.
    pub place: HostPlace,
    /// Whose packages are accepted.
    pub admission: Admission,
    /// The keys, registries and thresholds that the host trusts.
    pub trust: TrustStore,
    /// Receives the lines for the terminal.
    pub terminal_lines: SyncSender<String>,
    /// Whether successful requests are printed too.
    pub prints_all_requests: bool,
}

/// Why a dev host cannot start or serve.
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
    /// The previous state cannot be restored.
    #[error("the state cannot be brought back: {0}")]
    Recover(#[from] PlatformError),
    /// The folder of plugins cannot be read.
    #[error("the folder of plugins cannot be read: {0}")]
    Folder(std::io::Error),
    /// The host cannot listen on the port, or cannot start its threads.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The server stopped with an error.
    #[error("the server stopped: {0}")]
    Serve(std::io::Error),
}

/// A dev host that is listening.
#[derive(Debug)]
pub struct DevHost {
    /// The address that it listens on; always a loopback address.
    pub address: SocketAddr,
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    host: AnsweringHost,
    folder: Option<PluginFolder>,
    followers: Option<Followers>,
}

/// Whether a dev host serves in this process: then a panic ends a request, not the process.
static SERVES: AtomicBool = AtomicBool::new(false);

/// Whether a panic ends only a request, not the process.
pub fn outlives_panics() -> bool {
    SERVES.load(Ordering::Relaxed)
}

impl DevHost {
    /// Opens the state, starts the plugins that ran before, and listens.
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
            let _ = options.terminal_lines.try_send(line.to_owned());
        }
        platform.call_settings.limits = options.limits;
        // A developer wants every detail of a call, except where in the source each host call was made. Finding that
        // takes milliseconds in a debug build; a replay reports it.
        platform.call_settings.detail = Detail::Full;
        platform.set_gate(Gate {
            admission: options.admission,
            trust: options.trust,
            registrar: Some(Registrar { name: REGISTRY.to_owned(), key: state_folder.registry_key()? }),
            platform_version: options.platform_version,
        });
        let projects = options.workshop.map(Projects::new).transpose()?.map(Arc::new);
        platform.lifecycle().recover_except(&projects.as_ref().map(|projects| projects.names()).unwrap_or_default())?;
        let memory = state_folder.plugin_folder_memory();
        let mut folder = options.plugins.map(|folder| PluginFolder::new(folder).remembering(memory));
        if let Some(folder) = &mut folder {
            folder.look(SettlingRule::AtOnce).map_err(DevHostError::Folder)?;
            for event in &folder.follow(&mut platform) {
                let _ = options.terminal_lines.try_send(printable(&folder_line(event)));
            }
        }

        let listen = |source| DevHostError::Listen { port: options.port, source };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(listen)?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let terminal = Terminal::new(options.terminal_lines, options.prints_all_requests);
        let record = options.record.map(Record::new);
        let port = address.port();
        let shared = Arc::new(Shared::new(SharedParts { platform, state_folder, terminal, record, port })?);
        let activity = shared.platform().take_activity();
        shared.note(None, activity);
        let followers = projects.as_ref().map(|projects| Followers::begin(&shared, projects));
        super::console::prepare();
        lanes::begin(&shared).map_err(listen)?;
        let host = AnsweringHost { shared, projects };
        Ok(DevHost { address, runtime, listener, host, folder, followers })
    }

    /// The plugins, with their states.
    pub fn plugins(&self) -> Vec<erp_store::PluginRecord> {
        self.host.shared.platform().plugins()
    }

    /// Locks the state folder with its users.
    pub fn state_folder(&self) -> MutexGuard<'_, StateFolder> {
        self.host.shared.state()
    }

    /// Serves until Ctrl-C or a termination signal.
    ///
    /// # Errors
    /// [`DevHostError::Serve`].
    pub fn serve(self) -> Result<(), DevHostError> {
        if let Some(folder) = self.folder {
            let shared = Arc::downgrade(&self.host.shared);
            self.runtime.spawn_blocking(move || follow(folder, &shared));
        }
        if let Some(followers) = self.followers {
            let shared = Arc::downgrade(&self.host.shared);
            self.runtime.spawn_blocking(move || followers.follow(&shared));
        }
        SERVES.store(true, Ordering::Relaxed);
        let last = self.host;
        let listener = self.listener;
        let result = self.runtime.block_on(async move {
            tokio::select! {
                result = sockets::serve(&listener, &last) => result,
                () = interrupted() => {
                    // Running calls end soon: at their next host call, or when the runtime checks their deadline.
                    // Clients have a moment to receive their answers.
                    last.shared.ending.set();
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

/// Follows a folder of packages until the host stops. Changes are applied while no call runs, so that a call ends on
/// the version that it began with.
fn follow(mut folder: PluginFolder, shared: &Weak<Shared>) {
    let mut trouble = String::new();
    loop {
        std::thread::sleep(FOLDER_PAUSE);
        let Some(shared) = shared.upgrade() else { return };
        let said = match folder.look(SettlingRule::SameTwice) {
            Ok(has_work) => {
                trouble.clear();
                if has_work { follow_once(&mut folder, &shared) } else { Vec::new() }
            }
            // Printed once, not at every scan.
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

/// Applies the changes in the folder. Packages are compiled first, while requests are answered: that takes seconds for
/// a component with an interpreter.
fn follow_once(folder: &mut PluginFolder, shared: &Shared) -> Vec<String> {
    folder.compile_ahead(&shared.hosted.compiler, &shared.ending);
    shared.with_platform_exclusively(|platform| folder.follow(platform)).iter().map(folder_line).collect()
}

fn folder_line(event: &FolderEvent) -> String {
    match &event.outcome {
        FolderOutcome::Runs { id, version } => format!("{}: {id} {version} runs", event.file),
        FolderOutcome::Refused(why) => format!("{}: refused: {why}", event.file),
        FolderOutcome::Gone(id) => format!("{} brings {id} any more: disabled", event.file),
    }
}

/// Waits for Ctrl-C or the signal that process managers send.
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
