//! Projects that are followed: read, built, checked and put in place while the host serves.
//!
//! Each project goes its own way round:
//!
//! ```text
//! live ── a file changes ──▶ checking ──▶ swapping ──▶ live (the next generation)
//!   ▲           └─ source ──▶ building ──▶┘   │
//!   └──────── failed: the last good one serves on ◀──┘ · asks: rows would be lost
//! ```
//!
//! A change of the manifest alone needs no build. What is compiled and checked is compiled and checked beside the
//! platform; only the swap takes its lock, so that a call that runs ends on the generation that it began with.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::server::Shared;
use super::workshop::{Cancel, FollowedPlace, ReadProject, Trouble, TroubleStage, Workshop};
use crate::digest::sha256_hex;
use crate::host::RuntimeError;
use crate::platform::{PlatformError, ProjectVersion, VersionRule};
use crate::project::{Concern, Watch};

/// How often files are looked at. A file counts when two looks find it the same.
const PAUSE: Duration = Duration::from_millis(25);
/// Generations that can be gone back to.
const KEPT: usize = 12;

/// What a project is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    /// Nothing of it has run yet.
    Waiting,
    /// The compiler works.
    Building,
    /// Manifest and component are held against the rules.
    Checking,
    /// The new generation takes the place of the old one.
    Swapping,
    /// The newest generation serves.
    Live,
    /// The newest one could not; the last good one serves on.
    Failed,
    /// Rows would be lost: somebody must say whether they may be.
    Asks,
}

/// A version of a project that served.
#[derive(Debug, Clone)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) version: ProjectVersion,
    component_sha256: String,
    /// What brought it: `start`, `manifest`, `build`, `back`.
    why: &'static str,
    at_ms: i64,
    /// From the change that was seen to its serving.
    milliseconds: u64,
}

/// A followed project.
#[derive(Debug)]
pub(super) struct Followed {
    place: FollowedPlace,
    plugin: Option<String>,
    stage: Stage,
    trouble: Option<Trouble>,
    remarks: String,
    generations: VecDeque<Generation>,
    live: Option<u64>,
    /// What waits for an answer.
    pending: Option<(ProjectVersion, String)>,
}

/// What the thread that follows keeps of a project.
#[derive(Debug)]
struct Follower {
    watch: Watch,
    build: Option<Build>,
    /// When the change was seen that is being worked on.
    since: Instant,
}

/// A build that runs.
#[derive(Debug)]
struct Build {
    cancel: Cancel,
    done: Receiver<Result<String, Trouble>>,
    started: Instant,
}

/// All projects that are followed.
#[derive(Debug)]
pub(super) struct Projects {
    pub(super) workshop: Arc<dyn Workshop>,
    list: Mutex<Vec<Followed>>,
    /// Builds that were asked for.
    wanted: Mutex<Vec<String>>,
}

impl Projects {
    pub(super) fn new(workshop: Arc<dyn Workshop>) -> Projects {
        let places = workshop.places();
        let followed = places.into_iter().map(|place| Followed {
            place,
            plugin: None,
            stage: Stage::Waiting,
            trouble: None,
            remarks: String::new(),
            generations: VecDeque::new(),
            live: None,
            pending: None,
        });
        Projects { list: Mutex::new(followed.collect()), workshop, wanted: Mutex::default() }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Followed>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids of the plugins whose projects are followed, as far as they are known.
    pub(super) fn names(&self) -> Vec<String> {
        self.list().iter().map(|followed| followed.place.name.clone()).collect()
    }

    /// The place of a plugin's project.
    pub(super) fn place(&self, plugin: &str) -> Option<FollowedPlace> {
        let list = self.list();
        let found = list.iter().find(|followed| followed.is_called(plugin));
        found.map(|followed| followed.place.clone())
    }

    /// All of them, as the console shows them.
    pub(super) fn to_json(&self) -> Value {
        self.list().iter().map(Followed::to_json).collect()
    }

    /// A generation of a plugin.
    pub(super) fn generation(&self, plugin: &str, number: u64) -> Option<Generation> {
        let list = self.list();
        let followed = list.iter().find(|followed| followed.is_called(plugin))?;
        followed.generations.iter().find(|generation| generation.number == number).cloned()
    }

    /// Builds a project though nothing changed.
    pub(super) fn want_build(&self, plugin: &str) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).push(plugin.to_owned());
    }

    fn change(&self, shared: &Shared, index: usize, change: impl FnOnce(&mut Followed)) {
        let shown = {
            let mut list = self.list();
            let Some(followed) = list.get_mut(index) else { return };
            change(followed);
            followed.to_json()
        };
        shared.journal.tell("reload", &shown);
    }

    /// Brings every project to where its folder is, for the first time, and gives what follows them on.
    pub(super) fn begin(&self, shared: &Shared) -> Followers {
        let places: Vec<FollowedPlace> = self.list().iter().map(|followed| followed.place.clone()).collect();
        let mut followers = Vec::new();
        for (index, place) in places.iter().enumerate() {
            let mut follower = Follower { watch: Watch::new(&place.root), build: None, since: Instant::now() };
            self.refresh(shared, index, place, &mut follower, "start");
            followers.push(follower);
        }
        Followers { places, followers }
    }

    /// Reads, checks and puts in place what a folder holds; starts a build where that is not enough.
    fn refresh(
        &self,
        shared: &Shared,
        index: usize,
        place: &FollowedPlace,
        follower: &mut Follower,
        why: &'static str,
    ) {
        self.change(shared, index, |followed| followed.stage = Stage::Checking);
        let project = match self.workshop.read(place) {
            Ok(project) => project,
            Err(trouble) => return self.fail(shared, index, trouble),
        };
        let plugin = project.manifest.metadata.id.to_string();
        self.change(shared, index, |followed| {
            followed.plugin = Some(plugin);
            followed.remarks.clone_from(&project.remarks);
        });
        let needs_build = why != "build" && self.workshop.needs_build(place, &project);
        match self.workshop.component(place, &project) {
            Ok(Some(component)) => {
                let swapped = self.bring(shared, index, &project, &component, follower.since, why);
                if swapped.is_ok() && needs_build {
                    self.start_build(shared, index, place, follower);
                }
            }
            // What is old may well not fit: the build will say.
            Ok(None) | Err(_) if needs_build => self.start_build(shared, index, place, follower),
            Ok(None) => self.start_build(shared, index, place, follower),
            Err(trouble) => self.fail(shared, index, trouble),
        }
    }

    fn fail(&self, shared: &Shared, index: usize, trouble: Trouble) {
        shared.say(&format!("{}: {}", self.list()[index].place.name, trouble.summary));
        shared.say(trouble.text.trim_end());
        self.change(shared, index, |followed| {
            followed.stage = Stage::Failed;
            followed.trouble = Some(trouble);
        });
    }

    /// Compiles a component and swaps it in.
    fn bring(
        &self,
        shared: &Shared,
        index: usize,
        project: &ReadProject,
        component: &[u8],
        since: Instant,
        why: &'static str,
    ) -> Result<(), ()> {
        let runtime = shared.platform().runtime();
        let loaded = match runtime.load(component, Arc::clone(&project.manifest)) {
            Ok(loaded) => loaded,
            Err(RuntimeError::Load(why) | RuntimeError::Engine(why)) => {
                let summary = format!("the component cannot be loaded: {why}");
                let trouble = Trouble { stage: TroubleStage::Component, text: summary.clone(), summary };
                self.fail(shared, index, trouble);
                return Err(());
            }
        };
        let version = ProjectVersion { loaded, json: project.json.clone(), files: Arc::clone(&project.files) };
        self.swap(shared, index, version, sha256_hex(component), since, why)
    }

    fn swap(
        &self,
        shared: &Shared,
        index: usize,
        version: ProjectVersion,
        component_sha256: String,
        since: Instant,
        why: &'static str,
    ) -> Result<(), ()> {
        self.change(shared, index, |followed| followed.stage = Stage::Swapping);
        let id = version.loaded.manifest().metadata.id.to_string();
        let swapped = shared.with_platform(|platform| {
            if platform.manifest(&id).is_some() {
                platform.replace_version(&version, VersionRule::Free).map(|_| ())
            } else {
                platform.run_version(&version)
            }
        });
        match swapped {
            Ok(()) => {
                let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                let at_ms = crate::store::Moment::of_system_clock().unix_ms;
                let mut number = 0;
                self.change(shared, index, |followed| {
                    number = followed.generations.back().map_or(0, |generation| generation.number) + 1;
                    let generation = Generation { number, version, component_sha256, why, at_ms, milliseconds };
                    followed.generations.push_back(generation);
                    if followed.generations.len() > KEPT {
                        followed.generations.pop_front();
                    }
                    followed.live = Some(number);
                    followed.stage = Stage::Live;
                    (followed.trouble, followed.pending) = (None, None);
                });
                shared.say(&format!("{id}: generation {number} serves after {milliseconds} ms ({why})"));
                Ok(())
            }
            Err(error) => {
                let asks = error.code == "migration.rows_at_stake";
                let trouble = trouble_of(&error, asks);
                self.fail(shared, index, trouble);
                if asks {
                    self.change(shared, index, |followed| {
                        followed.stage = Stage::Asks;
                        followed.pending = Some((version, component_sha256));
                    });
                }
                Err(())
            }
        }
    }

    /// Gives up the plugin's rows, and puts in place what could not follow with them.
    pub(super) fn accept_loss(&self, shared: &Shared, plugin: &str) -> Result<(), PlatformError> {
        let (index, (version, sha256)) = {
            let mut list = self.list();
            let index = list.iter().position(|followed| followed.is_called(plugin));
            let pending = index.and_then(|index| Some((index, list[index].pending.take()?)));
            pending.ok_or_else(|| {
                PlatformError::new(409, "dev.nothing_asked", format!("nothing of `{plugin}` waits for an answer"))
            })?
        };
        shared.with_platform(|platform| platform.reset(plugin))?;
        let _ = self.swap(shared, index, version, sha256, Instant::now(), "reset");
        Ok(())
    }

    /// Goes back, or forth, to a generation.
    pub(super) fn activate(&self, shared: &Shared, plugin: &str, number: u64) -> Result<(), PlatformError> {
        let generation = self.generation(plugin, number).ok_or_else(|| no_generation(plugin, number))?;
        let index = self.list().iter().position(|followed| followed.is_called(plugin)).unwrap_or_default();
        let Generation { version, component_sha256, .. } = generation;
        match self.swap(shared, index, version, component_sha256, Instant::now(), "back") {
            Ok(()) => Ok(()),
            Err(()) => {
                let why =
                    self.list()[index].trouble.as_ref().map_or_else(String::new, |trouble| trouble.summary.clone());
                Err(PlatformError::new(409, "dev.generation", why))
            }
        }
    }

    fn start_build(&self, shared: &Shared, index: usize, place: &FollowedPlace, follower: &mut Follower) {
        if let Some(running) = follower.build.take() {
            running.cancel.cancel();
        }
        let cancel = Cancel::default();
        let (tell, done) = channel();
        let (workshop, place, ends) = (Arc::clone(&self.workshop), place.clone(), cancel.clone());
        shared.journal.tell("build", &json!({ "project": place.name, "state": "started" }));
        std::thread::spawn(move || {
            // Nobody waits any more where the host stops.
            let _ = tell.send(workshop.build(&place, &ends));
        });
        follower.build = Some(Build { cancel, done, started: Instant::now() });
        self.change(shared, index, |followed| followed.stage = Stage::Building);
    }

    /// Looks at a project once; true where a new generation serves.
    fn step(&self, shared: &Shared, index: usize, place: &FollowedPlace, follower: &mut Follower) -> bool {
        let before = self.list()[index].live;
        let concerns = follower.watch.look();
        let is_wanted = {
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = wanted.iter().position(|name| self.list()[index].is_called(name));
            asked.map(|at| wanted.remove(at)).is_some()
        };
        if !concerns.is_empty() {
            follower.since = Instant::now();
        }
        if concerns.contains(&Concern::Manifest) {
            self.refresh(shared, index, place, follower, "manifest");
        }
        if concerns.contains(&Concern::Source) || is_wanted {
            let has_code = self
                .workshop
                .read(place)
                .map_or(true, |project| *project.manifest.build.language != crate::manifest::Language::NoCode);
            if has_code {
                self.start_build(shared, index, place, follower);
            }
        }
        if concerns.contains(&Concern::Tests) {
            shared.journal.tell("test", &json!({ "project": place.name, "state": "stale" }));
        }
        let finished = follower.build.as_ref().map(|build| build.done.try_recv());
        match finished {
            None | Some(Err(TryRecvError::Empty)) => {}
            Some(done) => {
                let took = follower.build.take().map_or(Duration::ZERO, |build| build.started.elapsed());
                let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                let state = if matches!(done, Ok(Ok(_))) { "done" } else { "failed" };
                let text = match &done {
                    Ok(Ok(text)) => text.clone(),
                    Ok(Err(trouble)) => trouble.text.clone(),
                    Err(_) => String::new(),
                };
                let told = json!({ "project": place.name, "state": state, "milliseconds": milliseconds, "text": text });
                shared.journal.tell("build", &told);
                match done {
                    Ok(Ok(_)) => self.refresh(shared, index, place, follower, "build"),
                    Ok(Err(trouble)) => self.fail(shared, index, trouble),
                    Err(_) => {}
                }
            }
        }
        self.list()[index].live != before
    }
}

/// What follows the projects, in a thread of its own.
#[derive(Debug)]
pub(super) struct Followers {
    places: Vec<FollowedPlace>,
    followers: Vec<Follower>,
}

impl Followers {
    /// Follows until the host stops.
    pub(super) fn follow(mut self, shared: &Weak<Shared>) {
        loop {
            std::thread::sleep(PAUSE);
            let Some(shared) = shared.upgrade() else { break };
            let Some(projects) = &shared.projects else { break };
            let mut has_started = false;
            for (index, follower) in self.followers.iter_mut().enumerate() {
                has_started |= projects.step(&shared, index, &self.places[index], follower);
            }
            if has_started {
                self.try_again(&shared, projects);
            }
        }
        for build in self.followers.iter().filter_map(|follower| follower.build.as_ref()) {
            build.cancel.cancel();
        }
    }

    /// Those that waited for another plugin may start now.
    fn try_again(&mut self, shared: &Shared, projects: &Projects) {
        for (index, follower) in self.followers.iter_mut().enumerate() {
            let waits =
                projects.list()[index].trouble.as_ref().is_some_and(|trouble| trouble.stage == TroubleStage::Start);
            if waits && follower.build.is_none() {
                projects.refresh(shared, index, &self.places[index], follower, "start");
            }
        }
    }
}

impl Followed {
    fn is_called(&self, name: &str) -> bool {
        self.plugin.as_deref().unwrap_or(&self.place.name) == name
    }

    fn to_json(&self) -> Value {
        let generations = self.generations.iter().rev().map(|generation| {
            json!({
                "number": generation.number, "why": generation.why, "at_ms": generation.at_ms,
                "milliseconds": generation.milliseconds, "component_sha256": generation.component_sha256,
                "version": *generation.version.loaded.manifest().metadata.version,
            })
        });
        json!({
            "project": self.place.name, "plugin": self.plugin, "root": self.place.root.display().to_string(),
            "stage": self.stage, "live": self.live, "trouble": self.trouble, "remarks": self.remarks,
            "generations": generations.collect::<Vec<_>>(),
        })
    }
}

pub(super) fn no_generation(plugin: &str, number: u64) -> PlatformError {
    PlatformError::new(404, "dev.no_generation", format!("`{plugin}` has no generation {number} any more"))
}

/// What the platform said of a version that it did not take.
fn trouble_of(error: &PlatformError, asks: bool) -> Trouble {
    let mut text = error.message.clone();
    if let Some(frames) = error.details.get("frames").and_then(Value::as_array) {
        for frame in frames.iter().filter_map(Value::as_str) {
            text.push_str(&format!("\n  in {frame}"));
        }
    }
    if let Some(rows) = error.details.get("rows").and_then(Value::as_array) {
        for row in rows {
            text.push_str(&format!(
                "\n  {} {}: {} {}",
                row["tenant"].as_str().unwrap_or_default(),
                row["id"].as_str().unwrap_or_default(),
                row["value"].as_str().unwrap_or_default(),
                row["problem"].as_str().unwrap_or_default()
            ));
        }
    }
    let stage = if asks { TroubleStage::Rows } else { TroubleStage::Start };
    let summary = if asks {
        format!("rows would be lost, and the last version serves on: {}", error.message)
    } else {
        format!("the new version does not start: {}", error.message)
    };
    Trouble { stage, summary, text }
}
