//! What a registry says of a package that it took: a signed statement beside the package.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Attestation, Predicate, StatementSubject};

/// A registry took a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReceiptPredicate {
    /// What the registry calls itself.
    pub registry: String,
    /// Counts the receipts of a plugin, from 1.
    pub serial: u64,
    /// The plugin's id.
    pub id: String,
    /// The plugin's version.
    pub version: String,
    /// SHA-256 of the signed statement of the package.
    pub content_id: String,
    /// When it was taken.
    pub accepted_at: Timestamp,
    /// Keys that signed the package.
    pub publisher_keyids: Vec<String>,
    /// SHA-256 of the rules that the registry held it against.
    pub rule_set: String,
    /// SHA-256 of the statement of the plugin's receipt before this one: a chain that cannot be rewritten in its middle.
    pub previous_receipt_sha256: Option<String>,
}

impl Predicate for ReceiptPredicate {
    const TYPE: &'static str = "https://erp-plugin.dev/attestations/registry-receipt/v1";
    const WHAT: &'static str = "receipt";
}

/// The statement of a registry about a package.
pub type Receipt = Attestation<ReceiptPredicate>;

impl Receipt {
    /// The receipt of a package with this digest.
    pub fn about(sha256: &str, predicate: ReceiptPredicate) -> Receipt {
        let name = format!("{}-{}.erpx", predicate.id, predicate.version);
        Attestation::new(vec![StatementSubject::digested(name, sha256)], predicate)
    }

    /// The digest of the package; none where the receipt names not exactly one.
    pub fn package_sha256(&self) -> Option<&str> {
        match self.subject.as_slice() {
            [package] => Some(&package.digest.sha256),
            _ => None,
        }
    }
}
