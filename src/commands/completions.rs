//! `erp-plugin completions`.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::context::Context;

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(context: &Context, args: &CompletionsArgs) {
    let mut script = Vec::new();
    generate(args.shell, &mut crate::cli::command(), "erp-plugin", &mut script);
    context.ui.raw_result(&String::from_utf8_lossy(&script));
}
