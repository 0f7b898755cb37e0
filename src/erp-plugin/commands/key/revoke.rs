//! `erp-plugin key revoke`.

use std::path::PathBuf;

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::digest::sha256_hex;
use erp_manifest::exit_code::ExitCode;
use erp_package::signing::{Attestation, Envelope, KeyId, RevocationsPredicate, RevokedKey, WithdrawnPackage};
use erp_package::strict_zip::Limits;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::super::package_file::{open_package, read_bounded, read_statement};
use super::store::{PassphraseArgs, unlock};
use crate::command_error::{CommandError, codes};
use crate::context::Context;

/// Add a key or a package to a registry's list of revocations, and sign the list
///
/// For those who run a registry. The list's version grows by one; readers never take an older one.
#[derive(Debug, Args)]
pub(crate) struct KeyRevokeArgs {
    /// What to revoke: the id of a key (`sha256:` and 64 digits), or the file of a package
    what: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The list; it is made where it is not there
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// The registry's key
    #[arg(short, long, value_name = "NAME|FILE")]
    key: String,
    /// What the registry calls itself; only for a new list
    #[arg(long, value_name = "NAME", default_value = "registry")]
    registry: String,
    /// Since when (RFC 3339); now if it is absent. What a registry took before stays good
    #[arg(long, value_name = "MOMENT")]
    since: Option<Timestamp>,
    /// Days that the list is fresh
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    days: u16,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// A list that was signed.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct KeyRevokeResult {
    ok: bool,
    /// The list.
    list: String,
    /// Its version.
    version: u64,
    /// Until when it is fresh.
    expires: String,
    /// Keys in it.
    keys: usize,
    /// Packages in it.
    packages: usize,
}

pub(super) fn run(context: &Context, args: &KeyRevokeArgs) -> CommandResult {
    let key = unlock(context, &args.key, &args.passphrase)?;
    let file = context.path(&args.list);
    let now = context.now()?;
    let before = if file.is_file() {
        let envelope = Envelope::parse(&read_statement(context, &file)?)?;
        if !envelope.is_signed_by(&key.public()) {
            let message = format!("{} is not signed by the key {}", context.shown(&file), args.key);
            return Err(CommandError::new(codes::TRUST, message));
        }
        let known = Attestation::<RevocationsPredicate>::of_envelope(&envelope)
            .map_err(|error| CommandError::new(codes::TRUST, error.to_string()))?;
        Some(known.predicate)
    } else {
        None
    };
    let registry = before.as_ref().map_or_else(|| args.registry.clone(), |before| before.registry.clone());
    let fresh = SignedDuration::from_hours(i64::from(args.days) * 24);
    let mut list = RevocationsPredicate::next(before, &registry, now, fresh);
    let reason = args.reason.clone();
    match KeyId::parse(&args.what) {
        Some(keyid) => list.keys.push(RevokedKey { keyid, at: args.since.unwrap_or(now), reason }),
        None => {
            let limits = Limits::default();
            let bytes = read_bounded(context, args.what.as_ref(), &limits).map_err(|error| {
                error.hint("name a key by its id, `sha256:` and 64 digits, or a package by its file")
            })?;
            // The content id stays the same however the package is compressed or signed again.
            let content_id = Some(open_package(&bytes, &limits)?.content_id);
            list.packages.push(WithdrawnPackage { sha256: sha256_hex(&bytes), content_id, reason });
        }
    }
    let result = KeyRevokeResult {
        ok: true,
        list: context.shown(&file),
        version: list.version,
        expires: list.expires.to_string(),
        keys: list.keys.len(),
        packages: list.packages.len(),
    };
    let mut envelope = list.seal();
    envelope.sign(&key)?;
    erp_files::write(&file, envelope.to_json().as_bytes(), FileAccess::Shared)?;
    context.ui.result(&result, || {
        format!(
            "{}  list {}: {} keys, {} packages, fresh until {}",
            result.list, result.version, result.keys, result.packages, result.expires
        )
    });
    Ok(ExitCode::Ok)
}
