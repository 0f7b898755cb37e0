//! The thread that follows projects: it watches their files, has them built, and puts valid versions in place.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use erp_component::without_inputs;
use erp_manifest::Language;
use erp_manifest::digest::sha256_hex;
use erp_platform::ProjectVersion;
use erp_runtime::LoadedPlugin;
use serde_json::json;

use super::projects::{Candidate, GenerationCause, ProjectStage, Projects};
use super::shared::Shared;
use super::workshop::{FailureStage, FittingComponent, ProjectBuild, ProjectFailure, ProjectPlace};
use crate::build::Cancel;
use crate::project::{Concern, FolderWatch};

/// How often files are checked for changes.
const PAUSE: Duration = Duration::from_millis(15);
/// How long code that was compiled fast serves before it is compiled again, optimized. A running build delays that.
const IDLE: Duration = Duration::from_secs(1);
/// How long a finished build waits for files that are still being written.
const PATIENCE: Duration = Duration::from_millis(500);

/// The followers of all projects.
#[derive(Debug)]
pub(super) struct Followers {
    projects: Arc<Projects>,
    list: Vec<Follower>,
    /// Receives a message when a build has ended.
    woken: Receiver<()>,
    /// Keeps the channel open.
    _wake: Sender<()>,
}

/// The follower of one project.
#[derive(Debug)]
struct Follower {
    index: usize,
    place: ProjectPlace,
    watch: FolderWatch,
    build: Option<Build>,
    /// Signals that a build has ended.
    wake: Sender<()>,
    /// Held while a build runs, so that a cancelled build ends before the next one writes its first file.
    turn: Arc<Mutex<()>>,
    /// False for a plugin without code. True for an unreadable manifest: the build then reports why.
    has_code: bool,
    /// When the change that is being worked on was seen.
    since: Instant,
    /// The serving code if it was compiled fast: since when, the code and the component.
    fast: Option<(Instant, LoadedPlugin, Vec<u8>)>,
}

/// A running build.
#[derive(Debug)]
struct Build {
    done: Receiver<Result<ProjectBuild, ProjectFailure>>,
    started: Instant,
    /// When it ended, and its result.
    ended: Option<(Instant, Result<ProjectBuild, ProjectFailure>)>,
}

impl Followers {
    /// Reads every project for the first time, and starts what its folder holds.
    pub(super) fn begin(shared: &Shared, projects: &Arc<Projects>) -> Followers {
        let mut list = Vec::new();
        let (wake, woken) = channel();
        for (index, place) in projects.places().into_iter().enumerate() {
            let watch = FolderWatch::new(&place.root);
            let mut follower = Follower {
                index,
                place,
                watch,
                build: None,
                wake: wake.clone(),
                turn: Arc::default(),
                has_code: true,
                since: Instant::now(),
                fast: None,
            };
            follower.refresh(shared, projects, GenerationCause::Start, None);
            list.push(follower);
        }
        Followers { projects: Arc::clone(projects), list, woken, _wake: wake }
    }

    /// Follows the projects until the host stops.
    pub(super) fn follow(mut self, shared: &Weak<Shared>) {
        loop {
            let _ = self.woken.recv_timeout(PAUSE);
            let Some(shared) = shared.upgrade() else { return };
            let projects = &Arc::clone(&self.projects);
            let mut has_started = false;
            for follower in &mut self.list {
                let before = projects.live(follower.index);
                // A bug that one change triggers must not stop the followers of the other projects.
                if catch_unwind(AssertUnwindSafe(|| follower.step(&shared, projects))).is_err() {
                    let summary = "erp-plugin failed on this change, which is a bug; save again".to_owned();
                    let trouble = ProjectFailure { stage: FailureStage::Component, text: summary.clone(), summary };
                    projects.fail(&shared, follower.index, trouble);
                }
                has_started |= projects.live(follower.index) != before;
            }
            if has_started {
                // Projects that waited for another plugin may start now.
                for follower in self.list.iter_mut().filter(|follower| projects.waits_for_others(follower.index)) {
                    follower.refresh(&shared, projects, GenerationCause::Start, None);
                }
            }
        }
    }
}

impl Follower {
    /// Checks the project for changes once, and acts on them.
    fn step(&mut self, shared: &Arc<Shared>, projects: &Arc<Projects>) {
        let concerns = self.watch.look_early(Instant::now());
        if !concerns.is_empty() {
            self.since = Instant::now();
        }
        if concerns.contains(&Concern::Manifest) {
            self.refresh(shared, projects, GenerationCause::Manifest, None);
        }
        // A build writes lock files itself.
        let locked_anew = concerns.contains(&Concern::Lock) && self.build.is_none();
        let is_wanted = projects.take_wanted(self.index);
        if (is_wanted || locked_anew || concerns.contains(&Concern::Source)) && self.has_code {
            self.start_build(shared, projects);
        }
        if concerns.contains(&Concern::Tests) {
            shared.journal.append("test", &json!({ "project": self.place.name, "state": "stale" }));
        }
        self.look_at_build(shared, projects);
        if self.build.is_none()
            && let Some((_, loaded, component)) = self.fast.take_if(|(since, _, _)| since.elapsed() > IDLE)
        {
            compile_well(shared, projects, loaded, component);
        }
    }

    /// Reads and checks the project, and puts the folder's component in place, or `new`, which was just built. Starts a
    /// build if there is no component of the present sources.
    fn refresh(&mut self, shared: &Shared, projects: &Projects, why: GenerationCause, new: Option<Vec<u8>>) {
        let (index, workshop) = (self.index, &projects.workshop);
        projects.enter(shared, index, ProjectStage::Checking);
        let read = workshop.read(&self.place);
        self.has_code = read.as_ref().map_or(true, |read| *read.manifest.build.language != Language::NoCode);
        let mut read = match read {
            Ok(read) => read,
            Err(trouble) => return projects.fail(shared, index, trouble),
        };
        projects.note_read(shared, index, &read);
        let needs_build = new.is_none() && workshop.needs_build(&read);
        let is_new = new.is_some();
        let component = match new.map_or_else(|| workshop.component(&read), |new| Ok(Some(new))) {
            Ok(Some(component)) => component,
            // An old component may not fit; the build will report it.
            Ok(None) | Err(_) if needs_build => return self.start_build(shared, projects),
            Ok(None) => {
                let summary = "there is no component; save again, or run `erp-plugin build`".to_owned();
                let trouble = ProjectFailure { stage: FailureStage::Component, text: summary.clone(), summary };
                return projects.fail(shared, index, trouble);
            }
            Err(trouble) => return projects.fail(shared, index, trouble),
        };
        let component_sha256 = sha256_hex(&component);
        let code_sha256 = without_inputs(&component).map_or_else(|| component_sha256.clone(), |code| sha256_hex(&code));
        let is_known = projects.serves_already(shared, index, &read, &code_sha256);
        let fitting = if is_known {
            None
        } else {
            let platforms = shared.platform().runtime();
            // A component that was just built is compiled fast at first. Any other was compiled before, and is in the
            // cache.
            let runtime = if is_new { &projects.edits } else { &*platforms };
            match workshop.fit(&read, &component, runtime) {
                Ok(fitting) => Some(fitting),
                Err(_) if needs_build => return self.start_build(shared, projects),
                Err(trouble) => return projects.fail(shared, index, trouble),
            }
        };
        // It fits, so it is kept for the next start and for other commands, whether or not it starts.
        if is_new && let Err(trouble) = workshop.keep(&read, &component) {
            return projects.fail(shared, index, trouble);
        }
        self.watch.follow(workshop.folders_beside(&read, &component));
        if let Some(FittingComponent { loaded, remarks }) = fitting {
            read.remarks.push_str(&remarks);
            projects.note_read(shared, index, &read);
            self.fast = (why == GenerationCause::Build).then(|| (Instant::now(), loaded.clone(), component));
            let version = ProjectVersion { loaded, json: read.json, files: read.files };
            let is_optimized = self.fast.is_none();
            let candidate = Candidate { version, component_sha256, code_sha256, why, is_optimized, since: self.since };
            projects.put_in_place(shared, index, candidate);
        }
        if needs_build {
            self.start_build(shared, projects);
        }
    }

    fn start_build(&mut self, shared: &Shared, projects: &Projects) {
        let cancel = Cancel::new();
        let (sender, done) = channel();
        if let Some(before) = projects.set_build(self.index, Some(cancel.clone())) {
            before.cancel();
        }
        shared.journal.append("build", &json!({ "project": self.place.name, "state": "started" }));
        let (workshop, place, wake) = (Arc::clone(&projects.workshop), self.place.clone(), self.wake.clone());
        let turn = Arc::clone(&self.turn);
        std::thread::spawn(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            if !cancel.is_cancelled() {
                // The receiver is gone if the host stops, or if the source changed again.
                let _ = sender.send(workshop.build(&place, &cancel));
                let _ = wake.send(());
            }
        });
        self.build = Some(Build { done, started: Instant::now(), ended: None });
        projects.enter(shared, self.index, ProjectStage::Building);
    }

    fn look_at_build(&mut self, shared: &Shared, projects: &Projects) {
        let Some(build) = &mut self.build else { return };
        if build.ended.is_none() {
            let done = match build.done.try_recv() {
                Err(TryRecvError::Empty) => return,
                Ok(done) => done,
                Err(TryRecvError::Disconnected) => {
                    let summary = "the build was lost; save again".to_owned();
                    Err(ProjectFailure { stage: FailureStage::Build, text: summary.clone(), summary })
                }
            };
            build.ended = Some((Instant::now(), done));
        }
        // A file that is being written would be read half, and a build from half a file proves nothing.
        let has_waited = build.ended.as_ref().is_some_and(|(at, _)| at.elapsed() > PATIENCE);
        if !self.watch.is_settled() && !has_waited {
            return;
        }
        let started = build.started;
        let Some((ended, done)) = build.ended.take() else { return };
        let milliseconds = u64::try_from((ended - started).as_millis()).unwrap_or(u64::MAX);
        self.build = None;
        projects.set_build(self.index, None);
        let (state, text) = match &done {
            Ok(built) => ("done", &built.text),
            Err(trouble) => ("failed", &trouble.text),
        };
        let told = json!({ "project": self.place.name, "state": state, "milliseconds": milliseconds, "text": text });
        shared.journal.append("build", &told);
        match done {
            Ok(ProjectBuild { component, .. }) => {
                self.refresh(shared, projects, GenerationCause::Build, Some(component));
            }
            Err(trouble) => projects.fail(shared, self.index, trouble),
        }
    }
}

/// Compiles the serving component again, as every other command does, into the cache that they share, and serves the
/// result.
fn compile_well(shared: &Arc<Shared>, projects: &Arc<Projects>, fast: LoadedPlugin, component: Vec<u8>) {
    let (runtime, shared, projects) = (shared.platform().runtime(), Arc::downgrade(shared), Arc::downgrade(projects));
    std::thread::spawn(move || {
        // It compiled a moment ago, so this succeeds as a rule; otherwise the fast code keeps serving.
        let Ok(well) = runtime.load(&component, Arc::clone(fast.manifest())) else { return };
        if let (Some(shared), Some(projects)) = (shared.upgrade(), projects.upgrade()) {
            projects.exchange(&shared, &well);
        }
    });
}
