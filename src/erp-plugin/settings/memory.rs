//! The settings of the program's allocator.

use std::ffi::c_long;
use std::path::PathBuf;

use erp_runtime::CompilerProgram;
use libmimalloc_sys::{mi_option_set, mi_option_t, mi_option_use_numa_nodes};

/// How long freed memory is kept before it goes back to the system, in ms. The crate has constants for the options next to
/// it only.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;

/// The program as a compiler of components. By default mimalloc reserves 1 GiB of address space at its first allocation,
/// which the limit of memory would not count; without an arena it maps what it needs.
pub fn compiler_program(path: PathBuf) -> CompilerProgram {
    CompilerProgram { path, environment: vec![("MIMALLOC_DISALLOW_ARENA_ALLOC", "1")] }
}

/// Returns freed memory to the system at once. A call of a plugin may hold megabytes in several copies; with the
/// default delay, the copies of one call add up.
pub fn return_memory_at_once() {
    const AT_ONCE: c_long = 0;
    // SAFETY: called first thing, while there is one thread. mimalloc ignores an option that it does not know.
    #[expect(unsafe_code, reason = "see the safety comment; there is no safe call for it")]
    unsafe {
        mi_option_set(PURGE_DELAY, AT_ONCE);
    }
}
