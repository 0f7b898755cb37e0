//! The program: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(erp_plugin::run(&std::env::args_os().collect::<Vec<_>>()).number())
}
