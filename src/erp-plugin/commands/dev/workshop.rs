//! How the dev host reads, builds and tests projects: with the code of `check`, `build` and `test`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use erp_check::{
    BAD_FIXTURE, CheckSubject, PLATFORM_TOO_OLD, apply_severities, check_component, check_manifest, check_nodes,
    without_consequential,
};
use erp_component::{BuildInputs, ComponentOrigin};
use erp_manifest::diagnostics::{Diagnostic, Report};
use erp_manifest::exit_code::ExitCode;
use erp_manifest::{Language, Manifest, document};
use erp_platform::{PluginFiles, ProjectVersion};
use erp_runtime::{RecordedCall, Runtime};
use serde_json::{Value, json};

use crate::build::{Cancel, folders_beside};
use crate::commands::build::{component_for_development, component_without_code, keep};
use crate::commands::generate::{stale, world_of};
use crate::commands::present_component::{BuiltFile, canonical};
use crate::context::Context;
use crate::dev_host::{
    CheckedProject, FailureStage, FittingComponent, ProjectBuild, ProjectFailure, ProjectPlace, ProjectTools,
};
use crate::generate::generated_files;
use crate::project::{FileError, Project, package_files};
use crate::scenario::from_recording;
use crate::settings::this_program;
use crate::ui::{BUFFERED_WIDTH, HumanStyle, human};

/// The projects of a dev host.
#[derive(Debug)]
pub(super) struct LocalProjectTools {
    places: Vec<ProjectPlace>,
    /// The path of this program, which runs the tests in a child process.
    program: PathBuf,
    /// The context of the `dev` command.
    context: Context,
    /// Whether the platform's version is set by a flag. The platform then reports plugins that need a newer one.
    has_platform_version: bool,
}

impl LocalProjectTools {
    pub(super) fn new(
        places: Vec<ProjectPlace>,
        program: PathBuf,
        context: &Context,
        has_platform_version: bool,
    ) -> LocalProjectTools {
        LocalProjectTools { places, program, context: context.clone(), has_platform_version }
    }
}

impl LocalProjectTools {
    /// Whether a component was built from the present source, for the plugin's present id and version. Labels and
    /// columns do not matter: the compiled part of the manifest is in the generated code.
    fn is_present(&self, read: &CheckedProject, built: &BuiltFile) -> bool {
        let Some(inputs) = &built.inputs else { return false };
        let metadata = &read.manifest.metadata;
        let said = erp_component::description(&built.bytes);
        let is_named = (said.name.as_deref(), said.version.as_deref())
            == (Some(metadata.id.as_str()), Some(metadata.version.as_str()));
        is_named && self.context.is_source_unchanged(&read.project, &read.manifest, inputs)
    }

    /// Whether `dist` holds a component from elsewhere, and no development build.
    fn has_given_component(&self, read: &CheckedProject) -> bool {
        let built = self.context.built_files(&read.project, &read.manifest);
        let given =
            |built: &BuiltFile| built.inputs.as_ref().map(|inputs| inputs.origin) == Some(ComponentOrigin::File);
        built.first().is_some_and(given)
    }
}

impl ProjectTools for LocalProjectTools {
    fn places(&self) -> Vec<ProjectPlace> {
        self.places.clone()
    }

    fn read(&self, place: &ProjectPlace) -> Result<CheckedProject, ProjectFailure> {
        let trouble = |summary: String, text: String| ProjectFailure { stage: FailureStage::Manifest, summary, text };
        let project = open(place).map_err(|why| trouble(why.clone(), why))?;
        let (manifest, mut report) = project.manifest();
        let manifest = manifest.map(|mut manifest| {
            for unreadable in manifest.read_fixture_files(&|path| project.file(path)) {
                let finding = Diagnostic::new(BAD_FIXTURE, unreadable.as_str()).in_source(&project.source);
                report.push(finding.at(unreadable.span(), "these rows"));
            }
            let subject =
                CheckSubject { manifest: &manifest, source: &project.source, file: &|path| project.file(path) };
            let found = without_consequential(check_manifest(&subject), &report, &project.source);
            report.extend(found);
            report.retain(|finding| !(self.has_platform_version && finding.code == PLATFORM_TOO_OLD));
            apply_severities(&mut report, &manifest.check);
            manifest
        });
        let manifest = match manifest {
            Some(manifest) if !report.has_errors() => manifest,
            _ => return Err(trouble(format!("the manifest has errors: {}", report.summary()), shown(&report))),
        };
        let files = files_of(&project, &manifest).map_err(|why| trouble("files cannot be packed".to_owned(), why))?;
        let json = document::parse(&project.source).0.to_json();
        Ok(CheckedProject { project, manifest: Arc::new(manifest), json, files, remarks: shown(&report) })
    }

    fn component(&self, read: &CheckedProject) -> Result<Option<Vec<u8>>, ProjectFailure> {
        let manifest = &read.manifest;
        if *manifest.build.language == Language::NoCode && !self.has_given_component(read) {
            return component_without_code(manifest).map(Some).map_err(|error| component_trouble(error.message));
        }
        let mut built = self.context.built_files(&read.project, manifest);
        let present = built.iter().position(|built| self.is_present(read, built));
        Ok(if built.is_empty() { None } else { Some(built.swap_remove(present.unwrap_or(0)).bytes) })
    }

    fn fit(
        &self,
        read: &CheckedProject,
        component: &[u8],
        runtime: &Runtime,
    ) -> Result<FittingComponent, ProjectFailure> {
        let (manifest, source) = (&read.manifest, &read.project.source);
        let (mut report, loaded) = std::thread::scope(|scope| {
            let loading = scope.spawn(|| runtime.load(component, Arc::clone(manifest)));
            let checked = check_component(component, manifest, Some(source)).for_development();
            (checked.report, loading.join())
        });
        let loaded = match loaded {
            _ if report.has_errors() => return Err(expected_instead_of(&report)),
            Err(_) => return Err(component_trouble("compiling the component failed; save again".to_owned())),
            Ok(Err(error)) => return Err(component_trouble(error.to_string())),
            Ok(Ok(loaded)) => loaded,
        };
        if !manifest.nodes.is_empty() {
            let definitions =
                runtime.node_definitions(&loaded).map_err(|error| component_trouble(error.to_string()))?;
            report.extend(check_nodes(manifest, &definitions, Some(source)));
        }
        apply_severities(&mut report, &manifest.check);
        if report.has_errors() {
            Err(expected_instead_of(&report))
        } else {
            Ok(FittingComponent { loaded, remarks: shown(&report) })
        }
    }

    fn keep(&self, read: &CheckedProject, component: &[u8]) -> Result<(), ProjectFailure> {
        keep(&read.project, &read.manifest, component, ComponentOrigin::Debug)
            .map(|_| ())
            .map_err(|error| component_trouble(error.to_string()))
    }

    fn folders_beside(&self, read: &CheckedProject, component: &[u8]) -> Vec<PathBuf> {
        let inputs = BuildInputs::of(component);
        inputs.map_or_else(Vec::new, |inputs| folders_beside(&canonical(&read.project.root), &inputs))
    }

    fn needs_build(&self, read: &CheckedProject) -> bool {
        let (project, manifest) = (&read.project, &read.manifest);
        if *manifest.build.language == Language::NoCode || self.has_given_component(read) {
            return false;
        }
        let generated = world_of(manifest).ok().and_then(|world| generated_files(manifest, &world).ok());
        if generated.is_none_or(|wanted| manifest.link.is_empty() && !stale(project, &wanted).is_empty()) {
            return true;
        }
        !self.context.built_files(project, manifest).iter().any(|built| self.is_present(read, built))
    }

    fn build(&self, place: &ProjectPlace, cancel: &Cancel) -> Result<ProjectBuild, ProjectFailure> {
        let context = self.context.beside(&place.manifest_file, cancel.clone());
        match context.open_project().and_then(|open| component_for_development(&context, &open)) {
            Ok(component) => Ok(ProjectBuild { component, text: context.ui.take_output() }),
            Err(error) => {
                error.report_to(&context.ui);
                let (summary, text) =
                    ("it does not build; the last good version serves on".to_owned(), context.ui.take_output());
                if error.exit_code == ExitCode::CargoBuild {
                    // Finds the toolchain in the background, so that the next build need not wait for it.
                    let root = place.root.clone();
                    std::thread::spawn(move || context.toolchain(&root).is_ok());
                }
                Err(ProjectFailure { stage: FailureStage::Build, summary, text })
            }
        }
    }

    fn scenario(&self, manifest: &Manifest, name: &str, calls: &[RecordedCall]) -> String {
        from_recording(name, manifest, calls)
    }

    fn test(&self, manifest_file: &Path) -> Value {
        let failed = |why: String| json!({ "ok": false, "error": { "code": "test", "message": why } });
        let mut process = this_program(&self.program);
        process.args(["test", "--format", "json"]).arg("--manifest-path").arg(manifest_file);
        if self.context.offline {
            process.arg("--offline");
        }
        let ran = process.stdin(Stdio::null()).stderr(Stdio::null()).output();
        match ran {
            Ok(output) => serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| failed(format!("the tests gave no result: {error}"))),
            Err(error) => failed(error.to_string()),
        }
    }
}

/// Opens the project of a place. Findings name its files relative to its folder.
fn open(place: &ProjectPlace) -> Result<Project, String> {
    Project::open(&place.manifest_file, &place.root).map_err(|error| error.to_string())
}

/// The files that users of the plugin see: a part of those that would be packed.
fn files_of(project: &Project, manifest: &Manifest) -> Result<PluginFiles, String> {
    let entries = package_files(project, manifest, &[]).map_err(|error| match error {
        FileError::Refused(problems) => problems.iter().map(|problem| format!("{problem}\n")).collect(),
        other => other.to_string(),
    })?;
    let shown = entries.into_iter().filter(|entry| ProjectVersion::shows(manifest, &entry.name));
    Ok(Arc::new(shown.map(|entry| (entry.name, entry.bytes)).collect::<BTreeMap<_, _>>()))
}

/// Renders findings as text without colours.
fn shown(report: &Report) -> String {
    let style = HumanStyle { width: BUFFERED_WIDTH, color: false };
    report.diagnostics().iter().map(|finding| human(finding, style) + "\n").collect()
}

/// The trouble of a component that cannot be used.
fn component_trouble(why: String) -> ProjectFailure {
    ProjectFailure { stage: FailureStage::Component, summary: why.clone(), text: why }
}

/// The trouble of a component that does not fit its manifest.
fn expected_instead_of(report: &Report) -> ProjectFailure {
    let summary = format!("the component does not fit its manifest: {}", report.summary());
    ProjectFailure { stage: FailureStage::Component, summary, text: shown(report) }
}
