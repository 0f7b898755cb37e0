//! What a publisher signs: the digests of all files, and what the package is.

use serde::{Deserialize, Serialize};

use super::Entry;
use crate::digest::sha256_hex;

const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://erp-plugin.dev/attestations/release/v1";

/// An in-toto statement about a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// Every file but the envelope, sorted by name.
    pub subject: Vec<Subject>,
    /// What the package is.
    pub predicate: Predicate,
}

/// A file and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The entry's name.
    pub name: String,
    /// Its digests; SHA-256 is the one that counts.
    pub digest: Digests,
    /// Bytes.
    pub size: u64,
}

/// Digests of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// What a package is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predicate {
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
    /// What packed it.
    pub tool: String,
    /// SHA-256 of the rules that it was held against before it was packed.
    pub rule_set: String,
}

impl Statement {
    /// The statement about these files.
    pub(super) fn about(entries: &[Entry], predicate: Predicate) -> Statement {
        let mut subject: Vec<Subject> = entries
            .iter()
            .map(|entry| Subject {
                name: entry.name.clone(),
                digest: Digests { sha256: sha256_hex(&entry.bytes) },
                size: entry.bytes.len() as u64,
            })
            .collect();
        subject.sort_by(|left, right| left.name.cmp(&right.name));
        Statement { kind: STATEMENT_TYPE.to_owned(), predicate_type: PREDICATE_TYPE.to_owned(), subject, predicate }
    }

    /// True where type, predicate type and format version are those of this version.
    pub(super) fn is_release(&self) -> bool {
        self.kind == STATEMENT_TYPE && self.predicate_type == PREDICATE_TYPE && self.predicate.format_version == 1
    }
}
