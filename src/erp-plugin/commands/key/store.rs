//! Where keys and trust files are stored, and how a key is opened.

use std::path::{Path, PathBuf};

use clap::Args;
use erp_package::signing::{Envelope, KeyError, KeyId, Passphrase, PublicKey, RevocationList, SecretKey, TrustStore};

use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::settings::Environment;

/// The trust file of a project, which is checked in.
const PROJECT_TRUST_FILE: &str = "erp-trust.toml";

/// Where a passphrase comes from. It is never an argument: those are visible to everyone.
#[derive(Debug, Args)]
pub(crate) struct PassphraseArgs {
    /// A file with the key's passphrase; else `ERP_PLUGIN_KEY_PASSPHRASE`, else a question
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// The source of a passphrase that was not typed, for messages.
    fn source(&self) -> &'static str {
        if self.passphrase_file.is_some() { "--passphrase-file" } else { "ERP_PLUGIN_KEY_PASSPHRASE" }
    }

    /// The passphrase of the file, else of the environment; `None` if neither is set.
    pub(super) fn given(&self, context: &Context) -> Result<Option<Passphrase>, CommandError> {
        if let Some(file) = &self.passphrase_file {
            let text = String::from_utf8(context.read(file)?);
            let text = text.map_err(|_| CommandError::new(codes::IO, "the passphrase file is not UTF-8"))?;
            return Ok(Some(Passphrase::new(text)));
        }
        Ok(Environment::key_passphrase().map(|text| Passphrase::new(text.to_string())))
    }

    /// The passphrase for a new key. Asks for it twice if neither file nor environment has it. An empty one is an
    /// error.
    pub(super) fn new_one(&self, context: &Context) -> Result<Passphrase, CommandError> {
        let given = match self.given(context)? {
            Some(passphrase) => Some(passphrase),
            None => match context.ui.ask_secret("New passphrase:") {
                Some(first) if context.ui.ask_secret("Again:").as_ref() == Some(&first) => Some(Passphrase::new(first)),
                Some(_) => return Err(CommandError::new(codes::USAGE, "the two passphrases differ")),
                None => None,
            },
        };
        given.filter(|passphrase| !passphrase.is_empty()).ok_or_else(|| {
            CommandError::new(codes::USAGE, "the key needs a passphrase")
                .hint("set ERP_PLUGIN_KEY_PASSPHRASE, or pass --passphrase-file or --no-passphrase")
        })
    }
}

/// The trust store, and what is outdated, missing or unused.
#[derive(Debug)]
pub(in crate::commands) struct Trust {
    pub(in crate::commands) store: TrustStore,
    /// Expired lists of revocations, one sentence each.
    pub(in crate::commands) stale: Vec<String>,
    /// Trusted registries whose list of revocations was not imported.
    pub(in crate::commands) without_list: Vec<String>,
    /// A sentence about the project's trust file, if it exists and was not named.
    pub(in crate::commands) unused: Option<String>,
}

/// The folder of the user's keys.
pub(super) fn keys_folder(context: &Context) -> Result<PathBuf, CommandError> {
    config(context, "keys")
}

/// The user's trust file.
pub(in crate::commands) fn trust_file(context: &Context) -> Result<PathBuf, CommandError> {
    config(context, "trust.toml")
}

/// The file with the revocations of a registry, named by its key.
pub(super) fn revocations_file(context: &Context, registry: &KeyId) -> Result<PathBuf, CommandError> {
    Ok(config(context, "revocations")?.join(format!("{}.json", registry.digest())))
}

fn config(context: &Context, name: &str) -> Result<PathBuf, CommandError> {
    let config = context.folders.config.as_ref();
    config.map(|folder| folder.join(name)).ok_or_else(|| {
        let message = "there is no folder for keys: neither HOME nor XDG_CONFIG_HOME is set";
        CommandError::new(codes::IO, message)
    })
}

/// Reads the named trust file, or the user's own, and applies the registries' revocations. A project's trust file
/// applies only if it is named: the folder may be untrusted.
pub(in crate::commands) fn trust_store(context: &Context, named: Option<&Path>) -> Result<Trust, CommandError> {
    let file = match named {
        Some(file) => Some(context.path(file)),
        None => trust_file(context).ok().filter(|file| file.is_file()),
    };
    let mut store = match file {
        Some(file) => TrustStore::parse(&context.source(&file)?)?,
        None => TrustStore::default(),
    };
    let project = context.project().ok().map(|project| project.root.join(PROJECT_TRUST_FILE));
    let unused = project
        .filter(|file| named.is_none() && file.is_file())
        .map(|file| format!("{0} is not used unless you name it: --trust-file {0}", context.shown(&file)));
    let (mut stale, mut without_list) = (Vec::new(), Vec::new());
    let registries: Vec<(KeyId, String)> = store.registries().map(|(id, name)| (id.clone(), name.to_owned())).collect();
    for (registry, name) in registries {
        let file = revocations_file(context, &registry).ok().filter(|file| file.is_file());
        let Some(file) = file else {
            without_list.push(name);
            continue;
        };
        let list = RevocationList::open(&Envelope::parse(&context.read(&file)?)?, &store, None)?;
        if list.predicate.expires <= context.now()? {
            let expires = list.predicate.expires;
            stale
                .push(format!("the revocations of {name} are from before {expires}: get newer ones with `key import`"));
        }
        store.revoke(&list);
    }
    Ok(Trust { store, stale, without_list, unused })
}

/// Reads a trust file for editing; empty if it does not exist yet.
pub(super) fn trust_file_to_edit(
    context: &Context,
    named: Option<&PathBuf>,
) -> Result<(PathBuf, TrustStore), CommandError> {
    let file = match named {
        Some(file) => context.path(file),
        None => trust_file(context)?,
    };
    let store = if file.is_file() { TrustStore::parse(&context.source(&file)?)? } else { TrustStore::default() };
    Ok((file, store))
}

/// Reads a public key: from a file, or by the name of one of the user's keys.
pub(super) fn public_key(context: &Context, name: &Path) -> Result<PublicKey, CommandError> {
    let named = context.path(name);
    let own = keys_folder(context)?.join(format!("{}.pub.pem", name.display()));
    let file = if !named.exists() && own.is_file() { own } else { named };
    let pem = String::from_utf8_lossy(&context.read(&file)?).into_owned();
    Ok(PublicKey::from_pem(&pem)?)
}

/// Opens the secret key that `name` names: a file, one of the user's keys, or `-` for `ERP_PLUGIN_SIGNING_KEY`.
pub(in crate::commands) fn unlock(
    context: &Context,
    name: &str,
    passphrase: &PassphraseArgs,
) -> Result<SecretKey, CommandError> {
    let pem = match Environment::signing_key().filter(|_| name == "-") {
        Some(pem) => pem,
        None => secret_pem(context, name)?,
    };
    let given = passphrase.given(context)?;
    match SecretKey::from_pem(&pem, given.as_ref()) {
        Err(KeyError::NeedsPassphrase) => match context.ui.ask_secret(&format!("Passphrase of {name}:")) {
            Some(text) => Ok(SecretKey::from_pem(&pem, Some(&Passphrase::new(text)))?),
            None => Err(KeyError::NeedsPassphrase.into()),
        },
        Err(KeyError::WrongPassphrase) => {
            let error = CommandError::new(
                codes::KEY,
                format!("the passphrase from {} does not open the key `{name}`", passphrase.source()),
            );
            Err(error
                .hint("pass another one with --passphrase-file, or unset ERP_PLUGIN_KEY_PASSPHRASE to be asked for it"))
        }
        other => Ok(other?),
    }
}

/// The PEM text of a secret key, by its file or its name. Warns if other users can read the file.
pub(super) fn secret_pem(context: &Context, name: &str) -> Result<zeroize::Zeroizing<String>, CommandError> {
    let as_file = context.path(Path::new(name));
    let file = if as_file.is_file() { as_file } else { keys_folder(context)?.join(format!("{name}.pem")) };
    if !file.is_file() {
        let error = CommandError::new(codes::KEY, format!("there is no key `{name}`"));
        return Err(error
            .hint("erp-plugin key list shows the keys")
            .hint(format!("erp-plugin key new {name} makes one")));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs_err::metadata(&file).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o077 != 0 {
            context.ui.warn(format!("others can read {0}: chmod 600 {0}", file.display()));
        }
    }
    Ok(zeroize::Zeroizing::new(String::from_utf8_lossy(&context.read(&file)?).into_owned()))
}

/// The files for a new key: secret and public. Fails if the name is invalid or taken.
pub(super) fn new_key_files(context: &Context, name: &str) -> Result<(PathBuf, PathBuf), CommandError> {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !is_name {
        let message = format!("`{name}` is no name of a key: letters, digits, `-` and `_`");
        return Err(CommandError::new(codes::USAGE, message));
    }
    let folder = keys_folder(context)?;
    let (secret, public) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.pub.pem")));
    if secret.exists() {
        let error = CommandError::new(codes::EXISTS, format!("{} exists already", secret.display()));
        return Err(error.hint("a key is never overwritten: choose another name"));
    }
    Ok((secret, public))
}
