//! The trust store, and the status that it gives an envelope's signatures.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use super::judgement::{Circumstances, Judgement, SignatureStatus};
use super::{Envelope, KeyId, PublicKey, RevocationList, Rotation, SignatureEntry, WithdrawnPackage};

/// A trusted key.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// The owner of the key.
    pub publisher: String,
    /// Plugins that it may sign: ids, `prefix-*` or `*`.
    pub scopes: Vec<String>,
    /// When the key expires; `None` if never.
    pub not_after: Option<Timestamp>,
    /// Set if the key was revoked.
    pub revoked: Option<Revocation>,
}

/// When and why a key was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revocation {
    /// When it was revoked. Packages that a registry accepted earlier stay valid.
    pub at: Timestamp,
    /// Why it was revoked.
    pub reason: String,
    /// The key that replaced it, if the trust file names one.
    pub replaced_by: Option<KeyId>,
}

/// A trusted registry.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    pub(super) name: String,
    pub(super) key: PublicKey,
}

/// The number of keys that must sign the plugins of a scope.
#[derive(Debug, Clone)]
pub(super) struct Threshold {
    pub(super) scope: String,
    pub(super) signatures: u64,
}

/// Trusted keys of publishers and registries, thresholds, revoked keys and withdrawn packages.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    pub(super) keys: BTreeMap<KeyId, TrustedKey>,
    pub(super) registries: BTreeMap<KeyId, Registry>,
    pub(super) thresholds: Vec<Threshold>,
    /// Keys that registries revoked, whether they are in `keys` or not.
    revoked: BTreeMap<KeyId, Revocation>,
    withdrawn: Vec<WithdrawnPackage>,
}

/// Which registry signed a receipt or a list of revocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryStatus {
    /// A trusted registry signed it.
    Good {
        /// The registry's name in the trust file.
        name: String,
        /// The registry's key.
        key: KeyId,
    },
    /// The envelope names a key of a trusted registry, but that key did not sign it.
    Bad,
    /// The envelope names no key of a trusted registry.
    Unknown,
}

/// Why the trust store refuses a rotation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RotateError {
    /// The old key is not trusted.
    #[error("the key {}… is not trusted here, so that nothing can take its place", .0.short())]
    UnknownKey(KeyId),
    /// The old key has expired.
    #[error("the key {}… counts no more since {not_after}, and cannot name another any more", key.short())]
    Expired {
        /// The key.
        key: KeyId,
        /// When it expired.
        not_after: Timestamp,
    },
    /// The old key was revoked, so it may be in the hands of others than its owner.
    #[error("the key {}… was revoked ({reason}), and cannot name another any more", key.short())]
    Revoked {
        /// The key.
        key: KeyId,
        /// Why it was revoked.
        reason: String,
    },
}

impl TrustStore {
    /// Trusts a key. A known key also keeps its scopes; the earlier expiry and the earlier revocation apply.
    pub fn add(&mut self, mut key: TrustedKey) {
        if let Some(known) = self.keys.get(&key.key.id()) {
            let mut scopes = known.scopes.clone();
            scopes.extend(key.scopes.into_iter().filter(|scope| !known.scopes.contains(scope)));
            key.scopes = scopes;
            key.not_after = [known.not_after, key.not_after].into_iter().flatten().min();
            key.revoked =
                [&known.revoked, &key.revoked].into_iter().flatten().min_by_key(|revoked| revoked.at).cloned();
        }
        self.keys.insert(key.key.id(), key);
    }

    /// Returns whether any key has this plugin in its scope, so that no unknown key is accepted as its first.
    pub fn covers(&self, plugin: &str) -> bool {
        self.keys.values().any(|key| key.scopes.iter().any(|scope| scope_matches(scope, plugin)))
    }

    /// Trusts a registry's receipts and revocations.
    pub fn add_registry(&mut self, name: &str, key: PublicKey) {
        self.registries.insert(key.id(), Registry { name: name.to_owned(), key });
    }

    /// Sets the number of signatures that the plugins of a scope need.
    pub fn set_threshold(&mut self, scope: &str, signatures: u64) {
        self.thresholds.retain(|threshold| threshold.scope != scope);
        self.thresholds.push(Threshold { scope: scope.to_owned(), signatures });
    }

    /// Adds everything in another trust store, including its revoked keys and withdrawn packages.
    pub fn extend(&mut self, other: TrustStore) {
        for key in other.keys.into_values() {
            self.add(key);
        }
        self.registries.extend(other.registries);
        self.thresholds.extend(other.thresholds);
        self.revoked.extend(other.revoked);
        self.withdrawn.extend(other.withdrawn);
    }

    /// Returns the keys, ordered by id.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &TrustedKey)> {
        self.keys.iter()
    }

    /// Returns the trusted key with this id.
    pub fn key(&self, id: &KeyId) -> Option<&TrustedKey> {
        self.keys.get(id)
    }

    /// Returns key ids and names of the registries, ordered by key id.
    pub fn registries(&self) -> impl Iterator<Item = (&KeyId, &str)> {
        self.registries.iter().map(|(id, registry)| (id, registry.name.as_str()))
    }

    /// Returns whether it has no publisher keys, no registries and no thresholds.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.registries.is_empty() && self.thresholds.is_empty()
    }

    /// Trusts the new key with the scopes and the expiry of the old one, which then expires as the rotation states.
    /// `seen_at` is when the rotation was first seen here.
    ///
    /// # Errors
    /// [`RotateError`], also if the old key was revoked or had expired at `seen_at`.
    pub fn rotate(&mut self, rotation: &Rotation, seen_at: Timestamp) -> Result<(), RotateError> {
        let old_id = rotation.old.id();
        let by_registry = self.revoked.get(&old_id).cloned();
        let old = self.keys.get_mut(&old_id).ok_or_else(|| RotateError::UnknownKey(old_id.clone()))?;
        let revoked = old.revoked.iter().chain(&by_registry).find(|revoked| revoked.at <= seen_at);
        if let Some(revoked) = revoked {
            return Err(RotateError::Revoked { key: old_id, reason: revoked.reason.clone() });
        }
        if let Some(not_after) = old.not_after.filter(|not_after| *not_after <= seen_at) {
            return Err(RotateError::Expired { key: old_id, not_after });
        }
        // The new key keeps the old key's expiry: a publisher must not extend the trust that the user limited.
        let new = TrustedKey { key: rotation.new.clone(), revoked: None, ..old.clone() };
        old.not_after = [old.not_after, rotation.old_key_until].into_iter().flatten().min();
        self.add(new);
        Ok(())
    }

    /// Applies a registry's list of revocations.
    pub fn revoke(&mut self, list: &RevocationList) {
        for key in &list.predicate.keys {
            let revoked = Revocation { at: key.at, reason: key.reason.clone(), replaced_by: None };
            let known = self.revoked.entry(key.keyid.clone()).or_insert_with(|| revoked.clone());
            // The earlier of two revocations applies.
            if revoked.at < known.at {
                *known = revoked;
            }
        }
        self.withdrawn.extend(list.predicate.packages.iter().cloned());
    }

    /// Returns why a registry withdrew the package with this digest of its file or statement; `None` if none did.
    pub fn withdrawn(&self, sha256: &str, content_id: &str) -> Option<&str> {
        let is_it = |package: &&WithdrawnPackage| {
            package.sha256 == sha256 || package.content_id.as_deref().is_some_and(|known| known == content_id)
        };
        self.withdrawn.iter().find(is_it).map(|package| package.reason.as_str())
    }

    /// Returns which registry signed an envelope.
    pub fn registry_of(&self, envelope: &Envelope) -> RegistryStatus {
        let named = envelope.signatures.iter().filter_map(|entry| self.registries.get_key_value(&entry.key_id));
        let mut status = RegistryStatus::Unknown;
        for (id, registry) in named {
            if envelope.is_signed_by(&registry.key) {
                return RegistryStatus::Good { name: registry.name.clone(), key: id.clone() };
            }
            status = RegistryStatus::Bad;
        }
        status
    }

    /// Judges the signatures of an envelope for a plugin.
    pub fn judge(&self, envelope: &Envelope, circumstances: &Circumstances<'_>) -> Judgement {
        let message = envelope.signed_bytes();
        let judge = |entry: &SignatureEntry| (entry.key_id.clone(), self.judge_one(entry, &message, circumstances));
        let needed = self.thresholds.iter().filter(|threshold| scope_matches(&threshold.scope, circumstances.plugin));
        Judgement {
            signatures: envelope.signatures.iter().map(judge).collect(),
            needed: needed.map(|threshold| threshold.signatures).max().unwrap_or(1).max(1),
        }
    }

    fn judge_one(&self, entry: &SignatureEntry, message: &[u8], circumstances: &Circumstances<'_>) -> SignatureStatus {
        let trusted = self.keys.get(&entry.key_id);
        // A package that a registry accepted before the key was lost was signed by the key's owner.
        let own = trusted.and_then(|trusted| trusted.revoked.as_ref());
        let revoked = own.into_iter().chain(self.revoked.get(&entry.key_id)).min_by_key(|revoked| revoked.at);
        let is_over = |moment: Timestamp| circumstances.accepted_at.is_none_or(|accepted| accepted >= moment);
        let Some(trusted) = trusted else {
            // A key in the envelope proves no identity. It only separates a bad signature from one by an unknown key.
            let is_valid = match &entry.public_key {
                Some(key) if !key.verifies(message, &entry.signature) => return SignatureStatus::Bad,
                key => key.is_some(),
            };
            if let Some(revoked) = revoked.filter(|revoked| is_over(revoked.at)) {
                return SignatureStatus::Revoked(revoked.clone());
            }
            return SignatureStatus::UnknownKey { is_valid };
        };
        if !trusted.key.verifies(message, &entry.signature) {
            return SignatureStatus::Bad;
        }
        if !trusted.scopes.iter().any(|scope| scope_matches(scope, circumstances.plugin)) {
            return SignatureStatus::OutOfScope { scopes: trusted.scopes.clone() };
        }
        let signed_by = circumstances.accepted_at.unwrap_or(circumstances.now);
        let revoked_since = match revoked {
            Some(revoked) if is_over(revoked.at) => return SignatureStatus::Revoked(revoked.clone()),
            revoked => revoked.cloned(),
        };
        match trusted.not_after {
            Some(not_after) if signed_by >= not_after => SignatureStatus::Expired { not_after },
            _ => SignatureStatus::Good { publisher: trusted.publisher.clone(), revoked_since },
        }
    }
}

/// Returns whether a text is a valid scope: `*`, `acme-*`, or a plugin id.
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

/// Returns whether a scope (`*`, `acme-*`, or an exact id) covers a plugin.
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
    use crate::signing::codes;
    use crate::signing::{RevocationsPredicate, RevokedKey, SecretKey};
    use erp_manifest::codes::Code;
    use erp_manifest::diagnostics::SourceFile;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn store_with(key: &PublicKey, scope: &str) -> TrustStore {
        let mut store = TrustStore::default();
        let (publisher, scopes) = ("甲公司".to_owned(), vec![scope.to_owned()]);
        store.add(TrustedKey { key: key.clone(), publisher, scopes, not_after: None, revoked: None });
        store
    }

    fn signed(keys: &[&SecretKey]) -> Envelope {
        let mut envelope = Envelope::unsigned("text/plain", b"payload".to_vec());
        for key in keys {
            envelope.sign(key).unwrap();
        }
        envelope
    }

    fn judged(store: &TrustStore, envelope: &Envelope, accepted_at: Option<&str>) -> Judgement {
        let now = at("2026-04-15T08:00:00Z");
        store.judge(envelope, &Circumstances { plugin: "acme-x", now, accepted_at: accepted_at.map(at) })
    }

    fn code(store: &TrustStore, envelope: &Envelope) -> Option<Code> {
        judged(store, envelope, None).refusal().map(|(code, _)| code)
    }

    #[test]
    fn only_a_trusted_key_in_its_scope_makes_a_signature_good() {
        let key = SecretKey::generate().unwrap();
        let mut envelope = signed(&[&key]);
        assert_eq!(code(&store_with(&key.public(), "acme-*"), &envelope), None);
        assert_eq!(code(&store_with(&key.public(), "other"), &envelope), Some(codes::OUT_OF_SCOPE));
        assert_eq!(code(&TrustStore::default(), &envelope), Some(codes::UNTRUSTED));
        assert_eq!(code(&store_with(&key.public(), "*"), &signed(&[])), Some(codes::UNSIGNED));
        envelope.payload.push(b'!');
        assert_eq!(code(&store_with(&key.public(), "*"), &envelope), Some(codes::BAD));
        assert_eq!(code(&TrustStore::default(), &envelope), Some(codes::BAD), "the key that came along says so");
    }

    #[test]
    fn a_threshold_counts_different_keys() {
        let keys = [SecretKey::generate().unwrap(), SecretKey::generate().unwrap()];
        let mut store = store_with(&keys[0].public(), "*");
        store.set_threshold("acme-*", 2);
        assert_eq!(code(&store, &signed(&[&keys[0], &keys[0]])), Some(codes::TOO_FEW));
        assert_eq!(code(&store, &signed(&[&keys[0], &keys[1]])), Some(codes::TOO_FEW), "a stranger does not count");
        store.extend(store_with(&keys[1].public(), "*"));
        assert_eq!(code(&store, &signed(&[&keys[0], &keys[1]])), None);
    }

    #[test]
    fn a_revoked_key_counts_for_what_a_registry_took_before() {
        let (key, registry) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let mut store = store_with(&key.public(), "*");
        store.add_registry("registry", registry.public());
        let revoked =
            RevokedKey { keyid: key.public().id(), at: at("2026-03-01T00:00:00Z"), reason: "lost".to_owned() };
        let predicate = RevocationsPredicate {
            registry: "registry".to_owned(),
            version: 3,
            issued_at: at("2026-03-01T00:00:00Z"),
            expires: at("2026-06-01T00:00:00Z"),
            keys: vec![revoked],
            packages: Vec::new(),
        };
        let mut sealed = predicate.seal();
        assert!(RevocationList::open(&sealed, &store, None).is_err(), "nobody signed it");
        sealed.sign(&registry).unwrap();
        let first = RevocationList::open(&sealed, &store, None).unwrap().predicate;
        let newer = RevocationsPredicate { version: 4, ..first.clone() };
        assert!(RevocationList::open(&sealed, &store, Some(&newer)).is_err(), "an older list");
        let other = RevocationsPredicate { keys: Vec::new(), ..first.clone() };
        assert!(RevocationList::open(&sealed, &store, Some(&other)).is_err(), "another list of the same version");
        let more = WithdrawnPackage { sha256: "0".repeat(64), content_id: None, reason: String::new() };
        let fuller = RevocationsPredicate { version: 2, packages: vec![more], ..first.clone() };
        assert!(RevocationList::open(&sealed, &store, Some(&fuller)).is_err(), "a list that takes back less");
        let envelope = signed(&[&key]);
        store.revoke(&RevocationList::open(&sealed, &store, Some(&first)).unwrap());
        assert_eq!(code(&store, &envelope), Some(codes::REVOKED));
        assert!(judged(&store, &envelope, Some("2026-02-01T00:00:00Z")).refusal().is_none());
        assert!(judged(&store, &envelope, Some("2026-03-01T00:00:00Z")).refusal().is_some());
    }

    #[test]
    fn a_rotation_needs_both_keys_and_an_old_key_that_is_trusted() {
        let (old, new) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let mut store = store_with(&old.public(), "acme-*");
        let envelope = Rotation::sign(&old, &new, Some(at("2026-04-01T00:00:00Z"))).unwrap();
        let mut half = envelope.clone();
        half.signatures.retain(|entry| entry.key_id == new.public().id());
        assert!(Rotation::open(&half).is_err());
        let rotation = Rotation::open(&envelope).unwrap();
        let seen = at("2026-03-01T00:00:00Z");
        assert!(TrustStore::default().rotate(&rotation, seen).is_err());
        assert!(store.clone().rotate(&rotation, seen).is_ok());
        let mut revoked = store.clone();
        let lost = Revocation { at: seen, reason: "lost".to_owned(), replaced_by: None };
        revoked.revoked.insert(old.public().id(), lost);
        assert!(revoked.rotate(&rotation, seen).is_err(), "a registry has revoked it");
        assert!(revoked.rotate(&rotation, at("2026-02-28T00:00:00Z")).is_ok(), "it was seen before");
        store.rotate(&rotation, seen).unwrap();
        assert!(store.clone().rotate(&rotation, at("2026-04-01T00:00:00Z")).is_err(), "its time is over");
        assert_eq!(code(&store, &signed(&[&new])), None);
        assert_eq!(code(&store, &signed(&[&old])), Some(codes::EXPIRED));
        assert!(judged(&store, &signed(&[&old]), Some("2026-03-31T00:00:00Z")).refusal().is_none());
    }

    #[test]
    fn a_trust_file_survives_its_text() {
        let key = SecretKey::generate().unwrap();
        let mut store = store_with(&key.public(), "*");
        store.set_threshold("acme-*", 2);
        store.add_registry("甲", SecretKey::generate().unwrap().public());
        let text = store.to_toml();
        let again = TrustStore::parse(&SourceFile::new("trust.toml", text.clone())).unwrap();
        assert_eq!(again.to_toml(), text);
        assert_eq!(again.keys().next().map(|(id, _)| id.clone()), Some(key.public().id()));
    }
}
