//! A publisher's statement that a new key replaces an old one, signed by both keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Attestation, AttestationError, Envelope, EnvelopeError, KeyError, Predicate, PublicKey, SecretKey, StatementSubject,
};

/// The replacement of a key by another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationPredicate {
    /// The old key, as PEM.
    pub old_key: String,
    /// The new key, as PEM.
    pub new_key: String,
    /// When the old key expires; `None` if both keys stay in use.
    pub old_key_until: Option<Timestamp>,
}

impl Predicate for RotationPredicate {
    const TYPE: &'static str = "https://erp-plugin.dev/attestations/key-rotation/v1";
    const WHAT: &'static str = "rotation of a key";
}

/// A rotation that both keys signed.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The old key.
    pub old: PublicKey,
    /// The new key.
    pub new: PublicKey,
    /// See [`RotationPredicate::old_key_until`].
    pub old_key_until: Option<Timestamp>,
}

/// Why a rotation cannot be read or verified.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RotationError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] AttestationError),
    /// One of its keys cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// One of the two keys did not sign it.
    #[error("the rotation is not signed by {0}: both keys must sign it")]
    NotSigned(String),
    /// The old key and the new key are the same.
    #[error("the rotation puts a key in its own place")]
    SameKey,
}

impl Rotation {
    /// Creates the statement, signed by both keys.
    ///
    /// # Errors
    /// [`EnvelopeError`]; two signatures never exceed the limit.
    pub fn sign(old: &SecretKey, new: &SecretKey, old_key_until: Option<Timestamp>) -> Result<Envelope, EnvelopeError> {
        let (old_public, new_public) = (old.public(), new.public());
        let subject = [("old", &old_public), ("new", &new_public)]
            .map(|(name, key)| StatementSubject::digested(name, key.id().digest()))
            .to_vec();
        let predicate = RotationPredicate { old_key: old_public.to_pem(), new_key: new_public.to_pem(), old_key_until };
        let mut envelope = Attestation::new(subject, predicate).seal();
        envelope.sign(old)?;
        envelope.sign(new)?;
        Ok(envelope)
    }

    /// Reads the rotation in an envelope and checks the signatures of both keys.
    ///
    /// # Errors
    /// [`RotationError`].
    pub fn open(envelope: &Envelope) -> Result<Rotation, RotationError> {
        let predicate = Attestation::<RotationPredicate>::of_envelope(envelope)?.predicate;
        let (old, new) = (PublicKey::from_pem(&predicate.old_key)?, PublicKey::from_pem(&predicate.new_key)?);
        if old.id() == new.id() {
            return Err(RotationError::SameKey);
        }
        for (key, which) in [(&old, "the old key"), (&new, "the new key")] {
            if !envelope.is_signed_by(key) {
                return Err(RotationError::NotSigned(format!("{which}, {}…", key.id().short())));
            }
        }
        Ok(Rotation { old, new, old_key_until: predicate.old_key_until })
    }
}
