//! Versions of a plugin as users name them: a package, a project's folder, or a revision of git.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::super::package_file::open_package;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::diagnostics::SourceFile;
use crate::document;
use crate::manifest::{Manifest, parse};
use crate::project::{MANIFEST_FILE, Project};
use crate::settings::command;
use crate::strict_zip::Limits;

/// A version of a plugin.
pub(super) struct VersionOf {
    pub(super) manifest: Arc<Manifest>,
    /// The manifest as packages hold it.
    pub(super) json: Value,
    /// The component, if there is one.
    pub(super) component: Option<Vec<u8>>,
    /// The project, where it is one.
    pub(super) project: Option<Project>,
}

impl VersionOf {
    /// `1.2.0 (schema 3)`.
    pub(super) fn shown(&self) -> String {
        format!("{} (schema {})", *self.manifest.metadata.version, self.manifest.schema.schema_version)
    }

    /// The component; an error that says how to get one.
    pub(super) fn component(&self) -> Result<&[u8], CommandError> {
        self.component.as_deref().ok_or_else(|| {
            let message = format!("version {} has no component", *self.manifest.metadata.version);
            CommandError::new(codes::NO_COMPONENT, message)
                .hint("erp-plugin build, in its folder; or name a package, which has one")
        })
    }
}

/// Reads a version: `.` or another folder, a package, or a revision of git such as `HEAD~1` or `v1.2.0`, where the
/// manifest is that of the project that the user stands in.
pub(super) fn read(context: &Context, named: &str) -> Result<VersionOf, CommandError> {
    let path = context.path(Path::new(named));
    if path.is_dir() {
        return of_project(context, Project::open(&path.join(MANIFEST_FILE), &context.directory)?);
    }
    if path.is_file() {
        let package = open_package(&context.read(&path)?, &Limits::default())?;
        let component = Some(package.component().to_vec());
        let manifest = Arc::new(package.manifest.clone());
        return Ok(VersionOf { manifest, json: package.manifest_json, component, project: None });
    }
    of_revision(context, named)
}

/// The project that the user stands in.
pub(super) fn current(context: &Context) -> Result<VersionOf, CommandError> {
    of_project(context, context.project()?)
}

/// Two versions of one plugin; the current project where no second one is named.
pub(super) fn read_both(
    context: &Context,
    old: &str,
    new: Option<&str>,
) -> Result<(VersionOf, VersionOf), CommandError> {
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

fn of_project(context: &Context, project: Project) -> Result<VersionOf, CommandError> {
    let (manifest, report) = project.manifest();
    let mut manifest = manifest.filter(|_| !report.has_errors()).ok_or_else(|| {
        let message = format!("the manifest of {} has errors", context.shown(&project.root));
        CommandError::new(codes::MANIFEST, message).with_report(report)
    })?;
    if let Some(unreadable) = manifest.read_fixture_files(&|path| project.file(path)).first() {
        return Err(CommandError::new(codes::FIXTURES, unreadable.to_string()));
    }
    let component = fs_err::read(project.component_file(&manifest)).ok();
    let json = document::parse(&project.source).0.to_json();
    Ok(VersionOf { manifest: Arc::new(manifest), json, component, project: Some(project) })
}

fn of_revision(context: &Context, revision: &str) -> Result<VersionOf, CommandError> {
    let project = context.project()?;
    let unknown = |why: String| {
        let message = format!("`{revision}` is no package, no folder, and no revision of git: {why}");
        CommandError::new(codes::USAGE, message).hint("erp-plugin migrate diff dist/<id>-<version>.erpx")
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
    Ok(VersionOf { manifest: Arc::new(manifest), json, component: None, project: None })
}
