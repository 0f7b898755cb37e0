//! Running again whenever something changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{TestArgs, run_once};
use crate::commands::CommandResult;
use crate::commands::build::{self, BuildArgs};
use crate::context::Context;
use crate::digest::sha256_hex;
use crate::project::Project;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(200);

/// Runs, and runs again whenever the content of a file changes, until somebody ends the program. A source that
/// changes is built first, for development.
pub(super) fn run(context: &Context, args: &TestArgs) -> CommandResult {
    let project = context.project()?;
    let mut seen = contents(context, &project, args);
    let mut source = sources(&project);
    loop {
        if let Err(error) = run_once(context, args) {
            error.tell(&context.ui);
        }
        context.ui.status("Watching", "the source, plugin.toml, tests/ and the component; Ctrl-C ends it");
        loop {
            std::thread::sleep(EVERY);
            let now = sources(&project);
            if now != source && args.component.is_none() {
                source = settled(now, || sources(&project));
                // What does not compile says why; the component that is there stays as it is.
                if let Err(error) = build::run(context, &BuildArgs::default()) {
                    error.tell(&context.ui);
                }
            }
            let now = contents(context, &project, args);
            if now != seen {
                seen = settled(now, || contents(context, &project, args));
                break;
            }
        }
    }
}

/// What the files hold once nobody writes them any more.
fn settled(mut was: Contents, look: impl Fn() -> Contents) -> Contents {
    loop {
        std::thread::sleep(EVERY);
        let is = look();
        if is == was {
            return is;
        }
        was = is;
    }
}

/// Digests of files.
type Contents = BTreeMap<PathBuf, String>;

/// All that a build depends on: the source and cargo's files. What the build itself writes there is no change of the
/// user's.
fn sources(project: &Project) -> Contents {
    let mut files = vec![project.root.join("Cargo.toml")];
    all_files(&project.root.join("src"), &mut files);
    files.retain(|file| !file.ends_with("src/bindings.rs") && !file.to_string_lossy().contains("src/erp/"));
    digests(files)
}

/// All that a run depends on: a file that is written without a change is none.
fn contents(context: &Context, project: &Project, args: &TestArgs) -> Contents {
    let mut files = vec![project.root.join("plugin.toml")];
    match &args.component {
        Some(file) => files.push(context.path(file)),
        None => all_files(&project.root.join("dist"), &mut files),
    }
    all_files(&project.root.join("tests"), &mut files);
    digests(files)
}

fn digests(files: Vec<PathBuf>) -> Contents {
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
