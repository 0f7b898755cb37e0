//! `erp-plugin key`.

mod export;
mod import;
mod list;
mod new;
mod revoke;
mod rotate;
mod store;
mod trust;

use clap::Subcommand;

use super::CommandResult;
use crate::context::Context;

pub(super) use export::KeyExportResult;
pub(super) use import::KeyImportResult;
pub(super) use list::KeyListResult;
pub(super) use new::KeyNewResult;
pub(super) use revoke::KeyRevokeResult;
pub(super) use rotate::KeyRotateResult;
pub(super) use store::{PassphraseArgs, trust_store, unlock};
pub(super) use trust::KeyTrustResult;

/// Make, list, trust, rotate and revoke keys
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    New(new::KeyNewArgs),
    List(list::KeyListArgs),
    Export(export::KeyExportArgs),
    Import(import::KeyImportArgs),
    Trust(trust::KeyTrustArgs),
    Rotate(rotate::KeyRotateArgs),
    Revoke(revoke::KeyRevokeArgs),
}

pub(super) fn run(context: &Context, command: &KeyCommand) -> CommandResult {
    match command {
        KeyCommand::New(args) => new::run(context, args),
        KeyCommand::List(args) => list::run(context, args),
        KeyCommand::Export(args) => export::run(context, args),
        KeyCommand::Import(args) => import::run(context, args),
        KeyCommand::Trust(args) => trust::run(context, args),
        KeyCommand::Rotate(args) => rotate::run(context, args),
        KeyCommand::Revoke(args) => revoke::run(context, args),
    }
}
