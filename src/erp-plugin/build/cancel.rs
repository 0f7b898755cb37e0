//! Builds that can be cancelled, together with every process that they started.

use std::io;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cancels a build that is no longer needed. The default value never does: its processes stay in the process group of
/// the terminal, where Ctrl-C reaches them.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Option<Arc<Mutex<State>>>);

#[derive(Debug, Default)]
struct State {
    is_cancelled: bool,
    running: Option<Child>,
}

/// A process of a build.
#[derive(Debug)]
pub(super) struct RunningBuild {
    /// None where the build can be cancelled: then [`Cancel`] holds the process.
    own: Option<Child>,
    cancel: Cancel,
    /// Standard output, where the command pipes it.
    pub(super) stdout: Option<ChildStdout>,
    /// Standard error, where the command pipes it.
    pub(super) stderr: Option<ChildStderr>,
}

impl Cancel {
    /// Returns a handle for a build that may be cancelled.
    pub fn new() -> Cancel {
        Cancel(Some(Arc::default()))
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Kills the running process of the build and lets no other process of it start.
    pub fn cancel(&self) {
        let Some(mut state) = self.state() else { return };
        state.is_cancelled = true;
        if let Some(mut child) = state.running.take() {
            end(&mut child);
        }
    }

    /// Whether the build was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.state().is_some_and(|state| state.is_cancelled)
    }

    /// Starts a process of the build.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<RunningBuild> {
        let Some(mut state) = self.state() else {
            let mut child = command.spawn()?;
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            return Ok(RunningBuild { own: Some(child), cancel: Cancel::default(), stdout, stderr });
        };
        if state.is_cancelled {
            return Err(given_up());
        }
        // The compiler is a grandchild process, so cancelling must end the complete group.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let mut child = command.spawn()?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        state.running = Some(child);
        Ok(RunningBuild { own: None, cancel: self.clone(), stdout, stderr })
    }
}

impl RunningBuild {
    /// Waits for the process to end. The caller must have read the output to its end before: from here on the process
    /// cannot be cancelled.
    pub(super) fn wait(self) -> io::Result<ExitStatus> {
        let shared = self.cancel.state().and_then(|mut state| state.running.take());
        self.own.or(shared).ok_or_else(given_up)?.wait()
    }
}

fn given_up() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "the build was given up")
}

/// Kills a process, and on Unix all processes of its group.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // The group may have ended by itself meanwhile; then there is nothing to kill.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Read;
    use std::process::Stdio;

    use super::*;

    #[test]
    fn what_was_given_up_ends_and_starts_nothing_more() {
        let cancel = Cancel::new();
        let mut shell = crate::settings::command("sh");
        // The grandchild keeps the pipe open: reading ends only after it has ended too.
        shell.args(["-c", "echo up; sleep 600; echo never"]).stdout(Stdio::piped());
        let mut running = cancel.spawn(&mut shell).unwrap();
        let mut stdout = running.stdout.take().unwrap();
        let mut first = [0; 3];
        stdout.read_exact(&mut first).unwrap();
        cancel.cancel();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!((&first, rest.as_str()), (b"up\n", ""));
        assert!(running.wait().is_err());
        assert!(cancel.spawn(&mut crate::settings::command("true")).is_err() && cancel.is_cancelled());
    }

    #[test]
    fn what_nobody_can_give_up_runs_to_its_end() {
        let running = Cancel::default().spawn(&mut crate::settings::command("true")).unwrap();
        assert!(running.wait().unwrap().success());
    }
}
