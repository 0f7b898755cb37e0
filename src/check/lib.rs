//! The rules: a manifest and a component in, a report out. Nothing here touches a disk.
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
//! The codes of findings are stable, and [`RULE_SET`] names what was applied; rules are added with any version.
//!
//! Reading a file already finds what is wrong in one value (`erp_manifest::parse`). The rules look at
//! what only several parts together can tell. Each family of rules is a file under `rules/`.

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
pub use component::{CheckedComponent, check_component, check_folders};
pub use component::{SEVERAL_MODULES, STALE_COMPONENT};
pub use evolution::check_evolution;
pub use files::{SECRET_FILE, UNPACKABLE_FILE};
pub use nodes::check_nodes;
pub use settings::weigh;

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

/// SHA-256 of the code that decides about a finding, in hexadecimal: these rules, the readers of manifests and components,
/// and the host API. Where two programs name the same one, they cannot disagree about a package.
///
/// The file is made by the tests of the repository, which say when it is not what the sources give.
pub const RULE_SET: &str = include_str!("rule-set.sha256").trim_ascii_end();

/// What a rule may look at.
pub struct CheckSubject<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// Its text.
    pub source: &'a Arc<SourceFile>,
    /// The content of a file of the project or package, by its path relative to the manifest;
    /// `None` if there is none.
    pub file: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

impl std::fmt::Debug for CheckSubject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subject").field("id", &self.manifest.metadata.id).finish_non_exhaustive()
    }
}

impl CheckSubject<'_> {
    /// A fix that finds its place in the manifest's text; none if there is no text.
    fn edit(&self, make: impl FnOnce(&ManifestText<'_>) -> Option<Fix>) -> Option<Fix> {
        if self.source.text().is_empty() {
            return None;
        }
        let (root, _) = document::parse(self.source);
        make(&ManifestText::new(self.source, &root))
    }
}

/// Holds a manifest against every rule.
pub fn check_manifest(subject: &CheckSubject<'_>) -> Report {
    let mut findings = Findings { source: subject.source, report: Report::new() };
    for rule in rules::ALL {
        rule(subject, &mut findings);
    }
    findings.report
}

/// What the rules found, without what only follows from values that could not be read: the type of such a field is not known, and
/// what is said of it would be of the type that stands in for it. `read` is what reading the manifest found.
#[must_use]
pub fn without_followers(report: Report, read: &Report, source: &Arc<SourceFile>) -> Report {
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
        // What stands in for a value has no place of its own. A name that nothing has is wrong whatever the type is.
        let is_of_block = blocks.iter().any(|block| block.contains(&label.span.start));
        label.span.is_empty() || (is_of_block && finding.code != UNKNOWN_FIELD) || names.contains(&written)
    };
    let mut kept = report;
    kept.retain(|finding| !follows(finding));
    kept
}

/// The block of a text that a place is in: from the header in front of it to the one behind it.
fn block_around(text: &str, span: &Span) -> Span {
    let begin = text[..span.start.min(text.len())].rfind("\n[").map_or(0, |at| at + 1);
    let end = text[span.end.min(text.len())..].find("\n[").map_or(text.len(), |at| span.end + at);
    begin..end
}

/// The name that a block gives.
fn name_in(block: &str) -> Option<&str> {
    let line = block.lines().find_map(|line| line.trim_start().strip_prefix("name")?.trim_start().strip_prefix('='))?;
    line.trim().strip_prefix('"')?.split('"').next().filter(|name| !name.is_empty())
}

/// Collects what the rules find in one text.
struct Findings<'a> {
    source: &'a Arc<SourceFile>,
    report: Report,
}

impl Findings<'_> {
    fn add(&mut self, code: Code, span: Span, message: impl Into<String>, label: &str, help: Option<String>) {
        self.report.push(Diagnostic::new(code, message).in_source(self.source).at(span, label).maybe_help(help));
    }

    /// Finds a name that is none of the known ones. Where one is near, writing that one is the fix.
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

    /// Finds every name that is there a second time.
    fn unique<'n>(&mut self, what: &str, names: impl Iterator<Item = (&'n str, Span)>) {
        let mut seen = BTreeSet::new();
        for (name, span) in names {
            if !seen.insert(name) {
                self.add(DUPLICATE, span, format!("the {what} `{name}` is there twice"), "again", None);
            }
        }
    }
}
