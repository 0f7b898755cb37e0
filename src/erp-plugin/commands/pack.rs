//! `erp-plugin pack`.

use std::path::{Path, PathBuf};

use clap::Args;
use erp_check::{CheckSubject, RULE_SET, check_component, check_manifest};
use erp_files::FileAccess;
use erp_manifest::digest::sha256_hex;
use erp_manifest::exit_code::ExitCode;
use erp_manifest::{ByteSize, document};
use erp_package::archive::{self, COMPONENT, PROVENANCE, Package, PackageParts, SBOM};
use erp_package::strict_zip::{ArchiveEntry, Limits};
use erp_package::verification::check_package;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::generate::world_of;
use super::package_file::refusal;
use super::rebuild::rebuild_like;
use crate::command_error::{CommandError, codes};
use crate::commands::open_project::OpenProject;
use crate::context::Context;
use crate::project::{FileError, FileProblem, MANIFEST_FILE, Project, find_secret, find_token, package_files};
use crate::ui::Table;

/// Make dist/<id>-<version>.erpx: the component, the manifest and the project's files, unsigned
///
/// The release component is built first where it is not of the present sources. The same inputs give the same bytes. What `check` would refuse is not packed, nor what looks like a secret. Files
/// that .erpxignore names (in git's syntax) stay behind.
#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The package, instead of dist/<id>-<version>.erpx
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Say what would be packed, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Show the files as a tree, and write nothing
    #[arg(long)]
    list: bool,
    /// A file that may go along although it looks like a secret; several times for several
    #[arg(long, value_name = "NAME")]
    allow_secret: Vec<String>,
    /// A component as it is, instead of the project's own
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Refuse a component that is not of the present sources, instead of building it
    #[arg(long)]
    no_build: bool,
    /// Build the plugin once more in another folder with another home of cargo, and refuse to pack another component
    #[arg(long)]
    check_reproducible: bool,
}

/// A package that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PackResult {
    ok: bool,
    /// The package.
    package: String,
    /// False where nothing was written, because of --dry-run or --list.
    written: bool,
    /// Its size in bytes.
    bytes: u64,
    /// SHA-256 of the file.
    sha256: String,
    /// SHA-256 of the statement that is signed.
    content_id: String,
    /// The component came out the same in another place; none if it was not requested.
    reproducible: Option<bool>,
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
    let component = component_to_pack(context, &open, args.component.as_deref(), args.no_build)?;
    if args.check_reproducible && rebuild_like(context, &open.project.root, &component)? != component {
        let message = "the component came out another one in another folder, with another home of cargo";
        let error = CommandError::new(codes::NOT_REPRODUCIBLE, message);
        return Err(error
            .hint("was the source changed since `erp-plugin build --release`? build again")
            .hint("a build script that reads the clock, the environment or a folder's order is the usual cause"));
    }
    let (bytes, package) = packed(context, &open, component, &args.allow_secret)?;
    let (project, manifest) = (&open.project, &open.manifest);
    let target = args.output.as_ref().map_or_else(|| project.package_file(manifest), |file| context.path(file));
    let shown = context.shown(&target);
    let written = !args.dry_run && !args.list;
    if written {
        erp_files::write(&target, &bytes, FileAccess::Shared)?;
        context.ui.status("Packed", format!("{} files into {shown}", package.entries.len()));
    }
    let packed = |entry: &ArchiveEntry| PackedFile { name: entry.name.clone(), bytes: entry.bytes.len() as u64 };
    let result = PackResult {
        ok: true,
        package: shown,
        written,
        bytes: bytes.len() as u64,
        sha256: sha256_hex(&bytes),
        content_id: package.content_id.clone(),
        reproducible: args.check_reproducible.then_some(true),
        files: package.entries.iter().map(packed).collect(),
    };
    context.ui.result(&result, || if args.list { tree(&result.files) } else { table(&result) });
    Ok(ExitCode::Ok)
}

/// Packs a component with the files of its project. Opens and checks the result like an untrusted package.
pub(super) fn packed(
    context: &Context,
    open: &OpenProject,
    component: Vec<u8>,
    allowed: &[String],
) -> Result<(Vec<u8>, Package), CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let mut files = package_files(project, manifest, allowed)?;
    refuse_secrets(open, &component, allowed)?;
    files.extend(account(context, open, &component));
    let world = world_of(manifest)?;
    let parts = PackageParts {
        manifest: document::parse(&project.source).0.to_json(),
        id: manifest.metadata.id.to_string(),
        version: manifest.metadata.version.to_string(),
        abi: world.host_api.abi.to_owned(),
        world: world.name,
        wit: world.host_api.wit.to_owned(),
        component,
        files,
        rule_set: RULE_SET.to_owned(),
        tool: concat!("erp-plugin/", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let bytes = archive::build(&parts)?;
    // The new package is opened like an untrusted one.
    let package = archive::open(&bytes, &Limits::default()).map_err(|problems| refusal(&problems))?;
    let report = check_package(&package).report;
    if report.has_errors() {
        let message = format!("the package would be refused: {}", report.summary());
        return Err(CommandError::new(codes::PACK, message).with_report(report));
    }
    Ok((bytes, package))
}

/// The manifest of a project in the form that packages contain.
pub(super) fn manifest_entry(project: &Project) -> Vec<u8> {
    archive::manifest_entry(&document::parse(&project.source).0.to_json())
}

/// The component to pack: the named file, or the release build. Fails if its checks find errors.
pub(super) fn component_to_pack(
    context: &Context,
    open: &OpenProject,
    named: Option<&Path>,
    no_build: bool,
) -> Result<Vec<u8>, CommandError> {
    let (project, manifest) = (&open.project, &open.manifest);
    let component = match named {
        Some(file) => {
            let bytes = context.read(file)?;
            context.ui.status("Using", format!("{} as it is, sha256 {}", file.display(), sha256_hex(&bytes)));
            bytes
        }
        None => context.release_component(open, no_build)?,
    };
    let mut report = open.report.clone();
    report.extend(check_manifest(&CheckSubject {
        manifest,
        source: &project.source,
        file: &|path| project.file(path),
    }));
    report.extend(check_component(&component, manifest, Some(&project.source)).report);
    context.check_own_folders(&mut report, &component, project);
    if !report.has_errors() {
        report.extend(context.check_nodes(&component, manifest, &project.source)?);
    }
    if report.has_errors() {
        let message = format!("the plugin is not fit to be packed: {}", report.summary());
        return Err(CommandError::new(codes::PACK, message).with_report(report));
    }
    // Warnings are printed too: this is the publisher's last chance to read them.
    context.ui.report(&report);
    Ok(component)
}

/// Searches for secrets in the two files that are always packed: the manifest and the component.
fn refuse_secrets(open: &OpenProject, component: &[u8], allowed: &[String]) -> Result<(), FileError> {
    let text = open.project.source.text().as_bytes();
    let in_manifest = find_secret(MANIFEST_FILE, text).map(|found| (MANIFEST_FILE, found.line, found.what));
    let in_component = find_token(component).map(|what| (COMPONENT, None, what));
    let found = in_manifest.into_iter().chain(in_component).filter(|(name, ..)| !allowed.iter().any(|one| one == name));
    let problem = |(name, line, what): (&str, _, _)| FileProblem::Secret { name: name.to_owned(), line, what };
    let problems: Vec<FileProblem> = found.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(FileError::Refused(problems)) }
}

/// The bill of materials and the provenance of this component. Those of another component are left out: they would be
/// refused.
fn account(context: &Context, open: &OpenProject, component: &[u8]) -> Vec<ArchiveEntry> {
    let (project, manifest) = (&open.project, &open.manifest);
    let digest = sha256_hex(component);
    let parts = [
        (SBOM, project.sbom_file(manifest), "bill of materials"),
        (PROVENANCE, project.provenance_file(manifest), "account of its build"),
    ];
    let mut missing = Vec::new();
    let mut entries = Vec::new();
    for (name, file, what) in parts {
        match fs_err::read(&file).ok().filter(|bytes| String::from_utf8_lossy(bytes).contains(&digest)) {
            Some(bytes) => entries.push(ArchiveEntry { name: name.to_owned(), bytes }),
            None => missing.push(what),
        }
    }
    if !missing.is_empty() {
        let missing = missing.join(" and no ");
        context.ui.warn(format!("the package has no {missing}: `erp-plugin build --release` writes them"));
    }
    entries
}

fn table(result: &PackResult) -> String {
    let mut table = Table::new();
    for file in &result.files {
        table.row([file.name.clone(), ByteSize(file.bytes).to_string()]);
    }
    let total = ByteSize(result.bytes);
    table.row([result.package.clone(), format!("{total}  sha256 {}", result.sha256)]);
    if result.reproducible == Some(true) {
        table.row(["reproducible", "the component came out the same in another place"]);
    }
    table.render()
}

/// The files as a tree, each folder once.
fn tree(files: &[PackedFile]) -> String {
    let mut sorted: Vec<&PackedFile> = files.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    let mut table = Table::new();
    let mut open: Vec<String> = Vec::new();
    for file in sorted {
        let path = Path::new(&file.name);
        let folders: Vec<String> = path
            .parent()
            .into_iter()
            .flat_map(Path::components)
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect();
        let common = open.iter().zip(&folders).take_while(|(left, right)| left == right).count();
        for (depth, folder) in folders.iter().enumerate().skip(common) {
            table.row([format!("{}{folder}/", "  ".repeat(depth)), String::new()]);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        table.row([format!("{}{name}", "  ".repeat(folders.len())), ByteSize(file.bytes).to_string()]);
        open = folders;
    }
    table.render()
}
