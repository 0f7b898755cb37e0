//! Followed projects: they are read, built, checked and put in place while the host serves.
//!
//! Each project goes through these stages independently:
//!
//! ```text
//! live ── a file changes ──▶ checking ──▶ swapping ──▶ live (the next generation)
//!   ▲           └─ source ──▶ building ──▶┘   │
//!   └──────── failed: the last good one serves on ◀──┘ · asks: rows would be lost
//! ```
//!
//! A change of the manifest alone needs no build. Components are compiled and checked beside the platform. Only the
//! swap takes the platform's lock, so that a running call ends on the generation that it began with.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use erp_manifest::Moment;
use erp_manifest::codes::errors;
use erp_platform::{PlatformError, ProjectVersion, VersionRule};
use erp_runtime::{LoadedPlugin, Runtime, RuntimeError};
use serde::Serialize;
use serde_json::{Value, json};

use super::shared::Shared;
use super::workshop::{CheckedProject, FailureStage, ProjectFailure, ProjectPlace, ProjectTools};
use crate::build::Cancel;

/// The most generations that are kept, to go back to.
const KEPT: usize = 12;

/// The stage of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProjectStage {
    /// No generation has run yet.
    Waiting,
    /// A build runs.
    Building,
    /// Manifest and component are checked against the rules.
    Checking,
    /// The new generation replaces the old one.
    Swapping,
    /// The newest generation serves.
    Live,
    /// The newest version failed; the last good one keeps serving.
    Failed,
    /// Rows would be lost: the user must decide whether to accept that.
    Asks,
}

/// The cause of a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum GenerationCause {
    /// The host started.
    Start,
    /// The manifest changed, or a file that it names.
    Manifest,
    /// The source was built.
    Build,
    /// The user accepted the loss of rows.
    Reset,
}

/// A version of a project that serves or has served.
#[derive(Debug, Clone)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) version: ProjectVersion,
    component_sha256: String,
    /// SHA-256 of the component without its record of the sources: a changed comment makes no new generation.
    code_sha256: String,
    why: GenerationCause,
    at_ms: i64,
    /// The time from when the change was seen until the generation served.
    milliseconds: u64,
    /// False while its code is the one that was compiled fast.
    is_optimized: bool,
}

/// A version of a project that is about to serve.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) version: ProjectVersion,
    pub(super) component_sha256: String,
    pub(super) code_sha256: String,
    pub(super) why: GenerationCause,
    /// False for code that was compiled fast.
    pub(super) is_optimized: bool,
    /// When the change that caused it was seen.
    pub(super) since: Instant,
}

/// A followed project.
#[derive(Debug)]
pub(super) struct FollowedProject {
    place: ProjectPlace,
    plugin: Option<String>,
    stage: ProjectStage,
    trouble: Option<ProjectFailure>,
    remarks: String,
    generations: VecDeque<Generation>,
    live: Option<u64>,
    /// The version that waits until the user accepts the loss of rows.
    pending: Option<Candidate>,
    /// Cancels the running build; none if no build runs.
    build: Option<Cancel>,
}

/// All followed projects.
#[derive(Debug)]
pub(super) struct Projects {
    pub(super) workshop: Arc<dyn ProjectTools>,
    /// Loads components that were just built: it compiles them fast.
    pub(super) edits: Runtime,
    list: Mutex<Vec<FollowedProject>>,
    /// Plugins whose build was requested.
    wanted: Mutex<Vec<String>>,
    /// True once the host stops: no build may begin.
    is_ending: AtomicBool,
    /// Held while a version is put in place, so that the reported state is that of the platform.
    swapping: Mutex<()>,
}

impl Projects {
    pub(super) fn new(workshop: Arc<dyn ProjectTools>) -> Result<Projects, RuntimeError> {
        let places = workshop.places();
        let followed = places.into_iter().map(|place| FollowedProject {
            place,
            plugin: None,
            stage: ProjectStage::Waiting,
            trouble: None,
            remarks: String::new(),
            generations: VecDeque::new(),
            live: None,
            pending: None,
            build: None,
        });
        Ok(Projects {
            list: Mutex::new(followed.collect()),
            workshop,
            edits: Runtime::for_edits()?,
            wanted: Mutex::default(),
            is_ending: AtomicBool::new(false),
            swapping: Mutex::default(),
        })
    }

    fn list(&self) -> MutexGuard<'_, Vec<FollowedProject>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of the followed projects: ids of plugins, or folder names where the manifest could not be read.
    pub(super) fn names(&self) -> Vec<String> {
        self.list().iter().map(|followed| followed.place.name.clone()).collect()
    }

    /// The places of the projects.
    pub(super) fn places(&self) -> Vec<ProjectPlace> {
        self.list().iter().map(|followed| followed.place.clone()).collect()
    }

    fn index(&self, plugin: &str) -> Option<usize> {
        self.list().iter().position(|followed| followed.is_called(plugin))
    }

    /// The place of a plugin's project.
    pub(super) fn place(&self, plugin: &str) -> Option<ProjectPlace> {
        let index = self.index(plugin)?;
        Some(self.list()[index].place.clone())
    }

    /// The projects as JSON, as the console shows them.
    pub(super) fn to_json(&self) -> Value {
        self.list().iter().map(FollowedProject::to_json).collect()
    }

    /// A generation of a plugin by its number; none if it is not kept.
    pub(super) fn generation(&self, plugin: &str, number: u64) -> Option<Generation> {
        let index = self.index(plugin)?;
        self.list()[index].generations.iter().find(|generation| generation.number == number).cloned()
    }

    /// The number of the generation that serves.
    pub(super) fn live(&self, index: usize) -> Option<u64> {
        self.list()[index].live
    }

    /// Requests a build of a project although nothing changed.
    pub(super) fn want_build(&self, plugin: &str) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).push(plugin.to_owned());
    }

    /// Whether a build of a project was requested; removes the request.
    pub(super) fn take_wanted(&self, index: usize) -> bool {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let list = self.list();
        let asked = wanted.iter().position(|name| list[index].is_called(name));
        asked.map(|at| wanted.remove(at)).is_some()
    }

    /// Whether a project failed to start, perhaps because another plugin did not run yet.
    pub(super) fn waits_for_others(&self, index: usize) -> bool {
        let list = self.list();
        list[index].build.is_none()
            && list[index].trouble.as_ref().is_some_and(|trouble| trouble.stage == FailureStage::Start)
    }

    fn change(&self, shared: &Shared, index: usize, change: impl FnOnce(&mut FollowedProject)) {
        let shown = {
            let mut list = self.list();
            let Some(followed) = list.get_mut(index) else { return };
            change(followed);
            followed.to_json()
        };
        shared.journal.append("reload", &shown);
    }

    pub(super) fn enter(&self, shared: &Shared, index: usize, stage: ProjectStage) {
        self.change(shared, index, |followed| followed.stage = stage);
    }

    /// Notes the running build, or that none runs. Returns the handle that cancels the previous one.
    pub(super) fn set_build(&self, index: usize, build: Option<Cancel>) -> Option<Cancel> {
        let before = std::mem::replace(&mut self.list()[index].build, build.clone());
        if let Some(build) = build.filter(|_| self.is_ending.load(Ordering::SeqCst)) {
            build.cancel();
        }
        before
    }

    /// Cancels the running builds, and those that begin later: the host stops.
    pub(super) fn end_builds(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
        let running: Vec<Cancel> = self.list().iter().filter_map(|followed| followed.build.clone()).collect();
        running.iter().for_each(Cancel::cancel);
    }

    /// Notes the remarks of the check of a manifest.
    pub(super) fn note_read(&self, shared: &Shared, index: usize, project: &CheckedProject) {
        self.change(shared, index, |followed| followed.remarks.clone_from(&project.remarks));
    }

    pub(super) fn fail(&self, shared: &Shared, index: usize, trouble: ProjectFailure) {
        shared.say(&format!("{}: {}", self.list()[index].place.name, trouble.summary));
        shared.say(trouble.text.trim_end());
        self.change(shared, index, |followed| {
            followed.stage = ProjectStage::Failed;
            followed.trouble = Some(trouble);
        });
    }

    /// Whether the serving generation has the same component, manifest and files. If so, the project is live, and
    /// nothing is put in place.
    pub(super) fn serves_already(
        &self,
        shared: &Shared,
        index: usize,
        project: &CheckedProject,
        code_sha256: &str,
    ) -> bool {
        let is_same = {
            let list = self.list();
            let live = list[index].live;
            let generation = list[index].generations.iter().find(|generation| Some(generation.number) == live);
            generation.is_some_and(|generation| {
                generation.code_sha256 == code_sha256
                    && generation.version.json == project.json
                    && generation.version.files == project.files
            })
        };
        if is_same {
            self.change(shared, index, |followed| {
                followed.stage = ProjectStage::Live;
                (followed.trouble, followed.pending) = (None, None);
            });
        }
        is_same
    }

    /// Puts a version in place; true if it serves. Otherwise the last good one keeps serving, and the project's trouble
    /// holds the reason.
    pub(super) fn put_in_place(&self, shared: &Shared, index: usize, candidate: Candidate) -> bool {
        let _one = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        self.enter(shared, index, ProjectStage::Swapping);
        let id = candidate.version.loaded.manifest().metadata.id.to_string();
        let is_start = candidate.why == GenerationCause::Start;
        let before = self.list()[index].plugin.clone().filter(|before| *before != id);
        let swapped = shared.with_platform_exclusively(|platform| {
            if !is_start && platform.is_stopped(&id) {
                let message = format!("`{id}` was disabled or uninstalled here: enable it, and save again");
                return Err(PlatformError::new(errors::PLUGIN_INVALID_STATE, message));
            }
            if platform.manifest(&id).is_some() {
                platform.lifecycle().replace_version(&candidate.version, VersionRule::Free)?;
            } else {
                platform.lifecycle().run_version(&candidate.version)?;
            }
            // No project provides the plugin under its old id any more.
            before.map_or(Ok(()), |before| platform.lifecycle().disable(&before))
        });
        match swapped {
            Ok(()) => {
                self.now_serves(shared, index, &id, candidate);
                true
            }
            Err(error) => {
                self.fail(shared, index, trouble_of(&error));
                if error.code == errors::MIGRATION_ROWS_AT_STAKE {
                    self.change(shared, index, |followed| {
                        followed.stage = ProjectStage::Asks;
                        followed.pending = Some(candidate);
                    });
                }
                false
            }
        }
    }

    fn now_serves(&self, shared: &Shared, index: usize, id: &str, candidate: Candidate) {
        let Candidate { version, component_sha256, code_sha256, why, is_optimized, since } = candidate;
        let milliseconds = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let at_ms = Moment::of_system_clock().unix_ms;
        let mut number = 0;
        self.change(shared, index, |followed| {
            number = followed.generations.back().map_or(0, |generation| generation.number) + 1;
            followed.generations.push_back(Generation {
                number,
                version,
                component_sha256,
                code_sha256,
                why,
                at_ms,
                milliseconds,
                is_optimized,
            });
            if followed.generations.len() > KEPT {
                followed.generations.pop_front();
            }
            followed.plugin = Some(id.to_owned());
            followed.live = Some(number);
            followed.stage = ProjectStage::Live;
            (followed.trouble, followed.pending) = (None, None);
        });
        shared.say(&format!("{id}: generation {number} serves after {milliseconds} ms"));
    }

    /// Replaces the code of a generation by the same component compiled with optimizations.
    pub(super) fn exchange(&self, shared: &Shared, loaded: &LoadedPlugin) {
        for followed in self.list().iter_mut() {
            for generation in &mut followed.generations {
                if Arc::ptr_eq(generation.version.loaded.manifest(), loaded.manifest()) {
                    generation.version.loaded = loaded.clone();
                    generation.is_optimized = true;
                }
            }
        }
        shared.with_platform(|platform| platform.lifecycle().exchange_code(loaded));
    }

    /// Deletes the plugin's rows, and puts the pending version in place. If a rehearsal shows that the version does not
    /// start without them either, the rows stay.
    pub(super) fn accept_loss(&self, shared: &Shared, plugin: &str) -> Result<(), PlatformError> {
        let nothing =
            || PlatformError::new(errors::DEV_NOTHING_ASKED, format!("nothing of `{plugin}` waits for an answer"));
        let index = self.index(plugin).ok_or_else(nothing)?;
        let candidate = self.list()[index].pending.clone().ok_or_else(nothing)?;
        shared.platform().lifecycle().rehearse(&candidate.version)?;
        shared.with_platform_exclusively(|platform| platform.lifecycle().reset(plugin))?;
        let candidate = Candidate { why: GenerationCause::Reset, since: Instant::now(), ..candidate };
        if self.put_in_place(shared, index, candidate) { Ok(()) } else { Err(self.refusal(index)) }
    }

    /// Switches to a kept generation. The trouble of the folder's own state stays reported.
    pub(super) fn activate(&self, shared: &Shared, plugin: &str, number: u64) -> Result<(), PlatformError> {
        let generation = self.generation(plugin, number).ok_or_else(|| no_generation(plugin, number))?;
        let index = self.index(plugin).ok_or_else(|| no_generation(plugin, number))?;
        let _one = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        shared.with_platform_exclusively(|platform| {
            platform.lifecycle().replace_version(&generation.version, VersionRule::Free)
        })?;
        self.change(shared, index, |followed| followed.live = Some(number));
        shared.say(&format!("{plugin}: generation {number} serves again"));
        Ok(())
    }

    fn refusal(&self, index: usize) -> PlatformError {
        let why = self.list()[index].trouble.as_ref().map_or_else(String::new, |trouble| trouble.summary.clone());
        PlatformError::new(errors::DEV_GENERATION, why)
    }
}

impl FollowedProject {
    fn is_called(&self, name: &str) -> bool {
        self.plugin.as_deref().unwrap_or(&self.place.name) == name
    }

    fn to_json(&self) -> Value {
        let generations = self.generations.iter().rev().map(|generation| {
            json!({
                "number": generation.number, "why": generation.why, "at_ms": generation.at_ms,
                "milliseconds": generation.milliseconds, "component_sha256": generation.component_sha256,
                "optimized": generation.is_optimized,
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
    PlatformError::new(errors::DEV_NO_GENERATION, format!("`{plugin}` has no generation {number} any more"))
}

/// The trouble of a version that the platform refused.
fn trouble_of(error: &PlatformError) -> ProjectFailure {
    let asks = error.code == errors::MIGRATION_ROWS_AT_STAKE;
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
    let stage = if asks { FailureStage::Rows } else { FailureStage::Start };
    let summary = if asks {
        format!("rows would be lost, and the last version serves on: {}", error.message)
    } else {
        format!("the new version does not start: {}", error.message)
    };
    ProjectFailure { stage, summary, text }
}
