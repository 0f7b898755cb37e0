//! The trust file: trusted keys, registries and thresholds.

use std::sync::Arc;

use erp_manifest::diagnostics::{Report, SourceFile, Spanned};
use erp_manifest::document::codes::{DUPLICATE, INVALID_VALUE};
use erp_manifest::document::{self, FromToml, Reader, table};
use jiff::Timestamp;
use thiserror::Error;

use super::trust::{Registry, Revocation, Threshold, TrustStore, TrustedKey, is_scope};
use super::{KeyId, PublicKey};

table! {
    /// A file that says which keys may sign which plugins.
    pub struct TrustFile {
        /// The format of the file: 1.
        version: u64 = 1,
        /// The keys of publishers.
        keys: Vec<TrustEntry>,
        /// The keys of registries: they sign receipts and lists of revocations.
        registries: Vec<RegistryEntry>,
        /// Plugins that need more than one signature.
        thresholds: Vec<ThresholdEntry>,
    }
}

table! {
    /// A key that is trusted.
    pub struct TrustEntry {
        /// `sha256:` and the digest of the public key; it is computed anew and must agree.
        keyid: Spanned<String>,
        /// The key, `-----BEGIN PUBLIC KEY-----`.
        public_key: Spanned<String>,
        /// Whose key it is.
        publisher: String,
        /// Plugins that it may sign: exact ids, `prefix-*`, or `*`.
        scopes: Vec<Spanned<String>>,
        /// Signatures count no more from this moment on (RFC 3339), but for packages that a registry took before.
        not_after: Option<Spanned<String>>,
        /// It is trusted no more.
        revoked: Option<RevokedEntry>,
    }
}

table! {
    /// Why a key is trusted no more, and since when.
    pub struct RevokedEntry {
        /// The moment (RFC 3339): what a registry took before stays good.
        at: Spanned<String>,
        /// Why.
        reason: String,
        /// The id of the key that took its place.
        replaced_by: Option<Spanned<String>>,
    }
}

table! {
    /// A registry that is trusted.
    pub struct RegistryEntry {
        /// `sha256:` and the digest of the public key.
        keyid: Spanned<String>,
        /// The key, `-----BEGIN PUBLIC KEY-----`.
        public_key: Spanned<String>,
        /// What it is called.
        name: String,
    }
}

table! {
    /// How many keys must have signed.
    pub struct ThresholdEntry {
        /// The plugins: an id, `prefix-*`, or `*`.
        scope: Spanned<String>,
        /// Good signatures by different keys, at least.
        signatures: u64,
    }
}

/// A trust file that cannot be read.
#[derive(Debug, Error)]
#[error("the trust file has errors")]
pub struct TrustError {
    /// The errors, with their places in the file.
    pub report: Report,
}

impl TrustStore {
    /// Reads a trust file.
    ///
    /// # Errors
    /// [`TrustError`] with all errors of the file.
    pub fn parse(source: &Arc<SourceFile>) -> Result<TrustStore, TrustError> {
        let (node, mut report) = document::parse(source);
        let mut reader = Reader::new(source);
        let file = TrustFile::from_toml(&node, &mut reader);
        let mut store = TrustStore::default();
        if let Some(file) = &file {
            if file.version != 1 {
                let message = format!("version {} of trust files is not known to this tool", file.version);
                reader.find(INVALID_VALUE, file.span.clone(), message, "not 1", None);
            }
            for entry in &file.keys {
                read_key(entry, &mut store, &mut reader);
            }
            for entry in &file.registries {
                if let Some(key) = public_key(&entry.keyid, &entry.public_key, &mut reader) {
                    let id = key.id();
                    let registry = Registry { name: entry.name.clone(), key };
                    if store.registries.insert(id, registry).is_some() {
                        again(&entry.keyid, &mut reader);
                    }
                }
            }
            for entry in &file.thresholds {
                check_scope(&entry.scope, &mut reader);
                if entry.signatures == 0 {
                    let message = "0 signatures would demand nothing; leave the threshold out, and one counts";
                    reader.find(INVALID_VALUE, entry.scope.span(), message, "demands nothing", None);
                }
                store.thresholds.push(Threshold { scope: (*entry.scope).clone(), signatures: entry.signatures });
            }
            find_circles(file, &mut reader);
        }
        report.extend(reader.into_report());
        if report.has_errors() { Err(TrustError { report }) } else { Ok(store) }
    }

    /// Returns the text of a trust file that [`TrustStore::parse`] reads.
    pub fn to_toml(&self) -> String {
        let text = |value: &str| toml::Value::from(value);
        let table = |fields: Vec<(&str, Option<toml::Value>)>| {
            let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            toml::Value::Table(fields.collect())
        };
        let keys = self.keys.iter().map(|(id, key)| {
            let revoked = key.revoked.as_ref().map(|revoked| {
                table(vec![
                    ("at", Some(text(&revoked.at.to_string()))),
                    ("reason", Some(text(&revoked.reason))),
                    ("replaced_by", revoked.replaced_by.as_ref().map(|id| text(id.as_str()))),
                ])
            });
            table(vec![
                ("keyid", Some(text(id.as_str()))),
                ("publisher", Some(text(&key.publisher))),
                ("scopes", Some(toml::Value::from(key.scopes.clone()))),
                ("not_after", key.not_after.map(|moment| text(&moment.to_string()))),
                ("public_key", Some(text(&key.key.to_pem()))),
                ("revoked", revoked),
            ])
        });
        let registries = self.registries.iter().map(|(id, registry)| {
            table(vec![
                ("keyid", Some(text(id.as_str()))),
                ("name", Some(text(&registry.name))),
                ("public_key", Some(text(&registry.key.to_pem()))),
            ])
        });
        let thresholds = self.thresholds.iter().map(|threshold| {
            let signatures = i64::try_from(threshold.signatures).unwrap_or(i64::MAX);
            table(vec![("scope", Some(text(&threshold.scope))), ("signatures", Some(signatures.into()))])
        });
        let list = |items: Vec<toml::Value>| (!items.is_empty()).then_some(toml::Value::Array(items));
        let file = table(vec![
            ("version", Some(1.into())),
            ("keys", list(keys.collect())),
            ("registries", list(registries.collect())),
            ("thresholds", list(thresholds.collect())),
        ]);
        toml::to_string_pretty(&file).unwrap_or_default()
    }
}

fn read_key(entry: &TrustEntry, store: &mut TrustStore, reader: &mut Reader) {
    for scope in &entry.scopes {
        check_scope(scope, reader);
    }
    let not_after = entry.not_after.as_ref().and_then(|text| moment(text, reader));
    let revoked = entry.revoked.as_ref().and_then(|revoked| {
        let replaced_by = revoked.replaced_by.as_ref().and_then(|text| {
            let id = KeyId::parse(text);
            if id.is_none() {
                let message = format!("`{}` is not sha256: and 64 digits", **text);
                reader.find(INVALID_VALUE, text.span(), message, "no id of a key", None);
            }
            id
        });
        Some(Revocation { at: moment(&revoked.at, reader)?, reason: revoked.reason.clone(), replaced_by })
    });
    let Some(key) = public_key(&entry.keyid, &entry.public_key, reader) else { return };
    let trusted = TrustedKey {
        key: key.clone(),
        publisher: entry.publisher.clone(),
        scopes: entry.scopes.iter().map(|scope| (**scope).clone()).collect(),
        not_after,
        revoked,
    };
    if store.keys.insert(key.id(), trusted).is_some() {
        again(&entry.keyid, reader);
    }
}

fn again(keyid: &Spanned<String>, reader: &mut Reader) {
    reader.find(DUPLICATE, keyid.span(), "this key is there twice", "again", None);
}

fn check_scope(scope: &Spanned<String>, reader: &mut Reader) {
    if !is_scope(scope) {
        let message = format!("`{}` is no id, no `prefix-*` and not `*`", **scope);
        reader.find(INVALID_VALUE, scope.span(), message, "matches nothing", None);
    }
}

fn moment(text: &Spanned<String>, reader: &mut Reader) -> Option<Timestamp> {
    let moment = text.parse().ok();
    if moment.is_none() {
        let message = format!("`{}` is no moment; write it like 2026-04-15T08:00:00Z", **text);
        reader.find(INVALID_VALUE, text.span(), message, "no moment", None);
    }
    moment
}

fn public_key(keyid: &Spanned<String>, pem: &Spanned<String>, reader: &mut Reader) -> Option<PublicKey> {
    match PublicKey::from_pem(pem) {
        Err(error) => {
            reader.find(INVALID_VALUE, pem.span(), error.to_string(), "not a key", None);
            None
        }
        Ok(key) if key.id().as_str() != keyid.as_str() => {
            let help = Some(format!("the key's id is {}", key.id()));
            let message = "this is not the id of the key";
            reader.find(INVALID_VALUE, keyid.span(), message, "another key", help);
            None
        }
        Ok(key) => Some(key),
    }
}

/// Reports keys that replace each other in a cycle.
fn find_circles(file: &TrustFile, reader: &mut Reader) {
    let next = |id: &str| {
        let entry = file.keys.iter().find(|entry| entry.keyid.as_str() == id)?;
        entry.revoked.as_ref()?.replaced_by.as_ref().map(|text| (**text).clone())
    };
    for entry in &file.keys {
        let Some(replaced_by) = entry.revoked.as_ref().and_then(|revoked| revoked.replaced_by.as_ref()) else {
            continue;
        };
        let mut at = (**replaced_by).clone();
        for _ in 0..file.keys.len() {
            if at == **entry.keyid {
                let message = "this key is replaced by one that it replaces itself";
                reader.find(INVALID_VALUE, replaced_by.span(), message, "leads back to this key", None);
                break;
            }
            let Some(further) = next(&at) else { break };
            at = further;
        }
    }
}
