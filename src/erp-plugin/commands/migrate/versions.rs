//! Versions of a plugin as users name them: a package, a project's folder, or a revision of git.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use erp_manifest::diagnostics::{Report, SourceFile};
use erp_manifest::{Manifest, document, parse};
use erp_package::strict_zip::Limits;
use serde_json::Value;

use super::super::package_file::open_package;
use crate::command_error::{CommandError, codes};
use crate::commands::open_project::OpenProject;
use crate::commands::present_component::{ComponentArgs, Purpose};
use crate::context::Context;
use crate::project::{MANIFEST_FILE, Project};
use crate::settings::command;

/// A version of a plugin.
pub(in super::super) struct PluginVersion {
    pub(in super::super) manifest: Arc<Manifest>,
    /// The manifest as JSON, in the form that packages contain.
    pub(super) json: Value,
    /// The component of a package; absent for a project and a revision.
    packed: Option<Vec<u8>>,
    /// The project; absent for a package and a revision.
    pub(super) project: Option<Project>,
}

impl PluginVersion {
    /// The version in messages: `1.2.0 (schema 3)`.
    pub(super) fn shown(&self) -> String {
        format!("{} (schema {})", *self.manifest.metadata.version, self.manifest.schema.schema_version)
    }

    /// The present version of a project.
    pub(in super::super) fn of_open(open: &OpenProject) -> PluginVersion {
        PluginVersion {
            manifest: Arc::new(open.manifest.clone()),
            json: document::parse(&open.project.source).0.to_json(),
            packed: None,
            project: Some(open.project.clone()),
        }
    }

    /// The component. That of a project is built first if it is stale, or refused with `no_build`.
    pub(super) fn component(&self, context: &Context, no_build: bool) -> Result<Vec<u8>, CommandError> {
        if let Some(packed) = &self.packed {
            return Ok(packed.clone());
        }
        let Some(project) = &self.project else {
            let message = format!("version {} has no component", *self.manifest.metadata.version);
            let error = CommandError::new(codes::NO_COMPONENT, message);
            return Err(
                error.hint("a revision of git is not built: name its package, or a folder that it is checked out in")
            );
        };
        let open = OpenProject { project: project.clone(), manifest: (*self.manifest).clone(), report: Report::new() };
        let own = context.of_member(&project.manifest_file);
        Ok(own.present_component(&open, &ComponentArgs { no_build, ..ComponentArgs::default() }, Purpose::Trial)?.bytes)
    }

    /// The component, if one of the present sources exists without a build.
    pub(super) fn component_without_build(&self, context: &Context) -> Option<Vec<u8>> {
        if self.packed.is_some() {
            return self.packed.clone();
        }
        let built = context.built_files(self.project.as_ref()?, &self.manifest);
        built.into_iter().find(|built| built.changes.is_empty()).map(|built| built.bytes)
    }
}

/// Reads a version: a folder such as `.`, a package, or a git revision such as `HEAD~1` or `v1.2.0`. A revision is one
/// of the current project.
pub(in super::super) fn read(context: &Context, named: &str) -> Result<PluginVersion, CommandError> {
    let path = context.path(Path::new(named));
    if path.is_dir() {
        return of_project(context, Project::in_folder(&path, &context.directory)?);
    }
    if path.is_file() {
        let package = open_package(&context.read(&path)?, &Limits::default())?;
        let packed = Some(package.component().to_vec());
        let manifest = Arc::new(package.manifest.clone());
        return Ok(PluginVersion { manifest, json: package.manifest_json, packed, project: None });
    }
    of_revision(context, named)
}

/// Reads the version of the current project.
pub(super) fn current(context: &Context) -> Result<PluginVersion, CommandError> {
    of_project(context, context.project()?)
}

/// Reads two versions of one plugin. The second is the current project if `new` is absent.
pub(super) fn read_both(
    context: &Context,
    old: &str,
    new: Option<&str>,
) -> Result<(PluginVersion, PluginVersion), CommandError> {
    let old = read(context, old)?;
    let new = match new {
        Some(new) => read(context, new)?,
        None => current(context)?,
    };
    let (before, after) = (&*old.manifest.metadata.id, &*new.manifest.metadata.id);
    if before != after {
        let message = format!("these are two plugins: {before} and {after}");
        return Err(CommandError::new(codes::USAGE, message));
    }
    Ok((old, new))
}

fn of_project(context: &Context, project: Project) -> Result<PluginVersion, CommandError> {
    let (manifest, report) = project.manifest();
    let mut manifest = manifest.filter(|_| !report.has_errors()).ok_or_else(|| {
        let message = format!("the manifest of {} has errors", context.shown(&project.root));
        CommandError::new(codes::MANIFEST, message).with_report(report)
    })?;
    if let Some(unreadable) = manifest.read_fixture_files(&|path| project.file(path)).first() {
        return Err(CommandError::new(codes::FIXTURES, unreadable.to_string()));
    }
    let json = document::parse(&project.source).0.to_json();
    Ok(PluginVersion { manifest: Arc::new(manifest), json, packed: None, project: Some(project) })
}

fn of_revision(context: &Context, revision: &str) -> Result<PluginVersion, CommandError> {
    let project = context.project()?;
    let unknown = |why: String| {
        let is_file = Path::new(revision).extension().is_some_and(|ending| ending == "erpx");
        let message = if is_file || revision.contains('/') {
            format!("there is no file and no folder `{revision}`")
        } else {
            format!("`{revision}` is no file, no folder, and no revision of git: {why}")
        };
        CommandError::new(codes::USAGE, message).hint(known_versions(&project))
    };
    if revision.starts_with('-') {
        return Err(unknown("it begins with a dash".to_owned()));
    }
    let git = command("git")
        .arg("-C")
        .arg(&project.root)
        .args(["show", "--end-of-options", &format!("{revision}:./{MANIFEST_FILE}")])
        .output()
        .map_err(|error| unknown(format!("git: {error}")))?;
    if !git.status.success() {
        let why = String::from_utf8_lossy(&git.stderr).lines().next().unwrap_or("git failed").to_owned();
        return Err(unknown(why));
    }
    let text = String::from_utf8(git.stdout).map_err(|_| unknown("its manifest is not UTF-8".to_owned()))?;
    let source = SourceFile::new(format!("{revision}:{MANIFEST_FILE}"), text);
    let (manifest, report) = parse(&source);
    let manifest = manifest.filter(|_| !report.has_errors()).ok_or_else(|| {
        CommandError::new(codes::MANIFEST, format!("the manifest of `{revision}` has errors")).with_report(report)
    })?;
    let json = document::parse(&source).0.to_json();
    Ok(PluginVersion { manifest: Arc::new(manifest), json, packed: None, project: None })
}

/// A hint that names the packages in `dist`, which can be used as versions.
fn known_versions(project: &Project) -> String {
    let files = fs_err::read_dir(project.root.join("dist")).into_iter().flatten().flatten();
    let is_package = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "erpx");
    let names = files.map(|entry| entry.path()).filter(is_package);
    let mut names: Vec<String> =
        names.filter_map(|file| Some(format!("dist/{}", file.file_name()?.to_str()?))).collect();
    names.sort();
    match names.as_slice() {
        [] => "name a package, the folder of a built project, or a revision of git".to_owned(),
        names => format!("there are {}", names.join(", ")),
    }
}
