//! A package as a whole: what is in it, and whether its parts fit together.

use serde_json::{Value, json};

use super::format::{COMPONENT, ENVELOPE, Limits, MANIFEST, MIME_TYPE, MIME_TYPE_ENTRY, WIT};
use super::read::{self, ArchiveError, Entry};
use super::statement::{Predicate, Statement};
use super::write;
use crate::diagnostics::Report;
use crate::digest::sha256_hex;
use crate::document::parse_strict_json;
use crate::manifest::{self, Manifest};
use crate::signing::{Envelope, EnvelopeError};

/// What the envelope holds.
const RELEASE_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What a package is made of.
#[derive(Debug)]
pub struct PackageParts {
    /// The manifest as JSON, with the keys of `plugin.toml`.
    pub manifest: Value,
    /// The plugin's id, version and host API, as the manifest says.
    pub id: String,
    /// See `id`.
    pub version: String,
    /// See `id`.
    pub abi: String,
    /// The world.
    pub world: String,
    /// The WIT that the component was built for.
    pub wit: String,
    /// The component.
    pub component: Vec<u8>,
    /// Further files: assets, labels, the licence.
    pub files: Vec<Entry>,
    /// What packed it, such as `erp-plugin/0.1.0`.
    pub tool: String,
    /// SHA-256 of the rules that it was held against.
    pub rule_set: String,
}

/// A package whose structure, digests and manifest were checked. Signatures are not judged here:
/// that takes a trust store.
#[derive(Debug)]
pub struct Package {
    /// The manifest.
    pub manifest: Manifest,
    /// The same as JSON.
    pub manifest_json: Value,
    /// The signed statement.
    pub statement: Statement,
    /// The envelope around it.
    pub envelope: Envelope,
    /// SHA-256 of the statement's bytes: what stays the same however the package is compressed or signed.
    pub content_id: String,
    /// All entries, in order.
    pub entries: Vec<Entry>,
}

/// Why a file is not a good package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code: `archive/…`, `package/…` or `signature/…`.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

impl Problem {
    fn new(code: &str, message: impl Into<String>) -> Problem {
        Problem { code: code.to_owned(), message: message.into() }
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Problem {
        Problem::new(error.code, error.message)
    }
}

/// Makes an unsigned package. The same parts give the same bytes.
///
/// # Errors
/// [`ArchiveError`] where a file's name cannot be packed or something is too large.
pub fn build(parts: &PackageParts) -> Result<Vec<u8>, ArchiveError> {
    let manifest = canonical_json(&json!({ "formatVersion": 1, "manifest": parts.manifest }));
    let mut entries = vec![
        Entry { name: MIME_TYPE_ENTRY.to_owned(), bytes: MIME_TYPE.to_vec() },
        Entry { name: MANIFEST.to_owned(), bytes: manifest.into_bytes() },
        Entry { name: COMPONENT.to_owned(), bytes: parts.component.clone() },
        Entry { name: WIT.to_owned(), bytes: parts.wit.clone().into_bytes() },
    ];
    entries.extend(parts.files.iter().cloned());
    let statement = Statement::about(
        &entries,
        Predicate {
            format_version: 1,
            id: parts.id.clone(),
            version: parts.version.clone(),
            abi: parts.abi.clone(),
            world: parts.world.clone(),
            wit_sha256: sha256_hex(parts.wit.as_bytes()),
            tool: parts.tool.clone(),
            rule_set: parts.rule_set.clone(),
        },
    );
    let payload =
        serde_json::to_vec(&statement).map_err(|error| ArchiveError::new("archive/statement", error.to_string()))?;
    let envelope = Envelope::unsigned(RELEASE_PAYLOAD_TYPE, payload);
    entries.push(Entry { name: ENVELOPE.to_owned(), bytes: envelope.to_json().into_bytes() });
    let archive = write::write(&entries)?;
    // What is made is read once more: a package that would be refused later is refused now.
    read::read(&archive, &Limits::default())?;
    Ok(archive)
}

/// The same package with another envelope (more signatures).
///
/// # Errors
/// [`ArchiveError`].
pub fn with_envelope(package: &Package, envelope: &Envelope) -> Result<Vec<u8>, ArchiveError> {
    let mut entries = package.entries.clone();
    for entry in entries.iter_mut().filter(|entry| entry.name == ENVELOPE) {
        entry.bytes = envelope.to_json().into_bytes();
    }
    write::write(&entries)
}

/// Reads a package: structure, envelope, digests, manifest, in this order; between the stages it
/// stops, inside one it reports all that is wrong.
///
/// # Errors
/// The problems of the first stage that has any.
pub fn open(bytes: &[u8], limits: &Limits) -> Result<Package, Vec<Problem>> {
    let entries = read::read(bytes, limits).map_err(|error| vec![Problem::from(error)])?;
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    let missing: Vec<Problem> = [MIME_TYPE_ENTRY, ENVELOPE, MANIFEST, COMPONENT]
        .into_iter()
        .filter(|name| find(name).is_none())
        .map(|name| Problem::new("package/missing-file", format!("`{name}` is missing")))
        .collect();
    let (Some(mime_type), Some(envelope), Some(manifest)) = (find(MIME_TYPE_ENTRY), find(ENVELOPE), find(MANIFEST))
    else {
        return Err(missing);
    };
    if !missing.is_empty() {
        return Err(missing);
    }
    if mime_type.bytes != MIME_TYPE {
        return Err(vec![Problem::new("package/mimetype", "`mimetype` names another format")]);
    }

    let envelope = Envelope::parse(&envelope.bytes).map_err(|error| vec![envelope_problem(&error)])?;
    if envelope.payload_type != RELEASE_PAYLOAD_TYPE {
        return Err(vec![Problem::new("package/statement", format!("the envelope holds `{}`", envelope.payload_type))]);
    }
    let bad_statement =
        |why: String| vec![Problem::new("package/statement", format!("the signed statement cannot be read: {why}"))];
    let statement = parse_strict_json(&envelope.payload).map_err(bad_statement)?;
    let statement: Statement = serde_json::from_value(statement).map_err(|error| bad_statement(error.to_string()))?;
    if !statement.is_release() {
        return Err(bad_statement("it is of a kind or version that this tool does not know".to_owned()));
    }
    let problems = digest_problems(&entries, &statement);
    if !problems.is_empty() {
        return Err(problems);
    }

    let (manifest_json, manifest) = read_manifest(manifest)?;
    let predicate = &statement.predicate;
    let differs: Vec<Problem> = [
        ("id", predicate.id.as_str(), manifest.metadata.id.as_str()),
        ("version", predicate.version.as_str(), manifest.metadata.version.as_str()),
        ("abi", predicate.abi.as_str(), manifest.runtime.abi.as_str()),
    ]
    .into_iter()
    .filter(|(_, signed, stated)| signed != stated)
    .map(|(key, signed, stated)| {
        Problem::new(
            "package/statement-mismatch",
            format!("the statement signs {key} `{signed}`, the manifest says `{stated}`"),
        )
    })
    .collect();
    if !differs.is_empty() {
        return Err(differs);
    }
    let content_id = sha256_hex(&envelope.payload);
    Ok(Package { manifest, manifest_json, statement, envelope, content_id, entries })
}

impl Package {
    /// The component.
    pub fn component(&self) -> &[u8] {
        self.file(COMPONENT).unwrap_or_default()
    }

    /// A file by its name.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.bytes.as_slice())
    }
}

fn read_manifest(entry: &Entry) -> Result<(Value, Manifest), Vec<Problem>> {
    let bad = |message: String| vec![Problem::new("package/manifest", format!("`{MANIFEST}`: {message}"))];
    let document = parse_strict_json(&entry.bytes).map_err(bad)?;
    let manifest_json = match (document["formatVersion"].as_u64(), document.get("manifest")) {
        (Some(1), Some(manifest)) => manifest.clone(),
        _ => return Err(bad("it is of a format that this tool does not know".to_owned())),
    };
    let (manifest, report) = manifest::from_json(MANIFEST, &manifest_json);
    match manifest {
        Some(manifest) if !report.has_errors() => Ok((manifest_json, manifest)),
        _ => Err(report_problems(&report)),
    }
}

fn report_problems(report: &Report) -> Vec<Problem> {
    report
        .diagnostics()
        .iter()
        .map(|diagnostic| Problem::new(diagnostic.code.name(), diagnostic.message.clone()))
        .collect()
}

fn digest_problems(entries: &[Entry], statement: &Statement) -> Vec<Problem> {
    let mut problems = Vec::new();
    let covered = |name: &str| statement.subject.iter().find(|subject| subject.name == name);
    for entry in entries.iter().filter(|entry| entry.name != ENVELOPE) {
        match covered(&entry.name) {
            None => problems.push(Problem::new(
                "package/unsigned-file",
                format!("`{}` is not in the signed statement", entry.name),
            )),
            Some(subject)
                if subject.size != entry.bytes.len() as u64 || subject.digest.sha256 != sha256_hex(&entry.bytes) =>
            {
                problems.push(Problem::new(
                    "package/digest-mismatch",
                    format!("`{}` is not the file that was signed", entry.name),
                ));
            }
            Some(_) => {}
        }
    }
    for subject in &statement.subject {
        if !entries.iter().any(|entry| entry.name == subject.name) {
            problems
                .push(Problem::new("package/missing-file", format!("`{}` was signed but is not there", subject.name)));
        }
    }
    if statement.subject.windows(2).any(|pair| pair[0].name >= pair[1].name) {
        problems.push(Problem::new("package/statement", "the signed files are not sorted, or one is there twice"));
    }
    problems
}

fn envelope_problem(error: &EnvelopeError) -> Problem {
    Problem::new(error.code(), error.to_string())
}

/// JSON with sorted keys and without white space.
fn canonical_json(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.iter().map(sorted).collect(),
            Value::Object(fields) => {
                let mut keys: Vec<&String> = fields.keys().collect();
                keys.sort();
                keys.into_iter()
                    .map(|key| (key.clone(), sorted(&fields[key])))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }
            other => other.clone(),
        }
    }
    sorted(value).to_string()
}
