//! `erp-plugin key new`.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::store::{PassphraseArgs, keys_folder};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::files::{self, Access};
use crate::signing::{Passphrase, SecretKey};

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
    let is_name =
        !args.name.is_empty() && args.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_name {
        let message = format!("`{}` is no name of a key: letters, digits, `-` and `_`", args.name);
        return Err(CommandError::new(ExitCode::Usage, "key", message));
    }
    let folder = keys_folder(context)?;
    let (secret, public) = (folder.join(format!("{}.pem", args.name)), folder.join(format!("{}.pub.pem", args.name)));
    if secret.exists() {
        let error = CommandError::new(ExitCode::Configuration, "key", format!("{} is there already", secret.display()));
        return Err(error.hint("a key is never overwritten: take another name"));
    }
    let passphrase = if args.no_passphrase { None } else { Some(new_passphrase(context, args)?) };
    let key = SecretKey::generate()?;
    files::write(&secret, key.to_pem(passphrase.as_ref())?.as_bytes(), Access::Private)?;
    files::write(&public, key.public().to_pem().as_bytes(), Access::Shared)?;
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

fn new_passphrase(context: &Context, args: &KeyNewArgs) -> Result<Passphrase, CommandError> {
    let given = match args.passphrase.given(context)? {
        Some(passphrase) => Some(passphrase),
        None => match context.ui.ask_secret("New passphrase:") {
            Some(first) if context.ui.ask_secret("Again:").as_ref() == Some(&first) => Some(Passphrase::new(first)),
            Some(_) => return Err(CommandError::new(ExitCode::Usage, "key", "the two passphrases differ")),
            None => None,
        },
    };
    given.filter(|passphrase| !passphrase.is_empty()).ok_or_else(|| {
        CommandError::new(ExitCode::Usage, "key", "the key needs a passphrase")
            .hint("set ERP_PLUGIN_KEY_PASSPHRASE, or pass --passphrase-file or --no-passphrase")
    })
}
