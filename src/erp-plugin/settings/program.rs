//! Starts other programs. They receive the user's environment without the variables of this program.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use super::Environment;

/// Creates a command for another program. It does not receive keys, tokens, passphrases and passwords: a build script,
/// a macro, a hook or a credential helper may be untrusted.
#[expect(clippy::disallowed_methods, reason = "the one place that starts programs")]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in private_variables() {
        command.env_remove(name);
    }
    command
}

/// Creates a command for this program itself, at `path`. It receives all variables.
#[expect(clippy::disallowed_methods, reason = "nothing that is ours alone is kept from ourselves")]
pub fn this_program(path: &Path) -> Command {
    Command::new(path)
}

/// The variables that no other program receives: those of our flags, and those that hold secrets.
pub fn private_variables() -> Vec<OsString> {
    let mut names = Environment::flag_variables();
    names.extend(Environment::SECRETS.iter().map(OsString::from));
    names
}
