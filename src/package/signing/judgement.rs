//! The status of each signature of an envelope, and the verdict on all of them.

use erp_manifest::codes::Code;
use jiff::Timestamp;
use serde::Serialize;

use super::{KeyId, Revocation, codes};

/// The status of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum SignatureStatus {
    /// Made by a trusted key that may sign this plugin.
    Good {
        /// The owner of the key, as the trust file names it.
        publisher: String,
        /// Set if the key was revoked after a registry had accepted the package.
        revoked_since: Option<Revocation>,
    },
    /// Not made by the key that it names, or made over other content.
    Bad,
    /// The key is not in the trust file.
    UnknownKey {
        /// Whether the envelope includes the key and that key made the signature.
        is_valid: bool,
    },
    /// The key may not sign this plugin.
    OutOfScope {
        /// The plugins that the key may sign: ids, `prefix-*` or `*`.
        scopes: Vec<String>,
    },
    /// The key had expired.
    Expired {
        /// When it expired.
        not_after: Timestamp,
    },
    /// The key was revoked.
    Revoked(Revocation),
}

/// The facts outside the envelope that decide the status of its signatures.
#[derive(Debug, Clone)]
pub struct Circumstances<'a> {
    /// The plugin's id.
    pub plugin: &'a str,
    /// The current time.
    pub now: Timestamp,
    /// When a trusted registry accepted the package, according to its receipt.
    pub accepted_at: Option<Timestamp>,
}

/// The statuses of an envelope's signatures, and how many good ones are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The status of each signature, by the key that it names.
    pub signatures: Vec<(KeyId, SignatureStatus)>,
    /// Number of good signatures that the plugin needs, at least 1.
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
    /// Returns the verdict on all signatures together.
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

    /// Returns the reason why the signatures do not suffice, as a code and a sentence; `None` if they do.
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
    /// Returns the code of a signature that does not count; `None` for a good one.
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

    /// Returns a short text about the status of the key's signature.
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
            SignatureStatus::Revoked(Revocation { at, reason, .. }) => {
                format!("key {key}… was revoked at {at}: {reason}")
            }
        }
    }
}
