//! Runs the tests again whenever something changes.

use std::time::{Duration, Instant, SystemTime};

use super::{TestArgs, run_once};
use crate::commands::CommandResult;
use crate::context::Context;
use crate::project::FolderWatch;

/// How often files are checked for changes.
const EVERY: Duration = Duration::from_millis(100);

/// Runs the tests, and again whenever the content of a file changes, until the program is ended. The run itself builds
/// a stale component.
pub(super) fn run(context: &Context, args: &TestArgs) -> CommandResult {
    let project = context.project()?;
    let mut watch = FolderWatch::new(&project.root);
    loop {
        if let Err(error) = run_once(context, args) {
            error.report_to(&context.ui);
        }
        // The component that is made of them names the crates outside the project.
        watch.follow(context.folders_beside(&project));
        let known = component(context, args);
        context.ui.status("Watching", "the source, plugin.toml and tests/; Ctrl-C ends it");
        loop {
            std::thread::sleep(EVERY);
            if !watch.look(Instant::now()).is_empty() || component(context, args) != known {
                break;
            }
        }
    }
}

/// Size and time of a named component, which is built elsewhere; `None` if none is named.
fn component(context: &Context, args: &TestArgs) -> Option<(u64, Option<SystemTime>)> {
    let metadata = fs_err::metadata(context.path(args.component.component.as_ref()?)).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}
