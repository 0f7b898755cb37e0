//! Keys, signatures, and whom to trust.

mod dsse;
mod key;
mod trust;

pub use dsse::{Envelope, EnvelopeError, SignatureEntry};
pub use key::{KeyError, KeyId, Passphrase, PublicKey, SecretKey};
pub use trust::{SignatureStatus, TrustEntry, TrustError, TrustFile, TrustStore, TrustedKey, is_scope};
