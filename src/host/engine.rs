//! The engine that all plugins share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{
    Config, Engine, OptLevel, PoolingAllocationConfig, RegallocAlgorithm, Strategy, WasmBacktraceDetails, WasmFeatures,
};

use super::bindings::{legacy, v1};
use super::call::CallState;
use super::compile::{CompileCache, CompiledFunctions, Writing};

/// How often the deadline of running calls is looked at.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// The most memory that a manifest may ask for.
pub(crate) const MAX_MEMORY: u64 = 512 << 20;

/// The runtime could not be set up, or a component could not be loaded.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// wasmtime does not run on this machine.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(String),
    /// The component could not be compiled or linked.
    #[error("the component cannot be loaded: {0}")]
    Load(String),
}

/// The engine, the host API, and the cache of compiled code.
pub struct Runtime {
    pub(super) engine: Engine,
    pub(super) linker: Linker<CallState>,
    pub(super) cache: CompileCache,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime. Compiled code is kept in `cache`, where one is given.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`].
    pub fn new(cache: Option<PathBuf>) -> Result<Runtime, RuntimeError> {
        Runtime::over(pooled_where_possible(|_| Ok(())), CompileCache::new(cache, Writing::First))
    }

    /// A runtime for components that change all the time: a function that it compiled before is not compiled again, and
    /// those that are new are compiled fast and run slower. Results and fuel are the same.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`].
    pub fn for_edits(cache: Option<PathBuf>) -> Result<Runtime, RuntimeError> {
        let functions = Arc::new(CompiledFunctions::default());
        let engine = pooled_where_possible(|configuration| {
            configuration
                .cranelift_opt_level(OptLevel::None)
                .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
            configuration.enable_incremental_compilation(Arc::clone(&functions) as _).map(|_| ())
        });
        Runtime::over(engine, CompileCache::new(cache, Writing::Behind))
    }

    /// A runtime whose calls can be watched by a [`Probe`](super::Probe). Its code is slower; its fuel is the same.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`].
    pub fn for_probes(cache: Option<PathBuf>) -> Result<Runtime, RuntimeError> {
        let mut configuration = configuration(false);
        configuration.guest_debug(true);
        Runtime::over(Engine::new(&configuration), CompileCache::new(cache, Writing::First))
    }

    fn over(engine: wasmtime::Result<Engine>, cache: CompileCache) -> Result<Runtime, RuntimeError> {
        let failed = |error: wasmtime::Error| RuntimeError::Engine(format!("{error:#}"));
        let engine = engine.map_err(failed)?;
        let weak = engine.weak();
        std::thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || {
                loop {
                    std::thread::sleep(TICK);
                    match weak.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => break,
                    }
                }
            })
            .map_err(|error| RuntimeError::Engine(format!("no thread for the deadline: {error}")))?;
        let mut linker = Linker::new(&engine);
        v1::HostFull::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state).map_err(failed)?;
        legacy::erp::plugin::host_api::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)
            .map_err(failed)?;
        Ok(Runtime { engine, linker, cache })
    }
}

/// A pool makes instances cheap; where its address space cannot be had, they are made one by one.
fn pooled_where_possible(change: impl Fn(&mut Config) -> wasmtime::Result<()>) -> wasmtime::Result<Engine> {
    let engine = |pooled| {
        let mut configuration = configuration(pooled);
        change(&mut configuration)?;
        Engine::new(&configuration)
    };
    engine(true).or_else(|_| engine(false))
}

fn configuration(pooled: bool) -> Config {
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
        if !crate::component::features().contains(feature) {
            config.wasm_features(feature, false);
        }
    }
    if pooled {
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
        config.memory_reservation(MAX_MEMORY).allocation_strategy(pool);
    }
    config
}
