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
use crate::ui::Table;

/// The fixtures that prove the codes; each is its code's example.
static EXAMPLES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/tests/diagnostics");

/// Say what a diagnostic's code means, with an example; all codes where none is named
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as manifest/reserved-name
    code: Option<String>,
}

/// A code.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ExplainResult {
    ok: bool,
    /// The codes; one where one was named.
    codes: Vec<CodeJson>,
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
    let chosen: Vec<Code> = match &args.code {
        None => codes::ALL.to_vec(),
        Some(name) => match Code::find(name) {
            Some(code) => vec![code],
            None => {
                let known = codes::ALL.iter().map(|code| code.name());
                let help = did_you_mean(name, known).unwrap_or_else(|| "erp-plugin explain lists all codes".to_owned());
                return Err(
                    CommandError::new(ExitCode::Usage, "explain", format!("there is no code `{name}`")).hint(help)
                );
            }
        },
    };
    let one = args.code.is_some();
    let result = ExplainResult {
        ok: true,
        codes: chosen
            .into_iter()
            .map(|code| CodeJson {
                code: code.name(),
                severity: code.severity(),
                title: code.title(),
                why: code.why(),
                fix: code.fix(),
                example: one.then(|| example(code)).flatten(),
            })
            .collect(),
    };
    context.ui.result(&result, || match result.codes.as_slice() {
        [code] => {
            let example = code.example.as_ref().map_or_else(String::new, |example| {
                let indented: String = example.lines().map(|line| format!("    {line}\n")).collect();
                format!("\nExample:\n\n{indented}")
            });
            format!("{}: {}\n\n{}\n\nWhat to do: {}\n{example}", code.code, code.title, code.why, code.fix)
        }
        codes => {
            let mut table = Table::new();
            for code in codes {
                table.row([code.code, code.title]);
            }
            table.render()
        }
    });
    Ok(ExitCode::Ok)
}

/// What the fixture of a code looks like to a user, as far as one can be shown.
fn example(code: Code) -> Option<String> {
    let folder = EXAMPLES.get_dir(code.name())?;
    let rendered = folder.get_file(format!("{}/expected.txt", code.name()))?;
    rendered.contents_utf8().map(str::to_owned)
}
