//! `erp-plugin init`.

use clap::Args;

use super::CommandResult;
use super::new::{TemplateArgs, scaffold};
use crate::context::Context;
use crate::scaffold::TargetFolder;

/// Scaffold a plugin project in the current folder; nothing is overwritten
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    #[command(flatten)]
    template: TemplateArgs,
}

pub(super) fn run(context: &Context, args: &InitArgs) -> CommandResult {
    scaffold(context, &args.template, &context.directory, TargetFolder::ExistingFolder)
}
