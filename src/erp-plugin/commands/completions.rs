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
    let script = String::from_utf8_lossy(&script);
    // clap_complete 4.6 writes the dash of a name in two ways, so that its script never finds the words of a command.
    let script = if args.shell == Shell::Bash {
        script.replace("erp__subcmd__plugin", "erp__plugin")
    } else {
        script.into_owned()
    };
    context.ui.raw_result(&script);
}
