//! A complete package: its contents, and the check that its parts agree.

use std::collections::BTreeMap;

use erp_manifest::Manifest;
use erp_manifest::containment::contain;
use erp_manifest::diagnostics::Report;
use erp_manifest::digest::sha256_hex;
use erp_manifest::document::parse_strict_json;
use serde_json::{Value, json};

use super::format::{COMPONENT, ENVELOPE, MANIFEST, MIME_TYPE, MIME_TYPE_ENTRY, WIT};
use super::statement::{canonical_json, capabilities_sha256, statement_about};
use super::{PackageProblem, PackageReader, ReleasePredicate, Statement, codes};
use crate::signing::Envelope;
use crate::strict_zip::{self, ArchiveEntry, ArchiveRefusal, Limits};

/// The contents of a package to build.
#[derive(Debug)]
pub struct PackageParts {
    /// The manifest as JSON, with the keys of `plugin.toml`.
    pub manifest: Value,
    /// The plugin's id, as in the manifest.
    pub id: String,
    /// The plugin's version, as in the manifest.
    pub version: String,
    /// The plugin's host API, as in the manifest.
    pub abi: String,
    /// The world of the host API that the component implements.
    pub world: String,
    /// The WIT that the component was built for.
    pub wit: String,
    /// The component.
    pub component: Vec<u8>,
    /// More files: assets, labels, the licence, the bill of materials and the provenance.
    pub files: Vec<ArchiveEntry>,
    /// The tool that packs it, such as `erp-plugin/0.1.0`.
    pub tool: String,
    /// SHA-256 of the rules that the plugin was checked against.
    pub rule_set: String,
}

/// A package whose structure, digests and manifest were checked. Its signatures were not checked:
/// that needs a trust store.
#[derive(Debug)]
pub struct Package {
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest as JSON.
    pub manifest_json: Value,
    /// The signed statement.
    pub statement: Statement,
    /// The envelope around the statement.
    pub envelope: Envelope,
    /// SHA-256 of the statement's bytes; it does not depend on how the package is compressed or signed.
    pub content_id: String,
    /// All entries, in order.
    pub entries: Vec<ArchiveEntry>,
}

/// The bytes of the manifest's entry. Each manifest has exactly one form.
pub fn manifest_entry(manifest: &Value) -> Vec<u8> {
    canonical_json(&json!({ "formatVersion": 1, "manifest": manifest })).into_bytes()
}

/// Builds an unsigned package. The same parts give the same bytes.
///
/// # Errors
/// [`ArchiveRefusal`] if a file's name cannot be packed or something is too large.
pub fn build(parts: &PackageParts) -> Result<Vec<u8>, ArchiveRefusal> {
    let manifest = manifest_entry(&parts.manifest);
    let mut entries = vec![
        ArchiveEntry { name: MIME_TYPE_ENTRY.to_owned(), bytes: MIME_TYPE.into() },
        ArchiveEntry { name: MANIFEST.to_owned(), bytes: manifest },
        ArchiveEntry { name: COMPONENT.to_owned(), bytes: parts.component.clone() },
        ArchiveEntry { name: WIT.to_owned(), bytes: parts.wit.clone().into_bytes() },
    ];
    entries.extend(parts.files.iter().cloned());
    let predicate = ReleasePredicate {
        format_version: 1,
        id: parts.id.clone(),
        version: parts.version.clone(),
        abi: parts.abi.clone(),
        world: parts.world.clone(),
        wit_sha256: sha256_hex(parts.wit.as_bytes()),
        capabilities_sha256: capabilities_sha256(&parts.manifest),
        sizes: BTreeMap::new(),
        tool: parts.tool.clone(),
        rule_set: parts.rule_set.clone(),
    };
    let envelope = statement_about(&entries, predicate).seal();
    entries.push(ArchiveEntry { name: ENVELOPE.to_owned(), bytes: envelope.to_json().into_bytes() });
    strict_zip::write(&entries)
}

/// Writes the same package with another envelope (more signatures).
///
/// # Errors
/// [`ArchiveRefusal`], as from [`build`].
pub fn with_envelope(package: &Package, envelope: &Envelope) -> Result<Vec<u8>, ArchiveRefusal> {
    let mut entries = package.entries.clone();
    for entry in entries.iter_mut().filter(|entry| entry.name == ENVELOPE) {
        entry.bytes = envelope.to_json().into_bytes();
    }
    strict_zip::write(&entries)
}

/// Reads a package in stages: structure, envelope, statement, files, manifest. A stage reports all its problems;
/// the first stage that has any is the last one that runs.
///
/// # Errors
/// The problems of the first stage that has any.
pub fn open(bytes: &[u8], limits: &Limits) -> Result<Package, Vec<PackageProblem>> {
    let read = || {
        let sealed = PackageReader::read(bytes, limits)?;
        let envelope = sealed.envelope()?;
        let statement = sealed.statement(&envelope)?;
        let entries = sealed.entries(&statement)?;
        Package::of(envelope, statement, entries)
    };
    contain(read).unwrap_or_else(|panic| Err(vec![PackageProblem::new(codes::UNREADABLE, panic.to_string())]))
}

impl Package {
    /// Runs the last stage: reads the manifest and compares it with the statement.
    ///
    /// # Errors
    /// All problems of the manifest, or all differences from the statement.
    pub fn of(
        envelope: Envelope,
        statement: Statement,
        entries: Vec<ArchiveEntry>,
    ) -> Result<Package, Vec<PackageProblem>> {
        let manifest = entries.iter().find(|entry| entry.name == MANIFEST).ok_or_else(Vec::new)?;
        let (manifest_json, manifest) = read_manifest(manifest)?;
        let predicate = &statement.predicate;
        let capabilities = capabilities_sha256(&manifest_json);
        let wit = entries.iter().find(|entry| entry.name == WIT).map(|entry| sha256_hex(&entry.bytes));
        let wit = wit.unwrap_or_else(|| "none".to_owned());
        let differs: Vec<PackageProblem> = [
            ("id", predicate.id.as_str(), manifest.metadata.id.as_str()),
            ("version", predicate.version.as_str(), manifest.metadata.version.as_str()),
            ("abi", predicate.abi.as_str(), manifest.runtime.abi.as_str()),
            ("witSha256", predicate.wit_sha256.as_str(), wit.as_str()),
            ("capabilitiesSha256", predicate.capabilities_sha256.as_str(), capabilities.as_str()),
        ]
        .into_iter()
        .filter(|(_, signed, stated)| signed != stated)
        .map(|(key, signed, stated)| {
            let message = format!("the statement signs {key} `{signed}`, the package holds `{stated}`");
            PackageProblem::new(codes::STATEMENT_MISMATCH, message)
        })
        .collect();
        if !differs.is_empty() {
            return Err(differs);
        }
        let mut manifest = manifest;
        let file = |name: &str| entries.iter().find(|entry| entry.name == name).map(|entry| entry.bytes.clone());
        let unreadable = manifest.read_fixture_files(&file);
        if !unreadable.is_empty() {
            return Err(unreadable
                .iter()
                .map(|why| PackageProblem::new(codes::MANIFEST, format!("fixtures: {}", **why)))
                .collect());
        }
        let content_id = sha256_hex(&envelope.payload);
        Ok(Package { manifest, manifest_json, statement, envelope, content_id, entries })
    }

    /// Returns the component.
    pub fn component(&self) -> &[u8] {
        self.file(COMPONENT).unwrap_or_default()
    }

    /// Returns the content of a file by its name.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.bytes.as_slice())
    }
}

fn read_manifest(entry: &ArchiveEntry) -> Result<(Value, Manifest), Vec<PackageProblem>> {
    let bad = |message: String| vec![PackageProblem::new(codes::MANIFEST, format!("`{MANIFEST}`: {message}"))];
    let document = parse_strict_json(&entry.bytes).map_err(bad)?;
    let manifest_json = match (document["formatVersion"].as_u64(), document.get("manifest")) {
        (Some(1), Some(manifest)) => manifest.clone(),
        _ => return Err(bad("it is of a format that this tool does not know".to_owned())),
    };
    if manifest_entry(&manifest_json) != entry.bytes {
        return Err(bad("it is not in the one form that manifests have in packages".to_owned()));
    }
    let (manifest, report) = erp_manifest::from_json(MANIFEST, &manifest_json);
    match manifest {
        Some(manifest) if !report.has_errors() => Ok((manifest_json, manifest)),
        _ => Err(report_problems(&report)),
    }
}

fn report_problems(report: &Report) -> Vec<PackageProblem> {
    report
        .diagnostics()
        .iter()
        .map(|diagnostic| PackageProblem::new(diagnostic.code, diagnostic.message.clone()))
        .collect()
}
