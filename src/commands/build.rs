//! `erp-plugin build`.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::generate::{world_of, write_bindings};
use crate::build::{BuildOptions, Toolchain, compile};
use crate::check::check_component;
use crate::command_error::CommandError;
use crate::component::{self, LinkError, link};
use crate::context::Context;
use crate::diagnostics::{Diagnostic, DiagnosticJson, Report, codes};
use crate::exit_code::ExitCode;
use crate::files::{self, Access};
use crate::manifest::ByteSize;

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
    /// The compiler.
    rustc: Option<String>,
    /// What was found.
    findings: Vec<DiagnosticJson>,
}

pub(super) fn run(context: &Context, args: &BuildArgs) -> CommandResult {
    let open = context.open_project()?;
    let (project, manifest) = (&open.project, &open.manifest);
    let world = world_of(manifest)?;
    let (file, rustc) = match &args.component {
        Some(file) => (context.path(file), None),
        None => {
            if write_bindings(project, manifest)? {
                context.ui.status("Generated", "src/bindings.rs");
            }
            let toolchain =
                Toolchain::find(context.environment.rust_toolchain.as_deref(), &context.cargo(), &project.root)?;
            context.ui.detail(format!(
                "toolchain: {} ({})",
                toolchain.rustc,
                toolchain.name.as_deref().unwrap_or("active")
            ));
            let rustc = toolchain.rustc.clone();
            let options = BuildOptions {
                root: project.root.clone(),
                cargo: context.cargo(),
                toolchain,
                profile: match (&args.profile, args.release) {
                    (Some(profile), _) => profile.clone(),
                    (None, true) => "release".to_owned(),
                    (None, false) => "dev".to_owned(),
                },
                target_dir: args.target_dir.as_ref().map(|folder| context.path(folder)),
                locked: args.locked,
                offline: context.offline,
                quiet: !context.ui.is_verbose() && !context.ui.has_color(),
                color: context.ui.has_color(),
            };
            (compile(&options, |message| context.ui.foreign(message))?.file, Some(rustc))
        }
    };
    let bytes = context.read(&file)?;
    let info = component::read(&bytes).map_err(|finding| CommandError::from_finding(*finding))?;
    let linked = link(&bytes, &info, &world).map_err(|error| match error {
        LinkError::SeveralModules(count) => CommandError::from_finding(Diagnostic::new(
            codes::SEVERAL_MODULES,
            format!("the component holds {count} core modules and imports WASI"),
        )),
        other => other.into(),
    })?;

    let mut checked = check_component(&linked.component, manifest, Some(&project.source));
    // The budget is for what ships: a debug build is allowed to be large.
    let ships = args.release || args.profile.as_deref() == Some("release") || args.component.is_some();
    if !ships {
        let mut kept = Report::new();
        for finding in checked.report.diagnostics().iter().filter(|finding| finding.code != codes::COMPONENT_TOO_LARGE)
        {
            kept.push(finding.clone());
        }
        checked.report = kept;
    }
    if checked.report.has_errors() {
        let message = format!("the component does not fit its manifest: {}", checked.report.summary());
        return Err(CommandError::new(ExitCode::Findings, "component", message).with_report(checked.report));
    }
    let target = project.component_file(manifest);
    files::write(&target, &linked.component, Access::Shared)?;
    context.ui.report(&checked.report);
    let border = checked.info.map(|info| info.border).unwrap_or_default();
    let (size, budget) = (ByteSize(linked.component.len() as u64), *manifest.budget.wasm);
    let shown = context.shown(&target);
    if !linked.removed.is_empty() {
        context.ui.detail(format!("linked away: {}", linked.removed.join(", ")));
    }
    if !linked.removed.is_empty() {
        let (away, left) = (linked.removed.len(), border.imports.len());
        context.ui.status("Linked", format!("{away} WASI interfaces away, {left} of the host API left"));
    }
    let result = BuildResult {
        ok: true,
        component: shown.clone(),
        bytes: size.0,
        budget_bytes: budget.0,
        imports: border.import_names(),
        exports: border.export_names(),
        linked_away: linked.removed,
        rustc,
        findings: checked.report.diagnostics().iter().map(DiagnosticJson::from).collect(),
    };
    context.ui.result(&result, || {
        if ships {
            format!("{shown}  {size} of {budget}")
        } else {
            format!("{shown}  {size} (debug; --release for the budget of {budget})")
        }
    });
    Ok(ExitCode::Ok)
}
