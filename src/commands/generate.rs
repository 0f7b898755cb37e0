//! `erp-plugin generate`.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::contract::{self, World};
use crate::exit_code::ExitCode;
use crate::files;
use crate::generate::rust_bindings;
use crate::manifest::Manifest;
use crate::project::Project;

/// Write src/bindings.rs: the host API in Rust, for the world that the manifest names
///
/// `build` does this by itself; run it to give an editor the bindings of a changed manifest.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {}

/// Where the bindings stand in a project.
pub(super) const BINDINGS_FILE: &str = "src/bindings.rs";

/// Bindings that were written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GenerateResult {
    ok: bool,
    /// The host API.
    abi: String,
    /// The world.
    world: String,
    /// The file.
    file: String,
    /// False where the file was as it should be already.
    changed: bool,
}

pub(super) fn run(context: &Context, _: &GenerateArgs) -> CommandResult {
    let open = context.open_project()?;
    let world = world_of(&open.manifest)?;
    let changed = write_bindings(&open.project, &open.manifest)?;
    let file = context.shown(&open.project.root.join(BINDINGS_FILE));
    let result =
        GenerateResult { ok: true, abi: world.host_api.abi.to_owned(), world: world.name, file: file.clone(), changed };
    context.ui.result(&result, || if changed { format!("{file} written") } else { format!("{file} is up to date") });
    Ok(ExitCode::Ok)
}

/// The world that a manifest names.
pub(super) fn world_of(manifest: &Manifest) -> Result<World, CommandError> {
    let host_api = contract::find(&manifest.runtime.abi);
    let name = manifest.runtime.world.as_ref().map(|world| world.as_str());
    let world = host_api.and_then(|host_api| host_api.world(name.unwrap_or(host_api.default_world)));
    world.ok_or_else(|| {
        CommandError::new(
            ExitCode::Configuration,
            "manifest",
            "the manifest names a host API or a world that is not known",
        )
        .hint("erp-plugin check says which are")
    })
}

/// The bindings for the world that a manifest names.
pub(super) fn bindings_text(manifest: &Manifest) -> Result<String, CommandError> {
    Ok(rust_bindings(&world_of(manifest)?)?)
}

/// Writes the bindings where they differ; true where they did.
pub(super) fn write_bindings(project: &Project, manifest: &Manifest) -> Result<bool, CommandError> {
    let text = bindings_text(manifest)?;
    Ok(files::write_if_changed(&project.root.join(BINDINGS_FILE), text.as_bytes())?)
}
