//! The context that every command receives.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use erp_manifest::Moment;
use erp_manifest::diagnostics::SourceFile;
use erp_runtime::{Compilation, CompileLimits, Runtime};
use jiff::Timestamp;

use crate::build::{Cancel, CargoVariables, Toolchain};
use crate::cli::GlobalArgs;
use crate::command_error::{CommandError, codes};
use crate::settings::{Environment, Folders, compiler_program};
use crate::ui::Ui;

/// The terminal, the environment, and the working folder of a command.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) ui: Ui,
    pub(crate) environment: Environment,
    pub(crate) folders: Folders,
    /// The folder that relative paths start from: that of `-C`, or the current one; absolute.
    pub(crate) directory: PathBuf,
    pub(crate) offline: bool,
    /// Whether the command is for every plugin of the workspace (`--workspace`).
    pub(crate) workspace: bool,
    /// Cancels the builds of this context.
    pub(crate) cancel: Cancel,
    /// The toolchains found so far, by the folder of the project.
    toolchains: Arc<Mutex<BTreeMap<PathBuf, Toolchain>>>,
    /// The manifest that `--manifest-path` names; absolute.
    pub(crate) manifest_path: Option<PathBuf>,
    /// The plugin of the workspace that `-p` names.
    pub(crate) package: Option<String>,
}

impl Context {
    /// Creates the context of a command line. An error comes with the `Ui`, so that the caller can report it.
    pub(crate) fn new(ui: Ui, environment: Environment, global: &GlobalArgs) -> Result<Context, (CommandError, Ui)> {
        let failed = |message: String| CommandError::new(codes::IO, message);
        let here = match std::env::current_dir() {
            Ok(here) => here,
            Err(error) => return Err((failed(format!("the current folder is gone: {error}")), ui)),
        };
        let directory = global.directory.as_ref().map_or_else(|| here.clone(), |folder| here.join(folder));
        if !directory.is_dir() {
            return Err((failed(format!("-C {} is no folder", directory.display())), ui));
        }
        // Resolves `..`: the parents of `../other` must be those of `other`, not those of the current folder.
        let directory = fs_err::canonicalize(&directory).unwrap_or(directory);
        let folders = Folders::of(&environment);
        Ok(Context {
            ui,
            environment,
            folders,
            package: global.member.clone(),
            manifest_path: global.manifest_path.as_ref().map(|path| directory.join(path)),
            directory,
            offline: global.offline,
            workspace: global.workspace,
            cancel: Cancel::default(),
            toolchains: Arc::default(),
        })
    }

    /// Creates a context for one project inside of another command. Its output is buffered and not printed.
    pub(crate) fn beside(&self, manifest_file: &Path, cancel: Cancel) -> Context {
        let directory = manifest_file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        Context {
            ui: Ui::buffered(),
            environment: self.environment.clone(),
            folders: self.folders.clone(),
            offline: self.offline,
            manifest_path: Some(manifest_file.to_path_buf()),
            directory,
            package: None,
            workspace: false,
            cancel,
            toolchains: Arc::clone(&self.toolchains),
        }
    }

    /// Creates the context of one plugin of the workspace. It collects JSON results: see [`Ui::take_parts`].
    pub(crate) fn of_member(&self, manifest_file: &Path) -> Context {
        Context {
            ui: self.ui.for_parts(),
            manifest_path: Some(manifest_file.to_path_buf()),
            package: None,
            workspace: false,
            ..self.clone()
        }
    }

    /// Creates a runtime that caches compiled code.
    pub(crate) fn runtime(&self) -> Result<Arc<Runtime>, CommandError> {
        Ok(Arc::new(Runtime::new(self.compilation())?))
    }

    /// Creates a runtime whose calls can be observed with a probe.
    pub(crate) fn runtime_for_probes(&self) -> Result<Arc<Runtime>, CommandError> {
        Ok(Arc::new(Runtime::for_probes(self.compilation())?))
    }

    /// How components are compiled: by this program in a child process, with the user's cache folder.
    pub(crate) fn compilation(&self) -> Compilation {
        let ui = self.ui.clone();
        Compilation {
            cache: self.folders.cache.as_ref().map(|folder| folder.join("compiled")),
            program: std::env::current_exe().ok().map(compiler_program),
            limits: CompileLimits::default(),
            warn: Some(Arc::new(move |text: &str| ui.warn(text))),
        }
    }

    /// The current time for keys, signatures, revocations and receipts: `ERP_PLUGIN_NOW`, or the system clock.
    pub(crate) fn now(&self) -> Result<Timestamp, CommandError> {
        self.environment.now().map_err(|error| {
            let error = CommandError::new(codes::USAGE, format!("ERP_PLUGIN_NOW is not a moment: {error}"));
            error.hint("write it like 2026-04-15T08:00:00Z, or unset the variable")
        })
    }

    /// The current time for rows and rehearsals, with the UTC offset of `ERP_PLUGIN_NOW`, or of this machine.
    pub(crate) fn moment(&self) -> Result<Moment, CommandError> {
        let now = self.now()?;
        Ok(match &self.environment.now {
            Some(text) => Moment::parse(text).unwrap_or(Moment { unix_ms: now.as_millisecond(), offset_seconds: 0 }),
            None => Moment::of_system_clock(),
        })
    }

    /// Warns if `ERP_PLUGIN_NOW` sets the time of signature checks: an old value would make expired keys valid.
    pub(crate) fn warn_of_fixed_time(&self) {
        if let Some(moment) = &self.environment.now {
            self.ui.warn(format!("signatures are judged at {moment}, as ERP_PLUGIN_NOW says, and not now"));
        }
    }

    /// The environment variables that change how cargo builds.
    pub(crate) fn cargo_variables(&self) -> CargoVariables {
        let environment = &self.environment;
        CargoVariables {
            rustflags: environment.rustflags.clone(),
            build_rustflags: environment.build_rustflags.clone(),
            target_rustflags: environment.target_rustflags.clone(),
            linker: environment.linker.clone(),
            home: environment.cargo_home.clone(),
        }
    }

    /// The cargo that builds plugins: `CARGO`, or the one on the path.
    pub(crate) fn cargo(&self) -> OsString {
        self.environment.cargo.clone().unwrap_or_else(|| "cargo".into())
    }

    /// Finds the toolchain that builds the plugin in a folder. The result is cached, because the search starts
    /// compilers.
    pub(crate) fn toolchain(&self, root: &Path) -> Result<Toolchain, CommandError> {
        let known = || self.toolchains.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(toolchain) = known().get(root) {
            return Ok(toolchain.clone());
        }
        let found = Toolchain::find(self.environment.rust_toolchain.as_deref(), &self.cargo(), root)?;
        known().insert(root.to_path_buf(), found.clone());
        Ok(found)
    }

    /// Removes the toolchain of a folder from the cache, because it may no longer exist.
    pub(crate) fn clear_toolchain(&self, root: &Path) {
        self.toolchains.lock().unwrap_or_else(PoisonError::into_inner).remove(root);
    }

    /// Resolves a path of the command line against the working folder.
    pub(crate) fn path(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    /// A path for messages: relative to the working folder if it is inside of it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.directory).unwrap_or(path).display().to_string()
    }

    /// The path from the root of the git repository to the working folder, with a trailing `/`. Empty at the root, and
    /// outside of a repository.
    pub(crate) fn path_from_repository(&self) -> String {
        let root = self.directory.ancestors().find(|folder| folder.join(".git").exists());
        let way = root.and_then(|root| self.directory.strip_prefix(root).ok()).unwrap_or(Path::new(""));
        way.components().map(|part| format!("{}/", part.as_os_str().to_string_lossy())).collect()
    }

    /// Reads a file of the command line as bytes.
    pub(crate) fn read(&self, path: &Path) -> Result<Vec<u8>, CommandError> {
        fs_err::read(self.path(path)).map_err(|error| CommandError::new(codes::IO, error.to_string()))
    }

    /// Reads a file of the command line as text that findings can point into. It must be UTF-8.
    pub(crate) fn source(&self, path: &Path) -> Result<Arc<SourceFile>, CommandError> {
        let text = String::from_utf8(self.read(path)?)
            .map_err(|_| CommandError::new(codes::IO, format!("{} is not UTF-8", path.display())))?;
        Ok(SourceFile::new(self.shown(&self.path(path)), text))
    }
}
