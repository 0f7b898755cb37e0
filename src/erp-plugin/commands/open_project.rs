//! The project that a command works on, and its manifest.

use std::sync::Arc;

use erp_check::{BAD_FIXTURE, check_nodes};
use erp_manifest::Manifest;
use erp_manifest::diagnostics::{Diagnostic, Report, SourceFile};

use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::project::{Project, members, workspace_root};

/// A project whose manifest could be read.
#[derive(Debug)]
pub(crate) struct OpenProject {
    pub(crate) project: Project,
    pub(crate) manifest: Manifest,
    /// The findings from reading the manifest.
    pub(crate) report: Report,
}

impl OpenProject {
    /// The same component with source lines, if its release build stored them. Other components are returned unchanged.
    pub(crate) fn with_lines(&self, component: Vec<u8>) -> Vec<u8> {
        let kept = fs_err::read(self.project.lines_file(&self.manifest)).ok();
        let is_its = |kept: &Vec<u8>| erp_component::strip_component(kept).is_ok_and(|bare| bare == component);
        kept.filter(is_its).unwrap_or(component)
    }
}

impl Context {
    /// The project that `-p` or `--manifest-path` names, or the nearest one.
    pub(crate) fn project(&self) -> Result<Project, CommandError> {
        if let Some(name) = &self.package {
            return self.member(name);
        }
        Ok(match &self.manifest_path {
            Some(file) => Project::open(file, &self.directory)?,
            None => Project::find(&self.directory).map_err(|error| self.with_members(error.into()))?,
        })
    }

    /// Adds the plugins of the workspace, if there are any, to an error that no project was found.
    fn with_members(&self, error: CommandError) -> CommandError {
        let root = workspace_root(&self.directory);
        // Elsewhere, the search could cover a complete home folder.
        let found = if root.join("Cargo.toml").is_file() { members(&root).ok() } else { None };
        match found {
            Some(members) => {
                let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
                error.hint(format!("or take one of {} with -p, or all of them with --workspace", ids.join(", ")))
            }
            None => error,
        }
    }

    /// The plugin of the workspace that `-p` names.
    fn member(&self, name: &str) -> Result<Project, CommandError> {
        let failed = |why: String| CommandError::new(codes::WORKSPACE, why);
        let members = members(&workspace_root(&self.directory)).map_err(|error| failed(error.to_string()))?;
        let found = members.iter().find(|member| member.id == name || member.folder == name);
        let found = found.ok_or_else(|| {
            let known: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
            failed(format!("there is no plugin `{name}` here; there are {}", known.join(", ")))
        })?;
        Ok(Project::open(&found.manifest_file, &self.directory)?)
    }

    /// Opens the project with its manifest. If the manifest has errors, fails with all of its findings.
    pub(crate) fn open_project(&self) -> Result<OpenProject, CommandError> {
        let project = self.project()?;
        let (manifest, mut report) = project.manifest();
        let manifest = manifest.map(|mut manifest| {
            for unreadable in manifest.read_fixture_files(&|path| project.file(path)) {
                let finding = Diagnostic::new(BAD_FIXTURE, unreadable.as_str()).in_source(&project.source);
                report.push(finding.at(unreadable.span(), "these rows"));
            }
            manifest
        });
        match manifest {
            Some(manifest) if !report.has_errors() => Ok(OpenProject { project, manifest, report }),
            _ => {
                let message = format!("the manifest has errors: {}", report.summary());
                Err(CommandError::new(codes::MANIFEST, message).with_report(report))
            }
        }
    }

    /// Compares the nodes of a manifest with those that its component defines. Runs nothing if the manifest has no
    /// nodes.
    pub(crate) fn check_nodes(
        &self,
        component: &[u8],
        manifest: &Manifest,
        source: &Arc<SourceFile>,
    ) -> Result<Report, CommandError> {
        if manifest.nodes.is_empty() {
            return Ok(Report::new());
        }
        let runtime = self.runtime()?;
        let loaded = runtime.load(component, Arc::new(manifest.clone()))?;
        let definitions = runtime.node_definitions(&loaded)?;
        Ok(check_nodes(manifest, &definitions, Some(source)))
    }
}
