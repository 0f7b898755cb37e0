//! What a verifier demands.

use jiff::Timestamp;
use semver::Version;

use crate::signing::{Envelope, TrustStore};
use crate::strict_zip::Limits;

/// How much must be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The package is whole and fits the platform; a signature that is there must not be wrong.
    Integrity,
    /// Enough trusted keys signed it.
    Signatures,
}

/// What a package is checked against.
#[derive(Debug, Clone)]
pub struct Policy<'a> {
    /// Whom the verifier trusts.
    pub trust: &'a TrustStore,
    /// How much must be proven.
    pub demand: Demand,
    /// Bounds of the reader.
    pub limits: Limits,
    /// What time it is.
    pub now: Timestamp,
    /// A registry's word that it took this package.
    pub receipt: Option<&'a Envelope>,
    /// What the file's SHA-256 must be, in hexadecimal.
    pub sha256: Option<&'a str>,
    /// The version that exists already: an older one must not take its place.
    pub installed: Option<&'a Version>,
}

impl<'a> Policy<'a> {
    /// A policy that asks for integrity alone, at this moment.
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
