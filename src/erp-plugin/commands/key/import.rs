//! `erp-plugin key import`.

use std::path::PathBuf;

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::exit_code::ExitCode;
use erp_package::signing::{Attestation, Envelope, RevocationList, RevocationsPredicate, Rotation, TrustStore};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::super::package_file::read_statement;
use super::store::{PassphraseArgs, new_key_files, revocations_file, trust_file_to_edit, unlock};
use crate::command_error::CommandError;
use crate::context::Context;

/// Take in a secret key, a rotation that its publisher signed, or a registry's list of revocations
///
/// What the file is, it says itself. A rotation counts where the old key is trusted; a list where its registry is, and
/// never an older one than was seen before.
#[derive(Debug, Args)]
pub(crate) struct KeyImportArgs {
    /// The file
    file: PathBuf,
    /// What to call a secret key; the file's name if it is absent
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The trust file that a rotation changes, instead of your own
    #[arg(long, value_name = "FILE")]
    trust_file: Option<PathBuf>,
}

/// What was taken in.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct KeyImportResult {
    ok: bool,
    /// `secret-key`, `rotation` or `revocations`.
    kind: &'static str,
    /// What changed, in a sentence.
    change: String,
    /// The file that was written.
    file: String,
}

pub(super) fn run(context: &Context, args: &KeyImportArgs) -> CommandResult {
    let bytes = read_statement(context, &args.file)?;
    let result = if bytes.trim_ascii_start().starts_with(b"{") {
        let envelope = Envelope::parse(&bytes)?;
        if Attestation::<RevocationsPredicate>::of_envelope(&envelope).is_ok() {
            take_revocations(context, args, &envelope)?
        } else {
            take_rotation(context, args, &envelope)?
        }
    } else {
        take_secret_key(context, args)?
    };
    context.ui.result(&result, || format!("{} ({})", result.change, result.file));
    Ok(ExitCode::Ok)
}

fn take_secret_key(context: &Context, args: &KeyImportArgs) -> Result<KeyImportResult, CommandError> {
    let stem = || args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(stem);
    let file = args.file.to_string_lossy().into_owned();
    // The key must open before it is stored. The file is stored unchanged, so that an encrypted key stays encrypted.
    let key = unlock(context, &file, &args.passphrase).map_err(|error| {
        error.hint("a public key is not imported but trusted: erp-plugin key trust FILE --publisher WHO --scope PLUGIN")
    })?;
    let (secret, public) = new_key_files(context, &name)?;
    erp_files::write(&secret, &context.read(&args.file)?, FileAccess::Private)?;
    erp_files::write(&public, key.public().to_pem().as_bytes(), FileAccess::Shared)?;
    let change = format!("key {name} ({}…) is yours here too", key.public().id().short());
    Ok(KeyImportResult { ok: true, kind: "secret-key", change, file: secret.display().to_string() })
}

fn take_rotation(
    context: &Context,
    args: &KeyImportArgs,
    envelope: &Envelope,
) -> Result<KeyImportResult, CommandError> {
    let rotation = Rotation::open(envelope)?;
    let (file, mut store) = trust_file_to_edit(context, args.trust_file.as_ref())?;
    let now = context.now()?;
    // Revocations of registries apply too, although the edited file does not contain them.
    super::trust_store(context, args.trust_file.as_deref())?.store.rotate(&rotation, now)?;
    store.rotate(&rotation, now)?;
    erp_files::write(&file, store.to_toml().as_bytes(), FileAccess::Shared)?;
    let (old, new) = (rotation.old.id(), rotation.new.id());
    let until = rotation.old_key_until.map_or_else(|| "also".to_owned(), |until| format!("until {until}"));
    let change = format!("{}… is trusted like {}…, which counts {until}", new.short(), old.short());
    Ok(KeyImportResult { ok: true, kind: "rotation", change, file: context.shown(&file) })
}

fn take_revocations(
    context: &Context,
    args: &KeyImportArgs,
    envelope: &Envelope,
) -> Result<KeyImportResult, CommandError> {
    let store: TrustStore = super::trust_store(context, args.trust_file.as_deref())?.store;
    let list = RevocationList::open(envelope, &store, None).map_err(|error| {
        let hint = "trust the registry first: erp-plugin key trust FILE --registry NAME";
        CommandError::from(error).hint(hint)
    })?;
    let file = revocations_file(context, &list.signed_by)?;
    if file.is_file() {
        let known = Attestation::<RevocationsPredicate>::of_envelope(&Envelope::parse(&context.read(&file)?)?);
        let known = known.ok().map(|known| known.predicate);
        RevocationList::open(envelope, &store, known.as_ref())?;
    }
    erp_files::write(&file, envelope.to_json().as_bytes(), FileAccess::Shared)?;
    let (keys, packages) = (list.predicate.keys.len(), list.predicate.packages.len());
    let change = format!(
        "{} takes back {keys} keys and {packages} packages (list {}, fresh until {})",
        list.predicate.registry, list.predicate.version, list.predicate.expires
    );
    Ok(KeyImportResult { ok: true, kind: "revocations", change, file: file.display().to_string() })
}
