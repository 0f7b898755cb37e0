//! `erp-plugin key trust`.

use std::path::PathBuf;

use clap::Args;
use erp_files::FileAccess;
use erp_manifest::exit_code::ExitCode;
use erp_package::signing::{TrustedKey, is_scope};
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::store::{public_key, trust_file_to_edit};
use crate::command_error::{CommandError, codes};
use crate::context::Context;

/// Trust a public key for some plugins, or as a registry's
#[derive(Debug, Args)]
pub(crate) struct KeyTrustArgs {
    /// The file of the public key, or the name of one of your own keys
    public_key: PathBuf,
    /// Whose key it is
    #[arg(long, value_name = "TEXT", required_unless_present = "registry")]
    publisher: Option<String>,
    /// Plugins that it may sign: an id, `prefix-*`, or `*`; several times for several
    #[arg(long, value_name = "PATTERN", required_unless_present = "registry")]
    scope: Vec<String>,
    /// Good signatures by different keys that these plugins need
    #[arg(long, value_name = "NUMBER", requires = "scope")]
    threshold: Option<u64>,
    /// It is the key of this registry: trust its receipts and revocations, and no packages
    #[arg(long, value_name = "NAME", conflicts_with_all = ["publisher", "scope"])]
    registry: Option<String>,
    /// The trust file, instead of your own; a project's is erp-trust.toml
    #[arg(long, value_name = "FILE")]
    trust_file: Option<PathBuf>,
}

/// A key that is trusted now.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct KeyTrustResult {
    ok: bool,
    /// `sha256:` and 64 digits.
    id: String,
    /// All plugins that it may sign now; none for a registry's key.
    scopes: Vec<String>,
    /// The file that says so.
    trust_file: String,
}

pub(super) fn run(context: &Context, args: &KeyTrustArgs) -> CommandResult {
    let key = public_key(context, &args.public_key)?;
    let (file, mut store) = trust_file_to_edit(context, args.trust_file.as_ref())?;
    if let Some(bad) = args.scope.iter().find(|scope| !is_scope(scope)) {
        let message = format!("`{bad}` is no id, no `prefix-*` and not `*`");
        return Err(CommandError::new(codes::USAGE, message));
    }
    let id = key.id();
    if let Some(revoked) = store.key(&id).and_then(|known| known.revoked.as_ref()) {
        let message = format!("this key was revoked at {}: {}", revoked.at, revoked.reason);
        let error = CommandError::new(codes::TRUST, message);
        return Err(error.hint(format!("where that was a mistake, take `revoked` out of {}", file.display())));
    }
    match (&args.registry, &args.publisher) {
        (Some(registry), _) => store.add_registry(registry, key),
        (None, publisher) => {
            let (publisher, scopes) = (publisher.clone().unwrap_or_default(), args.scope.clone());
            store.add(TrustedKey { key, publisher, scopes, not_after: None, revoked: None });
            if let Some(signatures) = args.threshold {
                args.scope.iter().for_each(|scope| store.set_threshold(scope, signatures));
            }
        }
    }
    erp_files::write(&file, store.to_toml().as_bytes(), FileAccess::Shared)?;
    let scopes = store.key(&id).filter(|_| args.registry.is_none()).map(|key| key.scopes.clone()).unwrap_or_default();
    let result = KeyTrustResult { ok: true, id: id.to_string(), scopes, trust_file: context.shown(&file) };
    context.ui.result(&result, || match (&args.registry, &args.publisher) {
        (Some(registry), _) => format!("{registry} may sign receipts and revocations ({})", result.trust_file),
        (None, publisher) => {
            let publisher = publisher.as_deref().unwrap_or_default();
            format!("{publisher} may sign {} ({})", result.scopes.join(", "), result.trust_file)
        }
    });
    Ok(ExitCode::Ok)
}
