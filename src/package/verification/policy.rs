//! The requirements of a verifier.

use jiff::Timestamp;
use semver::Version;

use crate::signing::{Envelope, TrustStore};
use crate::strict_zip::Limits;

/// How much must be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The package is intact and follows the platform's rules. It may be unsigned, but its signatures must not be bad.
    Integrity,
    /// Enough trusted keys signed it.
    Signatures,
}

/// The requirements that a package is checked against.
#[derive(Debug, Clone)]
pub struct Policy<'a> {
    /// The keys, registries and thresholds that the verifier trusts.
    pub trust: &'a TrustStore,
    /// How much must be proven.
    pub demand: Demand,
    /// Limits of the reader.
    pub limits: Limits,
    /// The current time.
    pub now: Timestamp,
    /// The envelope of a registry's receipt for this package.
    pub receipt: Option<&'a Envelope>,
    /// The expected SHA-256 of the file, in hexadecimal.
    pub sha256: Option<&'a str>,
    /// The installed version; an older package is refused.
    pub installed: Option<&'a Version>,
}

impl<'a> Policy<'a> {
    /// Creates a policy that demands only integrity, with the default limits.
    pub fn new(trust: &'a TrustStore, now: Timestamp) -> Policy<'a> {
        Policy {
            trust,
            demand: Demand::Integrity,
            limits: Limits::default(),
            now,
            receipt: None,
            sha256: None,
            installed: None,
        }
    }
}
