//! The provenance of a build: an in-toto statement with SLSA provenance v1.
//!
//! It records only what this program observed: a person who can change the machine can change the record. That is SLSA
//! level 1; a higher level needs a builder that its user cannot change.

use std::path::Path;

use erp_component::BuildInputs;
use erp_package::signing::Predicate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::source::SourceRevision;
use super::toolchain::TARGET;

/// The facts of a build that its provenance states.
#[derive(Debug, Clone)]
pub struct BuildRecord<'a> {
    /// The folder with `Cargo.toml`.
    pub root: &'a Path,
    /// SHA-256 of `Cargo.lock`; none where the file is missing.
    pub lock_sha256: Option<&'a str>,
    /// The inputs of the build, as the component records them.
    pub inputs: &'a BuildInputs,
}

/// The predicate of SLSA provenance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenancePredicate {
    /// The inputs of the build.
    pub build_definition: Value,
    /// The builder and its metadata.
    pub run_details: Value,
}

impl Predicate for ProvenancePredicate {
    const TYPE: &'static str = "https://slsa.dev/provenance/v1";
    const WHAT: &'static str = "account of a build";
}

/// Returns the predicate of a build on this machine. The same build gives the same predicate: it contains no time and
/// no machine name.
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
