//! `erp-plugin generate`.

use std::path::{Path, PathBuf};

use clap::Args;
use erp_manifest::Manifest;
use erp_manifest::contract::{self, World};
use erp_manifest::exit_code::ExitCode;
use erp_platform::http_api::openapi;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::build::{LinkedParts, parts};
use crate::build::Profile;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::generate::{GENERATED_FOLDERS, GeneratedFile, MARK, generated_files, typescript_client};
use crate::project::Project;

/// Write the manifest and the host API as code, for the language that `[build]` names
///
/// In Rust that is src/erp/: a struct for each entity, queries that only name fields that are there, events,
/// settings, permissions and nodes, a trait for each thing that the host calls, and a host for unit tests. `build`
/// does this by itself; run it to give an editor the code of a changed manifest.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// What to make
    #[arg(value_enum, default_value_t = GeneratedText::Code)]
    what: GeneratedText,
    /// The file to write, for a client or a description; standard output if it is absent
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write nothing; fail where a file is not as it should be
    #[arg(long)]
    check: bool,
}

/// What is made from a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum GeneratedText {
    /// The code that the plugin is written against, in src/erp
    Code,
    /// A client of the plugin's HTTP API in TypeScript
    Ts,
    /// The plugin's HTTP API as OpenAPI 3.1
    Openapi,
}

/// Code that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GenerateResult {
    ok: bool,
    /// The host API.
    abi: String,
    /// The world.
    world: String,
    /// Every file.
    files: Vec<String>,
    /// Those that were not as they should be.
    changed: Vec<String>,
}

pub(super) fn run(context: &Context, args: &GenerateArgs) -> CommandResult {
    let open = context.open_project()?;
    match args.what {
        GeneratedText::Code => {}
        GeneratedText::Ts => return write_one(context, args, &typescript_client(&open.manifest)),
        GeneratedText::Openapi => {
            let description = openapi([&open.manifest], "http://127.0.0.1:7171");
            return write_one(context, args, &format!("{description:#}\n"));
        }
    }
    let LinkedParts { world, .. } = parts(context, &open, &Profile::Dev)?;
    let files = generated_files(&open.manifest, &world)?;
    let changed =
        if args.check { stale(&open.project, &files) } else { write_generated(&open.project, &open.manifest, &world)? };
    if args.check && !changed.is_empty() {
        let message = format!("not as the manifest says: {}", in_short(&changed));
        return Err(CommandError::new(codes::GENERATED, message).hint("erp-plugin generate"));
    }
    let result = GenerateResult {
        ok: true,
        abi: world.host_api.abi.to_owned(),
        world: world.name,
        files: files.into_iter().map(|file| file.path).collect(),
        changed,
    };
    context.ui.result(&result, || match result.changed.as_slice() {
        [] => format!("{} files are up to date", result.files.len()),
        changed => format!("{} written", in_short(changed)),
    });
    Ok(ExitCode::Ok)
}

/// Writes a text to the output file, or to standard output. With `--check`, only compares it with the file.
fn write_one(context: &Context, args: &GenerateArgs, text: &str) -> CommandResult {
    let Some(file) = &args.output else {
        context.ui.raw_result(text);
        return Ok(ExitCode::Ok);
    };
    let path = context.path(file);
    let is_current = fs_err::read(&path).is_ok_and(|there| there == text.as_bytes());
    if args.check && !is_current {
        let message = format!("not as the manifest says: {}", context.shown(&path));
        return Err(CommandError::new(codes::GENERATED, message).hint("the same command without --check"));
    }
    if !is_current {
        erp_files::write(&path, text.as_bytes(), erp_files::FileAccess::Shared)?;
        context.ui.status("Written", context.shown(&path));
    }
    Ok(ExitCode::Ok)
}

/// A list of files. More than three are shortened to their number, the first and the last.
pub(super) fn in_short(files: &[String]) -> String {
    match files {
        [first, .., last] if files.len() > 3 => format!("{} files, {first} to {last}", files.len()),
        files => files.join(", "),
    }
}

/// The world that a manifest names, or the default one of its host API.
pub(super) fn world_of(manifest: &Manifest) -> Result<World, CommandError> {
    let host_api = contract::find(&manifest.runtime.abi);
    let name = manifest.runtime.world.as_ref().map(|world| world.as_str());
    let world = host_api.and_then(|host_api| host_api.world(name.unwrap_or(host_api.default_world)));
    world.ok_or_else(|| {
        CommandError::new(codes::MANIFEST, "the manifest names a host API or a world that is not known")
            .hint("erp-plugin check says which are")
    })
}

/// Writes the files that differ, and removes those of an earlier manifest. Returns the files that changed.
pub(super) fn write_generated(
    project: &Project,
    manifest: &Manifest,
    world: &World,
) -> Result<Vec<String>, CommandError> {
    let wanted = generated_files(manifest, world)?;
    let changed = stale(project, &wanted);
    for file in &wanted {
        erp_files::write_if_changed(&project.root.join(&file.path), file.text.as_bytes())?;
    }
    for leftover in changed.iter().filter(|path| wanted.iter().all(|file| file.path != **path)) {
        fs_err::remove_file(project.root.join(leftover))
            .map_err(|error| CommandError::new(codes::IO, error.to_string()))?;
    }
    Ok(changed)
}

/// Generated files that are missing or different, and those that an earlier manifest left behind.
pub(super) fn stale(project: &Project, wanted: &[GeneratedFile]) -> Vec<String> {
    let differs = |file: &&GeneratedFile| {
        fs_err::read(project.root.join(&file.path)).ok().as_deref() != Some(file.text.as_bytes())
    };
    let mut stale: Vec<String> = wanted.iter().filter(differs).map(|file| file.path.clone()).collect();
    for folder in GENERATED_FOLDERS {
        made_in(&project.root, Path::new(folder), &mut |path| {
            if wanted.iter().all(|file| file.path != path) {
                stale.push(path);
            }
        });
    }
    stale
}

/// Passes every file of a folder that has the mark of generated code to `tell`.
fn made_in(root: &Path, folder: &Path, tell: &mut impl FnMut(String)) {
    let Ok(entries) = fs_err::read_dir(root.join(folder)) else { return };
    for entry in entries.flatten() {
        let path = folder.join(entry.file_name());
        if entry.path().is_dir() {
            made_in(root, &path, tell);
        } else if fs_err::read_to_string(entry.path()).is_ok_and(|text| text.contains(MARK)) {
            tell(path.to_string_lossy().replace('\\', "/"));
        }
    }
}
