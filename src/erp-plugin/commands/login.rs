//! `erp-plugin login`.

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use super::credentials::{TokenArgs, credentials_file};
use crate::command_error::{CommandError, codes};
use crate::context::Context;

/// Keep a server's token for `publish`, in a file that only you can read
///
/// The token is asked for, or read from standard input or a file; never from the command line, which others can see. For
/// an OCI registry it is `user:password`, or a token.
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// The server's address, as `publish --to` takes it
    server: String,
    /// Forget the token that is kept
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    token: TokenArgs,
}

/// A token that is kept, or not any more.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LoginResult {
    ok: bool,
    /// The server.
    server: String,
    /// The file with the token; none where it was removed.
    file: Option<String>,
}

pub(super) fn run(context: &Context, args: &LoginArgs) -> CommandResult {
    let file = credentials_file(context, &args.server)?;
    if args.remove {
        match fs_err::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CommandError::new(codes::IO, error.to_string()));
            }
            _ => {}
        }
    } else {
        let token = args.token.new_token(context)?;
        erp_files::write(&file, token.as_bytes(), FileAccess::Private)?;
    }
    let kept = (!args.remove).then(|| file.display().to_string());
    let result = LoginResult { ok: true, server: args.server.clone(), file: kept };
    context.ui.result(&result, || match &result.file {
        Some(file) => format!("the token of {} is kept in {file}", args.server),
        None => format!("no token of {} is kept", args.server),
    });
    Ok(ExitCode::Ok)
}
