//! `erp-plugin pack`.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::generate::world_of;
use crate::archive::{self, Limits, PackageParts};
use crate::check::{RULE_SET, Subject, check_component, check_manifest, check_package};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::digest::sha256_hex;
use crate::document;
use crate::exit_code::ExitCode;
use crate::files::{self, Access};
use crate::manifest::ByteSize;
use crate::project::package_files;
use crate::ui::Table;

/// Make dist/<id>-<version>.erpx: the component, the manifest and the project's files, unsigned
///
/// The same inputs give the same bytes. What `check` would refuse is not packed.
#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The package, in the place of dist/<id>-<version>.erpx
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Say what would be packed, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// A package that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PackResult {
    ok: bool,
    /// The package.
    package: String,
    /// Its size in bytes.
    bytes: u64,
    /// SHA-256 of the file.
    sha256: String,
    /// SHA-256 of the statement that is signed.
    content_id: String,
    /// What is in it.
    files: Vec<PackedFile>,
}

/// A file in a package.
#[derive(Debug, Serialize, JsonSchema)]
struct PackedFile {
    /// Its name.
    name: String,
    /// Its size in bytes.
    bytes: u64,
}

pub(super) fn run(context: &Context, args: &PackArgs) -> CommandResult {
    let open = context.open_project()?;
    let (project, manifest) = (&open.project, &open.manifest);
    let file = project.component_file(manifest);
    if !file.is_file() {
        let message = format!("there is no component at {}", context.shown(&file));
        return Err(CommandError::new(ExitCode::Configuration, "component", message).hint("erp-plugin build --release"));
    }
    let component = context.read(&file)?;
    let mut report = open.report;
    report.extend(check_manifest(&Subject { manifest, source: &project.source, file: &|path| project.file(path) }));
    report.extend(check_component(&component, manifest, Some(&project.source)).report);
    if report.has_errors() {
        let message = format!("the plugin is not fit to be packed: {}", report.summary());
        return Err(CommandError::new(ExitCode::Findings, "pack", message).with_report(report));
    }
    let world = world_of(manifest)?;
    let (manifest_json, _) = document::parse(&project.source);
    let parts = PackageParts {
        manifest: manifest_json.to_json(),
        id: manifest.metadata.id.to_string(),
        version: manifest.metadata.version.to_string(),
        abi: world.host_api.abi.to_owned(),
        world: world.name,
        wit: world.host_api.wit.to_owned(),
        component,
        files: package_files(project, manifest)?,
        rule_set: RULE_SET.to_owned(),
        tool: concat!("erp-plugin/", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let bytes = archive::build(&parts)?;
    // What is packed is opened as a stranger would open it.
    let package = archive::open(&bytes, &Limits::default()).map_err(|problems| {
        let text = problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ");
        CommandError::new(ExitCode::Bug, "bug", format!("the package that was made cannot be opened: {text}"))
    })?;
    let report = check_package(&package).report;
    if report.has_errors() {
        let message = format!("the package would be refused: {}", report.summary());
        return Err(CommandError::new(ExitCode::Findings, "pack", message).with_report(report));
    }
    let target = args.output.as_ref().map_or_else(|| project.package_file(manifest), |file| context.path(file));
    let shown = context.shown(&target);
    if !args.dry_run {
        files::write(&target, &bytes, Access::Shared)?;
        context.ui.status("Packed", format!("{} files into {shown}", package.entries.len()));
    }
    let result = PackResult {
        ok: true,
        package: shown.clone(),
        bytes: bytes.len() as u64,
        sha256: sha256_hex(&bytes),
        content_id: package.content_id.clone(),
        files: package
            .entries
            .iter()
            .map(|entry| PackedFile { name: entry.name.clone(), bytes: entry.bytes.len() as u64 })
            .collect(),
    };
    context.ui.result(&result, || {
        let mut table = Table::new();
        for file in &result.files {
            table.row([file.name.clone(), ByteSize(file.bytes).to_string()]);
        }
        table.row([shown, format!("{}  sha256 {}", ByteSize(result.bytes), result.sha256)]);
        table.render()
    });
    Ok(ExitCode::Ok)
}
