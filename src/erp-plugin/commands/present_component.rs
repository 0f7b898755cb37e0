//! The component that a command works on: that of the present sources, or a named file.

use std::path::{Path, PathBuf};

use clap::Args;
use erp_check::{STALE_COMPONENT, check_component, check_folders};
use erp_component::{BuildInputs, ComponentOrigin};
use erp_manifest::diagnostics::{Diagnostic, Report};
use erp_manifest::digest::sha256_hex;
use erp_manifest::{Language, Manifest, document};
use erp_package::archive::manifest_entry;

use crate::build::{CargoConfig, PresentInputs, Profile, changes, folders_beside, source_changes, workspace_of};
use crate::command_error::{CommandError, codes};
use crate::commands::build::{build_and_write, component_without_code};
use crate::commands::open_project::OpenProject;
use crate::context::Context;
use crate::project::Project;

/// Which component is meant.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ComponentArgs {
    /// A component as it is, instead of the project's own
    #[arg(long, value_name = "FILE")]
    pub(crate) component: Option<PathBuf>,
    /// Refuse a component that is not of the present sources, instead of building it
    #[arg(long)]
    pub(crate) no_build: bool,
}

/// What a component is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A trial: a development build is enough.
    Trial,
    /// Shipping or measuring: the release build is needed.
    Ship,
}

/// A component that fits its manifest.
#[derive(Debug)]
pub(crate) struct PresentComponent {
    pub(crate) bytes: Vec<u8>,
    /// The findings of its check.
    pub(crate) report: Report,
    /// The inputs of its build; absent if it does not record them.
    pub(crate) inputs: Option<BuildInputs>,
}

/// A component in `dist`, and what changed since it was built.
#[derive(Debug)]
pub(crate) struct BuiltFile {
    pub(crate) file: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) inputs: Option<BuildInputs>,
    /// Inputs that changed; empty if it is that of the present sources.
    pub(crate) changes: Vec<String>,
}

impl BuiltFile {
    /// The finding that it is not that of the present sources.
    pub(crate) fn finding(&self, shown: &str) -> Diagnostic {
        let message = format!("{shown} is not made of the present sources: {}", in_words(&self.changes));
        Diagnostic::new(STALE_COMPONENT, message).help(match self.inputs.as_ref().map(|inputs| inputs.origin) {
            Some(ComponentOrigin::File) => {
                "it was made elsewhere: make it anew where it depends on what changed, then: erp-plugin build --component FILE"
            }
            Some(ComponentOrigin::Debug) => "erp-plugin build",
            _ => "erp-plugin build --release",
        })
    }
}

/// The first three changes, and the number of further ones.
fn in_words(changes: &[String]) -> String {
    const SHOWN: usize = 3;
    let first = changes.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let verb = if changes.len() == 1 && !changes[0].ends_with(')') { "changed" } else { "differ" };
    match changes {
        [only] if only.starts_with("it ") => only.clone(),
        [only] if only.ends_with(')') => only.clone(),
        _ if changes.len() > SHOWN => format!("{first} and {} more {verb}", changes.len() - SHOWN),
        _ => format!("{first} {verb}"),
    }
}

impl Context {
    /// Returns the component to work on, and builds it first if needed. Fails if it does not fit its manifest.
    pub(crate) fn present_component(
        &self,
        open: &OpenProject,
        args: &ComponentArgs,
        purpose: Purpose,
    ) -> Result<PresentComponent, CommandError> {
        let bytes = match &args.component {
            Some(file) => {
                let bytes = self.read(file)?;
                self.ui.status("Using", format!("{} as it is, sha256 {}", file.display(), sha256_hex(&bytes)));
                bytes
            }
            None => self.own_component(open, purpose, args.no_build)?,
        };
        let checked = check_component(&bytes, &open.manifest, Some(&open.project.source)).for_development();
        let mut report = checked.report;
        if !report.has_errors() {
            report.extend(self.check_nodes(&bytes, &open.manifest, &open.project.source)?);
        }
        if report.has_errors() {
            let message = "the component does not fit its manifest";
            return Err(CommandError::new(codes::UNUSABLE_COMPONENT, message).with_report(report));
        }
        Ok(PresentComponent { inputs: BuildInputs::of(&bytes), bytes, report })
    }

    /// Returns the release component of the present sources, and builds it first if needed. An existing one is not
    /// checked.
    pub(crate) fn release_component(&self, open: &OpenProject, no_build: bool) -> Result<Vec<u8>, CommandError> {
        self.own_component(open, Purpose::Ship, no_build)
    }

    fn own_component(&self, open: &OpenProject, purpose: Purpose, no_build: bool) -> Result<Vec<u8>, CommandError> {
        let ships = purpose == Purpose::Ship;
        let built = self.built_files(&open.project, &open.manifest);
        let is_given =
            |built: &BuiltFile| built.inputs.as_ref().is_some_and(|inputs| inputs.origin == ComponentOrigin::File);
        if *open.manifest.build.language == Language::NoCode && !built.iter().any(is_given) {
            return component_without_code(&open.manifest);
        }
        let release = open.project.component_file(&open.manifest);
        let mut candidates: Vec<BuiltFile> =
            built.into_iter().filter(|built| !ships || built.file == release).collect();
        if let Some(fresh) = candidates.iter().position(|built| built.changes.is_empty()) {
            return Ok(candidates.swap_remove(fresh).bytes);
        }
        // A component from elsewhere cannot be built here.
        let given = candidates.iter().find(|built| is_given(built));
        match given.or(candidates.first()) {
            Some(stale) if no_build || is_given(stale) => {
                let finding = stale.finding(&self.shown(&stale.file));
                let error = CommandError::new(STALE_COMPONENT, finding.message);
                Err(finding.help.into_iter().fold(error, CommandError::hint))
            }
            None if no_build => {
                let file = if ships { release } else { open.project.debug_component_file(&open.manifest) };
                let command = if ships { "erp-plugin build --release" } else { "erp-plugin build" };
                let message = format!("there is no component at {}", self.shown(&file));
                Err(CommandError::new(codes::NO_COMPONENT, message).hint(command))
            }
            stale => {
                if let Some(stale) = stale {
                    let why = in_words(&stale.changes);
                    self.ui.detail(format!("{} is stale: {why}", self.shown(&stale.file)));
                }
                build_and_write(self, open, if ships { Profile::Release } else { Profile::Dev })
            }
        }
    }

    /// Reports paths of this project's and this machine's folders in a component that ships.
    pub(crate) fn check_own_folders(&self, report: &mut Report, component: &[u8], project: &Project) {
        let root = canonical(&project.root);
        let beside = BuildInputs::of(component).map_or_else(Vec::new, |inputs| folders_beside(&root, &inputs));
        let workspace = workspace_of(&root);
        let environment = &self.environment;
        let others = [&environment.home, &environment.cargo_home].into_iter().flatten();
        let folders: Vec<&Path> =
            [&root, &workspace].into_iter().chain(&beside).chain(others).map(PathBuf::as_path).collect();
        check_folders(report, component, &folders);
    }

    /// The folders of crates outside the project that its built components use; empty if none was built.
    pub(crate) fn folders_beside(&self, project: &Project) -> Vec<PathBuf> {
        let Some(manifest) = project.manifest().0 else { return Vec::new() };
        let root = canonical(&project.root);
        let built = self.built_files(project, &manifest).into_iter().filter_map(|built| built.inputs);
        let mut folders: Vec<PathBuf> = built.flat_map(|inputs| folders_beside(&root, &inputs)).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// The components in `dist`: the one for development first, then the one that ships.
    pub(crate) fn built_files(&self, project: &Project, manifest: &Manifest) -> Vec<BuiltFile> {
        let files = [project.debug_component_file(manifest), project.component_file(manifest)];
        files.into_iter().filter_map(|file| self.built_file(project, manifest, file)).collect()
    }

    fn built_file(&self, project: &Project, manifest: &Manifest, file: PathBuf) -> Option<BuiltFile> {
        let bytes = fs_err::read(&file).ok()?;
        let inputs = BuildInputs::of(&bytes);
        let changes = match &inputs {
            Some(inputs) => self.changes_since(project, manifest, inputs),
            None => vec!["it does not say what it was made of".to_owned()],
        };
        Some(BuiltFile { file, bytes, inputs, changes })
    }

    /// Whether the compiled source is the same as when a component was built. The caller must check the manifest: its
    /// generated code, and what the component records of it.
    pub(crate) fn is_source_unchanged(&self, project: &Project, manifest: &Manifest, inputs: &BuildInputs) -> bool {
        let root = canonical(&project.root);
        let config = self.cargo_settings(manifest, &root);
        let settings = config.as_ref().map(CargoConfig::digest);
        let present = PresentInputs { root: &root, manifest: "", settings, tool: env!("CARGO_PKG_VERSION") };
        source_changes(inputs, present).is_empty()
    }

    /// The inputs that changed since a component was built.
    fn changes_since(&self, project: &Project, manifest: &Manifest, inputs: &BuildInputs) -> Vec<String> {
        let root = canonical(&project.root);
        let digest = manifest_digest(project);
        let config = self.cargo_settings(manifest, &root);
        let settings = config.as_ref().map(CargoConfig::digest);
        let present = PresentInputs { root: &root, manifest: &digest, settings, tool: env!("CARGO_PKG_VERSION") };
        let mut changes = changes(inputs, present);
        // Comes last, because asking the compiler takes as long as all other checks. Without a compiler, it counts as
        // unchanged.
        if changes.is_empty()
            && inputs.settings.is_some()
            && let Some(compiler) = &inputs.compiler
            && let Ok(toolchain) = self.toolchain(&project.root)
            && toolchain.rustc != *compiler
        {
            changes.push(format!("the compiler ({compiler} made it)"));
        }
        changes
    }

    /// cargo's configuration of a project; `None` if cargo does not build it.
    pub(crate) fn cargo_settings(&self, manifest: &Manifest, root: &Path) -> Option<CargoConfig> {
        (*manifest.build.language == Language::Rust).then(|| CargoConfig::read(root, &self.cargo_variables()))
    }
}

/// SHA-256 of the manifest in the form that packages contain. Comments and the order of keys do not change it.
pub(crate) fn manifest_digest(project: &Project) -> String {
    sha256_hex(&manifest_entry(&document::parse(&project.source).0.to_json()))
}

pub(crate) fn canonical(root: &Path) -> PathBuf {
    fs_err::canonicalize(root).unwrap_or_else(|_| root.to_path_buf())
}
