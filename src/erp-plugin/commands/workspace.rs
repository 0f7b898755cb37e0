//! `--workspace`: a command for every plugin of a workspace, in the order of their dependencies.

use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Command, CommandResult};
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::project::{members, workspace_root};
use crate::ui::Format;

/// What a command did in each plugin of a workspace.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct WorkspaceResult {
    /// True where it succeeded in all of them.
    ok: bool,
    /// The plugins, those that others depend on first.
    plugins: Vec<MemberResult>,
}

/// What a command did in one plugin.
#[derive(Debug, Serialize, JsonSchema)]
struct MemberResult {
    /// The plugin's id.
    id: String,
    /// Its manifest.
    manifest: String,
    /// How the command ended.
    exit_code: u8,
    /// What it printed; its schema is that of the command.
    result: Value,
}

/// Runs a command for each plugin. If one fails, the others still run.
pub(crate) fn run_in_each(context: &Context, command: &Command) -> CommandResult {
    let usage = |message: String| CommandError::new(codes::USAGE, message);
    if !command.works_on_each() {
        return Err(
            usage("this command does not work on several plugins".to_owned()).hint("it takes -p NAME for one of them")
        );
    }
    // GitHub annotations are lines, so those of several plugins can follow each other. Other formats are one document
    // each.
    if !matches!(context.ui.format(), Format::Human | Format::Json | Format::Github) {
        let message = format!("--workspace does not write the format {}", context.ui.format().word());
        return Err(usage(message).hint("--format json, or -p NAME"));
    }
    let failed = |why: String| CommandError::new(codes::WORKSPACE, why);
    let members = members(&workspace_root(&context.directory)).map_err(|error| failed(error.to_string()))?;
    let mut plugins = Vec::new();
    for member in members {
        context.ui.status("Plugin", format!("{} ({})", member.id, context.shown(&member.manifest_file)));
        let inner = context.of_member(&member.manifest_file);
        let exit_code = command.run(&inner).unwrap_or_else(|error| error.report_to(&inner.ui));
        plugins.push(MemberResult {
            id: member.id,
            manifest: context.shown(&member.manifest_file),
            exit_code: exit_code.number(),
            result: inner.ui.take_parts().pop().unwrap_or(Value::Null),
        });
    }
    let worst = plugins.iter().map(|plugin| plugin.exit_code).find(|code| *code != 0);
    let result = WorkspaceResult { ok: worst.is_none(), plugins };
    context.ui.result(&result, || {
        let bad: Vec<&str> =
            result.plugins.iter().filter(|plugin| plugin.exit_code != 0).map(|plugin| plugin.id.as_str()).collect();
        let all = result.plugins.len();
        if bad.is_empty() {
            format!("{all} plugins")
        } else {
            format!("{} of {all} plugins failed: {}", bad.len(), bad.join(", "))
        }
    });
    Ok(worst.map_or(ExitCode::Ok, |code| ExitCode::of_number(code).unwrap_or(ExitCode::Findings)))
}
