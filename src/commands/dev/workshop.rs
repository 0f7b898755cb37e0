//! How the dev host reads, builds and tests projects: with the same rooms as `check`, `build` and `test`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::build::Cancel;
use crate::check::{Subject, check_component, check_manifest, check_nodes, weigh};
use crate::commands::build::{component_for_development, component_without_code, keep};
use crate::commands::generate::{stale, world_of};
use crate::context::Context;
use crate::dev_host::{Built, FollowedPlace, ReadProject, Trouble, TroubleStage, Workshop};
use crate::diagnostics::{Diagnostic, HumanStyle, Report, codes, human};
use crate::document;
use crate::generate::generated_files;
use crate::host::{LoadedPlugin, RecordedCall, Runtime};
use crate::manifest::{Language, Manifest};
use crate::platform::{PluginFiles, ProjectVersion};
use crate::project::{FileError, Project, Watch, package_files};
use crate::scenario::from_recording;

/// Columns of what is shown of findings.
const WIDTH: usize = 100;

/// The projects of a dev host.
#[derive(Debug)]
pub(super) struct ProjectWorkshop {
    places: Vec<FollowedPlace>,
    /// This program: tests run in a process of their own.
    program: PathBuf,
    /// What the dev host itself was told.
    context: Context,
}

impl ProjectWorkshop {
    pub(super) fn new(places: Vec<FollowedPlace>, program: PathBuf, context: &Context) -> ProjectWorkshop {
        ProjectWorkshop { places, program, context: context.clone() }
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
        if *manifest.build.language == Language::NoCode {
            return component_without_code(manifest).map(Some).map_err(|error| component_trouble(error.message));
        }
        let project = open(place).map_err(component_trouble)?;
        Ok(fs_err::read(project.component_file(manifest)).ok())
    }

    fn fit(
        &self,
        place: &FollowedPlace,
        read: &ReadProject,
        component: &[u8],
        runtime: &Runtime,
    ) -> Result<LoadedPlugin, Trouble> {
        let manifest = &read.manifest;
        let project = open(place).map_err(component_trouble)?;
        let (mut report, loaded) = std::thread::scope(|scope| {
            let loading = scope.spawn(|| runtime.load(component, Arc::clone(manifest)));
            let checked = check_component(component, manifest, Some(&project.source)).for_development();
            (checked.report, loading.join())
        });
        weigh(&mut report, &manifest.check);
        if report.has_errors() {
            return Err(misfit(&report));
        }
        let loaded = loaded.map_err(|_| component_trouble("compiling the component failed; save again".to_owned()))?;
        let loaded = loaded.map_err(|error| component_trouble(error.to_string()))?;
        if !manifest.nodes.is_empty() {
            let definitions =
                runtime.node_definitions(&loaded).map_err(|error| component_trouble(error.to_string()))?;
            let report = check_nodes(manifest, &definitions, Some(&project.source));
            if report.has_errors() {
                return Err(misfit(&report));
            }
        }
        Ok(loaded)
    }

    fn keep(&self, place: &FollowedPlace, read: &ReadProject, component: &[u8]) -> Result<(), Trouble> {
        let project = open(place).map_err(component_trouble)?;
        keep(&project, &read.manifest, component).map_err(|error| component_trouble(error.to_string()))
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

    fn build(&self, place: &FollowedPlace, cancel: &Cancel) -> Result<Built, Trouble> {
        let context = self.context.beside(&place.manifest_file, cancel.clone());
        let component = context.open_project().and_then(|open| component_for_development(&context, &open));
        component.map(|component| Built { component, text: context.ui.take_kept() }).map_err(|error| {
            context.forget_toolchain();
            error.tell(&context.ui);
            let summary = "it does not build; the last good version serves on".to_owned();
            Trouble { stage: TroubleStage::Build, summary, text: context.ui.take_kept() }
        })
    }

    fn scenario(&self, manifest: &Manifest, name: &str, calls: &[RecordedCall]) -> String {
        from_recording(name, manifest, calls)
    }

    fn test(&self, manifest_file: &Path) -> Value {
        let failed = |why: String| json!({ "ok": false, "error": { "code": "test", "message": why } });
        let mut process = Process::new(&self.program);
        process.args(["test", "--format", "json"]).arg("--manifest-path").arg(manifest_file);
        if self.context.offline {
            process.arg("--offline");
        }
        process.env_remove("ERP_PLUGIN_WORKSPACE").env_remove("ERP_PLUGIN_PACKAGE");
        let ran = process.stdin(Stdio::null()).stderr(Stdio::null()).output();
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

/// The component cannot be used.
fn component_trouble(why: String) -> Trouble {
    Trouble { stage: TroubleStage::Component, summary: why.clone(), text: why }
}

/// The component does not fit its manifest.
fn misfit(report: &Report) -> Trouble {
    let summary = format!("the component does not fit its manifest: {}", report.summary());
    Trouble { stage: TroubleStage::Component, summary, text: shown(report) }
}
