//! The statement that a publisher signs: the digests of all files, and a description of the package.

use std::collections::BTreeMap;

use erp_manifest::digest::sha256_hex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::signing::{Attestation, Predicate, StatementSubject};
use crate::strict_zip::ArchiveEntry;

/// The description of a package in its signed statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleasePredicate {
    /// The version of the package format: 1.
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
    /// SHA-256 of the capabilities and permissions in the manifest; see [`capabilities_sha256`].
    pub capabilities_sha256: String,
    /// Size of every file of the subject, in bytes.
    pub sizes: BTreeMap<String, u64>,
    /// The tool that packed it, such as `erp-plugin/0.1.0`.
    pub tool: String,
    /// SHA-256 of the rules that the plugin was checked against before it was packed.
    pub rule_set: String,
}

impl Predicate for ReleasePredicate {
    const TYPE: &'static str = "https://erp-plugin.dev/attestations/release/v1";
    const WHAT: &'static str = "signed statement";
}

/// The statement of a package. Its subject is every file except the envelope, sorted by name.
pub type Statement = Attestation<ReleasePredicate>;

/// Builds the statement about these files, and sets the sizes in `predicate`.
pub(super) fn statement_about(entries: &[ArchiveEntry], mut predicate: ReleasePredicate) -> Statement {
    let mut subject: Vec<StatementSubject> =
        entries.iter().map(|entry| StatementSubject::of(&*entry.name, &entry.bytes)).collect();
    subject.sort_by(|left, right| left.name.cmp(&right.name));
    predicate.sizes = entries.iter().map(|entry| (entry.name.clone(), entry.bytes.len() as u64)).collect();
    Attestation::new(subject, predicate)
}

/// Returns the SHA-256 of `{"capabilities": …, "permissions": …}` of the manifest as JSON, with sorted keys and without
/// white space. An upgrade to a version with the same digest needs no new consent.
pub fn capabilities_sha256(manifest: &Value) -> String {
    let asked = json!({ "capabilities": manifest.get("capabilities"), "permissions": manifest.get("permissions") });
    sha256_hex(canonical_json(&asked).as_bytes())
}

/// Returns JSON with sorted keys and without white space.
pub(super) fn canonical_json(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string()
}
