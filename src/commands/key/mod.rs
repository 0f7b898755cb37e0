//! `erp-plugin key`.

mod list;
mod new;
mod store;
mod trust;

use clap::Subcommand;

use super::CommandResult;
use crate::context::Context;

pub(super) use list::KeyListResult;
pub(super) use new::KeyNewResult;
pub(super) use store::{PassphraseArgs, trust_store, unlock};
pub(super) use trust::KeyTrustResult;

/// Make, list and trust keys
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    New(new::KeyNewArgs),
    List(list::KeyListArgs),
    Trust(trust::KeyTrustArgs),
}

pub(super) fn run(context: &Context, command: &KeyCommand) -> CommandResult {
    match command {
        KeyCommand::New(args) => new::run(context, args),
        KeyCommand::List(args) => list::run(context, args),
        KeyCommand::Trust(args) => trust::run(context, args),
    }
}
