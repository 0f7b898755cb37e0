//! `erp-plugin key rotate`.

use std::path::PathBuf;

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::exit_code::ExitCode;
use erp_package::signing::Rotation;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::store::{PassphraseArgs, unlock};
use crate::command_error::{CommandError, codes};
use crate::context::Context;

/// Say that a new key takes the place of an old one, signed by both
///
/// Give the file to those who trust the old key: `erp-plugin key import FILE` lets them trust the new one. Both keys are
/// opened; where their passphrases differ, they are asked for.
#[derive(Debug, Args)]
pub(crate) struct KeyRotateArgs {
    /// The key that goes
    old: String,
    /// The key that comes
    new: String,
    /// From this moment (RFC 3339) signatures of the old key count no more; it goes on beside the new one if it is absent
    #[arg(long, value_name = "MOMENT")]
    until: Option<Timestamp>,
    /// The file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// A rotation that was signed.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct KeyRotateResult {
    ok: bool,
    /// The id of the key that goes.
    old: String,
    /// The id of the key that comes.
    new: String,
    /// The signed statement.
    file: String,
}

pub(super) fn run(context: &Context, args: &KeyRotateArgs) -> CommandResult {
    let old = unlock(context, &args.old, &args.passphrase)?;
    let new = unlock(context, &args.new, &args.passphrase)?;
    let (old_id, new_id) = (old.public().id(), new.public().id());
    if old_id == new_id {
        return Err(CommandError::new(codes::USAGE, "both names are of the same key"));
    }
    let envelope = Rotation::sign(&old, &new, args.until)?;
    let file = context.path(&args.output);
    erp_files::write(&file, envelope.to_json().as_bytes(), FileAccess::Shared)?;
    let result =
        KeyRotateResult { ok: true, old: old_id.to_string(), new: new_id.to_string(), file: context.shown(&file) };
    context.ui.result(&result, || {
        format!("{}… takes the place of {}…; give them {}", new_id.short(), old_id.short(), result.file)
    });
    Ok(ExitCode::Ok)
}
