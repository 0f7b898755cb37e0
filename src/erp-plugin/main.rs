//! The program: everything is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Rows are made on one thread and freed on another, which the allocators of C libraries are slow at; musl's most of all.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(erp_plugin::run(&std::env::args_os().collect::<Vec<_>>()).number())
}
