//! The interface through which a dev host reads, builds and tests projects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use erp_manifest::Manifest;
use erp_platform::PluginFiles;
use erp_runtime::{LoadedPlugin, RecordedCall, Runtime};
use serde::Serialize;
use serde_json::Value;

use crate::build::Cancel;
use crate::project::Project;

/// The place of a followed project.
#[derive(Debug, Clone)]
pub struct ProjectPlace {
    /// The plugin's id, or the folder's name if the manifest could not be read.
    pub name: String,
    /// The folder.
    pub root: PathBuf,
    /// The manifest's file.
    pub manifest_file: PathBuf,
}

/// A project whose manifest has no errors.
#[derive(Debug, Clone)]
pub struct CheckedProject {
    /// The project as it was read.
    pub project: Project,
    /// The manifest, with the rows of its files.
    pub manifest: Arc<Manifest>,
    /// The manifest as JSON, as packages hold it.
    pub json: Value,
    /// The files that users of the plugin see.
    pub files: PluginFiles,
    /// The findings of the check that are not errors, as text.
    pub remarks: String,
}

/// A component that fits its manifest.
#[derive(Debug)]
pub struct FittingComponent {
    /// The compiled component.
    pub loaded: LoadedPlugin,
    /// The findings of the check that are not errors, as text.
    pub remarks: String,
}

/// A failure of a project.
#[derive(Debug, Clone, Serialize)]
pub struct ProjectFailure {
    /// The stage that failed.
    pub stage: FailureStage,
    /// The failure in one line.
    pub summary: String,
    /// The complete text, as a terminal of 100 columns shows it.
    pub text: String,
}

/// The stage in which a project failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureStage {
    /// The manifest has errors.
    Manifest,
    /// The build failed.
    Build,
    /// The component does not fit its manifest.
    Component,
    /// The new version does not start.
    Start,
    /// Rows would be lost.
    Rows,
}

/// A component that was built.
#[derive(Debug, Clone)]
pub struct ProjectBuild {
    /// The component.
    pub component: Vec<u8>,
    /// The output of the build.
    pub text: String,
}

/// Reads, builds and tests projects. No method is called under the platform's lock.
pub trait ProjectTools: Send + Sync + std::fmt::Debug {
    /// The followed projects; those that others depend on come first.
    fn places(&self) -> Vec<ProjectPlace>;

    /// Reads a manifest and checks it against every rule.
    ///
    /// # Errors
    /// The errors of the manifest.
    fn read(&self, place: &ProjectPlace) -> Result<CheckedProject, ProjectFailure>;

    /// The component that was built from the present sources, or else an older one; none if no component exists.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn component(&self, read: &CheckedProject) -> Result<Option<Vec<u8>>, ProjectFailure>;

    /// Compiles a component, and checks it against its manifest at the same time.
    ///
    /// # Errors
    /// Why it does not fit.
    fn fit(
        &self,
        read: &CheckedProject,
        component: &[u8],
        runtime: &Runtime,
    ) -> Result<FittingComponent, ProjectFailure>;

    /// Stores a component for the next start and for other commands.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn keep(&self, read: &CheckedProject, component: &[u8]) -> Result<(), ProjectFailure>;

    /// Folders outside the project with crates that the component is built from.
    fn folders_beside(&self, read: &CheckedProject, component: &[u8]) -> Vec<PathBuf>;

    /// Whether the component must be built, because none was built from the present sources.
    fn needs_build(&self, read: &CheckedProject) -> bool;

    /// Builds the component. A cancelled build ends with an error that is not read.
    ///
    /// # Errors
    /// The output of the compiler.
    fn build(&self, place: &ProjectPlace, cancel: &Cancel) -> Result<ProjectBuild, ProjectFailure>;

    /// The text of a scenario that repeats calls.
    fn scenario(&self, manifest: &Manifest, name: &str, calls: &[RecordedCall]) -> String;

    /// Runs the project's scenarios; returns the document of `erp-plugin test --format json`.
    fn test(&self, manifest_file: &Path) -> Value;
}
