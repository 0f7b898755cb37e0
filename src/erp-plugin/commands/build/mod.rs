//! `erp-plugin build`.

mod making;
mod parts;

use std::path::PathBuf;

use clap::Args;
use erp_check::{ComponentCheck, apply_severities, check_component};
use erp_component::ComponentOrigin;
use erp_files::FileAccess;
use erp_manifest::ByteSize;
use erp_manifest::diagnostics::DiagnosticJson;
use erp_manifest::digest::sha256_hex;
use erp_manifest::exit_code::ExitCode;
use erp_package::archive::COMPONENT;
use erp_package::signing::{Attestation, StatementSubject};
use schemars::JsonSchema;
use serde::Serialize;

use self::making::{BuildPlan, BuiltComponent, build_component};
use super::CommandResult;
use crate::build::{BuildRecord, CargoProject, Product, Profile, bill_of_materials, provenance};
use crate::command_error::{CommandError, codes};
use crate::commands::open_project::OpenProject;
use crate::context::Context;
use crate::link::PartConnection;
pub(crate) use making::component_without_code;
pub(super) use making::{Strip, build_options, component_for_development, finish, keep};
pub(super) use parts::{LinkedParts, parts};

/// Compile the plugin into a component whose only imports are the host API's
///
/// Runs cargo for wasm32-wasip2, links WASI away, checks the component against the world of the manifest, and writes
/// dist/debug/<id>.wasm. With --release it writes dist/<id>.wasm, which ships: stripped, the same on every machine, within
/// the budget. What a component was made of is written into it, so that other commands know whether it is stale.
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
    /// A component that was built already, instead of what cargo makes
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
    /// Where it comes from: `debug`, `release`, or `file` for one that was named.
    origin: ComponentOrigin,
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
    fn of(connection: &PartConnection) -> LinkJson {
        let PartConnection { from, interface, to } = connection.clone();
        LinkJson { from, interface, to }
    }
}

pub(super) fn run(context: &Context, args: &BuildArgs) -> CommandResult {
    let open = context.open_project()?;
    let manifest = &open.manifest;
    let profile = match (args.profile.as_deref(), args.release) {
        (Some("release"), _) | (None, true) => Profile::Release,
        (None, false) | (Some("dev"), _) => Profile::Dev,
        (Some(name), _) => Profile::Named(name.to_owned()),
    };
    let making = BuildPlan {
        profile,
        target_dir: args.target_dir.as_ref().map(|folder| context.path(folder)),
        locked: args.locked,
        component: args.component.as_ref().map(|file| context.path(file)),
    };
    let kept = build_checked(context, &open, &making)?;
    let Kept { built: BuiltComponent { finished, inputs, .. }, checked, file } = kept;
    context.ui.report(&checked.report);
    let border = checked.info.map(|info| info.border).unwrap_or_default();
    let (size, budget) = (ByteSize(finished.component.len() as u64), *manifest.budget.wasm);
    let shown = context.shown(&file);
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
        origin: inputs.origin,
        rustc: inputs.compiler.clone(),
        findings: checked.report.diagnostics().iter().map(DiagnosticJson::from).collect(),
    };
    for link in &result.links {
        context.ui.status("Composed", format!("{} ── {} ──▶ {}", link.from, link.interface, link.to));
    }
    context.ui.result(&result, || {
        if inputs.origin == ComponentOrigin::Debug {
            format!("{shown}  {size} (for development; --release makes what ships)")
        } else {
            format!("{shown}  {size} of {budget}")
        }
    });
    Ok(ExitCode::Ok)
}

/// A component that was built, passed its checks, and was written to a file.
struct Kept {
    built: BuiltComponent,
    checked: ComponentCheck,
    file: PathBuf,
}

/// Builds, checks and writes a component. One with errors is not written.
fn build_checked(context: &Context, open: &OpenProject, making: &BuildPlan) -> Result<Kept, CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let mut built = build_component(context, open, making)?;
    let mut checked = check_component(&built.finished.component, manifest, Some(&project.source));
    if built.inputs.origin == ComponentOrigin::Debug {
        checked = checked.for_development();
    } else {
        context.check_own_folders(&mut checked.report, &built.finished.component, project);
    }
    apply_severities(&mut checked.report, &manifest.check);
    if checked.report.has_errors() {
        let message = format!("the component does not fit its manifest: {}", checked.report.summary());
        return Err(CommandError::new(codes::COMPONENT, message).with_report(checked.report));
    }
    let file = keep(project, manifest, &built.finished.component, built.inputs.origin)?;
    if let Some(with_lines) = &built.finished.with_lines {
        erp_files::write(&project.lines_file(manifest), with_lines, FileAccess::Shared)?;
    }
    if let Some(cargo) = built.cargo.take() {
        write_account(open, &built, &cargo)?;
        if !manifest.link.is_empty() {
            context.ui.warn(
                "the bill of materials and the account of the build are of the plugin's own crate, without its parts",
            );
        }
    }
    Ok(Kept { built, checked, file })
}

/// Builds and writes a component that another command needs.
pub(super) fn build_and_write(
    context: &Context,
    open: &OpenProject,
    profile: Profile,
) -> Result<Vec<u8>, CommandError> {
    let making = BuildPlan { profile, target_dir: None, locked: false, component: None };
    let kept = build_checked(context, open, &making)?;
    let size = ByteSize(kept.built.finished.component.len() as u64);
    context.ui.status("Built", format!("{}  {size}", context.shown(&kept.file)));
    Ok(kept.built.finished.component)
}

/// Writes the bill of materials and the provenance next to the component.
fn write_account(open: &OpenProject, built: &BuiltComponent, cargo: &CargoProject) -> Result<(), CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let component_sha256 = sha256_hex(&built.finished.component);
    let metadata = &manifest.metadata;
    let product = Product {
        id: metadata.id.as_str(),
        version: metadata.version.as_str(),
        license: metadata.license.as_ref().map(|license| license.as_str()),
        component_sha256: &component_sha256,
        tool_version: &built.inputs.tool,
    };
    let bill = bill_of_materials(cargo, &product);
    erp_files::write(&project.sbom_file(manifest), format!("{bill:#}\n").as_bytes(), FileAccess::Shared)?;
    let lock = fs_err::read(cargo.lock_file()).ok().map(|lock| sha256_hex(&lock));
    let record = BuildRecord { root: &project.root, lock_sha256: lock.as_deref(), inputs: &built.inputs };
    let statement =
        Attestation::new(vec![StatementSubject::digested(COMPONENT, &*component_sha256)], provenance(&record));
    erp_files::write(&project.provenance_file(manifest), statement.to_json().as_bytes(), FileAccess::Shared)?;
    Ok(())
}
