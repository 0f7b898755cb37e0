//! `--workspace`: a command for every plugin of a workspace, in the order of their dependencies.

use std::ffi::OsString;
use std::process::Stdio;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Command, CommandResult};
use crate::command_error::CommandError;
use crate::commands::codes;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::project::{members, workspace_root};
use crate::settings::this_program;
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

/// Runs the program again for each plugin: what one plugin does to the process is no other's business.
pub(crate) fn run_in_each(context: &Context, command: &Command, arguments: &[OsString]) -> CommandResult {
    let usage = |message: String| CommandError::new(codes::USAGE, message);
    if !command.works_on_each() {
        return Err(
            usage("this command does not work on several plugins".to_owned()).hint("it takes -p NAME for one of them")
        );
    }
    let wants_json = match context.ui.format() {
        Format::Json => true,
        Format::Human => false,
        other => {
            return Err(usage(format!("--workspace writes no {}", other.word())).hint("--format json, or -p NAME"));
        }
    };
    let failed = |why: String| CommandError::new(codes::WORKSPACE, why);
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let members = members(&workspace_root(&context.directory)).map_err(|error| failed(error.to_string()))?;
    let mut plugins = Vec::new();
    for member in members {
        context.ui.status("Plugin", format!("{} ({})", member.id, context.shown(&member.manifest_file)));
        let mut process = this_program(&program);
        process
            .args(arguments.iter().skip(1).filter(|argument| *argument != "--workspace"))
            .arg("--manifest-path")
            .arg(&member.manifest_file)
            .env_remove("ERP_PLUGIN_WORKSPACE")
            .stdin(Stdio::null());
        if wants_json {
            process.stdout(Stdio::piped());
        }
        let output = process
            .stderr(Stdio::inherit())
            .spawn()
            .and_then(std::process::Child::wait_with_output)
            .map_err(|error| failed(error.to_string()))?;
        let exit_code = output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(70);
        plugins.push(MemberResult {
            id: member.id,
            manifest: context.shown(&member.manifest_file),
            exit_code,
            result: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
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
