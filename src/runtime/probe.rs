//! Watches a guest while it runs, without changing it: which lines it reached, and where it burned its fuel.
//!
//! It needs a runtime for debugging, whose code stops at breakpoints. That costs time, so ordinary calls run without
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};

use erp_component::LineTable;
use wasmtime::{AsContextMut, DebugEvent, DebugHandler, ModulePC, Store, StoreContextMut};

use super::call_state::CallState;
use super::lock;

/// Watches calls. Cloning is cheap, and all clones collect into the same data.
#[derive(Debug, Clone)]
pub struct Probe(Arc<Inner>);

/// How a guest is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The guest stops where lines begin.
    Lines,
    /// The guest stops at every instruction; one of `every` stops is recorded.
    Steps { every: u64 },
}

#[derive(Debug)]
struct Inner {
    kind: Kind,
    /// Lines and functions of the modules, by the address of their bytes in memory.
    tables: Arc<OnceLock<BTreeMap<usize, LineTable>>>,
    /// The folders whose sources are watched.
    below: Vec<String>,
    reached: Mutex<BTreeSet<(usize, u32)>>,
    /// The estimated number of instructions in each stack: functions, the outermost first.
    stacks: Mutex<BTreeMap<Vec<(usize, u32)>, u64>>,
    steps: Mutex<u64>,
}

impl Probe {
    /// Creates a probe for lines that are reached, in sources below these folders. Generated bindings are left out.
    pub fn for_lines(below: &[&std::path::Path]) -> Probe {
        Probe::new(Kind::Lines, Arc::default(), below.iter().map(|folder| folder.display().to_string()).collect())
    }

    /// Creates another probe of the same kind that has recorded nothing yet.
    #[must_use]
    pub fn fresh(&self) -> Probe {
        Probe::new(self.0.kind, Arc::clone(&self.0.tables), self.0.below.clone())
    }

    /// Creates a probe for burned fuel, which records one instruction of `every`.
    pub fn for_fuel(every: u64) -> Probe {
        Probe::new(Kind::Steps { every: every.max(1) }, Arc::default(), Vec::new())
    }

    fn new(kind: Kind, tables: Arc<OnceLock<BTreeMap<usize, LineTable>>>, below: Vec<String>) -> Probe {
        Probe(Arc::new(Inner {
            kind,
            tables,
            below,
            reached: Mutex::default(),
            stacks: Mutex::default(),
            steps: Mutex::default(),
        }))
    }

    /// Returns all lines that can be reached, by file and line, and whether each was reached.
    pub fn lines(&self) -> BTreeMap<(String, u32), bool> {
        let reached = lock(&self.0.reached);
        let mut lines: BTreeMap<(String, u32), bool> = BTreeMap::new();
        for (module, table) in self.0.tables.get().into_iter().flatten() {
            for (index, point) in table.points.iter().enumerate() {
                // A breakpoint may move forward to the next instruction, but not into the next line.
                let end = table.points.get(index + 1).map_or(u32::MAX, |next| next.pc.max(point.pc + 1));
                let hit = reached.range((*module, point.pc)..(*module, end)).next().is_some();
                let Some(file) = table.files.get(point.file) else { continue };
                *lines.entry((file.clone(), point.line)).or_default() |= hit;
            }
        }
        lines
    }

    /// Returns the estimated number of instructions in each stack of functions, the outermost function first.
    pub fn stacks(&self) -> BTreeMap<Vec<String>, u64> {
        let tables = self.0.tables.get();
        let mut named: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        for (stack, count) in lock(&self.0.stacks).iter() {
            let name = |(module, pc): &(usize, u32)| {
                let table = tables.and_then(|tables| tables.get(module));
                table.and_then(|table| table.function_at(*pc)).unwrap_or("?").to_owned()
            };
            *named.entry(stack.iter().map(name).collect()).or_default() += count;
        }
        named
    }

    /// Begins to watch a store, before anything is instantiated in it.
    pub(super) fn attach(
        &self,
        store: &mut Store<CallState>,
        component: &wasmtime::component::Component,
    ) -> wasmtime::Result<()> {
        store.debug_register_component(component)?;
        let modules = store.debug_all_modules();
        let tables = self.0.tables.get_or_init(|| {
            let table = |module: &wasmtime::Module| {
                let bytes = module.debug_bytecode()?;
                // A module without readable lines is only left out of the results.
                let mut table = LineTable::read(bytes).unwrap_or_default();
                let below = &self.0.below;
                let is_own = |file: &String| {
                    below.iter().any(|folder| file.starts_with(folder))
                        && !file.ends_with("/bindings.rs")
                        && !file.contains("/src/erp/")
                };
                let own: Vec<bool> = table.files.iter().map(is_own).collect();
                table.points.retain(|point| own.get(point.file).copied().unwrap_or(false));
                Some((bytes.as_ptr().addr(), table))
            };
            modules.iter().filter_map(table).collect()
        });
        let stops = |reason: &str| wasmtime::Error::msg(format!("the guest cannot be watched: {reason}"));
        let mut edit = store.edit_breakpoints().ok_or_else(|| stops("the runtime is not one for debugging"))?;
        match self.0.kind {
            Kind::Steps { .. } => edit.single_step(true)?,
            Kind::Lines => {
                for module in &modules {
                    let Some(bytes) = module.debug_bytecode() else { continue };
                    for point in tables.get(&bytes.as_ptr().addr()).into_iter().flat_map(|table| &table.points) {
                        edit.add_breakpoint(module, ModulePC::new(point.pc))?;
                    }
                }
            }
        }
        drop(edit);
        store.set_debug_handler(Handler(self.clone()));
        Ok(())
    }

    fn stopped(&self, mut store: StoreContextMut<'_, CallState>) {
        if let Kind::Steps { every } = self.0.kind {
            let mut steps = lock(&self.0.steps);
            *steps += 1;
            if !steps.is_multiple_of(every) {
                return;
            }
        }
        let mut stack = Vec::new();
        let mut frame = store.debug_exit_frames().next();
        while let Some(current) = frame {
            let place = current.wasm_function_index_and_pc(store.as_context_mut()).ok().flatten();
            let module = current.module(&mut store).ok().flatten();
            let module = module.and_then(wasmtime::Module::debug_bytecode).map(|bytes| bytes.as_ptr().addr());
            if let (Some((_, pc)), Some(module)) = (place, module) {
                stack.push((module, pc.raw()));
            }
            if self.0.kind == Kind::Lines {
                break;
            }
            frame = current.parent(store.as_context_mut()).ok().flatten();
        }
        match self.0.kind {
            Kind::Lines => lock(&self.0.reached).extend(stack),
            Kind::Steps { every } => {
                // A stack is identified by its functions: the position within them does not matter.
                let tables = self.0.tables.get();
                let start = |(module, pc): (usize, u32)| {
                    let table = tables.and_then(|tables| tables.get(&module));
                    let behind = table.map_or(0, |table| table.functions.partition_point(|(start, _)| *start <= pc));
                    let start = table.and_then(|table| table.functions.get(behind.checked_sub(1)?));
                    (module, start.map_or(pc, |(start, _)| *start))
                };
                let stack = stack.into_iter().rev().map(start).collect();
                *lock(&self.0.stacks).entry(stack).or_default() += every;
            }
        }
    }
}

#[derive(Clone)]
struct Handler(Probe);

impl DebugHandler for Handler {
    type Data = CallState;

    fn handle(&self, store: StoreContextMut<'_, CallState>, event: DebugEvent<'_>) -> impl Future<Output = ()> + Send {
        if let DebugEvent::Breakpoint = event {
            self.0.stopped(store);
        }
        std::future::ready(())
    }
}

/// Polls a future until it is ready. Only the guest delays it: host functions are synchronous.
pub(super) fn finish<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
