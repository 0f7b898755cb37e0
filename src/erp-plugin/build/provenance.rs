//! The account of a build: in-toto's statement with SLSA's provenance v1.
//!
//! It says what this program saw, and no more: whoever can change the machine can change the account. That is SLSA's
//! level 1; a higher one takes a builder that its user cannot change.

use std::path::Path;

use erp_component::BuildInputs;
use erp_package::signing::Predicate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::source::SourceRevision;
use super::toolchain::TARGET;

/// What is known of a build.
#[derive(Debug, Clone)]
pub struct BuildRecord<'a> {
    /// The folder with `Cargo.toml`.
    pub root: &'a Path,
    /// SHA-256 of `Cargo.lock`; none if there is none.
    pub lock_sha256: Option<&'a str>,
    /// What went in, as the component says of itself.
    pub inputs: &'a BuildInputs,
}

/// SLSA's predicate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenancePredicate {
    /// What went in.
    pub build_definition: Value,
    /// Who built it.
    pub run_details: Value,
}

impl Predicate for ProvenancePredicate {
    const TYPE: &'static str = "https://slsa.dev/provenance/v1";
    const WHAT: &'static str = "account of a build";
}

/// The predicate of a build on this machine. The same build gives the same predicate: no moment, no name of a machine.
pub fn provenance(record: &BuildRecord<'_>) -> ProvenancePredicate {
    let revision = SourceRevision::of(record.root);
    let mut dependencies = Vec::new();
    if let Some(revision) = &revision {
        let uri = revision.repository.as_ref().map_or_else(|| "git".to_owned(), |url| format!("git+{url}"));
        dependencies.push(json!({
            "uri": uri, "digest": { "gitCommit": revision.commit },
            "annotations": { "modified": revision.is_modified },
        }));
    }
    if let Some(lock) = record.lock_sha256 {
        dependencies.push(json!({ "name": "Cargo.lock", "digest": { "sha256": lock } }));
    }
    dependencies.push(json!({ "name": "plugin.toml", "digest": { "sha256": record.inputs.manifest } }));
    let inputs = record.inputs;
    ProvenancePredicate {
        build_definition: json!({
            "buildType": "https://erp-plugin.dev/builds/cargo/v1",
            "externalParameters": { "profile": inputs.profile, "target": TARGET },
            "internalParameters": {
                "rustc": inputs.compiler, "erpPlugin": inputs.tool, "settings": inputs.settings, "files": inputs.files,
            },
            "resolvedDependencies": dependencies,
        }),
        run_details: json!({
            "builder": { "id": "https://erp-plugin.dev/builders/local/v1" },
            "metadata": {},
        }),
    }
}
