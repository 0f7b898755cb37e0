//! Builds a plugin again in another place, to compare the results.

use std::collections::BTreeMap;
use std::path::Path;

use erp_component::{BuildInputs, ComponentOrigin, Description, description};
use erp_manifest::{Language, Manifest};
use erp_package::archive::{COMPONENT, MANIFEST, Package};
use schemars::JsonSchema;
use serde::Serialize;

use super::build::{LinkedParts, Strip, build_options, finish};
use super::generate::world_of;
use super::pack::manifest_entry;
use crate::build::{Profile, SourceCopy, compile};
use crate::command_error::{CommandError, codes};
use crate::commands::present_component::manifest_digest;
use crate::context::Context;
use crate::project::{Project, package_files};

/// A file of a package that came otherwise of its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct FileDifference {
    /// Its name in the package.
    pub(super) name: String,
    /// `changed`, `only-in-package` or `only-in-source`.
    kind: &'static str,
}

/// Builds the project of `folder` in another folder with another cargo home, and returns its component.
///
/// The revision is that of `like`, the component to compare with: the source may come without git.
pub(super) fn rebuild_like(context: &Context, folder: &Path, like: &[u8]) -> Result<Vec<u8>, CommandError> {
    let (project, manifest) = open(context, folder)?;
    if *manifest.build.language != Language::Rust || !manifest.link.is_empty() {
        let message = if manifest.link.is_empty() {
            let language = manifest.build.language.word();
            format!("a plugin in {language} cannot be built again to the byte: its tools give other bytes each time")
        } else {
            "a plugin with [[link]] is not built again yet: only the plugin's own crate would be copied".to_owned()
        };
        return Err(CommandError::new(codes::USAGE, message));
    }
    let parts = LinkedParts { parts: Vec::new(), world: world_of(&manifest)? };
    let here = build_options(context, &project, Profile::Release)?;
    let elsewhere = SourceCopy::of(&here)?;
    context.ui.status("Rebuilding", "in another folder, with another home of cargo");
    let compiled = compile(&elsewhere.options(&here)?, |message| context.ui.print_foreign(message))?;
    let Description { revision, source, .. } = description(like);
    let description = Description { revision, source, ..Description::default() };
    let component = finish(&context.read(&compiled.artifact)?, &manifest, &parts, description, Strip::Debug)?.component;
    let inputs = BuildInputs {
        origin: ComponentOrigin::Release,
        profile: Some(Profile::Release.name().to_owned()),
        compiler: Some(here.toolchain.rustc),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        manifest: manifest_digest(&project),
        settings: Some(compiled.settings),
        files: compiled.files,
        variables: compiled.variables,
    };
    Ok(inputs.written_into(&component))
}

/// The differences between a package and a build of its source: component, manifest, and project files. The WIT was
/// compared with the statement before, and `META/` is the builder's own account.
pub(super) fn compare_with_source(
    context: &Context,
    folder: &Path,
    package: &Package,
) -> Result<Vec<FileDifference>, CommandError> {
    let (project, manifest) = open(context, folder)?;
    let names: Vec<String> = package.entries.iter().map(|entry| entry.name.clone()).collect();
    // Files that the publisher packed are compared, and not checked for secrets again.
    let mut made: BTreeMap<String, Vec<u8>> =
        package_files(&project, &manifest, &names)?.into_iter().map(|entry| (entry.name, entry.bytes)).collect();
    made.insert(MANIFEST.to_owned(), manifest_entry(&project));
    made.insert(COMPONENT.to_owned(), rebuild_like(context, folder, package.component())?);
    let mut differences = Vec::new();
    let is_compared = |name: &str| !name.starts_with("META/") && name != "mimetype" && name != "wit/world.wit";
    for entry in package.entries.iter().filter(|entry| is_compared(&entry.name)) {
        let kind = match made.remove(&entry.name) {
            Some(bytes) if bytes == entry.bytes => continue,
            Some(_) => "changed",
            None => "only-in-package",
        };
        differences.push(FileDifference { name: entry.name.clone(), kind });
    }
    differences.extend(made.into_keys().map(|name| FileDifference { name, kind: "only-in-source" }));
    Ok(differences)
}

fn open(context: &Context, folder: &Path) -> Result<(Project, Manifest), CommandError> {
    let project = Project::in_folder(folder, &context.directory)?;
    let (manifest, report) = project.manifest();
    match manifest.filter(|_| !report.has_errors()) {
        Some(manifest) => Ok((project, manifest)),
        None => {
            let message = format!("the manifest of the source has errors: {}", report.summary());
            Err(CommandError::new(codes::MANIFEST, message).with_report(report))
        }
    }
}
