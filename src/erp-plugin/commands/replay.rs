//! `erp-plugin replay`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use erp_manifest::exit_code::ExitCode;
use erp_runtime::{Detail, RecordedCall};
use schemars::JsonSchema;
use serde::Serialize;

use super::CommandResult;
use crate::command_error::{CommandError, codes};
use crate::commands::present_component::{ComponentArgs, Purpose};
use crate::context::Context;
use crate::ui::Table;

/// Run recorded calls again with the component that is there now, and show what differs
///
/// A recording (`call --record`, `dev --record`) holds what the host gave to the plugin, so that no database and no
/// network is needed: the same questions get the same answers. A new question, another result or another line in the
/// log is a difference.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recording
    file: PathBuf,
    /// The release component, which is what ships; without it a component for development will do
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    component: ComponentArgs,
}

/// How the calls went.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ReplayResult {
    /// True where every call did the same.
    ok: bool,
    /// Calls that did the same.
    same: usize,
    /// The calls.
    calls: Vec<ReplayedCall>,
}

/// How one call went.
#[derive(Debug, Serialize, JsonSchema)]
struct ReplayedCall {
    /// What was called.
    call: String,
    /// What is not as it was recorded.
    differences: Vec<String>,
    /// Fuel that it burned then.
    fuel_before: u64,
    /// Fuel that it burned now.
    fuel: u64,
}

pub(super) fn run(context: &Context, args: &ReplayArgs) -> CommandResult {
    let recorded = read(context, &args.file)?;
    let open = context.open_project()?;
    let purpose = if args.release { Purpose::Ship } else { Purpose::Trial };
    let component = context.present_component(&open, &args.component, purpose)?.bytes;
    let component = open.with_lines(component);
    let runtime = context.runtime()?;
    let plugin = runtime.load(&component, Arc::new(open.manifest))?;
    let mut calls = Vec::new();
    for call in &recorded {
        let replayed = runtime.replay(&plugin, call, Detail::Full)?;
        calls.push(ReplayedCall {
            call: label(call),
            differences: replayed.differences,
            fuel_before: call.fuel,
            fuel: replayed.fuel,
        });
    }
    let same = calls.iter().filter(|call| call.differences.is_empty()).count();
    let result = ReplayResult { ok: same == calls.len(), same, calls };
    context.ui.result(&result, || shown(&result));
    Ok(if result.ok { ExitCode::Ok } else { ExitCode::Findings })
}

/// A short name for a recorded call.
pub(super) fn label(call: &RecordedCall) -> String {
    let said = &call.invocation;
    let text = |key: &str| said[key].as_str().map(str::to_owned);
    if let Some(event) = said["event"]["type"].as_str() {
        return format!("event {event}");
    }
    let action = text("action").map(|name| format!("action {name}"));
    action.or_else(|| text("wave")).or_else(|| text("function")).unwrap_or_else(|| {
        said.as_object().and_then(|said| said.keys().next()).cloned().unwrap_or_default().replace('_', " ")
    })
}

/// Reads the calls of a recording: one JSON document per line.
pub(super) fn read(context: &Context, file: &Path) -> Result<Vec<RecordedCall>, CommandError> {
    let bytes = context.read(file)?;
    let mut calls = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let call = serde_json::from_slice(line).map_err(|error| {
            let message = format!("{}:{}: no recorded call: {error}", file.display(), index + 1);
            CommandError::new(codes::RECORDING, message)
        })?;
        calls.push(call);
    }
    Ok(calls)
}

fn shown(result: &ReplayResult) -> String {
    let mut text = String::new();
    let mut table = Table::new();
    for call in &result.calls {
        let change = if call.differences.is_empty() && call.fuel != call.fuel_before {
            let percent = call.fuel as f64 * 100.0 / call.fuel_before.max(1) as f64 - 100.0;
            format!("{percent:+.1} % fuel")
        } else {
            String::new()
        };
        let verdict = if call.differences.is_empty() { "same" } else { "DIFFERS" };
        table.row([verdict.to_owned(), call.call.clone(), change]);
    }
    text.push_str(&table.render());
    for call in result.calls.iter().filter(|call| !call.differences.is_empty()) {
        text.push_str(&format!("\n{}\n", call.call));
        for difference in &call.differences {
            text.push_str(&format!("  {difference}\n"));
        }
    }
    text.push_str(&format!("\n{} of {} calls did the same\n", result.same, result.calls.len()));
    text
}
