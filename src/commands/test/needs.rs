//! Plugins that the plugin under test needs: its neighbours in the workspace, as they were last built.

use std::sync::Arc;

use crate::command_error::{CommandError, codes};
use crate::commands::open_project::OpenProject;
use crate::context::Context;
use crate::host::{LoadedPlugin, Runtime};
use crate::manifest::Manifest;
use crate::project::{Member, Project, members, workspace_root};

/// Every plugin that is needed, directly or not, those that others need first. One that is no neighbour is left out: the
/// plugin's own start says that it is missing.
pub(super) fn load(
    context: &Context,
    open: &OpenProject,
    runtime: &Runtime,
) -> Result<Vec<LoadedPlugin>, CommandError> {
    let mut wanted: Vec<String> = open.manifest.needs().map(|(id, _)| id.to_owned()).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |why: String| CommandError::new(codes::WORKSPACE, why);
    let neighbours = members(&workspace_root(&open.project.root)).map_err(|error| failed(error.to_string()))?;
    // They come in the order of their needs: from the last to the first, all that is wanted is known in time.
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
        let file = project.component_file(&manifest);
        if !file.is_file() {
            let hint = format!("erp-plugin build --release -p {}", member.id);
            return Err(failed(format!("{}, which is needed, has no component yet", member.id)).hint(hint));
        }
        loaded.push(runtime.load(&context.read(&file)?, Arc::new(manifest))?);
    }
    Ok(loaded)
}
