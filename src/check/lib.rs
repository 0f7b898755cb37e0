//! The rules: a manifest and a component in, a report out. No rule reads or writes a disk.
//!
//! ```
//! use erp_check::{CheckSubject, check_manifest};
//! use erp_manifest::{diagnostics::SourceFile, parse};
//!
//! let text = "[metadata]\nid = \"erp-demo\"\nname = \"Demo\"\nversion = \"1.0.0\"\n\
//!     [events]\nsubscribe = [\"erp-demo.done\", \"erp-demo.done\"]\n";
//! let source = SourceFile::new("plugin.toml", text);
//! let (manifest, _) = parse(&source);
//! let manifest = manifest.unwrap();
//! let report = check_manifest(&CheckSubject { manifest: &manifest, source: &source, file: &|_| None });
//! assert!(!report.diagnostics().is_empty());
//! ```
//!
//! The codes of findings are stable. [`RULE_SET`] identifies the rules that were applied; any version may add rules.
//!
//! Parsing a file already finds errors in single values (`erp_manifest::parse`). The rules find errors that
//! concern several parts together. Each family of rules is a file under `rules/`.

mod capabilities;
mod codes;
mod component;
mod evolution;
mod files;
mod nodes;
mod rules;
pub mod scenarios;
mod settings;

pub use capabilities::check_tested;
pub use codes::finding_codes;
pub use component::{ComponentCheck, check_component, check_folders};
pub use component::{SEVERAL_MODULES, STALE_COMPONENT};
pub use evolution::check_evolution;
pub use files::{SECRET_FILE, UNPACKABLE_FILE};
pub use nodes::check_nodes;
pub use settings::apply_severities;

pub use rules::identity::PLATFORM_TOO_OLD;
pub use rules::migrations::BAD_FIXTURE;
pub use rules::relations::UNUSED;
use std::collections::BTreeSet;
use std::sync::Arc;

use erp_manifest::codes::Code;
use erp_manifest::diagnostics::{Diagnostic, Fix, Report, SourceFile, Span};
use erp_manifest::document::codes::{DUPLICATE, TOML_UNKNOWN_WORD, TOML_WRONG_TYPE};
use erp_manifest::document::{self, did_you_mean, obvious};
use erp_manifest::{Manifest, ManifestText};

use rules::schema::UNKNOWN_FIELD;

/// SHA-256 of the code that decides about findings, in hexadecimal: these rules, the readers of manifests and
/// components, and the host API. Two programs with the same value cannot disagree about a package.
///
/// The tests of the repository create the file, and fail if it does not match the sources.
pub const RULE_SET: &str = include_str!("rule-set.sha256").trim_ascii_end();

/// The input of a rule.
pub struct CheckSubject<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// The text of the manifest.
    pub source: &'a Arc<SourceFile>,
    /// Returns the content of a file of the project or package, by its path relative to the manifest;
    /// `None` if the file is missing.
    pub file: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

impl std::fmt::Debug for CheckSubject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("id", &self.manifest.metadata.id).finish_non_exhaustive()
    }
}

impl CheckSubject<'_> {
    /// Creates a fix in the manifest's text; none if there is no text.
    fn edit(&self, make: impl FnOnce(&ManifestText<'_>) -> Option<Fix>) -> Option<Fix> {
        if self.source.text().is_empty() {
            return None;
        }
        let (root, _) = document::parse(self.source);
        make(&ManifestText::new(self.source, &root))
    }
}

/// Checks a manifest against every rule.
pub fn check_manifest(subject: &CheckSubject<'_>) -> Report {
    let mut findings = Findings { source: subject.source, report: Report::new() };
    for rule in rules::ALL {
        rule(subject, &mut findings);
    }
    findings.report
}

/// Removes the findings of the rules that only follow from values that could not be read. The type of such a field is
/// unknown, and other findings about it would concern the default type. `read` is the report of reading the manifest.
#[must_use]
pub fn without_consequential(report: Report, read: &Report, source: &Arc<SourceFile>) -> Report {
    let unread: Vec<Span> = read
        .diagnostics()
        .iter()
        .filter(|finding| [TOML_UNKNOWN_WORD, TOML_WRONG_TYPE].contains(&finding.code))
        .filter_map(|finding| finding.labels.first().map(|label| label.span.clone()))
        .collect();
    if unread.is_empty() {
        return report;
    }
    let blocks: Vec<Span> = unread.iter().map(|span| block_around(source.text(), span)).collect();
    let names: Vec<&str> = blocks.iter().filter_map(|block| name_in(&source.text()[block.clone()])).collect();
    let follows = |finding: &Diagnostic| {
        let is_here = finding.source.as_ref().is_some_and(|own| own.path() == source.path());
        let Some(label) = finding.labels.first().filter(|_| is_here) else { return false };
        let written = source.text().get(label.span.clone()).unwrap_or_default().trim_matches('"');
        // A default value has no place in the text. An unknown name is wrong whatever the type is.
        let is_of_block = blocks.iter().any(|block| block.contains(&label.span.start));
        label.span.is_empty() || (is_of_block && finding.code != UNKNOWN_FIELD) || names.contains(&written)
    };
    let mut kept = report;
    kept.retain(|finding| !follows(finding));
    kept
}

/// Returns the block of a text that contains a place: from the header before it to the header after it.
fn block_around(text: &str, span: &Span) -> Span {
    let begin = text[..span.start.min(text.len())].rfind("\n[").map_or(0, |at| at + 1);
    let end = text[span.end.min(text.len())..].find("\n[").map_or(text.len(), |at| span.end + at);
    begin..end
}

/// Returns the value of `name` in a block.
fn name_in(block: &str) -> Option<&str> {
    let line = block.lines().find_map(|line| line.trim_start().strip_prefix("name")?.trim_start().strip_prefix('='))?;
    line.trim().strip_prefix('"')?.split('"').next().filter(|name| !name.is_empty())
}

/// Collects the findings of the rules in one text.
struct Findings<'a> {
    source: &'a Arc<SourceFile>,
    report: Report,
}

impl Findings<'_> {
    fn add(&mut self, code: Code, span: Span, message: impl Into<String>, label: &str, help: Option<String>) {
        self.report.push(Diagnostic::new(code, message).in_source(self.source).at(span, label).maybe_help(help));
    }

    /// Adds a finding for an unknown name. If a known name is similar, the fix writes that one.
    fn unknown<'k>(
        &mut self,
        code: Code,
        (name, span): (&str, Span),
        message: String,
        known: impl Iterator<Item = &'k str> + Clone,
    ) {
        self.add(code, span.clone(), message, "unknown", did_you_mean(name, known.clone()));
        self.report.fix_last(obvious(name, known).map(|word| Fix::replace_string(span, word)));
    }

    /// Adds a finding for every repeated name.
    fn unique<'n>(&mut self, what: &str, names: impl Iterator<Item = (&'n str, Span)>) {
        let mut seen = BTreeSet::new();
        for (name, span) in names {
            if !seen.insert(name) {
                self.add(DUPLICATE, span, format!("the {what} `{name}` is there twice"), "again", None);
            }
        }
    }
}
