//! Running again whenever something changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{TestArgs, run_once};
use crate::commands::CommandResult;
use crate::context::Context;
use crate::digest::sha256_hex;
use crate::project::Project;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(200);

/// Runs, and runs again whenever the content of a file changes, until somebody ends the program.
pub(super) fn run(context: &Context, args: &TestArgs) -> CommandResult {
    let project = context.project()?;
    let mut seen = contents(context, &project, args);
    loop {
        if let Err(error) = run_once(context, args) {
            error.tell(&context.ui);
        }
        context.ui.status("Watching", "plugin.toml, tests/ and the component; Ctrl-C ends it");
        loop {
            std::thread::sleep(EVERY);
            let now = contents(context, &project, args);
            if now != seen {
                // A file that is being written is looked at again.
                std::thread::sleep(EVERY);
                seen = contents(context, &project, args);
                break;
            }
        }
    }
}

/// Digests of all that a run depends on: a file that is written without a change is none.
fn contents(context: &Context, project: &Project, args: &TestArgs) -> BTreeMap<PathBuf, String> {
    let mut files = vec![project.root.join("plugin.toml")];
    match &args.component {
        Some(file) => files.push(context.path(file)),
        None => all_files(&project.root.join("dist"), &mut files),
    }
    all_files(&project.root.join("tests"), &mut files);
    let digest = |file: PathBuf| fs_err::read(&file).ok().map(|bytes| (file, sha256_hex(&bytes)));
    files.into_iter().filter_map(digest).collect()
}

fn all_files(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            all_files(&path, into);
        } else {
            into.push(path);
        }
    }
}
