//! `erp-plugin man`.

use clap::Args;
use erp_manifest::exit_code::ExitCode;

use super::CommandResult;
use crate::command_error::{CommandError, codes};
use crate::context::Context;

/// Print the man page of the program, or of a command
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command
    command: Option<String>,
}

pub(super) fn run(context: &Context, args: &ManArgs) -> CommandResult {
    let mut root = crate::cli::command();
    root.build();
    let page = match &args.command {
        None => root,
        Some(name) => match root.find_subcommand(name) {
            Some(found) => found.clone(),
            None => {
                return Err(
                    CommandError::new(codes::USAGE, format!("there is no command `{name}`")).hint("erp-plugin --help")
                );
            }
        },
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|error| CommandError::new(codes::BUG, format!("the man page cannot be made: {error}")))?;
    context.ui.raw_result(&String::from_utf8_lossy(&text));
    Ok(ExitCode::Ok)
}
