//! The thread that follows projects: it looks at their files, has them built, and brings what holds into place.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use serde_json::json;

use super::projects::{Candidate, Projects, Stage, Why};
use super::server::Shared;
use super::workshop::{Built, FollowedPlace, Trouble, TroubleStage};
use crate::build::Cancel;
use crate::digest::sha256_hex;
use crate::manifest::Language;
use crate::platform::ProjectVersion;
use crate::project::{Concern, Watch};

/// How often files are looked at. A manifest counts when two looks find it the same; a build of source that changes once
/// more is given up.
const PAUSE: Duration = Duration::from_millis(25);

/// What follows the projects.
#[derive(Debug)]
pub(super) struct Followers {
    list: Vec<Follower>,
    /// Hears when a build has ended.
    woken: Receiver<()>,
}

/// What follows one project.
#[derive(Debug)]
struct Follower {
    index: usize,
    place: FollowedPlace,
    watch: Watch,
    build: Option<Build>,
    /// Tells that a build has ended.
    wake: Sender<()>,
    /// False for a plugin without code; what cannot be read is built, and the build says why it cannot.
    has_code: bool,
    /// When the change was seen that is being worked on.
    since: Instant,
}

/// A build that runs.
#[derive(Debug)]
struct Build {
    done: Receiver<Result<Built, Trouble>>,
    started: Instant,
}

impl Followers {
    /// Brings every project to where its folder is, for the first time.
    pub(super) fn begin(shared: &Shared, projects: &Projects) -> Followers {
        let mut list = Vec::new();
        let (wake, woken) = channel();
        for (index, place) in projects.places().into_iter().enumerate() {
            let watch = Watch::new(&place.root);
            let (wake, since) = (wake.clone(), Instant::now());
            let mut follower = Follower { index, place, watch, build: None, wake, has_code: true, since };
            follower.refresh(shared, projects, Why::Start, None);
            list.push(follower);
        }
        Followers { list, woken }
    }

    /// Follows until the host stops.
    pub(super) fn follow(mut self, shared: &Weak<Shared>) {
        loop {
            // Senders live as long as the followers: this only waits.
            let _ = self.woken.recv_timeout(PAUSE);
            let Some(shared) = shared.upgrade() else { return };
            let Some(projects) = &shared.projects else { return };
            let mut has_started = false;
            for follower in &mut self.list {
                let before = projects.live(follower.index);
                follower.step(&shared, projects);
                has_started |= projects.live(follower.index) != before;
            }
            if has_started {
                // Those that waited for another plugin may start now.
                for follower in self.list.iter_mut().filter(|follower| projects.waits_for_others(follower.index)) {
                    follower.refresh(&shared, projects, Why::Start, None);
                }
            }
        }
    }
}

impl Follower {
    /// Looks at the project once.
    fn step(&mut self, shared: &Shared, projects: &Projects) {
        let concerns = self.watch.look_early();
        if !concerns.is_empty() {
            self.since = Instant::now();
        }
        if concerns.contains(&Concern::Manifest) {
            self.refresh(shared, projects, Why::Manifest, None);
        }
        if (projects.take_wanted(self.index) || concerns.contains(&Concern::Source)) && self.has_code {
            self.start_build(shared, projects);
        }
        if concerns.contains(&Concern::Tests) {
            shared.journal.tell("test", &json!({ "project": self.place.name, "state": "stale" }));
        }
        self.look_at_build(shared, projects);
    }

    /// Reads, checks and puts in place what the folder holds, or what was just built; starts a build where that is not
    /// enough.
    fn refresh(&mut self, shared: &Shared, projects: &Projects, why: Why, built: Option<Vec<u8>>) {
        let (index, workshop) = (self.index, &projects.workshop);
        projects.enter(shared, index, Stage::Checking);
        let read = workshop.read(&self.place);
        self.has_code = read.as_ref().map_or(true, |project| *project.manifest.build.language != Language::NoCode);
        let project = match read {
            Ok(project) => project,
            Err(trouble) => return projects.fail(shared, index, trouble),
        };
        projects.note_read(shared, index, &project);
        let needs_build = built.is_none() && workshop.needs_build(&self.place, &project);
        let is_new = built.is_some();
        let component = match built.map_or_else(|| workshop.component(&self.place, &project), |built| Ok(Some(built))) {
            Ok(Some(component)) => component,
            Ok(None) | Err(_) if needs_build => return self.start_build(shared, projects),
            Ok(None) => {
                let summary = "there is no component, although it was built".to_owned();
                let trouble = Trouble { stage: TroubleStage::Component, text: summary.clone(), summary };
                return projects.fail(shared, index, trouble);
            }
            Err(trouble) => return projects.fail(shared, index, trouble),
        };
        let component_sha256 = sha256_hex(&component);
        let serves = if projects.serves_already(shared, index, &project, &component_sha256) {
            true
        } else {
            let runtime = shared.platform().runtime();
            let loaded = match workshop.fit(&self.place, &project, &component, &runtime) {
                Ok(loaded) => loaded,
                // What is old may well not fit: the build will say.
                Err(_) if needs_build => return self.start_build(shared, projects),
                Err(trouble) => return projects.fail(shared, index, trouble),
            };
            let version = ProjectVersion { loaded, json: project.json.clone(), files: project.files.clone() };
            projects.put_in_place(shared, index, Candidate { version, component_sha256, why, since: self.since })
        };
        // It fits, whether or not it starts. Whoever waits for it does not wait for the disk: killed here, the next
        // start builds again what is older than its source.
        if is_new && let Err(trouble) = workshop.keep(&self.place, &project, &component) {
            shared.say(&format!("{}: {}", self.place.name, trouble.summary));
        }
        if serves && needs_build {
            self.start_build(shared, projects);
        }
    }

    fn start_build(&mut self, shared: &Shared, projects: &Projects) {
        let cancel = Cancel::new();
        let (tell, done) = channel();
        if let Some(before) = projects.set_build(self.index, Some(cancel.clone())) {
            before.cancel();
        }
        shared.journal.tell("build", &json!({ "project": self.place.name, "state": "started" }));
        let (workshop, place, wake) = (Arc::clone(&projects.workshop), self.place.clone(), self.wake.clone());
        std::thread::spawn(move || {
            // Nobody waits any more where the host stops, or where the source changed again.
            let _ = tell.send(workshop.build(&place, &cancel));
            let _ = wake.send(());
        });
        self.build = Some(Build { done, started: Instant::now() });
        projects.enter(shared, self.index, Stage::Building);
    }

    fn look_at_build(&mut self, shared: &Shared, projects: &Projects) {
        let Some(build) = &self.build else { return };
        let done = match build.done.try_recv() {
            Err(TryRecvError::Empty) => return,
            Ok(done) => done,
            Err(TryRecvError::Disconnected) => {
                let summary = "the build was lost; save again".to_owned();
                Err(Trouble { stage: TroubleStage::Build, text: summary.clone(), summary })
            }
        };
        let milliseconds = u64::try_from(build.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.build = None;
        projects.set_build(self.index, None);
        let (state, text) = match &done {
            Ok(built) => ("done", &built.text),
            Err(trouble) => ("failed", &trouble.text),
        };
        let told = json!({ "project": self.place.name, "state": state, "milliseconds": milliseconds, "text": text });
        shared.journal.tell("build", &told);
        match done {
            Ok(built) => self.refresh(shared, projects, Why::Build, Some(built.component)),
            Err(trouble) => projects.fail(shared, self.index, trouble),
        }
    }
}
