//! How the dev host reads, builds and tests projects: with the same rooms as `check`, `build` and `test`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::check::{ONLY_FOR_WHAT_SHIPS, Subject, check_component, check_manifest, check_nodes, weigh};
use crate::commands::build::component_without_code;
use crate::commands::generate::{stale, world_of};
use crate::dev_host::{Cancel, FollowedPlace, ReadProject, Trouble, TroubleStage, Workshop};
use crate::diagnostics::{Diagnostic, HumanStyle, Report, codes, human};
use crate::document;
use crate::generate::generated_files;
use crate::host::{RecordedCall, Runtime};
use crate::manifest::{Language, Manifest};
use crate::platform::{PluginFiles, ProjectVersion};
use crate::project::{FileError, Project, Watch, package_files};
use crate::scenario::from_recording;

/// Columns of what is shown of findings.
const WIDTH: usize = 100;
/// How often a build is asked whether it is done.
const PAUSE: Duration = Duration::from_millis(5);

/// The projects of a dev host.
#[derive(Debug)]
pub(super) struct ProjectWorkshop {
    places: Vec<FollowedPlace>,
    /// This program: builds and tests run in processes of their own, which can be ended.
    program: PathBuf,
    /// What these are told beside their manifest.
    arguments: Vec<String>,
    cache: Option<PathBuf>,
}

impl ProjectWorkshop {
    pub(super) fn new(
        places: Vec<FollowedPlace>,
        program: PathBuf,
        arguments: Vec<String>,
        cache: Option<PathBuf>,
    ) -> ProjectWorkshop {
        ProjectWorkshop { places, program, arguments, cache }
    }

    /// This program, for a project.
    fn process(&self, command: &str, manifest_file: &Path) -> Process {
        let mut process = Process::new(&self.program);
        process
            .arg(command)
            .args(&self.arguments)
            .arg("--manifest-path")
            .arg(manifest_file)
            .env_remove("ERP_PLUGIN_WORKSPACE")
            .env_remove("ERP_PLUGIN_PACKAGE")
            .stdin(Stdio::null());
        process
    }
}

impl Workshop for ProjectWorkshop {
    fn places(&self) -> Vec<FollowedPlace> {
        self.places.clone()
    }

    fn read(&self, place: &FollowedPlace) -> Result<ReadProject, Trouble> {
        let trouble = |summary: String, text: String| Trouble { stage: TroubleStage::Manifest, summary, text };
        let project = open(place).map_err(|why| trouble(why.clone(), why))?;
        let (manifest, mut report) = project.manifest();
        let manifest = manifest.map(|mut manifest| {
            for unreadable in manifest.read_fixture_files(&|path| project.file(path)) {
                let finding = Diagnostic::new(codes::BAD_FIXTURE, unreadable.as_str()).in_source(&project.source);
                report.push(finding.at(unreadable.span(), "these rows"));
            }
            let subject = Subject { manifest: &manifest, source: &project.source, file: &|path| project.file(path) };
            report.extend(check_manifest(&subject));
            weigh(&mut report, &manifest.check);
            manifest
        });
        let manifest = match manifest {
            Some(manifest) if !report.has_errors() => manifest,
            _ => return Err(trouble(format!("the manifest has errors: {}", report.summary()), shown(&report))),
        };
        let files = files_of(&project, &manifest).map_err(|why| trouble("files cannot be packed".to_owned(), why))?;
        let json = document::parse(&project.source).0.to_json();
        Ok(ReadProject { manifest: Arc::new(manifest), json, files, remarks: shown(&report) })
    }

    fn component(&self, place: &FollowedPlace, read: &ReadProject) -> Result<Option<Vec<u8>>, Trouble> {
        let manifest = &read.manifest;
        let trouble = |summary: String, text: String| Trouble { stage: TroubleStage::Component, summary, text };
        let project = open(place).map_err(|why| trouble(why.clone(), why))?;
        let bytes = if *manifest.build.language == Language::NoCode {
            component_without_code(manifest).map_err(|error| trouble(error.message.clone(), error.message))?
        } else {
            match fs_err::read(project.component_file(manifest)) {
                Ok(bytes) => bytes,
                Err(_) => return Ok(None),
            }
        };
        let mut report = check_component(&bytes, manifest, Some(&project.source)).report;
        report.retain(|finding| !ONLY_FOR_WHAT_SHIPS.contains(&finding.code));
        if !report.has_errors() && !manifest.nodes.is_empty() {
            let asked = Runtime::new(self.cache.clone()).and_then(|runtime| {
                let loaded = runtime.load(&bytes, Arc::clone(manifest))?;
                runtime.node_definitions(&loaded)
            });
            let definitions = asked.map_err(|error| trouble(error.to_string(), error.to_string()))?;
            report.extend(check_nodes(manifest, &definitions, Some(&project.source)));
        }
        if report.has_errors() {
            let summary = format!("the component does not fit its manifest: {}", report.summary());
            return Err(trouble(summary, shown(&report)));
        }
        Ok(Some(bytes))
    }

    fn needs_build(&self, place: &FollowedPlace, read: &ReadProject) -> bool {
        let manifest = &read.manifest;
        if *manifest.build.language == Language::NoCode {
            return false;
        }
        let Ok(project) = open(place) else { return true };
        let generated = world_of(manifest).ok().and_then(|world| generated_files(manifest, &world).ok());
        if generated.is_none_or(|wanted| manifest.link.is_empty() && !stale(&project, &wanted).is_empty()) {
            return true;
        }
        let built = fs_err::metadata(project.component_file(manifest)).and_then(|metadata| metadata.modified()).ok();
        match (built, Watch::new(&place.root).source_time()) {
            (Some(built), Some(source)) => source > built,
            (None, _) => true,
            (_, None) => false,
        }
    }

    fn build(&self, place: &FollowedPlace, cancel: &Cancel) -> Result<String, Trouble> {
        let trouble =
            |summary: &str, text: String| Trouble { stage: TroubleStage::Build, summary: summary.to_owned(), text };
        let mut process = self.process("build", &place.manifest_file);
        process.stdout(Stdio::null()).stderr(Stdio::piped());
        // The compiler is a grandchild: the whole group ends with a build that nobody waits for.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut process, 0);
        let mut child = process.spawn().map_err(|error| trouble("the build cannot be started", error.to_string()))?;
        let stderr = child.stderr.take();
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            // What could be read of it is shown.
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if cancel.is_cancelled() => {
                    end(&mut child);
                    return Err(trouble("the build was given up: the source changed again", String::new()));
                }
                Ok(None) => std::thread::sleep(PAUSE),
                Err(error) => return Err(trouble("the build was lost", error.to_string())),
            }
        };
        let text = reader.join().unwrap_or_default();
        if status.success() {
            Ok(text)
        } else {
            Err(trouble("it does not build; the last good version serves on", text))
        }
    }

    fn scenario(&self, manifest: &Manifest, name: &str, calls: &[RecordedCall]) -> String {
        from_recording(name, manifest, calls)
    }

    fn test(&self, manifest_file: &Path) -> Value {
        let failed = |why: String| json!({ "ok": false, "error": { "code": "test", "message": why } });
        let ran = self.process("test", manifest_file).args(["--format", "json"]).stderr(Stdio::null()).output();
        match ran {
            Ok(output) => serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| failed(format!("the tests gave no result: {error}"))),
            Err(error) => failed(error.to_string()),
        }
    }
}

/// The project of a place; findings name its files from its own folder.
fn open(place: &FollowedPlace) -> Result<Project, String> {
    Project::open(&place.manifest_file, &place.root).map_err(|error| error.to_string())
}

/// What users of the plugin see of its files: those that would be packed.
fn files_of(project: &Project, manifest: &Manifest) -> Result<PluginFiles, String> {
    let entries = package_files(project, manifest, &[]).map_err(|error| match error {
        FileError::Refused(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        other => other.to_string(),
    })?;
    let shown = entries.into_iter().filter(|entry| ProjectVersion::shows(manifest, &entry.name));
    Ok(Arc::new(shown.map(|entry| (entry.name, entry.bytes)).collect::<BTreeMap<_, _>>()))
}

/// Findings as a terminal without colours shows them.
fn shown(report: &Report) -> String {
    let style = HumanStyle { width: WIDTH, color: false };
    report.diagnostics().iter().map(|finding| human(finding, style) + "\n").collect()
}

/// Ends a process with all that it started.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Where it has ended by itself meanwhile, there is nothing to end.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
    }
    let _ = child.kill();
    let _ = child.wait();
}
