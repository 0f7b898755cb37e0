//! Builds a project's component: runs the compiler, and links, describes and strips its output.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use erp_check::SEVERAL_MODULES;
use erp_component::{BuildInputs, ComponentOrigin, Description, describe, strip_component};
use erp_files::{FileAccess, WriteError};
use erp_manifest::contract::World;
use erp_manifest::diagnostics::{Diagnostic, Spanned};
use erp_manifest::{Language, Manifest};

use super::parts::{LinkedParts, parts, parts_without_links};
use crate::build::{
    BuildOptions, CargoProject, CompiledCrate, ForeignBuild, MessageTarget, Profile, SourceRevision, Toolchain,
    compile, compile_python, compile_typescript, script_files, workspace_of,
};
use crate::command_error::{CommandError, codes};
use crate::commands::generate::{in_short, world_of, write_generated};
use crate::commands::open_project::OpenProject;
use crate::commands::present_component::{canonical, manifest_digest};
use crate::context::Context;
use crate::generate::{WIT_FILE, needed_crates};
use crate::link::{LinkError, PartConnection, compose, idle_guest, link};
use crate::project::Project;

/// How to build a component.
#[derive(Debug)]
pub(super) struct BuildPlan {
    /// The build profile: development, release, or a named one of cargo.
    pub(super) profile: Profile,
    /// cargo's `--target-dir`; its default if absent.
    pub(super) target_dir: Option<PathBuf>,
    /// Whether `Cargo.lock` must not change.
    pub(super) locked: bool,
    /// A finished component to use instead of building one.
    pub(super) component: Option<PathBuf>,
}

/// A component, and how it was built.
#[derive(Debug)]
pub(super) struct BuiltComponent {
    pub(super) finished: FinishedBuild,
    pub(super) inputs: BuildInputs,
    /// cargo's description of the project; absent unless cargo built a component that ships.
    pub(super) cargo: Option<CargoProject>,
}

impl BuildPlan {
    /// The origin of the component. It decides whether the budget, the bill of materials and the provenance apply.
    pub(super) fn origin(&self, open: &OpenProject) -> ComponentOrigin {
        match &self.profile {
            _ if self.component.is_some() => ComponentOrigin::File,
            _ if *open.manifest.build.language == Language::NoCode => ComponentOrigin::Release,
            Profile::Dev => ComponentOrigin::Debug,
            Profile::Release => ComponentOrigin::Release,
            Profile::Named(name) if inherits_release(&canonical(&open.project.root), name) => ComponentOrigin::Release,
            Profile::Named(_) => ComponentOrigin::Debug,
        }
    }
}

/// Builds a project's component.
pub(super) fn build_component(
    context: &Context,
    open: &OpenProject,
    making: &BuildPlan,
) -> Result<BuiltComponent, CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let origin = making.origin(open);
    let ships = origin != ComponentOrigin::Debug;
    let parts = match making.component {
        Some(_) => parts_without_links(world_of(manifest)?),
        None => parts(context, open, &making.profile)?,
    };
    let mut inputs = BuildInputs {
        origin,
        profile: None,
        compiler: None,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        manifest: manifest_digest(project),
        settings: None,
        files: BTreeMap::new(),
        variables: BTreeMap::new(),
    };
    let mut cargo = None;
    let bytes = match (&making.component, *manifest.build.language) {
        (Some(file), language) => {
            // A component from elsewhere counts as built from the present sources, so their digests are recorded.
            if language != Language::NoCode {
                inputs.files = script_files(&canonical(&project.root));
            }
            context.read(file)?
        }
        (None, Language::NoCode) => idle(&parts.world)?,
        (None, Language::Rust) => {
            let options = |toolchain| BuildOptions {
                target_dir: making.target_dir.clone(),
                // A component that ships is built from locked versions, if there is a lock file.
                locked: making.locked || ships,
                locked_by_default: !making.locked,
                ..options_with(context, project, making.profile.clone(), toolchain)
            };
            let (compiled, rustc) = compiled(context, open, &parts, options)?;
            inputs.profile = Some(making.profile.name().to_owned());
            inputs.compiler = Some(rustc);
            inputs.settings = Some(compiled.settings);
            inputs.files = compiled.files;
            inputs.variables = compiled.variables;
            cargo = compiled.project;
            context.read(&compiled.artifact)?
        }
        (None, _) => {
            let file = foreign(context, open)?;
            inputs.files = script_files(&canonical(&project.root));
            context.read(&file)?
        }
    };
    let description = if ships { where_from(project) } else { Description::default() };
    let strip = if ships { Strip::Debug } else { Strip::Nothing };
    let finished = finish(&bytes, manifest, &parts, description, strip)?.with_inputs(&inputs);
    Ok(BuiltComponent { finished, inputs, cargo: cargo.filter(|_| ships) })
}

/// Whether a profile of `Cargo.toml` inherits from `release`, so that its components ship. `bench` does so by default.
fn inherits_release(root: &Path, name: &str) -> bool {
    let cargo = fs_err::read_to_string(workspace_of(root).join("Cargo.toml")).unwrap_or_default();
    let cargo: toml::Table = cargo.parse().unwrap_or_default();
    let mut name = name.to_owned();
    // The bound ends the loop if profiles inherit from each other in a circle.
    for _ in 0..16 {
        if name == "release" {
            return true;
        }
        let parent = cargo.get("profile").and_then(|profiles| profiles.get(&name)?.get("inherits")?.as_str());
        let Some(parent) = parent else { return name == "bench" };
        name = parent.to_owned();
    }
    false
}

/// Builds a component for development, with names and lines. It is neither checked nor written to `dist`.
pub(in crate::commands) fn component_for_development(
    context: &Context,
    open: &OpenProject,
) -> Result<Vec<u8>, CommandError> {
    let making = BuildPlan { profile: Profile::Dev, target_dir: None, locked: false, component: None };
    Ok(build_component(context, open, &making)?.finished.component)
}

/// Writes a component to where the project's other commands read it. A development build never replaces a component
/// that ships.
pub(in crate::commands) fn keep(
    project: &Project,
    manifest: &Manifest,
    component: &[u8],
    origin: ComponentOrigin,
) -> Result<PathBuf, WriteError> {
    if origin == ComponentOrigin::Debug {
        let file = project.debug_component_file(manifest);
        erp_files::write_unsynced(&file, component, FileAccess::Shared)?;
        return Ok(file);
    }
    let file = project.component_file(manifest);
    erp_files::write_unsynced(&file, component, FileAccess::Shared)?;
    // These files describe an earlier build and not this one.
    for stale in [project.sbom_file(manifest), project.provenance_file(manifest), project.lines_file(manifest)] {
        let _ = fs_err::remove_file(stale);
    }
    Ok(file)
}

/// The result of linking, describing and stripping a component.
#[derive(Debug)]
pub(in crate::commands) struct FinishedBuild {
    pub(in crate::commands) component: Vec<u8>,
    /// The component before stripping, with names and lines; absent if nothing was stripped.
    pub(in crate::commands) with_lines: Option<Vec<u8>>,
    /// WASI interfaces that linking removed.
    pub(in crate::commands) removed: Vec<String>,
    /// The interfaces that parts provide to each other.
    pub(in crate::commands) connections: Vec<PartConnection>,
}

impl FinishedBuild {
    /// Writes the inputs of the build into the components.
    fn with_inputs(mut self, inputs: &BuildInputs) -> FinishedBuild {
        self.component = inputs.written_into(&self.component);
        self.with_lines = self.with_lines.map(|component| inputs.written_into(&component));
        self
    }
}

/// Compiles the crate with cargo. Returns the result and the compiler's version.
fn compiled(
    context: &Context,
    open: &OpenProject,
    parts: &LinkedParts,
    options: impl FnOnce(Toolchain) -> BuildOptions,
) -> Result<(CompiledCrate, String), CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    require_crates(project, manifest, parts)?;
    still_wanted(context)?;
    // Finding the toolchain starts compilers, so the code is generated meanwhile.
    let (toolchain, generated) = std::thread::scope(|scope| {
        let toolchain = scope.spawn(|| context.toolchain(&project.root));
        let generated = write_generated(project, manifest, &parts.world);
        (toolchain.join(), generated)
    });
    print_generated(context, &generated?);
    let toolchain = toolchain.map_err(|_| CommandError::new(codes::BUG, "the toolchain was not found"))??;
    let options = options(toolchain);
    let made = compile(&options, |message| context.ui.print_foreign(message));
    if made.is_err() && !context.cancel.is_cancelled() {
        context.clear_toolchain(&project.root);
    }
    let made = made?;
    still_wanted(context)?;
    Ok((made, options.toolchain.rustc))
}

/// Fails if the build was cancelled: its files would be out of date.
fn still_wanted(context: &Context) -> Result<(), CommandError> {
    if context.cancel.is_cancelled() {
        return Err(CommandError::new(codes::INTERRUPTED, "the build was given up"));
    }
    Ok(())
}

/// Fails if `Cargo.toml` lacks a crate that the generated code needs. The compiler would only report the missing names.
fn require_crates(project: &Project, manifest: &Manifest, parts: &LinkedParts) -> Result<(), CommandError> {
    let cargo = fs_err::read_to_string(project.root.join("Cargo.toml")).unwrap_or_default();
    let Ok(cargo) = cargo.parse::<toml::Table>() else { return Ok(()) };
    let has = |name: &str| cargo.get("dependencies").is_some_and(|known| known.get(name).is_some());
    let missing: Vec<&str> = needed_crates(manifest, &parts.world).into_iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("src/erp needs what Cargo.toml does not name: {}", missing.join(", "));
    let error = CommandError::new(codes::BUILD_SETUP, message);
    let command = |name: &&str| match *name {
        "rust_decimal" => "cargo add rust_decimal --no-default-features --features std".to_owned(),
        name => format!("cargo add {name}"),
    };
    Err(missing.iter().map(command).fold(error, CommandError::hint))
}

/// Prints which generated files changed. A long list is shortened.
fn print_generated(context: &Context, files: &[String]) {
    if !files.is_empty() {
        context.ui.status("Generated", in_short(files));
    }
}

/// The revision and the repository of a component that ships, from git.
fn where_from(project: &Project) -> Description {
    let revision = SourceRevision::of(&project.root);
    Description {
        revision: revision.as_ref().map(|revision| {
            let mark = if revision.is_modified { "-modified" } else { "" };
            format!("{}{mark}", revision.commit)
        }),
        source: revision.and_then(|revision| revision.repository).filter(|url| url.starts_with("https://")),
        ..Description::default()
    }
}

/// The component of a plugin without code.
fn idle(world: &World) -> Result<Vec<u8>, CommandError> {
    idle_guest(&world.resolve, world.id).map_err(|why| {
        let message = format!("the world `{}` needs code, and [build] language is `none`: {why}", world.name);
        CommandError::new(codes::BUILD_SETUP, message).hint("write `world = \"minimal-plugin\"` into [runtime]")
    })
}

/// The finished component of a plugin without code. Making it is so fast that it is not built ahead.
pub(crate) fn component_without_code(manifest: &Manifest) -> Result<Vec<u8>, CommandError> {
    let world = world_of(manifest)?;
    let bytes = idle(&world)?;
    let parts = parts_without_links(world);
    Ok(finish(&bytes, manifest, &parts, Description::default(), Strip::Nothing)?.component)
}

/// Builds the component of a Python or TypeScript guest, and returns its file.
fn foreign(context: &Context, open: &OpenProject) -> Result<PathBuf, CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let world = world_of(manifest)?;
    let generated = write_generated(project, manifest, &world)?;
    print_generated(context, &generated);
    let build = ForeignBuild {
        root: &project.root,
        entry: manifest.build.entry().unwrap_or_default(),
        wit: &project.root.join(WIT_FILE),
        world: &world.name,
        offline: context.offline,
        cancel: &context.cancel,
        on_step: &|what, detail| context.ui.status(what, detail),
        show: &|text| context.ui.print_foreign(text),
    };
    if !project.root.join(build.entry).is_file() {
        let message = format!("there is no {}, which [build] entry names", build.entry);
        return Err(CommandError::new(codes::BUILD_SETUP, message));
    }
    context.ui.status("Building", format!("{} ({})", build.entry, manifest.build.language.word()));
    let built = match *manifest.build.language {
        Language::Python => compile_python(&build),
        _ => compile_typescript(&build),
    };
    Ok(built?)
}

/// Composes the component with its parts. Exports that a language's runtime adds for itself are dropped.
fn composed(
    component: Vec<u8>,
    manifest: &Manifest,
    parts: &LinkedParts,
) -> Result<(Vec<u8>, Vec<PartConnection>), CommandError> {
    let is_rust = matches!(*manifest.build.language, Language::Rust | Language::NoCode);
    // Without parts, there is nothing to do for a Rust component, or for one that this tool has already composed.
    if parts.parts.is_empty() && (is_rust || BuildInputs::of(&component).is_some()) {
        return Ok((component, Vec::new()));
    }
    let exports = parts.world.border().export_names();
    let composed = compose(&component, &parts.parts, &exports)?;
    Ok((composed.component, composed.connections))
}

/// The build options of a project without flags.
pub(in crate::commands) fn build_options(
    context: &Context,
    project: &Project,
    profile: Profile,
) -> Result<BuildOptions, CommandError> {
    Ok(options_with(context, project, profile, context.toolchain(&project.root)?))
}

fn options_with(context: &Context, project: &Project, profile: Profile, toolchain: Toolchain) -> BuildOptions {
    let name = toolchain.name.as_deref().unwrap_or("active");
    context.ui.detail(format!("toolchain: {} ({name})", toolchain.rustc));
    BuildOptions {
        root: project.root.clone(),
        cargo: context.cargo(),
        toolchain,
        profile,
        target_dir: None,
        locked: false,
        locked_by_default: true,
        offline: context.offline,
        cargo_home: context.environment.cargo_home.clone(),
        variables: context.cargo_variables(),
        source_date_epoch: context.environment.source_date_epoch.clone(),
        quiet: !context.ui.is_verbose() && !context.ui.has_color(),
        color: context.ui.has_color(),
        cancel: context.cancel.clone(),
        messages_to: if context.ui.is_buffered() { MessageTarget::Messages } else { MessageTarget::Terminal },
    }
}

/// What is stripped from a finished component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Strip {
    /// Names and lines.
    Debug,
    /// Nothing.
    Nothing,
}

/// Finishes a component: links WASI away, composes it with its parts, adds the description, and strips it.
pub(in crate::commands) fn finish(
    bytes: &[u8],
    manifest: &Manifest,
    parts: &LinkedParts,
    description: Description,
    strip: Strip,
) -> Result<FinishedBuild, CommandError> {
    let info = erp_component::read(bytes).map_err(|finding| CommandError::from_finding(*finding))?;
    let linked = link(bytes, &info, parts.world.host_api).map_err(|error| match error {
        LinkError::SeveralModules(count) => CommandError::from_finding(Diagnostic::new(
            SEVERAL_MODULES,
            format!("the component holds {count} core modules and imports WASI"),
        )),
        other => other.into(),
    })?;
    let (component, connections) = composed(linked.component, manifest, parts)?;
    let metadata = &manifest.metadata;
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| (**value).clone());
    let description = Description {
        name: Some(metadata.id.to_string()),
        version: Some(metadata.version.to_string()),
        license: text(&metadata.license),
        homepage: text(&metadata.homepage),
        ..description
    };
    let component = describe(&component, &description, env!("CARGO_PKG_VERSION"))?;
    if strip == Strip::Nothing {
        return Ok(FinishedBuild { component, with_lines: None, removed: linked.removed, connections });
    }
    let bare = strip_component(&component)
        .map_err(|error| CommandError::new(codes::BUG, format!("the component cannot be stripped: {error}")))?;
    let with_lines = (bare != component).then_some(component);
    Ok(FinishedBuild { component: bare, with_lines, removed: linked.removed, connections })
}
