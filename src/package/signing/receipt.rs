//! Receipts: signed statements of a registry that it accepted a package, kept next to the package.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Attestation, Predicate, StatementSubject};

/// The facts that a receipt states about an accepted package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiptPredicate {
    /// The registry's name, as it states it.
    pub registry: String,
    /// The number of the receipt among those of the plugin, from 1.
    pub serial: u64,
    /// The plugin's id.
    pub id: String,
    /// The plugin's version.
    pub version: String,
    /// SHA-256 of the signed statement of the package.
    pub content_id: String,
    /// When the registry accepted the package.
    pub accepted_at: Timestamp,
    /// Ids of the keys that signed the package.
    pub publisher_keyids: Vec<String>,
    /// SHA-256 of the rules that the registry checked it against.
    pub rule_set: String,
    /// SHA-256 of the statement in the plugin's previous receipt. The chain shows if an earlier receipt was rewritten.
    pub previous_receipt_sha256: Option<String>,
}

impl Predicate for ReceiptPredicate {
    const TYPE: &'static str = "https://erp-plugin.dev/attestations/registry-receipt/v1";
    const WHAT: &'static str = "receipt";
}

/// The statement of a registry about an accepted package.
pub type Receipt = Attestation<ReceiptPredicate>;

impl Receipt {
    /// Creates the receipt of the package whose file has this SHA-256.
    pub fn about(sha256: &str, predicate: ReceiptPredicate) -> Receipt {
        let name = format!("{}-{}.erpx", predicate.id, predicate.version);
        Attestation::new(vec![StatementSubject::digested(name, sha256)], predicate)
    }

    /// Returns the SHA-256 of the package file; `None` unless the receipt names exactly one file.
    pub fn package_sha256(&self) -> Option<&str> {
        match self.subject.as_slice() {
            [package] => Some(&package.digest.sha256),
            _ => None,
        }
    }
}
