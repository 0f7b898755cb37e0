//! `erp-plugin build`.

mod parts;

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::generate::{in_short, world_of, write_generated};
use crate::archive::COMPONENT;
use crate::build::{
    BuildOptions, BuildRecord, ForeignBuild, Product, Profile, SourceRevision, Toolchain, bill_of_materials, compile,
    compile_python, compile_typescript, provenance,
};
use crate::check::{ONLY_FOR_WHAT_SHIPS, check_component, weigh};
use crate::command_error::CommandError;
use crate::component::{self, Connection, Description, LinkError, compose, describe, idle_guest, link, stripped};
use crate::context::{Context, OpenProject};
use crate::contract::World;
use crate::diagnostics::{Diagnostic, DiagnosticJson, Report, Spanned, codes};
use crate::digest::sha256_hex;
use crate::exit_code::ExitCode;
use crate::files::{self, Access};
use crate::generate::{WIT_FILE, needed_crates};
use crate::manifest::{ByteSize, Language, Manifest};
use crate::project::Project;
use crate::signing::{Attestation, Subject};
pub(super) use parts::{Parts, parts, parts_without_links};

/// Compile the plugin into a component whose only imports are the host API's
///
/// Runs cargo for wasm32-wasip2, links WASI away, holds the component against the world and the budget
/// of the manifest, and writes dist/<id>.wasm.
#[derive(Debug, Default, Args)]
pub(crate) struct BuildArgs {
    /// Build for production: small and fast
    #[arg(short, long)]
    release: bool,
    /// cargo's profile
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    profile: Option<String>,
    /// cargo's folder for what it makes
    #[arg(long, value_name = "FOLDER")]
    target_dir: Option<PathBuf>,
    /// Refuse to change Cargo.lock
    #[arg(long)]
    locked: bool,
    /// A component that was built already, in the place of what cargo makes
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
}

/// A component that was built.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BuildResult {
    ok: bool,
    /// The component.
    component: String,
    /// Its size in bytes.
    bytes: u64,
    /// The most that `[budget] wasm` allows, in bytes.
    budget_bytes: u64,
    /// The interfaces that it imports.
    imports: Vec<String>,
    /// The interfaces that it exports.
    exports: Vec<String>,
    /// WASI interfaces that were linked away.
    linked_away: Vec<String>,
    /// What the parts of `[[link]]` give each other.
    links: Vec<LinkJson>,
    /// The compiler.
    rustc: Option<String>,
    /// What was found.
    findings: Vec<DiagnosticJson>,
}

/// An interface that one part gives another.
#[derive(Debug, Serialize, JsonSchema)]
struct LinkJson {
    /// Who exports it.
    from: String,
    /// The interface.
    interface: String,
    /// Who imports it; `plugin` is the plugin's own code.
    to: String,
}

impl LinkJson {
    fn of(connection: &Connection) -> LinkJson {
        let Connection { from, interface, to } = connection.clone();
        LinkJson { from, interface, to }
    }
}

/// What is left after linking and describing.
pub(super) struct Finished {
    pub(super) component: Vec<u8>,
    /// The same with names and lines, where it was stripped of them.
    pub(super) with_lines: Option<Vec<u8>>,
    /// WASI interfaces that were linked away.
    pub(super) removed: Vec<String>,
    /// What parts give each other.
    pub(super) connections: Vec<Connection>,
}

pub(super) fn run(context: &Context, args: &BuildArgs) -> CommandResult {
    let open = context.open_project()?;
    let (project, manifest) = (&open.project, &open.manifest);
    let profile = match (args.profile.as_deref(), args.release) {
        (Some("release"), _) | (None, true) => Profile::Release,
        (None, false) | (Some("dev"), _) => Profile::Dev,
        (Some(name), _) => Profile::Named(name.to_owned()),
    };
    // The budget, the bill of materials and the account of the build are for what ships.
    let ships = profile == Profile::Release || args.component.is_some() || *manifest.build.language == Language::NoCode;
    let parts = if args.component.is_some() {
        parts_without_links(world_of(manifest)?)
    } else {
        parts(context, &open, &profile)?
    };
    let (bytes, rustc) = match &args.component {
        Some(file) => (context.read(file)?, None),
        None if *manifest.build.language == Language::NoCode => (idle(&parts.world)?, None),
        None if *manifest.build.language != Language::Rust => (context.read(&foreign(context, &open)?)?, None),
        None => {
            let options = |toolchain| BuildOptions {
                target_dir: args.target_dir.as_ref().map(|folder| context.path(folder)),
                // What ships is built from what is locked.
                locked: args.locked || (ships && project.root.join("Cargo.lock").is_file()),
                ..options_with(context, project, profile.clone(), toolchain)
            };
            let (bytes, rustc) = compiled(context, &open, &parts, options)?;
            (bytes, Some(rustc))
        }
    };
    let description = if ships { where_from(project) } else { Description::default() };
    let strip = if ships { Strip::Debug } else { Strip::Nothing };
    let finished = finish(&bytes, manifest, &parts, description, strip)?;

    let mut checked = check_component(&finished.component, manifest, Some(&project.source));
    if !ships {
        let mut kept = Report::new();
        for finding in
            checked.report.diagnostics().iter().filter(|finding| !ONLY_FOR_WHAT_SHIPS.contains(&finding.code))
        {
            kept.push(finding.clone());
        }
        checked.report = kept;
    }
    weigh(&mut checked.report, &manifest.check);
    if checked.report.has_errors() {
        let message = format!("the component does not fit its manifest: {}", checked.report.summary());
        return Err(CommandError::new(ExitCode::Findings, "component", message).with_report(checked.report));
    }
    let target = project.component_file(manifest);
    files::write(&target, &finished.component, Access::Shared)?;
    // What an earlier build said of itself is not said of this one.
    for stale in [project.sbom_file(manifest), project.provenance_file(manifest), project.lines_file(manifest)] {
        let _ = fs_err::remove_file(stale);
    }
    if let Some(with_lines) = &finished.with_lines {
        files::write(&project.lines_file(manifest), with_lines, Access::Shared)?;
    }
    if let Some(rustc) = rustc.as_deref().filter(|_| ships) {
        write_account(context, &open, &finished.component, rustc, &profile)?;
        if !manifest.link.is_empty() {
            context.ui.warn(
                "the bill of materials and the account of the build are of the plugin's own crate, without its parts",
            );
        }
    }
    context.ui.report(&checked.report);
    let border = checked.info.map(|info| info.border).unwrap_or_default();
    let (size, budget) = (ByteSize(finished.component.len() as u64), *manifest.budget.wasm);
    let shown = context.shown(&target);
    if !finished.removed.is_empty() {
        context.ui.detail(format!("linked away: {}", finished.removed.join(", ")));
        let (away, left) = (finished.removed.len(), border.imports.len());
        context.ui.status("Linked", format!("{away} WASI interfaces away, {left} of the host API left"));
    }
    let result = BuildResult {
        ok: true,
        component: shown.clone(),
        bytes: size.0,
        budget_bytes: budget.0,
        imports: border.import_names(),
        exports: border.export_names(),
        linked_away: finished.removed,
        links: finished.connections.iter().map(LinkJson::of).collect(),
        rustc,
        findings: checked.report.diagnostics().iter().map(DiagnosticJson::from).collect(),
    };
    for link in &result.links {
        context.ui.status("Composed", format!("{} ── {} ──▶ {}", link.from, link.interface, link.to));
    }
    context.ui.result(&result, || {
        if ships {
            format!("{shown}  {size} of {budget}")
        } else {
            format!("{shown}  {size} (debug; --release for the budget of {budget})")
        }
    });
    Ok(ExitCode::Ok)
}

/// What cargo makes of the crate, and the compiler that it took.
fn compiled(
    context: &Context,
    open: &OpenProject,
    parts: &Parts,
    options: impl FnOnce(Toolchain) -> BuildOptions,
) -> Result<(Vec<u8>, String), CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    require_crates(project, manifest, parts)?;
    // The toolchain is looked for while the code is made.
    let (wanted, cargo) = (context.environment.rust_toolchain.clone(), context.cargo());
    let (toolchain, generated) = std::thread::scope(|scope| {
        let toolchain = scope.spawn(|| Toolchain::find(wanted.as_deref(), &cargo, &project.root));
        let generated = write_generated(project, manifest, &parts.world);
        (toolchain.join(), generated)
    });
    tell_generated(context, &generated?);
    let toolchain = toolchain.map_err(|_| CommandError::new(ExitCode::Bug, "bug", "the toolchain was not found"))??;
    let options = options(toolchain);
    let made = compile(&options, |message| context.ui.foreign(message))?;
    Ok((context.read(&made.file)?, options.toolchain.rustc))
}

/// The crates that the generated code needs must stand in `Cargo.toml`: the compiler would only say which names it misses.
fn require_crates(project: &Project, manifest: &Manifest, parts: &Parts) -> Result<(), CommandError> {
    let cargo = fs_err::read_to_string(project.root.join("Cargo.toml")).unwrap_or_default();
    let Ok(cargo) = cargo.parse::<toml::Table>() else { return Ok(()) };
    let has = |name: &str| cargo.get("dependencies").is_some_and(|known| known.get(name).is_some());
    let missing: Vec<&str> = needed_crates(manifest, &parts.world).into_iter().filter(|name| !has(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("src/erp needs what Cargo.toml does not name: {}", missing.join(", "));
    let error = CommandError::new(ExitCode::Configuration, "build", message);
    let command = |name: &&str| match *name {
        "rust_decimal" => "cargo add rust_decimal --no-default-features --features std".to_owned(),
        name => format!("cargo add {name}"),
    };
    Err(missing.iter().map(command).fold(error, CommandError::hint))
}

/// Says which code was written anew; many files in a few words.
fn tell_generated(context: &Context, files: &[String]) {
    if !files.is_empty() {
        context.ui.status("Generated", in_short(files));
    }
}

/// The source of a component that ships, as git knows it.
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
        CommandError::new(ExitCode::Configuration, "build", message)
            .hint("write `world = \"minimal-plugin\"` into [runtime]")
    })
}

/// The finished component of a plugin without code: it is made so fast that nobody needs to build it first.
pub(crate) fn component_without_code(manifest: &Manifest) -> Result<Vec<u8>, CommandError> {
    let world = world_of(manifest)?;
    let bytes = idle(&world)?;
    let parts = parts_without_links(world);
    Ok(finish(&bytes, manifest, &parts, Description::default(), Strip::Nothing)?.component)
}

/// The component of a guest that is no crate.
fn foreign(context: &Context, open: &OpenProject) -> Result<PathBuf, CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let world = world_of(manifest)?;
    let generated = write_generated(project, manifest, &world)?;
    tell_generated(context, &generated);
    let build = ForeignBuild {
        root: &project.root,
        entry: manifest.build.entry().unwrap_or_default(),
        wit: &project.root.join(WIT_FILE),
        world: &world.name,
        offline: context.offline,
        tell: &|what, detail| context.ui.status(what, detail),
        show: &|text| context.ui.foreign(text),
    };
    if !project.root.join(build.entry).is_file() {
        let message = format!("there is no {}, which [build] entry names", build.entry);
        return Err(CommandError::new(ExitCode::Configuration, "build", message));
    }
    context.ui.status("Building", format!("{} ({})", build.entry, manifest.build.language.word()));
    let built = match *manifest.build.language {
        Language::Python => compile_python(&build),
        _ => compile_typescript(&build),
    };
    Ok(built?)
}

/// The component with its parts. What a language's runtime exports for itself is left out on the way.
fn composed(
    component: Vec<u8>,
    manifest: &Manifest,
    parts: &Parts,
) -> Result<(Vec<u8>, Vec<Connection>), CommandError> {
    if parts.parts.is_empty() && matches!(*manifest.build.language, Language::Rust | Language::NoCode) {
        return Ok((component, Vec::new()));
    }
    let exports = parts.world.border().export_names();
    let composed = compose(&component, &parts.parts, &exports)?;
    Ok((composed.component, composed.connections))
}

/// How a project is built here, where no flag says otherwise.
pub(super) fn build_options(
    context: &Context,
    project: &Project,
    profile: Profile,
) -> Result<BuildOptions, CommandError> {
    let toolchain = Toolchain::find(context.environment.rust_toolchain.as_deref(), &context.cargo(), &project.root)?;
    Ok(options_with(context, project, profile, toolchain))
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
        offline: context.offline,
        cargo_home: context.environment.cargo_home.clone(),
        rustflags: context.environment.rustflags.clone(),
        source_date_epoch: context.environment.source_date_epoch.clone(),
        quiet: !context.ui.is_verbose() && !context.ui.has_color(),
        color: context.ui.has_color(),
    }
}

/// What a finished component is left without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strip {
    /// Names and lines.
    Debug,
    /// Nothing.
    Nothing,
}

/// What cargo made, with WASI linked away, and the description that the manifest gives.
pub(super) fn finish(
    bytes: &[u8],
    manifest: &Manifest,
    parts: &Parts,
    description: Description,
    strip: Strip,
) -> Result<Finished, CommandError> {
    let info = component::read(bytes).map_err(|finding| CommandError::from_finding(*finding))?;
    let linked = link(bytes, &info, parts.world.host_api).map_err(|error| match error {
        LinkError::SeveralModules(count) => CommandError::from_finding(Diagnostic::new(
            codes::SEVERAL_MODULES,
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
        return Ok(Finished { component, with_lines: None, removed: linked.removed, connections });
    }
    let bare = stripped(&component).map_err(|error| {
        CommandError::new(ExitCode::Bug, "bug", format!("the component cannot be stripped: {error}"))
    })?;
    let with_lines = (bare != component).then_some(component);
    Ok(Finished { component: bare, with_lines, removed: linked.removed, connections })
}

/// The bill of materials and the account of the build, beside the component. Where cargo cannot tell, the component is
/// there all the same, and a warning says what its package will lack.
fn write_account(
    context: &Context,
    open: &OpenProject,
    component: &[u8],
    rustc: &str,
    profile: &Profile,
) -> Result<(), CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let component_sha256 = sha256_hex(component);
    let metadata = &manifest.metadata;
    let tool_version = env!("CARGO_PKG_VERSION");
    let product = Product {
        id: metadata.id.as_str(),
        version: metadata.version.as_str(),
        license: metadata.license.as_ref().map(|license| license.as_str()),
        component_sha256: &component_sha256,
        tool_version,
    };
    match bill_of_materials(&project.root, &context.cargo(), &product) {
        Ok(bill) => files::write(&project.sbom_file(manifest), format!("{bill:#}\n").as_bytes(), Access::Shared)?,
        Err(error) => context.ui.warn(format!("the package will have no bill of materials: {error}")),
    }
    let lock = fs_err::read(project.root.join("Cargo.lock")).ok().map(|lock| sha256_hex(&lock));
    let record = BuildRecord {
        component_sha256: &component_sha256,
        rustc,
        profile: profile.name(),
        root: &project.root,
        lock_sha256: lock.as_deref(),
        tool_version,
    };
    let statement = Attestation::new(vec![Subject::digested(COMPONENT, &*component_sha256)], provenance(&record));
    files::write(&project.provenance_file(manifest), statement.to_json().as_bytes(), Access::Shared)?;
    Ok(())
}
