//! `erp-plugin key export`.

use std::path::PathBuf;

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::store::{public_key, secret_pem};
use crate::command_error::{CommandError, codes};
use crate::context::Context;

/// Write a key to a file, for another machine or for those who shall trust you
///
/// A secret key is written as it lies here: encrypted, where it is. It never goes to the terminal.
#[derive(Debug, Args)]
pub(crate) struct KeyExportArgs {
    /// The key: its name, or its file
    name: String,
    /// The secret half; without it, the public one
    #[arg(long, requires = "output")]
    secret: bool,
    /// The file; the public half goes to standard output if it is absent
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A key that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct KeyExportResult {
    ok: bool,
    /// The file; none where the key is in `public_key`.
    file: Option<String>,
    /// The public key as PEM; none where the secret one was written.
    public_key: Option<String>,
}

pub(super) fn run(context: &Context, args: &KeyExportArgs) -> CommandResult {
    let target = args.output.as_ref().map(|file| context.path(file));
    if let Some(target) = target.as_ref().filter(|target| target.exists()) {
        let message = format!("{} exists already, and a key is never overwritten", target.display());
        return Err(CommandError::new(codes::EXISTS, message).hint("choose another name"));
    }
    let (pem, access, public_key) = if args.secret {
        (secret_pem(context, &args.name)?, FileAccess::Private, None)
    } else {
        let pem = public_key(context, args.name.as_ref())?.to_pem();
        (pem.clone().into(), FileAccess::Shared, Some(pem))
    };
    if let Some(target) = &target {
        erp_files::write(target, pem.as_bytes(), access)?;
    }
    let result = KeyExportResult { ok: true, file: target.map(|file| context.shown(&file)), public_key };
    context.ui.result(&result, || match &result.file {
        Some(file) => format!("{} written to {file}", args.name),
        None => pem.trim_end().to_owned(),
    });
    Ok(ExitCode::Ok)
}
