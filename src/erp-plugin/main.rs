//! The program. All of its code is in the library.

use std::process::ExitCode;

/// Serves requests of many threads faster than the allocators of most systems; docs/benchmarks.md has the figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(erp_plugin::run(&std::env::args_os().collect::<Vec<_>>()).number())
}
