//! `erp-plugin key new`.

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::exit_code::ExitCode;
use erp_package::signing::SecretKey;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::store::{PassphraseArgs, new_key_files};
use crate::context::Context;

/// Make an Ed25519 key, encrypted with a passphrase
#[derive(Debug, Args)]
pub(crate) struct KeyNewArgs {
    /// What to call it
    name: String,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Do not encrypt it, for a CI system that keeps secrets itself
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
}

/// A key that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct KeyNewResult {
    ok: bool,
    /// `sha256:` and 64 digits.
    id: String,
    /// The file of the secret key.
    secret_key: String,
    /// The file of the public key: give it to those who shall trust you.
    public_key: String,
}

pub(super) fn run(context: &Context, args: &KeyNewArgs) -> CommandResult {
    let (secret, public) = new_key_files(context, &args.name)?;
    let passphrase = if args.no_passphrase { None } else { Some(args.passphrase.new_one(context)?) };
    let key = SecretKey::generate()?;
    erp_files::write(&secret, key.to_pem(passphrase.as_ref())?.as_bytes(), FileAccess::Private)?;
    erp_files::write(&public, key.public().to_pem().as_bytes(), FileAccess::Shared)?;
    let id = key.public().id();
    let result = KeyNewResult {
        ok: true,
        id: id.to_string(),
        secret_key: secret.display().to_string(),
        public_key: public.display().to_string(),
    };
    context.ui.result(&result, || {
        format!("key {} ({}…)\nsecret  {}\npublic  {}", args.name, id.short(), secret.display(), public.display())
    });
    Ok(ExitCode::Ok)
}
