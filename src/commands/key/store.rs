//! Where keys and the trust file lie, and how a key is opened.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::settings::Environment;
use crate::signing::{KeyError, Passphrase, SecretKey, TrustStore};

/// Where a passphrase comes from. It is never an argument: those are visible to everyone.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// A file with the key's passphrase; else `ERP_PLUGIN_KEY_PASSPHRASE`, else a question
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// The passphrase that was given in any of the ways; none where there is none.
    pub(super) fn given(&self, context: &Context) -> Result<Option<Passphrase>, CommandError> {
        if let Some(file) = &self.passphrase_file {
            let text = String::from_utf8(context.read(file)?);
            let text = text
                .map_err(|_| CommandError::new(ExitCode::Configuration, "key", "the passphrase file is not UTF-8"))?;
            return Ok(Some(Passphrase::new(text)));
        }
        Ok(Environment::key_passphrase().map(|text| Passphrase::new(text.to_string())))
    }
}

/// The folder of the user's keys.
pub(super) fn keys_folder(context: &Context) -> Result<PathBuf, CommandError> {
    let config = context.folders.config.as_ref();
    config.map(|folder| folder.join("keys")).ok_or_else(no_home)
}

/// The user's trust file.
pub(in crate::commands) fn trust_file(context: &Context) -> Result<PathBuf, CommandError> {
    let config = context.folders.config.as_ref();
    config.map(|folder| folder.join("trust.toml")).ok_or_else(no_home)
}

fn no_home() -> CommandError {
    CommandError::new(
        ExitCode::Configuration,
        "key",
        "there is no folder for keys: neither HOME nor XDG_CONFIG_HOME is set",
    )
}

/// The keys that are trusted: those of the file that was named, or of the user's own.
pub(in crate::commands) fn trust_store(context: &Context, named: Option<&Path>) -> Result<TrustStore, CommandError> {
    let file = match named {
        Some(file) => context.path(file),
        None => match trust_file(context) {
            Ok(file) if file.is_file() => file,
            _ => return Ok(TrustStore::default()),
        },
    };
    Ok(TrustStore::parse(&context.source(&file)?)?)
}

/// Opens the secret key that `name` names: a file, or one of the user's keys.
pub(in crate::commands) fn unlock(
    context: &Context,
    name: &str,
    passphrase: &PassphraseArgs,
) -> Result<SecretKey, CommandError> {
    let as_file = context.path(Path::new(name));
    let file = if as_file.is_file() { as_file } else { keys_folder(context)?.join(format!("{name}.pem")) };
    if !file.is_file() {
        let error = CommandError::new(ExitCode::Trust, "key", format!("there is no key `{name}`"));
        return Err(error
            .hint("erp-plugin key list shows the keys")
            .hint(format!("erp-plugin key new {name} makes one")));
    }
    let pem = zeroize::Zeroizing::new(String::from_utf8_lossy(&context.read(&file)?).into_owned());
    let given = passphrase.given(context)?;
    match SecretKey::from_pem(&pem, given.as_ref()) {
        Err(KeyError::NeedsPassphrase) => match context.ui.ask_secret(&format!("Passphrase of {name}:")) {
            Some(text) => Ok(SecretKey::from_pem(&pem, Some(&Passphrase::new(text)))?),
            None => Err(KeyError::NeedsPassphrase.into()),
        },
        other => Ok(other?),
    }
}
