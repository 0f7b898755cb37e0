//! The results of cases in the formats of other tools. Every failure has its file, line and column.

use erp_manifest::diagnostics::{Diagnostic, DiagnosticJson, Report, github, xml_text};
use serde_json::{Value, json};

use super::{Case, CaseResult};

/// A case and its result.
pub type CaseRun<'r> = (&'r Case<'r>, &'r CaseResult);

/// JUnit XML for Jenkins and GitLab: one suite for each file, times in seconds.
pub fn junit(ran: &[CaseRun<'_>]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for suite in suites(ran) {
        let failures = suite.iter().filter(|(_, result)| !result.report.is_empty()).count();
        let seconds: f64 = suite.iter().map(|(_, result)| result.duration.as_secs_f64()).sum();
        let file = suite.first().map_or_else(String::new, |(case, _)| file_of(case));
        text.push_str(&format!(
            "  <testsuite name=\"{}\" file=\"{}\" tests=\"{}\" failures=\"{failures}\" time=\"{seconds:.4}\">\n",
            xml_text(suite.first().map_or("", |(case, _)| case.suite.file.suite.as_str())),
            xml_text(&file),
            suite.len(),
        ));
        for (case, result) in suite {
            let head = format!(
                "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.4}\"",
                xml_text(&file),
                xml_text(&result.name),
                xml_text(&file),
                line_of(case),
                result.duration.as_secs_f64(),
            );
            let failures = failure(result.report.diagnostics());
            let rest = if failures.is_empty() { "/>\n".to_owned() } else { format!(">\n{failures}    </testcase>\n") };
            text.push_str(&format!("{head}{rest}"));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// The failure of a case: one for all its findings, since readers count them.
fn failure(findings: &[Diagnostic]) -> String {
    let Some(first) = findings.first() else { return String::new() };
    let lines: Vec<String> =
        findings.iter().map(|finding| format!("{}: {}", place(finding), one_line(finding))).collect();
    format!(
        "      <failure type=\"{}\" message=\"{}\">{}</failure>\n",
        first.code.name(),
        xml_text(&one_line(first)),
        xml_text(&lines.join("\n"))
    )
}

/// TAP 14; the findings of a failed case are in its YAML block.
pub fn tap(ran: &[CaseRun<'_>]) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", ran.len());
    for (index, (case, result)) in ran.iter().enumerate() {
        let mark = if result.report.is_empty() { "ok" } else { "not ok" };
        let name = format!("{}: {}", file_of(case), result.name).replace('\\', "\\\\").replace('#', "\\#");
        text.push_str(&format!("{mark} {} - {name}\n", index + 1));
        if !result.report.is_empty() {
            text.push_str("  ---\n  findings:\n");
            for finding in result.report.diagnostics() {
                let line = |key: &str, value: String| format!("{key}: {}\n", Value::from(value));
                text.push_str(&format!("    - {}", line("at", place(finding))));
                text.push_str(&format!("      {}", line("code", finding.code.name().to_owned())));
                text.push_str(&format!("      {}", line("message", one_line(finding))));
            }
            text.push_str("  ...\n");
        }
    }
    text
}

/// One JSON document for each line: the cases, then the totals.
pub fn json_lines(ran: &[CaseRun<'_>]) -> String {
    let mut text = String::new();
    for (case, result) in ran {
        let findings: Vec<DiagnosticJson> = result.report.diagnostics().iter().map(DiagnosticJson::from).collect();
        let line = json!({
            "type": "case", "file": file_of(case), "line": line_of(case), "name": result.name, "ok": result.report.is_empty(),
            "milliseconds": result.duration.as_secs_f64() * 1e3, "fuel": result.fuel, "calls": result.calls, "findings": findings,
        });
        text.push_str(&format!("{line}\n"));
    }
    let failed = ran.iter().filter(|(_, result)| !result.report.is_empty()).count();
    text.push_str(&format!(
        "{}\n",
        json!({ "type": "end", "ok": failed == 0, "passed": ran.len() - failed, "failed": failed })
    ));
    text
}

/// Annotations of GitHub Actions: one for each finding of a failed case.
pub fn annotations(ran: &[CaseRun<'_>], base: &str) -> String {
    let mut all = Report::new();
    for (_, result) in ran {
        for finding in result.report.diagnostics() {
            let mut finding = finding.clone();
            finding.message = format!("{}: {}", result.name, one_line(&finding));
            // The message contains it.
            finding.help = None;
            all.push(finding);
        }
    }
    github(&all, base)
}

/// One page without other files, for people who did not see the run.
pub fn html(ran: &[CaseRun<'_>]) -> String {
    let failed = ran.iter().filter(|(_, result)| !result.report.is_empty()).count();
    let mut rows = String::new();
    for (case, result) in ran {
        let (class, mark) = if result.report.is_empty() { ("ok", "ok") } else { ("failed", "failed") };
        rows.push_str(&format!(
            "<tr class=\"{class}\"><td>{mark}</td><td>{}</td><td>{}:{}</td><td>{:.1}</td><td>{}</td></tr>\n",
            xml_text(&result.name),
            xml_text(&file_of(case)),
            line_of(case),
            result.duration.as_secs_f64() * 1e3,
            result.fuel,
        ));
        for finding in result.report.diagnostics() {
            rows.push_str(&format!(
                "<tr class=\"finding\"><td></td><td colspan=\"4\"><code>{}</code> {}</td></tr>\n",
                xml_text(&place(finding)),
                xml_text(&one_line(finding)),
            ));
        }
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>erp-plugin test</title><style>\n\
         :root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}\n\
         body {{ margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }}\n\
         table {{ border-collapse: collapse; width: 100%; }}\n\
         th, td {{ padding: .3rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }}\n\
         tr.ok td:first-child {{ color: #1a7f37; }} tr.failed td:first-child {{ color: #cf222e; font-weight: 600; }}\n\
         </style></head><body><h1>{} passed, {failed} failed</h1>\n\
         <table><thead><tr><th></th><th>case</th><th>place</th><th>ms</th><th>fuel</th></tr></thead><tbody>\n{rows}</tbody></table></body></html>\n",
        ran.len() - failed,
    )
}

/// The cases grouped by file, in order.
fn suites<'a, 'r>(ran: &'a [CaseRun<'r>]) -> Vec<&'a [CaseRun<'r>]> {
    ran.chunk_by(|(one, _), (other, _)| file_of(one) == file_of(other)).collect()
}

fn file_of(case: &Case<'_>) -> String {
    case.suite.source.path().to_string_lossy().replace('\\', "/")
}

fn line_of(case: &Case<'_>) -> usize {
    case.suite.source.line_and_column(case.test.name.span().start).0
}

/// `file:line:column`.
fn place(finding: &Diagnostic) -> String {
    let found = DiagnosticJson::from(finding);
    match (found.file, found.line, found.column) {
        (Some(file), Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        _ => String::new(),
    }
}

/// The message of a finding with its label and its help, on one line.
fn one_line(finding: &Diagnostic) -> String {
    let label = finding.labels.first().map_or("", |label| label.text.as_str());
    let help = finding.help.as_deref().unwrap_or_default();
    [finding.message.as_str(), label, help]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
        .replace('\n', " ")
}
