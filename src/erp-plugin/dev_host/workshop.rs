//! What a dev host asks of whoever knows how projects are read, built and tested.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use erp_manifest::Manifest;
use erp_platform::PluginFiles;
use erp_runtime::{LoadedPlugin, RecordedCall, Runtime};
use serde::Serialize;
use serde_json::Value;

use crate::build::Cancel;
use crate::project::Project;

/// A project that is followed.
#[derive(Debug, Clone)]
pub struct FollowedPlace {
    /// The plugin, or the folder where its manifest cannot be read yet.
    pub name: String,
    /// The folder.
    pub root: PathBuf,
    /// Its manifest.
    pub manifest_file: PathBuf,
}

/// A project whose manifest holds.
#[derive(Debug, Clone)]
pub struct ReadProject {
    /// Where it was read.
    pub project: Project,
    /// The manifest, with the rows of its files.
    pub manifest: Arc<Manifest>,
    /// The same as packages hold it.
    pub json: Value,
    /// What users of the plugin see.
    pub files: PluginFiles,
    /// What the check has to say without refusing it, as text.
    pub remarks: String,
}

/// A component that fits its manifest.
#[derive(Debug)]
pub struct FittingComponent {
    /// It, compiled.
    pub loaded: LoadedPlugin,
    /// What the check has to say without refusing it, as text.
    pub remarks: String,
}

/// What a project could not do.
#[derive(Debug, Clone, Serialize)]
pub struct Trouble {
    /// What went wrong.
    pub stage: TroubleStage,
    /// One line.
    pub summary: String,
    /// All of it, as a terminal of 100 columns shows it.
    pub text: String,
}

/// Where trouble came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TroubleStage {
    /// The manifest does not hold.
    Manifest,
    /// It was not built.
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
pub struct Built {
    /// It.
    pub component: Vec<u8>,
    /// What the build said.
    pub text: String,
}

/// Knows how projects are read, built and tested. Nothing here runs under the platform's lock.
pub trait Workshop: Send + Sync + std::fmt::Debug {
    /// The projects that are followed; those that others need come first.
    fn places(&self) -> Vec<FollowedPlace>;

    /// Reads a manifest and holds it against every rule.
    ///
    /// # Errors
    /// What is wrong with it.
    fn read(&self, place: &FollowedPlace) -> Result<ReadProject, Trouble>;

    /// The component of the present sources, or else the one that was kept last; none where none was.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn component(&self, read: &ReadProject) -> Result<Option<Vec<u8>>, Trouble>;

    /// Compiles a component, and holds it against its manifest meanwhile.
    ///
    /// # Errors
    /// Why it does not fit.
    fn fit(&self, read: &ReadProject, component: &[u8], runtime: &Runtime) -> Result<FittingComponent, Trouble>;

    /// Keeps a component for the next start, and for the project's other commands.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn keep(&self, read: &ReadProject, component: &[u8]) -> Result<(), Trouble>;

    /// Folders outside the project whose crates a component is made of.
    fn folders_beside(&self, read: &ReadProject, component: &[u8]) -> Vec<PathBuf>;

    /// Whether what was built is not that of the present sources.
    fn needs_build(&self, read: &ReadProject) -> bool;

    /// Builds the component. A build that is given up ends with an unread error.
    ///
    /// # Errors
    /// What the compiler said.
    fn build(&self, place: &FollowedPlace, cancel: &Cancel) -> Result<Built, Trouble>;

    /// A scenario that does what calls did.
    fn scenario(&self, manifest: &Manifest, name: &str, calls: &[RecordedCall]) -> String;

    /// Runs the project's scenarios; the document of `erp-plugin test --format json`.
    fn test(&self, manifest_file: &Path) -> Value;
}
