//! `[check]`: the severities that a project sets for its findings.

use erp_manifest::CheckSettings;
use erp_manifest::codes::{Code, Severity};
use erp_manifest::diagnostics::Report;
use erp_manifest::document::codes::INVALID_VALUE;

use super::codes::finding_codes;
use super::{CheckSubject, Findings};

/// Applies the project's ignored codes and severities. Errors stay errors: the platform would refuse them anyway.
pub fn apply_severities(report: &mut Report, settings: &CheckSettings) {
    report.retain(|finding| {
        let name = finding.code.name();
        if finding.severity != Severity::Error && settings.ignore.iter().any(|ignored| ignored.as_str() == name) {
            return false;
        }
        if let Some(wanted) = settings.severity.get(name).and_then(|word| severity(word))
            && finding.severity != Severity::Error
        {
            finding.severity = wanted;
        }
        true
    });
}

fn find(name: &str) -> Option<Code> {
    finding_codes().find(|code| code.name() == name)
}

fn severity(word: &str) -> Option<Severity> {
    match word {
        "error" => Some(Severity::Error),
        "warning" => Some(Severity::Warning),
        "hint" => Some(Severity::Hint),
        _ => None,
    }
}

/// Finds settings that have no effect.
pub(super) fn check(subject: &CheckSubject<'_>, findings: &mut Findings<'_>) {
    let settings = &subject.manifest.check;
    let known = || finding_codes().map(Code::name);
    for ignored in &settings.ignore {
        match find(ignored) {
            None => {
                let message = format!("there is no code `{ignored}`");
                findings.unknown(INVALID_VALUE, (ignored.as_str(), ignored.span()), message, known());
            }
            Some(code) if code.severity() == Severity::Error => {
                let message = format!("`{ignored}` is an error: the platform refuses it, whatever is ignored here");
                findings.add(INVALID_VALUE, ignored.span(), message, "cannot be ignored", None);
            }
            Some(_) => {}
        }
    }
    for (name, word) in &settings.severity {
        match (find(name), severity(word)) {
            (None, _) => {
                let message = format!("there is no code `{name}`");
                findings.add(
                    INVALID_VALUE,
                    word.span(),
                    message,
                    "weighs nothing",
                    erp_manifest::document::did_you_mean(name, known()),
                );
            }
            (_, None) => {
                let message = format!("`{word}` is no weight");
                findings.unknown(
                    INVALID_VALUE,
                    (word.as_str(), word.span()),
                    message,
                    ["error", "warning", "hint"].into_iter(),
                );
            }
            (Some(code), Some(wanted)) if code.severity() == Severity::Error && wanted != Severity::Error => {
                let message = format!("`{name}` is an error and cannot be made less");
                findings.add(INVALID_VALUE, word.span(), message, "stays an error", None);
            }
            _ => {}
        }
    }
}
