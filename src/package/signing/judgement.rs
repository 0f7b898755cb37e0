//! What the signatures of an envelope are worth, one by one and together.

use erp_manifest::codes::Code;
use jiff::Timestamp;
use serde::Serialize;

use super::{KeyId, Revoked, codes};

/// What a signature is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum SignatureStatus {
    /// Made by a trusted key that may sign this plugin.
    Good {
        /// Whose key it is.
        publisher: String,
        /// The key was revoked after a registry had taken the package.
        revoked_since: Option<Revoked>,
    },
    /// Not made by the key that it names, or over something else.
    Bad,
    /// The key is not in the trust file.
    UnknownKey {
        /// The envelope brings the key along, and the signature is that key's.
        is_valid: bool,
    },
    /// The key may not sign this plugin.
    OutOfScope {
        /// What it may sign.
        scopes: Vec<String>,
    },
    /// The key's time was over.
    Expired {
        /// Since when.
        not_after: Timestamp,
    },
    /// The key was revoked.
    Revoked(Revoked),
}

/// What beside the envelope decides about its signatures.
#[derive(Debug, Clone)]
pub struct Circumstances<'a> {
    /// The plugin's id.
    pub plugin: &'a str,
    /// What time it is.
    pub now: Timestamp,
    /// When a trusted registry took the package, as its receipt says.
    pub accepted_at: Option<Timestamp>,
}

/// What the signatures of an envelope are worth together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Each signature.
    pub signatures: Vec<(KeyId, SignatureStatus)>,
    /// Good signatures that are needed.
    pub needed: u64,
}

/// What signatures are worth together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrustVerdict {
    /// Enough trusted keys signed.
    Good,
    /// There is no signature.
    Unsigned,
    /// Only untrusted keys signed, or too few of those that are trusted.
    Untrusted,
    /// A signature is wrong, or its key may not sign this, or no more.
    Bad,
}

impl Judgement {
    /// What they are worth together.
    pub fn trusted(&self) -> TrustVerdict {
        let is_stranger = |status: &SignatureStatus| {
            matches!(status, SignatureStatus::UnknownKey { .. } | SignatureStatus::Good { .. })
        };
        if self.good() >= self.needed {
            TrustVerdict::Good
        } else if self.signatures.is_empty() {
            TrustVerdict::Unsigned
        } else if self.signatures.iter().all(|(_, status)| is_stranger(status)) {
            TrustVerdict::Untrusted
        } else {
            TrustVerdict::Bad
        }
    }

    /// Why the signatures are not enough: a code, and a sentence. None where they are.
    pub fn refusal(&self) -> Option<(Code, String)> {
        if self.trusted() == TrustVerdict::Good {
            return None;
        }
        let good = self.good();
        let wrong = self.signatures.iter().find(|(_, status)| !matches!(status, SignatureStatus::Good { .. }));
        Some(match wrong {
            _ if self.signatures.is_empty() => (codes::UNSIGNED, "nobody has signed it".to_owned()),
            Some((key, status)) if good == 0 => (status.code()?, status.describe(key)),
            _ => (codes::TOO_FEW, format!("{good} good signatures, and {} are needed", self.needed)),
        })
    }

    fn good(&self) -> u64 {
        let is_good = |status: &SignatureStatus| matches!(status, SignatureStatus::Good { .. });
        self.signatures.iter().filter(|(_, status)| is_good(status)).count() as u64
    }
}

impl SignatureStatus {
    /// The code of a signature that does not count; none for a good one.
    pub fn code(&self) -> Option<Code> {
        match self {
            SignatureStatus::Good { .. } => None,
            SignatureStatus::Bad => Some(codes::BAD),
            SignatureStatus::UnknownKey { .. } => Some(codes::UNTRUSTED),
            SignatureStatus::OutOfScope { .. } => Some(codes::OUT_OF_SCOPE),
            SignatureStatus::Expired { .. } => Some(codes::EXPIRED),
            SignatureStatus::Revoked(_) => Some(codes::REVOKED),
        }
    }

    /// A sentence about the signature of a key.
    pub fn describe(&self, key: &KeyId) -> String {
        let key = key.short();
        match self {
            SignatureStatus::Good { publisher, revoked_since: None } => format!("good, by {publisher} ({key}…)"),
            SignatureStatus::Good { publisher, revoked_since: Some(revoked) } => {
                format!("good, by {publisher} ({key}…), whose key was revoked later: {}", revoked.reason)
            }
            SignatureStatus::Bad => format!("not good: key {key}…"),
            SignatureStatus::UnknownKey { is_valid: true } => {
                format!("good in itself, by a key that you do not trust: {key}…")
            }
            SignatureStatus::UnknownKey { is_valid: false } => format!("by a key that you do not have: {key}…"),
            SignatureStatus::OutOfScope { scopes } => format!("key {key}… may only sign {}", scopes.join(", ")),
            SignatureStatus::Expired { not_after } => format!("key {key}… counts no more since {not_after}"),
            SignatureStatus::Revoked(Revoked { at, reason, .. }) => format!("key {key}… was revoked at {at}: {reason}"),
        }
    }
}
