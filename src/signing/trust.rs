//! Whom to trust, and what that makes of an envelope's signatures.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use thiserror::Error;

use super::{Envelope, KeyId, PublicKey, SignatureEntry};
use crate::diagnostics::{Report, SourceFile, Spanned, codes};
use crate::document::{self, FromToml, Reader, table};

table! {
    /// A file that says which keys may sign which plugins.
    pub struct TrustFile {
        /// The format of the file: 1.
        version: u64 = 1,
        /// The keys.
        keys: Vec<TrustEntry>,
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
        /// Why it is trusted no more.
        revoked: Option<String>,
    }
}

/// A trust file that cannot be read.
#[derive(Debug, Error)]
#[error("the trust file has errors")]
pub struct TrustError {
    /// What is wrong and where.
    pub report: Report,
}

/// A key that is trusted.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// Whose it is.
    pub publisher: String,
    /// Plugins that it may sign.
    pub scopes: Vec<String>,
    /// Why it is trusted no more.
    pub revoked: Option<String>,
}

/// The keys that are trusted.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    keys: BTreeMap<KeyId, TrustedKey>,
}

/// What a signature is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum SignatureStatus {
    /// Made by a trusted key that may sign this plugin.
    Good {
        /// Whose key it is.
        publisher: String,
    },
    /// Not made by the key that it names, or over something else.
    Bad,
    /// The key is not in the trust file, so that nothing can be said about the signature.
    UnknownKey,
    /// The key may not sign this plugin.
    OutOfScope {
        /// What it may sign.
        scopes: Vec<String>,
    },
    /// The key was revoked.
    Revoked {
        /// Why.
        reason: String,
    },
}

impl TrustStore {
    /// Reads a trust file.
    ///
    /// # Errors
    /// [`TrustError`] with all that is wrong.
    pub fn parse(source: &Arc<SourceFile>) -> Result<TrustStore, TrustError> {
        let (node, mut report) = document::parse(source);
        let mut reader = Reader::new(source);
        let file = TrustFile::from_toml(&node, &mut reader);
        if let Some(file) = file.as_ref().filter(|file| file.version != 1) {
            let message = format!("version {} of trust files is not known to this tool", file.version);
            reader.find(codes::INVALID_VALUE, file.span.clone(), message, "not 1", None);
        }
        let mut store = TrustStore::default();
        for entry in file.iter().flat_map(|file| &file.keys) {
            if let Some(bad) = entry.scopes.iter().find(|scope| !is_scope(scope)) {
                let message = format!("`{}` is no id, no `prefix-*` and not `*`", **bad);
                reader.find(codes::INVALID_VALUE, bad.span(), message, "matches nothing", None);
            }
            match PublicKey::from_pem(&entry.public_key) {
                Err(error) => {
                    reader.find(codes::INVALID_VALUE, entry.public_key.span(), error.to_string(), "not a key", None);
                }
                Ok(key) if key.id().as_str() != entry.keyid.as_str() => {
                    let help = format!("the key's id is {}", key.id());
                    reader.find(
                        codes::INVALID_VALUE,
                        entry.keyid.span(),
                        "this is not the id of the key",
                        "another key",
                        Some(help),
                    );
                }
                Ok(key) => {
                    let trusted = TrustedKey {
                        publisher: entry.publisher.clone(),
                        scopes: entry.scopes.iter().map(|scope| (**scope).clone()).collect(),
                        revoked: entry.revoked.clone(),
                        key: key.clone(),
                    };
                    if store.keys.insert(key.id(), trusted).is_some() {
                        reader.find(codes::DUPLICATE, entry.keyid.span(), "this key is there twice", "again", None);
                    }
                }
            }
        }
        report.extend(reader.into_report());
        if report.has_errors() { Err(TrustError { report }) } else { Ok(store) }
    }

    /// Trusts a key.
    pub fn add(&mut self, key: TrustedKey) {
        self.keys.insert(key.key.id(), key);
    }

    /// True where nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys, ordered by id.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &TrustedKey)> {
        self.keys.iter()
    }

    /// The file that [`TrustStore::parse`] reads.
    pub fn to_toml(&self) -> String {
        let keys: Vec<toml::Table> = self
            .keys
            .iter()
            .map(|(id, key)| {
                let mut entry = toml::Table::new();
                entry.insert("keyid".to_owned(), id.as_str().into());
                entry.insert("publisher".to_owned(), key.publisher.clone().into());
                entry.insert("scopes".to_owned(), toml::Value::from(key.scopes.clone()));
                if let Some(reason) = &key.revoked {
                    entry.insert("revoked".to_owned(), reason.clone().into());
                }
                entry.insert("public_key".to_owned(), key.key.to_pem().into());
                entry
            })
            .collect();
        let mut file = toml::Table::new();
        file.insert("version".to_owned(), 1.into());
        file.insert("keys".to_owned(), toml::Value::Array(keys.into_iter().map(toml::Value::Table).collect()));
        toml::to_string_pretty(&file).unwrap_or_default()
    }

    /// What each signature of an envelope is worth for a plugin.
    pub fn judge(&self, envelope: &Envelope, plugin: &str) -> Vec<(KeyId, SignatureStatus)> {
        let message = envelope.signed_bytes();
        envelope
            .signatures
            .iter()
            .map(|entry| (entry.key_id.clone(), self.judge_one(entry, &message, plugin)))
            .collect()
    }

    fn judge_one(&self, entry: &SignatureEntry, message: &[u8], plugin: &str) -> SignatureStatus {
        let Some(trusted) = self.keys.get(&entry.key_id) else { return SignatureStatus::UnknownKey };
        if !trusted.key.verifies(message, &entry.signature) {
            return SignatureStatus::Bad;
        }
        if let Some(reason) = &trusted.revoked {
            return SignatureStatus::Revoked { reason: reason.clone() };
        }
        if !trusted.scopes.iter().any(|scope| scope_matches(scope, plugin)) {
            return SignatureStatus::OutOfScope { scopes: trusted.scopes.clone() };
        }
        SignatureStatus::Good { publisher: trusted.publisher.clone() }
    }
}

/// True for what can be a scope: `*`, `acme-*`, or an id.
pub fn is_scope(scope: &str) -> bool {
    let is_id_part = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    match scope.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => prefix.ends_with('-') && is_id_part(prefix),
        None => is_id_part(scope) && !scope.ends_with('-'),
    }
}

/// `*`, `acme-*`, or the exact id.
fn scope_matches(scope: &str, plugin: &str) -> bool {
    match scope.strip_suffix('*') {
        Some("") => true,
        Some(prefix) => prefix.ends_with('-') && plugin.starts_with(prefix),
        None => scope == plugin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::SecretKey;

    fn store_with(key: &PublicKey, scope: &str) -> TrustStore {
        let mut store = TrustStore::default();
        store.add(TrustedKey {
            key: key.clone(),
            publisher: "甲公司".to_owned(),
            scopes: vec![scope.to_owned()],
            revoked: None,
        });
        store
    }

    #[test]
    fn only_a_trusted_key_in_its_scope_makes_a_signature_good() {
        let key = SecretKey::generate().unwrap();
        let mut envelope = Envelope::unsigned("text/plain", b"payload".to_vec());
        envelope.sign(&key);
        let status = |store: &TrustStore, envelope: &Envelope| store.judge(envelope, "acme-x").remove(0).1;
        assert!(matches!(status(&store_with(&key.public(), "acme-*"), &envelope), SignatureStatus::Good { .. }));
        assert!(matches!(status(&store_with(&key.public(), "other"), &envelope), SignatureStatus::OutOfScope { .. }));
        assert_eq!(status(&TrustStore::default(), &envelope), SignatureStatus::UnknownKey);
        envelope.payload.push(b'!');
        assert_eq!(status(&store_with(&key.public(), "*"), &envelope), SignatureStatus::Bad);
    }

    #[test]
    fn a_trust_file_survives_its_text() {
        let key = SecretKey::generate().unwrap();
        let text = store_with(&key.public(), "*").to_toml();
        let store = TrustStore::parse(&SourceFile::new("trust.toml", text)).unwrap();
        assert_eq!(store.keys().next().map(|(id, _)| id.clone()), Some(key.public().id()));
    }
}
