//! A registry's list of revoked keys and withdrawn packages.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Attestation, AttestationError, Envelope, KeyId, Predicate, RegistryStatus, StatementSubject, TrustStore};

/// The keys and packages that a registry revokes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevocationsPredicate {
    /// The registry's name, as it states it.
    pub registry: String,
    /// Increases with every list. Readers refuse a lower version than the last they have seen.
    pub version: u64,
    /// When the list was made.
    pub issued_at: Timestamp,
    /// When readers should get a newer list.
    pub expires: Timestamp,
    /// The revoked keys.
    pub keys: Vec<RevokedKey>,
    /// The withdrawn packages.
    pub packages: Vec<WithdrawnPackage>,
}

/// A key that is no longer trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokedKey {
    /// The key's id: `sha256:` and 64 digits.
    pub keyid: KeyId,
    /// When the key was revoked. Packages that a registry accepted earlier stay valid.
    pub at: Timestamp,
    /// Why the key was revoked.
    pub reason: String,
}

/// A package that must not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WithdrawnPackage {
    /// SHA-256 of the package file.
    pub sha256: String,
    /// SHA-256 of its signed statement. The package stays withdrawn if it is compressed or signed again.
    pub content_id: Option<String>,
    /// Why the package was withdrawn.
    pub reason: String,
}

impl Predicate for RevocationsPredicate {
    const TYPE: &'static str = "https://erp-plugin.dev/attestations/revocations/v1";
    const WHAT: &'static str = "list of revocations";
}

/// A list whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// The content of the list.
    pub predicate: RevocationsPredicate,
    /// The registry's key that signed it.
    pub signed_by: KeyId,
}

/// Why a list is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RevocationError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] AttestationError),
    /// No trusted registry signed it.
    #[error("the list of revocations is not signed by a registry that you trust")]
    NotSigned,
    /// The list lacks entries of the last list that was seen, or differs from it under the same version.
    #[error(
        "version {0} of the list of revocations is not the one that was seen before, or leaves out what that one takes back"
    )]
    Contradicts(u64),
    /// A list with a higher version was seen before.
    #[error("the list of revocations has the version {found}, and version {known} was seen before")]
    Rollback {
        /// The version of this list.
        found: u64,
        /// The version of the last list that was seen.
        known: u64,
    },
}

impl RevocationsPredicate {
    /// Creates the list after `before` with its entries, or a registry's empty first list. It expires after `fresh`.
    pub fn next(before: Option<RevocationsPredicate>, registry: &str, now: Timestamp, fresh: SignedDuration) -> Self {
        let (version, keys, packages) = match before {
            Some(before) => (before.version + 1, before.keys, before.packages),
            None => (1, Vec::new(), Vec::new()),
        };
        let expires = now.saturating_add(fresh).unwrap_or(Timestamp::MAX);
        RevocationsPredicate { registry: registry.to_owned(), version, issued_at: now, expires, keys, packages }
    }

    /// Checks that this list may replace the last list that was seen.
    fn may_follow(&self, known: &RevocationsPredicate) -> Result<(), RevocationError> {
        if self.version < known.version {
            return Err(RevocationError::Rollback { found: self.version, known: known.version });
        }
        let same = self.version > known.version || self == known;
        let has_all = known.keys.iter().all(|key| self.keys.contains(key))
            && known.packages.iter().all(|package| self.packages.contains(package));
        if same && has_all { Ok(()) } else { Err(RevocationError::Contradicts(self.version)) }
    }

    /// Wraps the statement in an envelope without signatures.
    pub fn seal(self) -> Envelope {
        let keys = self.keys.iter().map(|key| StatementSubject::digested(key.keyid.as_str(), key.keyid.digest()));
        let packages = self.packages.iter().map(|package| StatementSubject::digested("package", &*package.sha256));
        Attestation::new(keys.chain(packages).collect(), self).seal()
    }
}

impl RevocationList {
    /// Reads the list in an envelope and checks its signature. `known` is the last list that was seen.
    ///
    /// # Errors
    /// [`RevocationError`].
    pub fn open(
        envelope: &Envelope,
        trust: &TrustStore,
        known: Option<&RevocationsPredicate>,
    ) -> Result<RevocationList, RevocationError> {
        let predicate = Attestation::<RevocationsPredicate>::of_envelope(envelope)?.predicate;
        let RegistryStatus::Good { key, .. } = trust.registry_of(envelope) else {
            return Err(RevocationError::NotSigned);
        };
        known.map_or(Ok(()), |known| predicate.may_follow(known))?;
        Ok(RevocationList { predicate, signed_by: key })
    }
}
