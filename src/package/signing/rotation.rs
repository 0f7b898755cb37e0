//! A publisher's word that another key takes the place of theirs, signed by both.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Attestation, AttestationError, Envelope, EnvelopeError, KeyError, Predicate, PublicKey, SecretKey, StatementSubject,
};

/// A key takes another's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationPredicate {
    /// The key that goes, as PEM.
    pub old_key: String,
    /// The key that comes, as PEM.
    pub new_key: String,
    /// Signatures of the old key count no more from here on; none where it goes on beside the new one.
    pub old_key_until: Option<Timestamp>,
}

impl Predicate for RotationPredicate {
    const TYPE: &'static str = "https://erp-plugin.dev/attestations/key-rotation/v1";
    const WHAT: &'static str = "rotation of a key";
}

/// A rotation that both keys signed.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The key that goes.
    pub old: PublicKey,
    /// The key that comes.
    pub new: PublicKey,
    /// See [`RotationPredicate::old_key_until`].
    pub old_key_until: Option<Timestamp>,
}

/// Why a rotation does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RotationError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] AttestationError),
    /// One of its keys cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A key did not sign it.
    #[error("the rotation is not signed by {0}: both keys must sign it")]
    NotSigned(String),
    /// Both keys are one.
    #[error("the rotation puts a key in its own place")]
    SameKey,
}

impl Rotation {
    /// Makes the statement, signed by both keys.
    ///
    /// # Errors
    /// [`EnvelopeError`], which two signatures never reach.
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

    /// The rotation in an envelope, with the signatures of both keys checked.
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
