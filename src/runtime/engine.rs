//! The engine that all plugins share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use erp_component::Excess;
use erp_manifest::MAX_MEMORY;
use erp_manifest::codes::{Code, errors};
use erp_wit::host::{legacy, v1};
use thiserror::Error;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Config, Engine, OptLevel, PoolingAllocationConfig, RegallocAlgorithm, Strategy, WasmBacktraceDetails, WasmFeatures,
};

use super::call_state::CallState;
use super::compile::{CodeKind, Compilation, CompiledFunctions, Compiler};
use super::slots::Slots;

/// The interval of the engine's epochs, at which the deadlines of running calls are checked.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// The runtime could not be set up, or a component could not be loaded.
#[derive(Debug, Clone, Error)]
pub enum RuntimeError {
    /// The engine, a thread or a compiling process could not be started on this machine.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    /// The component could not be compiled or linked.
    #[error("the component cannot be loaded: {0}")]
    Load(String),
    /// The component exceeds a limit that is checked before it is compiled.
    #[error("the component is refused: {0}")]
    Refused(Excess),
    /// Compiling the component takes more time or memory than it may.
    #[error("the component was not compiled: {0}")]
    CompileLimit(String),
    /// The compilation was interrupted, because the component is no longer needed.
    #[error("compiling the component was interrupted")]
    Interrupted,
}

impl RuntimeError {
    /// Returns the stable code: `plugin.load`, or that of the exceeded limit.
    pub fn code(&self) -> Code {
        match self {
            RuntimeError::Engine(_) | RuntimeError::Load(_) | RuntimeError::Interrupted => errors::PLUGIN_LOAD,
            RuntimeError::Refused(excess) => excess.code,
            RuntimeError::CompileLimit(_) => errors::COMPONENT_COMPILE_LIMIT,
        }
    }
}

/// The engine, the linked host API, and the compiler.
pub struct Runtime {
    pub(super) engine: Engine,
    pub(super) linker: Linker<CallState>,
    pub(super) compiler: Compiler,
    /// Places for the guests of all plugins.
    pub(super) slots: Slots,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// Creates a runtime for ordinary calls.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`].
    pub fn new(compilation: Compilation) -> Result<Runtime, RuntimeError> {
        // A pool makes instances cheap; if its address space cannot be reserved, instances are allocated one by one.
        let engine = Engine::new(&pooled()).or_else(|_| Engine::new(&configuration_of(CodeKind::Calls)));
        Runtime::over(engine, Compiler::new(CodeKind::Calls, compilation))
    }

    /// Creates a runtime for plugins that are edited and built often. It reuses functions that it has compiled before,
    /// and compiles new ones with the fastest settings. Any runtime can call the plugins that it loads. Results and
    /// fuel are the same; long calls may run out of time sooner, and deep recursion out of stack.
    ///
    /// The authors of the compiler do not recommend these settings for untrusted code.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`].
    pub fn for_edits() -> Result<Runtime, RuntimeError> {
        let mut configuration = configuration_of(CodeKind::Calls);
        configuration.cranelift_opt_level(OptLevel::None).cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
        let functions = Arc::new(CompiledFunctions::default());
        let engine = configuration
            .enable_incremental_compilation(functions)
            .and_then(|configuration| Engine::new(configuration));
        Runtime::over(engine, Compiler::new(CodeKind::Calls, Compilation::default()))
    }

    /// Creates a runtime whose calls a [`Probe`](super::Probe) can watch. Its code is slower; its fuel is the same.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`].
    pub fn for_probes(compilation: Compilation) -> Result<Runtime, RuntimeError> {
        let engine = Engine::new(&configuration_of(CodeKind::Probes));
        Runtime::over(engine, Compiler::new(CodeKind::Probes, compilation))
    }

    fn over(engine: wasmtime::Result<Engine>, compiler: Compiler) -> Result<Runtime, RuntimeError> {
        let failed = |error: wasmtime::Error| RuntimeError::Engine(format!("{error:#}"));
        let engine = engine.map_err(failed)?;
        let weak = engine.weak();
        std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                // Ticks are counted by the clock: on a loaded machine a sleep of 10 ms takes longer.
                let (started, mut ticks) = (Instant::now(), 0);
                loop {
                    std::thread::sleep(TICK);
                    let Some(engine) = weak.upgrade() else { break };
                    let due = started.elapsed().as_millis() / TICK.as_millis();
                    (ticks..due).for_each(|_| engine.increment_epoch());
                    ticks = due;
                }
            })
            .map_err(|error| RuntimeError::Engine(format!("no thread for the deadline: {error}")))?;
        let mut linker = Linker::new(&engine);
        v1::HostFull::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state).map_err(failed)?;
        legacy::erp::plugin::host_api::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)
            .map_err(failed)?;
        Ok(Runtime { engine, linker, compiler, slots: Slots::default() })
    }
}

/// Returns the engine's configuration for a kind of code. The compiling and the running process use the same one.
pub(super) fn configuration_of(kind: CodeKind) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .consume_fuel(true)
        .epoch_interruption(true)
        // The same input gives the same bits on every machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(512 << 10)
        .wasm_backtrace_details(WasmBacktraceDetails::Enable);
    for feature in WasmFeatures::all().iter() {
        if !erp_component::features().contains(feature) {
            config.wasm_features(feature, false);
        }
    }
    match kind {
        // The pool reserves this much for each memory, and the compiled code depends on it.
        CodeKind::Calls => config.memory_reservation(MAX_MEMORY),
        CodeKind::Probes => config.guest_debug(true),
    };
    config
}

/// Returns the configuration for calls whose instances come from a pool.
fn pooled() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(64)
        .total_core_instances(256)
        .total_memories(128)
        .total_tables(512)
        .max_memory_size(usize::try_from(MAX_MEMORY).unwrap_or(usize::MAX))
        .max_memories_per_component(8)
        .max_tables_per_module(8)
        .max_tables_per_component(16)
        .table_elements(20_000);
    let mut config = configuration_of(CodeKind::Calls);
    config.allocation_strategy(pool);
    config
}
