//! A registry's list of keys and packages that are trusted no more.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Attestation, AttestationError, Envelope, KeyId, Predicate, RegistryStatus, StatementSubject, TrustStore};

/// What a registry takes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevocationsPredicate {
    /// What the registry calls itself.
    pub registry: String,
    /// Grows with every list; a reader never goes back.
    pub version: u64,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From here on a newer list should be had.
    pub expires: Timestamp,
    /// Keys.
    pub keys: Vec<RevokedKey>,
    /// Packages.
    pub packages: Vec<WithdrawnPackage>,
}

/// A key that is trusted no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokedKey {
    /// `sha256:` and 64 digits.
    pub keyid: KeyId,
    /// What a registry took before this moment stays good.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A package that must not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WithdrawnPackage {
    /// SHA-256 of the file.
    pub sha256: String,
    /// SHA-256 of its signed statement: however it is compressed or signed again, it stays withdrawn.
    pub content_id: Option<String>,
    /// Why.
    pub reason: String,
}

impl Predicate for RevocationsPredicate {
    const TYPE: &'static str = "https://erp-plugin.dev/attestations/revocations/v1";
    const WHAT: &'static str = "list of revocations";
}

/// A list whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// What it says.
    pub predicate: RevocationsPredicate,
    /// The registry's key that signed it.
    pub signed_by: KeyId,
}

/// Why a list does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RevocationError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] AttestationError),
    /// No registry that is trusted signed it.
    #[error("the list of revocations is not signed by a registry that you trust")]
    NotSigned,
    /// A list takes back less than the one that was seen before, or another of the same version was seen.
    #[error(
        "version {0} of the list of revocations is not the one that was seen before, or leaves out what that one takes back"
    )]
    Contradicts(u64),
    /// A newer one was seen.
    #[error("the list of revocations has the version {found}, and version {known} was seen before")]
    Rollback {
        /// The version of this one.
        found: u64,
        /// The version that was seen.
        known: u64,
    },
}

impl RevocationsPredicate {
    /// The list that comes after `before`, or the first one of a registry; nothing is added yet.
    pub fn next(before: Option<RevocationsPredicate>, registry: &str, now: Timestamp, fresh: SignedDuration) -> Self {
        let (version, keys, packages) = match before {
            Some(before) => (before.version + 1, before.keys, before.packages),
            None => (1, Vec::new(), Vec::new()),
        };
        let expires = now.saturating_add(fresh).unwrap_or(Timestamp::MAX);
        RevocationsPredicate { registry: registry.to_owned(), version, issued_at: now, expires, keys, packages }
    }

    /// Whether this list may take the place of one that was seen before.
    fn may_follow(&self, known: &RevocationsPredicate) -> Result<(), RevocationError> {
        if self.version < known.version {
            return Err(RevocationError::Rollback { found: self.version, known: known.version });
        }
        let same = self.version > known.version || self == known;
        let has_all = known.keys.iter().all(|key| self.keys.contains(key))
            && known.packages.iter().all(|package| self.packages.contains(package));
        if same && has_all { Ok(()) } else { Err(RevocationError::Contradicts(self.version)) }
    }

    /// The statement in an envelope without signatures.
    pub fn seal(self) -> Envelope {
        let keys = self.keys.iter().map(|key| StatementSubject::digested(key.keyid.as_str(), key.keyid.digest()));
        let packages = self.packages.iter().map(|package| StatementSubject::digested("package", &*package.sha256));
        Attestation::new(keys.chain(packages).collect(), self).seal()
    }
}

impl RevocationList {
    /// The list in an envelope, with its signature checked. `known` is the one that was seen last.
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
