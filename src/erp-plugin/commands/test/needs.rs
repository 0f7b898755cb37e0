//! The plugins that the plugin under test needs: its neighbours in the workspace.

use std::sync::Arc;

use erp_manifest::Manifest;
use erp_manifest::diagnostics::Report;
use erp_runtime::{LoadedPlugin, Runtime};

use crate::command_error::{CommandError, codes};
use crate::commands::open_project::OpenProject;
use crate::commands::present_component::{ComponentArgs, Purpose};
use crate::context::Context;
use crate::project::{Member, Project, members, workspace_root};

/// Loads every plugin that is needed, directly or not; those that others need come first. One outside of the workspace
/// is left out: the start of the tested plugin reports it as missing.
pub(super) fn load(
    context: &Context,
    open: &OpenProject,
    runtime: &Runtime,
    args: &ComponentArgs,
) -> Result<Vec<LoadedPlugin>, CommandError> {
    let mut wanted: Vec<String> = open.manifest.needs().map(|(id, _)| id.to_owned()).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |why: String| CommandError::new(codes::WORKSPACE, why);
    let neighbours = members(&workspace_root(&open.project.root)).map_err(|error| failed(error.to_string()))?;
    // The members are sorted, needed ones first. In reverse order, all that need a plugin come before it.
    let mut needed: Vec<(&Member, Project, Manifest)> = Vec::new();
    for member in neighbours.iter().rev().filter(|member| member.id != open.manifest.metadata.id.as_str()) {
        if !wanted.contains(&member.id) {
            continue;
        }
        let project = Project::open(&member.manifest_file, &context.directory)?;
        let (manifest, report) = project.manifest();
        let manifest = manifest.filter(|_| !report.has_errors()).ok_or_else(|| {
            failed(format!("the manifest of {}, which is needed, has errors", member.id)).with_report(report)
        })?;
        wanted.extend(manifest.needs().map(|(id, _)| id.to_owned()));
        needed.push((member, project, manifest));
    }
    let mut loaded = Vec::new();
    for (member, project, manifest) in needed.into_iter().rev() {
        let (neighbour, report) = (context.of_member(&member.manifest_file), Report::new());
        let open = OpenProject { project, manifest, report };
        let component = neighbour.present_component(&open, &neighbour_args(args), Purpose::Trial)?;
        loaded.push(runtime.load(&component.bytes, Arc::new(open.manifest))?);
    }
    Ok(loaded)
}

/// The arguments for a neighbour's component: `--component` is for the plugin's own only.
fn neighbour_args(args: &ComponentArgs) -> ComponentArgs {
    ComponentArgs { component: None, no_build: args.no_build }
}
