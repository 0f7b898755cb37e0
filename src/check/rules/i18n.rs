//! Labels in several languages.

use std::collections::{BTreeMap, BTreeSet};

use erp_manifest::codes::codes;
use erp_manifest::diagnostics::{Diagnostic, SourceFile};
use erp_manifest::document::{self, did_you_mean};
use erp_manifest::label_keys;

use super::super::{CheckSubject, Findings};
use crate::rules::pages::MISSING_FILE;

codes! {
    MISSING_TRANSLATION = "manifest/missing-translation", finding(Warning), "A label has no translation, or a translation has no label.",
        why: "Users of that language would see the label of another one.",
        fix: "Add the key to, or take it from, the file of the language.";
}

/// The most labels without a translation that are shown.
const MAX_SHOWN: usize = 20;

pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let manifest = subject.manifest;
    let texts: BTreeMap<String, String> = label_keys(manifest).into_iter().collect();
    let keys: BTreeSet<String> = texts.keys().cloned().collect();
    for locale in &manifest.i18n.locales {
        let path = format!("{}/{}.toml", manifest.i18n.dir, **locale);
        let Some(bytes) = (subject.file)(&path) else {
            let message = format!("`{path}` is not there");
            findings.add(MISSING_FILE, locale.span(), message, "no such file", None);
            continue;
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let source = SourceFile::new(subject.source.path().with_file_name(&path), text);
        let (node, report) = document::parse(&source);
        findings.report.extend(report);
        for entry in node.entries() {
            if !keys.contains(&entry.key) {
                let help = did_you_mean(&entry.key, keys.iter().map(String::as_str));
                let finding = Diagnostic::new(MISSING_TRANSLATION, format!("no label is called `{}`", entry.key))
                    .in_source(&source)
                    .at(entry.key_span.clone(), "translates nothing")
                    .maybe_help(help);
                findings.report.push(finding);
            }
        }
        let missing: Vec<&str> = keys.iter().filter(|key| node.get(key).is_none()).map(String::as_str).collect();
        if let Some(first) = missing.first() {
            let message = match missing.len() {
                1 => format!("`{first}` has no translation into `{}`", **locale),
                count => format!("{count} labels have no translation into `{}`", **locale),
            };
            let lines = missing.iter().take(MAX_SHOWN).map(|key| {
                let own = texts.get(*key).map_or("…", String::as_str);
                format!("\n\"{key}\" = {}", toml::Value::from(own))
            });
            let more = missing.len().saturating_sub(MAX_SHOWN);
            let rest = if more > 0 { format!("\nand {more} more") } else { String::new() };
            let help = format!("add to {path}, translated:{}{rest}", lines.collect::<String>());
            findings.add(MISSING_TRANSLATION, locale.span(), message, "incomplete", Some(help));
        }
    }
}
