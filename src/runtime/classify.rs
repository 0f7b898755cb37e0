//! Converts errors of wasmtime to errors of calls.

use std::collections::BTreeSet;

use erp_manifest::codes::errors;
use wasmtime::{Store, Trap, WasmBacktrace};

use super::call_state::CallState;
use super::error::{CallError, ServiceError, TrapFrames, TrapKind};
use super::services::Services;
use super::stand_in::refused_wasi_call;

/// ENOMEM.
const NO_MEMORY: i32 = 12;

/// Converts an error of wasmtime to the error of a call. The plugin caused it, unless the machine lacks address space
/// or the call was interrupted. The store is dropped in any case.
pub(super) fn classify(error: &wasmtime::Error, store: &Store<CallState>) -> CallError {
    let frames =
        error.downcast_ref::<WasmBacktrace>().map(|backtrace| TrapFrames(backtrace).lines()).unwrap_or_default();
    let state = store.data();
    let limits = &state.services.usage.limits;
    if is_out_of_address_space(error) {
        let message = "this machine gives no address space for the plugin's memory; see `ulimit -v`";
        return CallError::Host(ServiceError::new(errors::HOST_ADDRESS_SPACE, message));
    }
    let (kind, message) = match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => (TrapKind::OutOfFuel, format!("the call burned its {} fuel", limits.fuel())),
        Some(Trap::Interrupt) if state.services.clock.interrupt.is_set() => return CallError::interrupted(),
        Some(Trap::Interrupt) => (TrapKind::Timeout, format!("the call took longer than {:?}", limits.time())),
        Some(Trap::StackOverflow) => (TrapKind::StackOverflow, "the stack is exhausted".to_owned()),
        // A guest that runs out of memory logs that before it traps; another panic message means another cause. If
        // memory does not fit at the start, there is no trap.
        Some(Trap::UnreachableCodeReached) | None
            if state.memory.refused && !panicked_for_another_reason(&state.services) =>
        {
            (TrapKind::MemoryLimit, format!("the call needs more than its {} bytes of memory", limits.memory()))
        }
        None if state.memory.refused_elements => (TrapKind::TableLimit, error.root_cause().to_string()),
        None if is_border_bound(error) => {
            (TrapKind::BorderLimit, format!("more than {} bytes were handed over at once", limits.border_bytes()))
        }
        Some(Trap::UnreachableCodeReached) => {
            let refused = error.downcast_ref::<WasmBacktrace>().and_then(refused_wasi_call);
            let why = |call| format!("the guest called {call}, which plugins do not have: use the host API");
            (TrapKind::Unreachable, refused.map_or_else(|| panic_text(&state.services), why))
        }
        // The guest's own stack is in its memory and ends at address 0: deep calls with values on it fault there before
        // they reach the host's limit.
        Some(Trap::MemoryOutOfBounds) if is_recursion(error) => {
            (TrapKind::StackOverflow, "the guest's stack is exhausted: a function calls itself without end".to_owned())
        }
        Some(trap) => (TrapKind::Fault, trap.to_string()),
        None => (TrapKind::Border, error.root_cause().to_string()),
    };
    CallError::Trap { kind, message, frames }
}

/// How many innermost frames must be of the same few functions to count as a recursion.
const RECURSION_FRAMES: usize = 16;
/// The most functions that may call each other in such a recursion.
const RECURSION_FUNCTIONS: usize = 3;

/// Whether the innermost frames repeat the same few functions.
fn is_recursion(error: &wasmtime::Error) -> bool {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return false };
    let innermost = backtrace.frames().iter().take(RECURSION_FRAMES).map(wasmtime::FrameInfo::func_index);
    let functions: Vec<u32> = innermost.collect();
    let distinct: BTreeSet<u32> = functions.iter().copied().collect();
    functions.len() == RECURSION_FRAMES && distinct.len() <= RECURSION_FUNCTIONS
}

/// Whether the system refused to reserve memory (`ENOMEM`), which is not the guest's fault.
fn is_out_of_address_space(error: &wasmtime::Error) -> bool {
    // wasmtime has no type for this error either.
    let no_memory = std::io::Error::from_raw_os_error(NO_MEMORY).to_string();
    error.chain().any(|cause| cause.to_string() == no_memory)
}

/// Whether the guest passed too many bytes to the host at once. wasmtime has no type for this error.
fn is_border_bound(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls has been exhausted")
}

fn panicked_for_another_reason(services: &Services) -> bool {
    let panics = || services.trace.logs.iter().filter(|record| record.message.contains("panicked at"));
    panics().next().is_some()
        && !services.trace.logs.iter().any(|record| record.message.contains("memory allocation of"))
}

/// Returns why a guest panicked: before it traps, it writes the reason to its standard error, and so to the log.
fn panic_text(services: &Services) -> String {
    let logs = &services.trace.logs;
    let panicked = logs.iter().rposition(|record| record.message.contains("panicked at"));
    match panicked {
        Some(at) => logs[at..]
            .iter()
            .map(|record| record.message.trim())
            .filter(|line| !line.is_empty() && !line.starts_with("note: run with"))
            .collect::<Vec<_>>()
            .join(" "),
        // The log had no room for the reason, but its last error line is kept separately.
        None if services.trace.suppressed_logs > 0 => services.end.last_error_line.clone(),
        None => logs.last().map_or_else(|| "the guest gave up".to_owned(), |record| record.message.clone()),
    }
}
