//! A component that is built again in another place, to be compared.

use std::path::Path;

use super::build::{build_options, finish};
use super::generate::world_of;
use crate::build::{Elsewhere, Profile, compile};
use crate::command_error::CommandError;
use crate::component::{Description, description};
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::project::{MANIFEST_FILE, Project};

/// Builds the project in `folder` in another folder with another home of cargo, and gives its component.
///
/// Its revision is that of `like`, the component that it is compared with: the source may come without git.
pub(super) fn rebuild_like(context: &Context, folder: &Path, like: &[u8]) -> Result<Vec<u8>, CommandError> {
    let project = Project::open(&folder.join(MANIFEST_FILE), &context.directory)?;
    let (manifest, report) = project.manifest();
    let Some(manifest) = manifest.filter(|_| !report.has_errors()) else {
        let message = format!("the manifest of the source has errors: {}", report.summary());
        return Err(CommandError::new(ExitCode::Configuration, "manifest", message).with_report(report));
    };
    let world = world_of(&manifest)?;
    let here = build_options(context, &project, Profile::Release)?;
    let elsewhere = Elsewhere::of(&here)?;
    context.ui.status("Rebuilding", "in another folder, with another home of cargo");
    let file = compile(&elsewhere.options(&here)?, |message| context.ui.foreign(message))?.file;
    let Description { revision, source, .. } = description(like);
    Ok(finish(&context.read(&file)?, &manifest, &world, Description { revision, source, ..Description::default() })?
        .component)
}
