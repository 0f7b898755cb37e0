//! Running again whenever something changes.

use std::time::{Duration, Instant};

use super::{TestArgs, run_once};
use crate::commands::CommandResult;
use crate::commands::build::{self, BuildArgs};
use crate::context::Context;
use crate::project::{Concern, FolderWatch};

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(100);

/// Runs, and runs again whenever the content of a file changes, until somebody ends the program. A source that
/// changes is built first, for development.
pub(super) fn run(context: &Context, args: &TestArgs) -> CommandResult {
    let project = context.project()?;
    let mut watch = FolderWatch::new(&project.root);
    // Built elsewhere, or by somebody else.
    let component = || {
        let own = project.manifest().0.map(|manifest| project.component_file(&manifest));
        let file = args.component.as_ref().map(|file| context.path(file)).or(own);
        let metadata = file.and_then(|file| fs_err::metadata(file).ok());
        metadata.map(|metadata| (metadata.len(), metadata.modified().ok()))
    };
    loop {
        if let Err(error) = run_once(context, args) {
            error.report_to(&context.ui);
        }
        let known = component();
        context.ui.status("Watching", "the source, plugin.toml, tests/ and the component; Ctrl-C ends it");
        loop {
            std::thread::sleep(EVERY);
            let concerns = watch.look(Instant::now());
            if (concerns.contains(&Concern::Source) || concerns.contains(&Concern::Lock))
                && args.component.is_none()
                // What does not compile says why; the component that is there stays as it is.
                && let Err(error) = build::run(context, &BuildArgs::default())
            {
                error.report_to(&context.ui);
            }
            if concerns.contains(&Concern::Manifest) || concerns.contains(&Concern::Tests) || component() != known {
                break;
            }
        }
    }
}
