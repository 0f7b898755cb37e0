//! Findings in the formats of other tools: SARIF, GitHub's annotations, JUnit.

use serde_json::{Value, json};

use super::source::printable_lines;
use super::{Diagnostic, Report, is_printable, printable};
use crate::codes::{Code, Severity};

/// Writes SARIF 2.1.0 (OASIS) for code hosts. `digest` names the rule set. `base` is the path from the repository's
/// root to the folder that the names of files are relative to; it ends with `/` unless it is empty.
pub fn sarif(report: &Report, digest: &str, base: &str) -> Value {
    let mut codes: Vec<Code> = Vec::new();
    for diagnostic in report.diagnostics() {
        if !codes.contains(&diagnostic.code) {
            codes.push(diagnostic.code);
        }
    }
    let rules: Vec<Value> = codes
        .iter()
        .map(|code| {
            json!({
                "id": code.name(),
                "shortDescription": { "text": code.title() },
                "fullDescription": { "text": code.why() },
                "help": { "text": code.fix() },
                "defaultConfiguration": { "level": level(code.severity()) },
            })
        })
        .collect();
    let results: Vec<Value> = report
        .diagnostics()
        .iter()
        .map(|diagnostic| {
            let mut result = json!({
                "ruleId": diagnostic.code.name(),
                "ruleIndex": codes.iter().position(|code| *code == diagnostic.code),
                "level": level(diagnostic.severity),
                "message": { "text": with_help(diagnostic) },
            });
            // Code hosts drop results without a place, so a finding about the whole plugin gets the first line of its
            // manifest.
            let whole = Place { file: "plugin.toml".to_owned(), line: 1, column: 1, end_line: 1, end_column: 1 };
            {
                let place = Place::of(diagnostic).unwrap_or(whole);
                result["locations"] = json!([{ "physicalLocation": {
                    "artifactLocation": { "uri": place.in_repository(base) },
                    "region": { "startLine": place.line, "startColumn": place.column, "endLine": place.end_line, "endColumn": place.end_column },
                } }]);
            }
            result
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "erp-plugin", "version": env!("CARGO_PKG_VERSION"), "rules": rules, "properties": { "ruleSet": digest },
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// Writes one workflow command of GitHub Actions for each finding; `base` as for [`sarif`].
pub fn github(report: &Report, base: &str) -> String {
    let mut text = String::new();
    for diagnostic in report.diagnostics() {
        let command = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "notice",
        };
        let mut properties = Vec::new();
        if let Some(place) = Place::of(diagnostic) {
            properties.push(format!("file={}", escaped(&place.in_repository(base))));
            properties.push(format!("line={},endLine={}", place.line, place.end_line));
            properties.push(format!("col={},endColumn={}", place.column, place.end_column));
        }
        properties.push(format!("title={}", escaped(diagnostic.code.name())));
        let message = with_help(diagnostic).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
        text.push_str(&format!("::{command} {}::{message}\n", properties.join(",")));
    }
    text
}

/// Writes JUnit XML: a test case for each finding, which fails for an error. Without findings, it has one test case
/// that passes.
pub fn junit(report: &Report) -> String {
    let cases: Vec<String> = report
        .diagnostics()
        .iter()
        .map(|diagnostic| {
            let place = Place::of(diagnostic);
            let file = place.as_ref().map_or_else(String::new, |place| {
                format!(" file=\"{}\" line=\"{}\"", xml_text(&place.file), place.line)
            });
            let head = format!("    <testcase classname=\"check\" name=\"{}\"{file}", xml_text(diagnostic.code.name()));
            let text = xml_text(&with_help(diagnostic));
            match diagnostic.severity {
                Severity::Error => format!(
                    "{head}>\n      <failure message=\"{}\">{text}</failure>\n    </testcase>\n",
                    xml_text(&diagnostic.message)
                ),
                _ => format!("{head}>\n      <system-out>{text}</system-out>\n    </testcase>\n"),
            }
        })
        .collect();
    let body = if cases.is_empty() {
        "    <testcase classname=\"check\" name=\"no findings\"/>\n".to_owned()
    } else {
        cases.concat()
    };
    let (tests, failures) = (cases.len().max(1), report.count(Severity::Error));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"erp-plugin check\" tests=\"{tests}\" failures=\"{failures}\">\n{body}  </testsuite>\n</testsuites>\n"
    )
}

struct Place {
    file: String,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl Place {
    fn of(diagnostic: &Diagnostic) -> Option<Place> {
        let (source, label) = diagnostic.source.as_ref().zip(diagnostic.labels.first())?;
        let (line, column) = source.line_and_column(label.span.start);
        let (end_line, end_column) = source.line_and_column(label.span.end);
        let file = source.path().to_string_lossy().replace('\\', "/");
        Some(Place { file, line, column, end_line, end_column })
    }
}

impl Place {
    /// The path of the file in the repository; an absolute path stays as it is.
    fn in_repository(&self, base: &str) -> String {
        if self.file.starts_with('/') { self.file.clone() } else { format!("{base}{}", self.file) }
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

fn with_help(diagnostic: &Diagnostic) -> String {
    let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!("; {help}"));
    printable_lines(&format!("{}{help}", diagnostic.message))
}

fn escaped(text: &str) -> String {
    printable(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C").replace('\n', "%0A")
}

/// Escapes text for XML and HTML. Most control characters become U+FFFD, because XML cannot represent them.
pub fn xml_text(text: &str) -> String {
    let text: String =
        text.chars().map(|c| if is_printable(c) || "\n\t".contains(c) { c } else { '\u{fffd}' }).collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::SourceFile;
    use crate::diagnostics::example::INVALID_VALUE;

    #[test]
    fn a_finding_has_its_place_in_every_format() {
        let source = SourceFile::new("a,b/plugin.toml", "x = \"进<销>\"\n");
        let mut report = Report::new();
        report.push(Diagnostic::new(INVALID_VALUE, "100% <bad>").in_source(&source).at(4..14, "").help("mend it"));
        let document = sarif(&report, "sha256:0", "plugins/inv/");
        let result = &document["runs"][0]["results"][0];
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startColumn"], 5);
        assert_eq!(result["message"]["text"], "100% <bad>; mend it");
        let annotation = github(&report, "plugins/inv/");
        assert!(
            annotation.starts_with("::error file=plugins/inv/a%2Cb/plugin.toml,line=1,endLine=1,col=5,"),
            "{annotation}"
        );
        assert!(annotation.ends_with("::100%25 <bad>; mend it\n"), "{annotation}");
        let tests = junit(&report);
        assert!(tests.contains("failures=\"1\"") && tests.contains("100% &lt;bad&gt;"), "{tests}");
        assert!(junit(&Report::new()).contains("no findings"));
    }
}
