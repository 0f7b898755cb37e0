//! `erp-plugin build`.

mod making;
mod parts;

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use self::making::{BuildPlan, BuiltComponent, build_component};
use super::CommandResult;
use crate::archive::COMPONENT;
use crate::build::{BuildRecord, Product, Profile, bill_of_materials, provenance};
use crate::check::{check_component, weigh};
use crate::command_error::{CommandError, codes};
use crate::commands::open_project::OpenProject;
use crate::component::PartConnection;
use crate::context::Context;
use crate::diagnostics::DiagnosticJson;
use crate::digest::sha256_hex;
use crate::exit_code::ExitCode;
use crate::files::{self, FileAccess};
use crate::manifest::ByteSize;
use crate::signing::{Attestation, StatementSubject};
pub(crate) use making::component_without_code;
pub(super) use making::{Strip, build_options, component_for_development, finish, keep};
pub(super) use parts::{LinkedParts, parts};

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
    let (project, manifest) = (&open.project, &open.manifest);
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
    let ships = making.ships(manifest);
    let BuiltComponent { finished, rustc } = build_component(context, &open, &making)?;
    let mut checked = check_component(&finished.component, manifest, Some(&project.source));
    if !ships {
        checked = checked.for_development();
    }
    weigh(&mut checked.report, &manifest.check);
    if checked.report.has_errors() {
        let message = format!("the component does not fit its manifest: {}", checked.report.summary());
        return Err(CommandError::new(codes::COMPONENT, message).with_report(checked.report));
    }
    keep(project, manifest, &finished.component)?;
    if let Some(with_lines) = &finished.with_lines {
        files::write(&project.lines_file(manifest), with_lines, FileAccess::Shared)?;
    }
    if let Some(rustc) = rustc.as_deref().filter(|_| ships) {
        write_account(context, &open, &finished.component, rustc, &making.profile)?;
        if !manifest.link.is_empty() {
            context.ui.warn(
                "the bill of materials and the account of the build are of the plugin's own crate, without its parts",
            );
        }
    }
    context.ui.report(&checked.report);
    let border = checked.info.map(|info| info.border).unwrap_or_default();
    let (size, budget) = (ByteSize(finished.component.len() as u64), *manifest.budget.wasm);
    let shown = context.shown(&project.component_file(manifest));
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
        Ok(bill) => files::write(&project.sbom_file(manifest), format!("{bill:#}\n").as_bytes(), FileAccess::Shared)?,
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
    let statement =
        Attestation::new(vec![StatementSubject::digested(COMPONENT, &*component_sha256)], provenance(&record));
    files::write(&project.provenance_file(manifest), statement.to_json().as_bytes(), FileAccess::Shared)?;
    Ok(())
}
