//! `erp-plugin key trust`.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::store::{keys_folder, trust_file, trust_store};
use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::files::{self, Access};
use crate::signing::{PublicKey, TrustStore, TrustedKey, is_scope};

/// Trust a public key for some plugins
#[derive(Debug, Args)]
pub(crate) struct KeyTrustArgs {
    /// The file of the public key, or the name of one of your own keys
    public_key: PathBuf,
    /// Whose key it is
    #[arg(long, value_name = "TEXT")]
    publisher: String,
    /// Plugins that it may sign: an id, `prefix-*`, or `*`; several times for several
    #[arg(long, value_name = "PATTERN", required = true)]
    scope: Vec<String>,
    /// The trust file, in the place of your own
    #[arg(long, value_name = "FILE")]
    trust_file: Option<PathBuf>,
}

/// A key that is trusted now.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct KeyTrustResult {
    ok: bool,
    /// `sha256:` and 64 digits.
    id: String,
    /// All plugins that it may sign now.
    scopes: Vec<String>,
    /// The file that says so.
    trust_file: String,
}

pub(super) fn run(context: &Context, args: &KeyTrustArgs) -> CommandResult {
    let named = context.path(&args.public_key);
    let own = keys_folder(context)?.join(format!("{}.pub.pem", args.public_key.display()));
    let public_key = if !named.exists() && own.is_file() { own } else { named };
    let pem = String::from_utf8_lossy(&context.read(&public_key)?).into_owned();
    let key = PublicKey::from_pem(&pem)?;
    let file = match &args.trust_file {
        Some(file) => context.path(file),
        None => trust_file(context)?,
    };
    let mut store = if file.is_file() { trust_store(context, Some(&file))? } else { TrustStore::default() };
    if let Some(bad) = args.scope.iter().find(|scope| !is_scope(scope)) {
        return Err(CommandError::new(
            ExitCode::Usage,
            "trust",
            format!("`{bad}` is no id, no `prefix-*` and not `*`"),
        ));
    }
    let id = key.id();
    if let Some((_, known)) = store.keys().find(|(known, trusted)| **known == id && trusted.revoked.is_some()) {
        let reason = known.revoked.clone().unwrap_or_default();
        let error = CommandError::new(ExitCode::Trust, "trust", format!("this key was revoked: {reason}"));
        return Err(error.hint(format!("where that was a mistake, take `revoked` out of {}", file.display())));
    }
    // What the key was trusted with before, it stays trusted with.
    let mut scopes: Vec<String> =
        store.keys().find(|(known, _)| **known == id).map(|(_, known)| known.scopes.clone()).unwrap_or_default();
    for scope in &args.scope {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    store.add(TrustedKey { key, publisher: args.publisher.clone(), scopes: scopes.clone(), revoked: None });
    files::write(&file, store.to_toml().as_bytes(), Access::Shared)?;
    let result = KeyTrustResult { ok: true, id: id.to_string(), scopes, trust_file: context.shown(&file) };
    context.ui.result(&result, || {
        format!("{} may sign {} ({})", args.publisher, result.scopes.join(", "), result.trust_file)
    });
    Ok(ExitCode::Ok)
}
