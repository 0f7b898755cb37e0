//! The bill of materials and the build provenance of a package.

use erp_manifest::digest::sha256_hex;
use erp_manifest::document::parse_strict_json;
use serde_json::Value;

use super::StageOutcome;
use crate::archive;
use crate::archive::{COMPONENT, PROVENANCE, Package, PackageProblem, SBOM};

/// A library that the component was built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The licence that the bill of materials states.
    pub license: Option<String>,
}

/// How a component was built, according to its provenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildFacts {
    /// The URI of the source.
    pub source: Option<String>,
    /// The git commit of the source.
    pub revision: Option<String>,
    /// The version of `rustc`.
    pub compiler: Option<String>,
}

/// Returns the libraries in a package's bill of materials; `None` if it has none or it cannot be read.
pub fn libraries(package: &Package) -> Option<Vec<Library>> {
    let bill = parse_strict_json(package.file(SBOM)?).ok()?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let library = |component: &Value| {
        let licenses = &component["licenses"][0];
        Some(Library {
            name: text(&component["name"])?,
            version: text(&component["version"]).unwrap_or_default(),
            license: text(&licenses["expression"]).or_else(|| text(&licenses["license"]["name"])),
        })
    };
    Some(bill["components"].as_array()?.iter().filter_map(library).collect())
}

/// Returns the build facts in a package's provenance; `None` if it has none or it cannot be read.
pub fn build_facts(package: &Package) -> Option<BuildFacts> {
    let provenance = parse_strict_json(package.file(PROVENANCE)?).ok()?;
    let definition = &provenance["predicate"]["buildDefinition"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let source = &definition["resolvedDependencies"][0];
    Some(BuildFacts {
        source: text(&source["uri"]),
        revision: text(&source["digest"]["gitCommit"]),
        compiler: text(&definition["internalParameters"]["rustc"]),
    })
}

/// Checks that the bill of materials and the provenance, if present, are about this component.
pub(super) fn check(package: &Package) -> Result<(StageOutcome, String), Vec<PackageProblem>> {
    let component = sha256_hex(package.component());
    let mut problems = Vec::new();
    let mut seen = Vec::new();
    let mut look = |name: &str, what: &str, digest: fn(&Value) -> Option<&str>| {
        let Some(bytes) = package.file(name) else {
            return seen.push(format!("no {what}"));
        };
        match parse_strict_json(bytes) {
            Err(why) => problems.push(PackageProblem::new(archive::codes::SUPPLY_CHAIN, format!("`{name}`: {why}"))),
            Ok(document) if digest(&document) != Some(&component) => {
                let message = format!("`{name}` is about another component than the package's");
                problems.push(PackageProblem::new(archive::codes::SUPPLY_CHAIN, message));
            }
            Ok(_) => seen.push(format!("the {what}")),
        }
    };
    look(SBOM, "bill of materials", |bill| {
        let hashes = bill["metadata"]["component"]["hashes"].as_array()?;
        hashes.iter().find(|hash| hash["alg"] == "SHA-256")?["content"].as_str()
    });
    look(PROVENANCE, "account of the build", |statement| {
        let subjects = statement["subject"].as_array()?;
        subjects.iter().find(|subject| subject["name"] == COMPONENT)?["digest"]["sha256"].as_str()
    });
    let is_there = |name: &str| package.file(name).is_some();
    let outcome = if is_there(SBOM) && is_there(PROVENANCE) { StageOutcome::Ok } else { StageOutcome::Unproven };
    if problems.is_empty() { Ok((outcome, seen.join(", "))) } else { Err(problems) }
}
