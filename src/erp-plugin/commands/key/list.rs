//! `erp-plugin key list`.

use clap::Args;
use erp_manifest::exit_code::ExitCode;
use erp_package::signing::PublicKey;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::CommandResult;
use super::store::{keys_folder, trust_store};
use crate::context::Context;
use crate::ui::Table;

/// List your keys and those that you trust
#[derive(Debug, Args)]
pub(crate) struct KeyListArgs {}

/// Keys of this user.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::commands) struct KeyListResult {
    ok: bool,
    /// Keys that sign.
    own: Vec<OwnKey>,
    /// Keys that are trusted.
    trusted: Vec<KnownKey>,
    /// Registries whose receipts and revocations count.
    registries: Vec<RegistryKey>,
}

/// The key of a registry that is trusted.
#[derive(Debug, Serialize, JsonSchema)]
struct RegistryKey {
    /// `sha256:` and 64 digits.
    id: String,
    /// What the registry is called.
    name: String,
}

/// A key that signs.
#[derive(Debug, Serialize, JsonSchema)]
struct OwnKey {
    /// Its name.
    name: String,
    /// `sha256:` and 64 digits.
    id: String,
}

/// A key that is trusted.
#[derive(Debug, Serialize, JsonSchema)]
struct KnownKey {
    /// `sha256:` and 64 digits.
    id: String,
    /// Whose it is.
    publisher: String,
    /// Plugins that it may sign.
    scopes: Vec<String>,
    /// Why it is trusted no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<String>,
    /// Since when its signatures count no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_after: Option<String>,
}

pub(super) fn run(context: &Context, _: &KeyListArgs) -> CommandResult {
    let mut own = Vec::new();
    if let Ok(entries) = fs_err::read_dir(keys_folder(context)?) {
        for entry in entries.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let Some(name) = file.strip_suffix(".pub.pem") else { continue };
            let key = fs_err::read_to_string(entry.path()).ok().and_then(|pem| PublicKey::from_pem(&pem).ok());
            own.extend(key.map(|key| OwnKey { name: name.to_owned(), id: key.id().to_string() }));
        }
    }
    own.sort_by(|left, right| left.name.cmp(&right.name));
    let trust = trust_store(context, None)?;
    let trusted: Vec<KnownKey> = trust
        .store
        .keys()
        .map(|(id, key)| KnownKey {
            id: id.to_string(),
            publisher: key.publisher.clone(),
            scopes: key.scopes.clone(),
            revoked: key.revoked.as_ref().map(|revoked| revoked.reason.clone()),
            not_after: key.not_after.map(|moment| moment.to_string()),
        })
        .collect();
    let registries = trust.store.registries();
    let registries = registries.map(|(id, name)| RegistryKey { id: id.to_string(), name: name.to_owned() }).collect();
    let result = KeyListResult { ok: true, own, trusted, registries };
    for stale in &trust.stale {
        context.ui.warn(stale);
    }
    context.ui.result(&result, || {
        if result.own.is_empty() && result.trusted.is_empty() && result.registries.is_empty() {
            return "no keys yet: erp-plugin key new NAME".to_owned();
        }
        let mut table = Table::new();
        for key in &result.own {
            table.row(["own", &key.name, &key.id]);
        }
        for key in &result.trusted {
            let word = if key.revoked.is_some() { "revoked" } else { "trusted" };
            table.row([word, &format!("{} ({})", key.publisher, key.scopes.join(", ")), &key.id]);
        }
        for key in &result.registries {
            table.row(["registry", &key.name, &key.id]);
        }
        table.render()
    });
    Ok(ExitCode::Ok)
}
