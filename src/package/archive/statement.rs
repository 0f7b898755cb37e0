//! What a publisher signs: the digests of all files, and what the package is.

use std::collections::BTreeMap;

use erp_manifest::digest::sha256_hex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::signing::{Attestation, Predicate, StatementSubject};
use crate::strict_zip::ArchiveEntry;

/// What a package is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleasePredicate {
    /// 1.
    pub format_version: u32,
    /// The plugin's id.
    pub id: String,
    /// The plugin's version.
    pub version: String,
    /// The host API that it is built for.
    pub abi: String,
    /// The world of that host API.
    pub world: String,
    /// SHA-256 of the WIT of that host API.
    pub wit_sha256: String,
    /// SHA-256 of what the manifest asks for; see [`capabilities_sha256`].
    pub capabilities_sha256: String,
    /// Bytes of every file of the subject.
    pub sizes: BTreeMap<String, u64>,
    /// What packed it.
    pub tool: String,
    /// SHA-256 of the rules that it was checked against before it was packed.
    pub rule_set: String,
}

impl Predicate for ReleasePredicate {
    const TYPE: &'static str = "https://erp-plugin.dev/attestations/release/v1";
    const WHAT: &'static str = "signed statement";
}

/// The statement of a package: every file but the envelope, sorted by name.
pub type Statement = Attestation<ReleasePredicate>;

/// The statement about these files; `predicate` gets their sizes.
pub(super) fn statement_about(entries: &[ArchiveEntry], mut predicate: ReleasePredicate) -> Statement {
    let mut subject: Vec<StatementSubject> =
        entries.iter().map(|entry| StatementSubject::of(&*entry.name, &entry.bytes)).collect();
    subject.sort_by(|left, right| left.name.cmp(&right.name));
    predicate.sizes = entries.iter().map(|entry| (entry.name.clone(), entry.bytes.len() as u64)).collect();
    Attestation::new(subject, predicate)
}

/// The digest of what a manifest asks for: `{"capabilities": …, "permissions": …}` of the manifest as JSON, with sorted
/// keys and without white space. Two versions with the same digest need no new consent.
pub fn capabilities_sha256(manifest: &Value) -> String {
    let asked = json!({ "capabilities": manifest.get("capabilities"), "permissions": manifest.get("permissions") });
    sha256_hex(canonical_json(&asked).as_bytes())
}

/// JSON with sorted keys and without white space.
pub(super) fn canonical_json(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}
