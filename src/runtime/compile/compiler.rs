//! Provides the code of a component: compiled ahead, from the cache folder, or from the compiler.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use erp_manifest::digest::sha256_hex;
use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::CodeFolder;
use super::child::compile_in_child;
use super::limits::CompileLimits;
use crate::engine::RuntimeError;
use crate::{Interrupt, lock};

/// The most components that are compiled ahead and wait to be loaded.
const KEPT_AHEAD: usize = 4;
/// The most components that are remembered because they exceed the compile limits, and for how long: a machine that was
/// busy may compile them later.
const KEPT_REFUSED: usize = 256;
const REFUSED_FOR: Duration = Duration::from_mins(5);

/// Receives a warning for the user, as a sentence.
type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// Where and how components are compiled. The default compiles in this process and stores nothing.
#[derive(Clone, Default)]
pub struct Compilation {
    /// The folder that stores compiled code; none to store nothing.
    pub cache: Option<PathBuf>,
    /// A program that passes its arguments to [`run_as_compiler`](super::run_as_compiler) before anything else, such as this
    /// one. It compiles untrusted components in a separate process, with limits of time and memory. Without it they
    /// are compiled in this process, without limits.
    pub program: Option<CompilerProgram>,
    /// The limits of compiling in a separate process.
    pub limits: CompileLimits,
    /// Receives warnings about a folder or a file of it that cannot be trusted; its code is compiled again.
    pub warn: Option<Warn>,
}

/// A program that compiles components in a process of its own.
#[derive(Debug, Clone)]
pub struct CompilerProgram {
    /// The file of the program.
    pub path: PathBuf,
    /// The environment of the process, which gets no other variables: settings of its allocator. The limit of memory
    /// counts the address space that the process takes after its start, so an allocator must not reserve more than it
    /// needs.
    pub environment: Vec<(&'static str, &'static str)>,
}

impl From<PathBuf> for CompilerProgram {
    fn from(path: PathBuf) -> CompilerProgram {
        CompilerProgram { path, environment: Vec::new() }
    }
}

impl std::fmt::Debug for Compilation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Compilation { cache, program, limits, warn: _ } = self;
        f.debug_struct("Compilation")
            .field("cache", cache)
            .field("program", program)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}

/// The purpose of compiled code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CodeKind {
    /// Ordinary calls.
    Calls,
    /// Calls that a [`Probe`](crate::Probe) watches.
    Probes,
}

impl CodeKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            CodeKind::Calls => "calls",
            CodeKind::Probes => "probes",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<CodeKind> {
        [CodeKind::Calls, CodeKind::Probes].into_iter().find(|kind| kind.word() == word)
    }
}

/// Provides the code of components to one engine.
pub(crate) struct Compiler {
    kind: CodeKind,
    folder: Option<CodeFolder>,
    program: Option<CompilerProgram>,
    limits: CompileLimits,
    warn: Option<Warn>,
    /// Components that were compiled ahead, by their digest.
    ahead: Mutex<VecDeque<(String, Component)>>,
    /// Components that exceeded the compile limits a short time ago, by their digest: they are refused immediately.
    refused: Mutex<BTreeMap<String, (RuntimeError, Instant)>>,
}

impl Compiler {
    pub(crate) fn new(kind: CodeKind, compilation: Compilation) -> Compiler {
        let Compilation { cache, program, limits, warn } = compilation;
        let folder = cache.map(CodeFolder::open).transpose().unwrap_or_else(|why| {
            say(warn.as_ref(), &format!("compiled code is not kept: {why}"));
            None
        });
        Compiler { kind, folder, program, limits, warn, ahead: Mutex::default(), refused: Mutex::default() }
    }

    /// Returns the compiled component, and whether it was compiled before.
    pub(crate) fn component(&self, engine: &Engine, bytes: &[u8]) -> Result<(Component, bool), RuntimeError> {
        self.component_until(engine, bytes, &Interrupt::default())
    }

    fn component_until(
        &self,
        engine: &Engine,
        bytes: &[u8],
        interrupt: &Interrupt,
    ) -> Result<(Component, bool), RuntimeError> {
        let digest = sha256_hex(bytes);
        {
            let mut refused = lock(&self.refused);
            refused.retain(|_, (_, since)| since.elapsed() < REFUSED_FOR);
            if let Some((error, _)) = refused.get(&digest) {
                return Err(error.clone());
            }
        }
        let kept = {
            let mut ahead = lock(&self.ahead);
            let at = ahead.iter().position(|(of, _)| *of == digest);
            at.and_then(|at| ahead.remove(at))
        };
        if let Some((_, component)) = kept {
            return Ok((component, true));
        }
        let file = self.folder.as_ref().map(|folder| (folder, folder.file(engine, self.kind, bytes)));
        if let Some((_, file)) = &file {
            match CodeFolder::read(engine, file) {
                Ok(Some(component)) => return Ok((component, true)),
                Ok(None) => {}
                Err(why) => say(self.warn.as_ref(), &format!("a component is compiled anew: {why}")),
            }
        }
        let compiled = self.compile(engine, bytes, file.is_some(), interrupt);
        if let Err(error @ RuntimeError::CompileLimit(_)) = &compiled {
            let mut refused = lock(&self.refused);
            if refused.len() < KEPT_REFUSED {
                refused.insert(digest, (error.clone(), Instant::now()));
            }
        }
        let (component, code) = compiled?;
        if let Some(((folder, file), code)) = file.zip(code) {
            folder.write(&file, &code);
        }
        Ok((component, false))
    }

    /// Compiles a component that will be loaded soon, unless the interrupt is set.
    pub(crate) fn prepare(&self, engine: &Engine, bytes: &[u8], interrupt: &Interrupt) -> Result<(), RuntimeError> {
        let (component, _) = self.component_until(engine, bytes, interrupt)?;
        let mut ahead = lock(&self.ahead);
        if ahead.len() == KEPT_AHEAD {
            ahead.pop_front();
        }
        ahead.push_back((sha256_hex(bytes), component));
        Ok(())
    }

    /// Compiles a component. Also returns the code if a separate process made it or if it is to be stored.
    fn compile(
        &self,
        engine: &Engine,
        bytes: &[u8],
        is_kept: bool,
        interrupt: &Interrupt,
    ) -> Result<(Component, Option<Vec<u8>>), RuntimeError> {
        let failed = |error: wasmtime::Error| RuntimeError::Load(format!("{error:#}"));
        if let Some(program) = &self.program {
            let code = compile_in_child(program, self.kind, bytes, self.limits.allowance(bytes.len()), interrupt)?;
            return Ok((component_of_code(engine, &code).map_err(failed)?, Some(code)));
        }
        let component = Component::from_binary(engine, bytes).map_err(failed)?;
        let code = if is_kept { component.serialize().ok() } else { None };
        Ok((component, code))
    }
}

fn say(warn: Option<&Warn>, text: &str) {
    if let Some(warn) = warn {
        warn(text);
    }
}

/// Creates a component from code that this program has compiled.
pub(super) fn component_of_code(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: wasmtime checks that the code was made by its own version and for this configuration. Who made it is
    // checked by the two callers: it came through a pipe from a process that this one started from its own program, or
    // from a file that belongs to this user, that no other user may write, in a folder of the same kind, whole by its
    // digest (`CodeFolder::read`). Whoever can write there could replace the program itself as well.
    #[expect(unsafe_code, reason = "see the safety comment; the only way to run what was compiled elsewhere")]
    unsafe {
        Component::deserialize(engine, code)
    }
}
