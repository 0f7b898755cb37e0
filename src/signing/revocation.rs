//! A registry's list of keys and packages that are trusted no more.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Attestation, AttestationError, Envelope, KeyId, Predicate, RegistryStatus, Subject, TrustStore};

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
    /// The statement in an envelope that nobody signed yet.
    pub fn seal(self) -> Envelope {
        let keys = self.keys.iter().map(|key| Subject::digested(key.keyid.as_str(), key.keyid.digest()));
        let packages = self.packages.iter().map(|package| Subject::digested("package", &*package.sha256));
        Attestation::new(keys.chain(packages).collect(), self).seal()
    }
}

impl RevocationList {
    /// The list in an envelope, with its signature checked. `known` is the version that was seen last.
    ///
    /// # Errors
    /// [`RevocationError`].
    pub fn open(
        envelope: &Envelope,
        trust: &TrustStore,
        known: Option<u64>,
    ) -> Result<RevocationList, RevocationError> {
        let predicate = Attestation::<RevocationsPredicate>::of_envelope(envelope)?.predicate;
        let RegistryStatus::Good { key, .. } = trust.registry_of(envelope) else {
            return Err(RevocationError::NotSigned);
        };
        match known {
            Some(known) if predicate.version < known => {
                Err(RevocationError::Rollback { found: predicate.version, known })
            }
            _ => Ok(RevocationList { predicate, signed_by: key }),
        }
    }
}
