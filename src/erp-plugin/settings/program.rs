//! Other programs: they get the user's environment without what is ours alone.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use super::Environment;

/// A program to be started. Keys, tokens, passphrases and passwords stay here: what runs as a build script, a macro, a hook
/// or a credential helper may be a stranger's.
#[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in private_variables() {
        command.env_remove(name);
    }
    command
}

/// This program once more, at `path`: it needs what it was given itself.
#[expect(clippy::disallowed_methods, reason = "nothing that is ours alone is kept from ourselves")]
pub fn this_program(path: &Path) -> Command {
    Command::new(path)
}

/// The variables that no other program gets: those of our flags, and those that hold secrets.
pub fn private_variables() -> Vec<OsString> {
    let mut names = Environment::flag_variables();
    names.extend(Environment::SECRETS.iter().map(OsString::from));
    names
}
