//! `erp-plugin explain`.

use clap::Args;
use include_dir::{Dir, include_dir};
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::diagnostics::{Code, Severity, codes};
use crate::document::did_you_mean;
use crate::exit_code::ExitCode;
use crate::host::{ERROR_CODES, ErrorCode};
use crate::ui::Table;
use crate::verification::{CODES, PackageCode};

/// The fixtures that prove the codes; each is its code's example.
static EXAMPLES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/tests/diagnostics");

/// Say what the code of a finding or of an error means; all codes where none is named
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as manifest/reserved-name or limit.fuel
    code: Option<String>,
}

/// A code.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ExplainResult {
    ok: bool,
    /// The codes of findings; one where one was named.
    codes: Vec<CodeJson>,
    /// The codes of errors that guests and HTTP clients see; one where one was named.
    errors: Vec<ErrorJson>,
    /// The codes of packages that are refused; one where one was named.
    packages: Vec<PackageJson>,
}

/// Why a package is refused.
#[derive(Debug, Serialize, JsonSchema)]
struct PackageJson {
    /// The stable name.
    code: &'static str,
    /// What it means.
    meaning: &'static str,
    /// What to do.
    fix: &'static str,
}

/// What an error's code means.
#[derive(Debug, Serialize, JsonSchema)]
struct ErrorJson {
    /// The stable name.
    code: &'static str,
    /// The HTTP status.
    status: u16,
    /// One line.
    title: &'static str,
    /// Why it comes.
    why: &'static str,
    /// What to do.
    fix: &'static str,
}

/// What a code means.
#[derive(Debug, Serialize, JsonSchema)]
struct CodeJson {
    /// The stable name.
    code: &'static str,
    /// How much it weighs.
    severity: Severity,
    /// One line.
    title: &'static str,
    /// Why it is bad.
    why: &'static str,
    /// What to do.
    fix: &'static str,
    /// A file that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<String>,
}

pub(super) fn run(context: &Context, args: &ExplainArgs) -> CommandResult {
    let is_asked = |name: &str| args.code.as_ref().is_none_or(|asked| asked == name);
    let chosen: Vec<Code> = codes::ALL.iter().copied().filter(|code| is_asked(code.name())).collect();
    let errors: Vec<ErrorCode> = ERROR_CODES.iter().copied().filter(|error| is_asked(error.name)).collect();
    let packages: Vec<PackageCode> = CODES.iter().copied().filter(|code| is_asked(code.name)).collect();
    if let Some(name) = args.code.as_ref().filter(|_| chosen.is_empty() && errors.is_empty() && packages.is_empty()) {
        return Err(unknown(name));
    }
    let one = args.code.is_some();
    let code_json = |code: Code| CodeJson {
        code: code.name(),
        severity: code.severity(),
        title: code.title(),
        why: code.why(),
        fix: code.fix(),
        example: one.then(|| example(code)).flatten(),
    };
    let error_json = |error: ErrorCode| ErrorJson {
        code: error.name,
        status: error.status,
        title: error.title,
        why: error.why,
        fix: error.fix,
    };
    let package_json = |code: PackageCode| PackageJson { code: code.name, meaning: code.meaning, fix: code.next };
    let result = ExplainResult {
        ok: true,
        codes: chosen.into_iter().map(code_json).collect(),
        errors: errors.into_iter().map(error_json).collect(),
        packages: packages.into_iter().map(package_json).collect(),
    };
    context.ui.result(&result, || shown(context, &result));
    Ok(ExitCode::Ok)
}

fn unknown(name: &str) -> CommandError {
    let known = codes::ALL.iter().map(|code| code.name()).chain(ERROR_CODES.iter().map(|error| error.name));
    let known = known.chain(CODES.iter().map(|code| code.name));
    let help = did_you_mean(name, known).unwrap_or_else(|| "erp-plugin explain lists all codes".to_owned());
    CommandError::new(ExitCode::Usage, "explain", format!("there is no code `{name}`")).hint(help)
}

fn shown(context: &Context, result: &ExplainResult) -> String {
    let text = |title: String, why: &str, fix: &str| {
        let paragraph = |text: &str| context.ui.paragraph(text);
        format!("{}\n\n{}\n\n{}\n", paragraph(&title), paragraph(why), paragraph(&format!("What to do: {fix}")))
    };
    match (result.codes.as_slice(), result.errors.as_slice(), result.packages.as_slice()) {
        ([code], [], []) => {
            let example = code.example.as_ref().map_or_else(String::new, |example| {
                let indented: String = example.lines().map(|line| format!("    {line}\n")).collect();
                format!("\nExample:\n\n{indented}")
            });
            format!("{}{example}", text(format!("{}: {}", code.code, code.title), code.why, code.fix))
        }
        ([], [], [package]) => {
            let paragraph = |text: &str| context.ui.paragraph(text);
            let title = format!("{}: {}", package.code, package.meaning);
            format!("{}\n\n{}\n", paragraph(&title), paragraph(&format!("What to do: {}", package.fix)))
        }
        ([], [error], []) => text(format!("{} ({}): {}", error.code, error.status, error.title), error.why, error.fix),
        (codes, errors, packages) => {
            let mut table = Table::new();
            for (code, title) in codes
                .iter()
                .map(|code| (code.code, code.title))
                .chain(errors.iter().map(|error| (error.code, error.title)))
                .chain(packages.iter().map(|package| (package.code, package.meaning)))
            {
                table.row([code, title]);
            }
            table.render()
        }
    }
}

/// What the fixture of a code looks like to a user, as far as one can be shown.
fn example(code: Code) -> Option<String> {
    let folder = EXAMPLES.get_dir(code.name())?;
    let rendered = folder.get_file(format!("{}/expected.txt", code.name()))?;
    rendered.contents_utf8().map(str::to_owned)
}
