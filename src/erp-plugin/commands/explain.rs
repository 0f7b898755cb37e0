//! `erp-plugin explain`.

use clap::Args;
use erp_manifest::codes::{Code, Consequence, Severity};
use erp_manifest::document::did_you_mean;
use erp_manifest::exit_code::ExitCode;
use include_dir::{Dir, include_dir};
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::explanations;
use crate::ui::Table;

/// The test fixtures of the codes. Each is the example of its code.
static EXAMPLES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/tests/diagnostics");

/// Explain the code of a finding or of an error, or the text of one; list all codes if none is named
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as manifest/reserved-name or limit.fuel; or what an error says, in quotes
    code: Option<String>,
}

/// Codes, by who sees them.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct ExplainResult {
    ok: bool,
    /// The codes of findings; one where one was named.
    codes: Vec<FindingJson>,
    /// The codes of errors that guests and HTTP clients see; one where one was named.
    errors: Vec<ErrorJson>,
    /// The codes of packages that are refused; one where one was named.
    packages: Vec<PackageJson>,
    /// The codes of commands that cannot do their work; one where one was named.
    commands: Vec<CommandJson>,
}

/// The code of a finding.
#[derive(Debug, Serialize, JsonSchema)]
struct FindingJson {
    /// The stable name.
    code: &'static str,
    /// The severity unless a setting overrides it.
    severity: Severity,
    /// What it means.
    title: &'static str,
    /// The reason for the rule.
    why: &'static str,
    /// What to do.
    fix: &'static str,
    /// What `check` prints for a project that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
}

/// The code of an error.
#[derive(Debug, Serialize, JsonSchema)]
struct ErrorJson {
    /// The stable name.
    code: &'static str,
    /// The HTTP status.
    status: u16,
    /// Whether the same call may succeed later.
    retryable: bool,
    /// What it means.
    title: &'static str,
    /// The reason.
    why: &'static str,
    /// What to do.
    fix: &'static str,
}

/// The code of a package that is refused.
#[derive(Debug, Serialize, JsonSchema)]
struct PackageJson {
    /// The stable name.
    code: &'static str,
    /// The HTTP status of an upload.
    status: u16,
    /// What it means.
    meaning: &'static str,
    /// What to do.
    fix: &'static str,
}

/// The code of a command that cannot do its work.
#[derive(Debug, Serialize, JsonSchema)]
struct CommandJson {
    /// The stable name.
    code: &'static str,
    /// The program's exit code.
    exit_code: u8,
    /// What it means.
    title: &'static str,
    /// The reason.
    why: &'static str,
    /// What to do.
    fix: &'static str,
}

impl ExplainResult {
    fn add(&mut self, code: Code, with_example: bool) {
        let (name, title, why, fix) = (code.name(), code.title(), code.why(), code.fix());
        match code.consequence() {
            Consequence::Finding(severity) => {
                let example = if with_example { example(code) } else { None };
                self.codes.push(FindingJson { code: name, severity, title, why, fix, example });
            }
            Consequence::Error { .. } | Consequence::Limit => {
                let (status, retryable) = (code.status(), code.is_retryable());
                self.errors.push(ErrorJson { code: name, status, retryable, title, why, fix });
            }
            Consequence::Package(status) => {
                self.packages.push(PackageJson { code: name, status, meaning: title, fix });
            }
            Consequence::Command(exit_code) => {
                let exit_code = exit_code.number();
                self.commands.push(CommandJson { code: name, exit_code, title, why, fix });
            }
        }
    }
}

pub(super) fn run(context: &Context, args: &ExplainArgs) -> CommandResult {
    let all = explanations::all();
    let chosen: Vec<Code> = match &args.code {
        Some(name) => match all.iter().copied().find(|code| code.name() == name) {
            Some(code) => vec![code],
            None => Some(explanations::codes_for_text(name, shown_example))
                .filter(|codes| !codes.is_empty())
                .ok_or_else(|| unknown(name, &all))?,
        },
        None => all,
    };
    let mut result = ExplainResult { ok: true, ..ExplainResult::default() };
    for code in &chosen {
        result.add(*code, args.code.is_some());
    }
    context.ui.result(&result, || match chosen.as_slice() {
        codes if args.code.is_some() => codes.iter().map(|code| page(context, *code)).collect::<Vec<_>>().join("\n"),
        codes => list(codes),
    });
    Ok(ExitCode::Ok)
}

fn unknown(name: &str, all: &[Code]) -> CommandError {
    let help = did_you_mean(name, all.iter().map(|code| code.name()));
    let help = help.unwrap_or_else(|| "erp-plugin explain lists all codes".to_owned());
    let is_sentence = name.contains(' ');
    let message =
        if is_sentence { "no code is known that says this".to_owned() } else { format!("there is no code `{name}`") };
    CommandError::new(codes::USAGE, message).hint(help)
}

/// The complete text about one code.
fn page(context: &Context, code: Code) -> String {
    let consequence = match code.consequence() {
        Consequence::Error { retryable: true, .. } => format!(" (HTTP status {}, retryable)", code.status()),
        Consequence::Error { .. } | Consequence::Limit | Consequence::Package(_) => {
            format!(" (HTTP status {})", code.status())
        }
        Consequence::Command(exit_code) => format!(" (exit code {})", exit_code.number()),
        Consequence::Finding(severity) => format!(" ({})", severity.word()),
    };
    let title = format!("{code}{consequence}: {}", code.title());
    let fix = format!("What to do: {}", code.fix());
    let paragraphs = [title.as_str(), code.why(), fix.as_str()].into_iter().filter(|text| !text.is_empty());
    let paragraphs: Vec<String> = paragraphs.map(|text| format!("{}\n", context.ui.paragraph(text))).collect();
    let example = example(code).map_or_else(String::new, |example| {
        let indented: String = example.lines().map(|line| format!("    {line}\n")).collect();
        format!("\nExample:\n\n{indented}")
    });
    format!("{}{example}", paragraphs.join("\n"))
}

fn list(codes: &[Code]) -> String {
    let mut table = Table::new();
    for code in codes {
        table.row([code.name(), code.title()]);
    }
    table.render()
}

/// What `check` prints for the fixture of a code; `None` if the code has no fixture.
fn shown_example(code: Code) -> Option<&'static str> {
    let folder = EXAMPLES.get_dir(code.name())?;
    folder.get_file(format!("{}/expected.txt", code.name()))?.contents_utf8()
}

fn example(code: Code) -> Option<String> {
    shown_example(code).map(str::to_owned)
}
