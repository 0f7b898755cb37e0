//! Whom to trust, and what that makes of an envelope's signatures.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use super::judgement::{Circumstances, Judgement, SignatureStatus};
use super::{Envelope, KeyId, PublicKey, RevocationList, Rotation, SignatureEntry, WithdrawnPackage};

/// A key that is trusted.
#[derive(Debug, Clone)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// Whose it is.
    pub publisher: String,
    /// Plugins that it may sign.
    pub scopes: Vec<String>,
    /// Its signatures count no more from this moment on.
    pub not_after: Option<Timestamp>,
    /// It is trusted no more.
    pub revoked: Option<Revoked>,
}

/// Since when a key is trusted no more, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// What a registry took before stays good.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// The key that took its place.
    pub replaced_by: Option<KeyId>,
}

/// A registry that is trusted.
#[derive(Debug, Clone)]
pub(super) struct Registry {
    pub(super) name: String,
    pub(super) key: PublicKey,
}

/// How many keys must have signed which plugins.
#[derive(Debug, Clone)]
pub(super) struct Threshold {
    pub(super) scope: String,
    pub(super) signatures: u64,
}

/// Keys of publishers and registries that are trusted, and what was taken back.
#[derive(Debug, Clone, Default)]
pub struct TrustStore {
    pub(super) keys: BTreeMap<KeyId, TrustedKey>,
    pub(super) registries: BTreeMap<KeyId, Registry>,
    pub(super) thresholds: Vec<Threshold>,
    /// What registries took back, whether the keys are trusted here or not.
    revoked: BTreeMap<KeyId, Revoked>,
    withdrawn: Vec<WithdrawnPackage>,
}

/// Who signed a receipt or a list of revocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryStatus {
    /// A registry that is trusted.
    Good {
        /// What the trust file calls it.
        name: String,
        /// Its key.
        key: KeyId,
    },
    /// A key of a trusted registry is named, and did not sign.
    Bad,
    /// Nobody who is known.
    Unknown,
}

/// Why a rotation does not count here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RotateError {
    /// The key that goes is not trusted.
    #[error("the key {}… is not trusted here, so that nothing can take its place", .0.short())]
    UnknownKey(KeyId),
    /// The time of the key that goes is over.
    #[error("the key {}… counts no more since {not_after}, and cannot name another any more", key.short())]
    Expired {
        /// The key.
        key: KeyId,
        /// Since when.
        not_after: Timestamp,
    },
    /// The key that goes was revoked: whoever has it now may be anybody.
    #[error("the key {}… was revoked ({reason}), and cannot name another any more", key.short())]
    Revoked {
        /// The key.
        key: KeyId,
        /// Why.
        reason: String,
    },
}

impl TrustStore {
    /// Trusts a key. What it was trusted with before, it stays trusted with; what was revoked or is over stays so.
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

    /// Whether a key is trusted for this plugin, so that a stranger's is not the first one.
    pub fn covers(&self, plugin: &str) -> bool {
        self.keys.values().any(|key| key.scopes.iter().any(|scope| scope_matches(scope, plugin)))
    }

    /// Trusts a registry's receipts and revocations.
    pub fn add_registry(&mut self, name: &str, key: PublicKey) {
        self.registries.insert(key.id(), Registry { name: name.to_owned(), key });
    }

    /// Demands so many signatures for these plugins.
    pub fn set_threshold(&mut self, scope: &str, signatures: u64) {
        self.thresholds.retain(|threshold| threshold.scope != scope);
        self.thresholds.push(Threshold { scope: scope.to_owned(), signatures });
    }

    /// Trusts what another file trusts as well. What one of them takes back is taken back.
    pub fn extend(&mut self, other: TrustStore) {
        for key in other.keys.into_values() {
            self.add(key);
        }
        self.registries.extend(other.registries);
        self.thresholds.extend(other.thresholds);
        self.revoked.extend(other.revoked);
        self.withdrawn.extend(other.withdrawn);
    }

    /// The keys, ordered by id.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyId, &TrustedKey)> {
        self.keys.iter()
    }

    /// A key.
    pub fn key(&self, id: &KeyId) -> Option<&TrustedKey> {
        self.keys.get(id)
    }

    /// The registries, ordered by the ids of their keys.
    pub fn registries(&self) -> impl Iterator<Item = (&KeyId, &str)> {
        self.registries.iter().map(|(id, registry)| (id, registry.name.as_str()))
    }

    /// Whether it names no key of a publisher or registry, and asks for no number of signatures.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.registries.is_empty() && self.thresholds.is_empty()
    }

    /// The new key gets what the old one was trusted with, until the same moment. `seen_at` is when the rotation was first seen here: a key
    /// names no successor once it was revoked or its time was over.
    ///
    /// # Errors
    /// [`RotateError`].
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
        // Who limited their trust in the old key did not prolong it for the new one: only the publisher wants that.
        let new = TrustedKey { key: rotation.new.clone(), revoked: None, ..old.clone() };
        old.not_after = [old.not_after, rotation.old_key_until].into_iter().flatten().min();
        self.add(new);
        Ok(())
    }

    /// Takes back what a registry takes back.
    pub fn revoke(&mut self, list: &RevocationList) {
        for key in &list.predicate.keys {
            let revoked = Revoked { at: key.at, reason: key.reason.clone(), replaced_by: None };
            let known = self.revoked.entry(key.keyid.clone()).or_insert_with(|| revoked.clone());
            // Of two moments the earlier one holds.
            if revoked.at < known.at {
                *known = revoked;
            }
        }
        self.withdrawn.extend(list.predicate.packages.iter().cloned());
    }

    /// Why a package must not be used, where a registry has said so: by the digest of its file, or of its statement.
    pub fn withdrawn(&self, sha256: &str, content_id: &str) -> Option<&str> {
        let is_it = |package: &&WithdrawnPackage| {
            package.sha256 == sha256 || package.content_id.as_deref().is_some_and(|known| known == content_id)
        };
        self.withdrawn.iter().find(is_it).map(|package| package.reason.as_str())
    }

    /// Which registry signed an envelope.
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

    /// What the signatures of an envelope are worth for a plugin.
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
        // What a registry saw before the key was lost was signed by its owner.
        let own = trusted.and_then(|trusted| trusted.revoked.as_ref());
        let revoked = own.into_iter().chain(self.revoked.get(&entry.key_id)).min_by_key(|revoked| revoked.at);
        let is_over = |moment: Timestamp| circumstances.accepted_at.is_none_or(|accepted| accepted >= moment);
        let Some(trusted) = trusted else {
            // The algorithm and the key come from whom we trust; a key that comes along only tells damage from strangers.
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
        let lost = Revoked { at: seen, reason: "lost".to_owned(), replaced_by: None };
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
