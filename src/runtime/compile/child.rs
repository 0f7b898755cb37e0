//! A process that compiles one component. The cost of an untrusted component stays within this process, which can be
//! killed at any moment without loss.
//!
//! The component arrives on standard input, and the code leaves on standard output. The child applies its limits to
//! itself before it reads a byte.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::Engine;

use super::CodeKind;
use super::compiler::CompilerProgram;
use super::limits::Allowance;
use crate::engine::{RuntimeError, configuration_of};
use crate::{Interrupt, lock};

/// The first argument of a compiling process.
const WORD: &str = "compile-component";
/// Its exit status if the component cannot be compiled at all; standard error then has the reason.
const UNFIT: u8 = 1;
/// The most processes that compile at the same time.
const MOST_AT_ONCE: usize = 2;
/// The interval at which a wait checks its interrupt.
const LOOK: Duration = Duration::from_millis(100);
/// The most bytes of a message that are read.
const MAX_MESSAGE: u64 = 4 << 10;

/// The output of the compiling process.
struct Output {
    code: Vec<u8>,
    message: String,
}

/// Compiles a component in a separate process.
///
/// # Errors
/// [`RuntimeError::CompileLimit`] if it exceeds its limits, [`RuntimeError::Load`] if it cannot be compiled,
/// [`RuntimeError::Interrupted`], [`RuntimeError::Engine`] if the process cannot be started.
pub(super) fn compile_in_child(
    program: &CompilerProgram,
    kind: CodeKind,
    component: &[u8],
    limits: Allowance,
    interrupt: &Interrupt,
) -> Result<Vec<u8>, RuntimeError> {
    let _slot = Slot::take(interrupt).ok_or(RuntimeError::Interrupted)?;
    let failed =
        |what: &str, error: std::io::Error| RuntimeError::Engine(format!("{what} {}: {error}", program.path.display()));
    #[expect(clippy::disallowed_methods, reason = "it gets nothing of the environment")]
    let mut child = std::process::Command::new(&program.path)
        .args([WORD, kind.word()])
        .args([limits.cpu.as_secs().to_string(), limits.memory.to_string()])
        // A compiler needs nothing from the environment, least of all its secrets.
        .env_clear()
        .envs(program.environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed("cannot start", error))?;
    let output = converse(&mut child, component, limits, interrupt);
    // The process is no longer needed; killing one that has ended does nothing.
    let _ = child.kill();
    let status = child.wait().map_err(|error| failed("cannot wait for", error))?;
    let seconds = limits.cpu.as_secs();
    let beyond = |what: String| Err(RuntimeError::CompileLimit(what));
    // The messages of Rust, wasmtime and the system if no memory is left.
    let no_memory = |message: &str| {
        ["memory allocation of", "out of memory", "Cannot allocate memory"].iter().any(|words| message.contains(words))
    };
    match output {
        Some(Output { code, .. }) if status.success() => Ok(code),
        None if interrupt.is_set() => Err(RuntimeError::Interrupted),
        Some(Output { message, .. }) if no_memory(&message) => {
            beyond(format!("compiling it needs more than {} MB of memory", limits.memory >> 20))
        }
        Some(Output { message, .. }) if status.code() == Some(i32::from(UNFIT)) => Err(RuntimeError::Load(message)),
        None => beyond(format!("compiling it takes longer than {} s", limits.wall.as_secs())),
        Some(_) if ran_out_of_time(status) => {
            beyond(format!("compiling it takes more than {seconds} s of a processor"))
        }
        Some(Output { message, .. }) => {
            let last = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            beyond(format!("the compiler did not survive it ({status}): {last}"))
        }
    }
}

/// A place among the processes that compile at the same time: each may take gigabytes.
struct Slot;

static RUNNING: Mutex<usize> = Mutex::new(0);
static FREED: Condvar = Condvar::new();

impl Slot {
    /// Waits for a free place; none if the interrupt is set before.
    fn take(interrupt: &Interrupt) -> Option<Slot> {
        let mut running = lock(&RUNNING);
        while *running >= MOST_AT_ONCE {
            if interrupt.is_set() {
                return None;
            }
            (running, _) = FREED.wait_timeout(running, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
        *running += 1;
        Some(Slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *lock(&RUNNING) -= 1;
        FREED.notify_one();
    }
}

/// Sends the component and receives the code; none if the time was over first or the interrupt was set.
fn converse(child: &mut Child, component: &[u8], limits: Allowance, interrupt: &Interrupt) -> Option<Output> {
    let (mut stdin, mut stdout, stderr) = (child.stdin.take()?, child.stdout.take()?, child.stderr.take()?);
    thread::scope(|scope| {
        let (done, waiting) = mpsc::channel();
        // A child that ends early breaks the pipe; its exit status and message show the cause.
        scope.spawn(move || stdin.write_all(component));
        let message = scope.spawn(move || {
            let mut message = Vec::new();
            let _ = stderr.take(MAX_MESSAGE).read_to_end(&mut message);
            String::from_utf8_lossy(&message).trim().to_owned()
        });
        scope.spawn(move || {
            let mut code = Vec::new();
            let _ = stdout.read_to_end(&mut code);
            done.send(code)
        });
        let began = Instant::now();
        loop {
            match waiting.recv_timeout(LOOK) {
                Ok(code) => return Some(Output { code, message: message.join().unwrap_or_default() }),
                Err(RecvTimeoutError::Timeout) if began.elapsed() < limits.wall && !interrupt.is_set() => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    // Killing the child closes the pipes, so that the threads end.
                    let _ = child.kill();
                    return None;
                }
            }
        }
    })
}

#[cfg(unix)]
fn ran_out_of_time(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::Signal;
    status.signal().is_some_and(|signal| [Signal::XCPU, Signal::KILL].iter().any(|end| end.as_raw() == signal))
}

#[cfg(not(unix))]
fn ran_out_of_time(_: ExitStatus) -> bool {
    false
}

/// Compiles a component if the program was started for that, and returns the exit status; none otherwise. A program
/// calls this before anything else.
pub fn run_as_compiler(arguments: &[OsString]) -> Option<u8> {
    let words: Vec<&str> = arguments.iter().skip(1).filter_map(|word| word.to_str()).collect();
    let [WORD, kind, seconds, bytes] = words.as_slice() else { return None };
    let (kind, seconds, bytes) = (CodeKind::of_word(kind)?, seconds.parse().ok()?, bytes.parse().ok()?);
    Some(match compile(kind, seconds, bytes) {
        Ok(()) => 0,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "{why}");
            UNFIT
        }
    })
}

fn compile(kind: CodeKind, seconds: u64, bytes: u64) -> Result<(), String> {
    hold_to(seconds, bytes)?;
    let mut component = Vec::new();
    std::io::stdin().read_to_end(&mut component).map_err(|error| error.to_string())?;
    let failed = |error: wasmtime::Error| format!("{error:#}");
    let engine = Engine::new(&configuration_of(kind)).map_err(failed)?;
    let code = engine.precompile_component(&component).map_err(failed)?;
    std::io::stdout().write_all(&code).map_err(|error| error.to_string())
}

/// Limits the CPU time and address space of this process. On Linux and Android it also ends with its parent process.
#[cfg(unix)]
fn hold_to(seconds: u64, bytes: u64) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let bound = |resource: Resource, value: u64| {
        // A lower limit that the system has set already is not raised.
        let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) }).map_err(|error| error.to_string())
    };
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    bound(Resource::Core, 0)?;
    bound(Resource::Cpu, seconds)?;
    // What is mapped before any work, the program and what its allocator reserves, is not the component's.
    bound(Resource::As, bytes.saturating_add(mapped_bytes()))
}

/// Bytes of this process's address space; 0 where the system does not say.
#[cfg(unix)]
fn mapped_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').next().and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages.saturating_mul(rustix::param::page_size() as u64)
}

/// Sets no limit: the parent process ends this one when its time is over.
#[cfg(not(unix))]
fn hold_to(_: u64, _: u64) -> Result<(), String> {
    Ok(())
}
