//! Keys, signatures, signed statements and the trust store.

mod attestation;
pub mod codes;
mod dsse;
mod judgement;
mod key;
mod receipt;
mod revocation;
mod rotation;
mod trust;
mod trust_file;

pub use attestation::{Attestation, AttestationError, Digests, Predicate, StatementSubject};
pub use dsse::{Envelope, EnvelopeError, SignatureEntry};
pub use judgement::{Circumstances, Judgement, SignatureStatus, TrustVerdict};
pub use key::{KeyError, KeyId, Passphrase, PublicKey, SecretKey};
pub use receipt::{Receipt, ReceiptPredicate};
pub use revocation::{RevocationError, RevocationList, RevocationsPredicate, RevokedKey, WithdrawnPackage};
pub use rotation::{Rotation, RotationError, RotationPredicate};
pub use trust::{RegistryStatus, Revocation, RotateError, TrustStore, TrustedKey, is_scope};
pub use trust_file::{TrustEntry, TrustError, TrustFile};
