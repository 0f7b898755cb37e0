//! `erp-plugin call`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use erp_manifest::exit_code::ExitCode;
use erp_manifest::{ByteSize, Moment, PermissionGrant, TenantId};
use erp_platform::{Activity, Directory, Gate, Identity, Platform};
use erp_runtime::{CallError, Caller, Detail, Surroundings};
use erp_store::Database;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{CommandResult, limits_of};
use crate::command_error::{CommandError, codes};
use crate::commands::present_component::{ComponentArgs, Purpose};
use crate::context::Context;
use crate::network::NetworkTransport;
use crate::ui::Table;

/// Call one export once and show everything that it did
///
/// The plugin runs as in a scenario: `init` first, then the call, in a database of its own that is gone
/// afterwards (or stays, with --database). `ctx` may be left out of JSON arguments: it is filled in.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// `interface.function(arguments in WAVE)`, or `interface.function` with --json
    call: String,
    /// The arguments as a JSON object, by their names
    #[arg(long, value_name = "JSON")]
    json: Option<String>,
    /// The tenant
    #[arg(long, value_name = "TENANT", default_value = "acme")]
    tenant: String,
    /// A permission of the user who calls; several times for several
    #[arg(long, value_name = "CODE", default_value = "*")]
    grant: Vec<PermissionGrant>,
    /// The host's clock, such as 2026-04-15T08:00:00+08:00; this machine's if it is absent
    #[arg(long, value_name = "MOMENT")]
    now: Option<String>,
    /// What ids and random bytes are made from, with --now
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// A file to add the call to, for `replay` and `test --from-recording`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// A file to write the trace to, in the JSON of OpenTelemetry (OTLP)
    #[arg(long, value_name = "FILE")]
    otlp: Option<PathBuf>,
    /// A bound instead of the manifest's, such as `fuel=60_000`; several times for several
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
    /// A file to keep the database in
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// The release component, which is what ships; without it a component for development will do
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    component: ComponentArgs,
}

/// What a call did.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CallResult {
    /// True where the call succeeded.
    ok: bool,
    /// What it gave, as WAVE.
    result: Option<Value>,
    /// Why it failed.
    error: Option<String>,
    /// The code of the error; `erp-plugin explain` says more.
    code: Option<String>,
    /// Functions of the guest where it trapped, the innermost first.
    frames: Vec<String>,
    /// Fuel that it burned.
    fuel: u64,
    /// The most memory that it had, in bytes.
    memory_bytes: u64,
    /// Calls of the host, in order.
    host_calls: Vec<HostCallJson>,
    /// Rows that changed.
    rows: Vec<Value>,
    /// Events that it told.
    events: Vec<Value>,
    /// What it logged.
    logs: Vec<Value>,
}

/// A call of the host.
#[derive(Debug, Serialize, JsonSchema)]
struct HostCallJson {
    /// Such as `db.insert`.
    function: &'static str,
    /// What it was about.
    subject: String,
    /// What it was called with.
    arguments: Value,
    /// What it gave, or its error.
    result: Value,
    /// Rows that it gave.
    rows: u64,
    /// Fuel that was burned before it.
    fuel: u64,
    /// Statements that it made the database execute, without their values.
    sql: Vec<String>,
    /// Functions of the guest that called it, the innermost first; empty without debug information.
    frames: Vec<String>,
    /// The code of its error.
    error: Option<String>,
}

pub(super) fn run(context: &Context, args: &CallArgs) -> CommandResult {
    let usage = |message: String| CommandError::new(codes::USAGE, message);
    let tenant = TenantId::named(&args.tenant).map_err(usage)?;
    let arguments = args.json.as_deref().map(json_object).transpose().map_err(usage)?;
    let limits = limits_of(&args.limit)?;
    let surroundings = match &args.now {
        None => Surroundings::of_this_machine().with_transport(Arc::new(NetworkTransport)),
        Some(now) => {
            let moment = Moment::parse(now).ok_or_else(|| usage(format!("`{now}` is no date-time with an offset")))?;
            Surroundings::fixed(moment, args.seed)
        }
    };
    let open = context.open_project()?;
    let purpose = if args.release { Purpose::Ship } else { Purpose::Trial };
    let component = context.present_component(&open, &args.component, purpose)?.bytes;
    // The same code with names and lines, so that a trap shows where it happened.
    let component = open.with_lines(component);
    let runtime = context.runtime()?;
    let id = open.manifest.metadata.id.to_string();
    let plugin = runtime.load(&component, Arc::new(open.manifest))?;
    let database = match &args.database {
        Some(file) => Database::open(&context.path(file)),
        None => Database::in_memory(),
    };
    let failed = |message: String| CommandError::new(codes::CALL, message);
    let database = database.map_err(|error| failed(error.to_string()))?;
    let caller = Caller {
        id: "00000000-0000-7000-8000-000000000001".to_owned(),
        name: "call".to_owned(),
        permissions: args.grant.clone(),
        department: None,
    };
    let identity = Identity { tenant: tenant.clone(), caller };
    let mut directory = Directory::default();
    directory.add_tenant(tenant);
    let mut platform = Platform::new(runtime, database, surroundings, directory);
    platform.set_gate(Gate::of_version(plugin.manifest().dev_platform_version()));
    platform.lifecycle().run_loaded(&plugin).map_err(|error| failed(format!("the plugin does not start: {error}")))?;
    platform.take_activity();
    platform.call_settings.detail = Detail::Source;
    platform.call_settings.limits = limits;
    let outcome = match &arguments {
        Some(arguments) => platform.exports().call(&id, &identity, args.call.trim(), arguments),
        None => platform.exports().call_wave(&id, &identity, args.call.trim()),
    };
    if let Err(CallError::BadCall(message)) = &outcome {
        return Err(usage(message.clone()).hint("erp-plugin inspect --wit shows the exports with their types"));
    }
    let activity = platform.take_activity();
    if let Some(file) = &args.record {
        erp_files::append(&context.path(file), activity.recorded_lines().as_bytes())
            .map_err(|error| failed(error.to_string()))?;
    }
    if let Some(file) = &args.otlp {
        let spans = serde_json::to_string_pretty(&activity.to_otlp()).unwrap_or_default();
        erp_files::write_if_changed(&context.path(file), format!("{spans}\n").as_bytes())?;
    }
    let result = result_of(outcome, activity);
    context.ui.result(&result, || shown(&result));
    Ok(if result.ok { ExitCode::Ok } else { ExitCode::Findings })
}

fn json_object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err("--json takes an object of arguments by their names".to_owned()),
        Err(error) => Err(format!("--json is not JSON: {error}")),
    }
}

fn result_of(outcome: Result<Value, CallError>, activity: Activity) -> CallResult {
    let trace = activity.calls.into_iter().next().map(|call| call.trace).unwrap_or_default();
    let error = outcome.as_ref().err();
    let frames = match error {
        Some(CallError::Trap { frames, .. }) => frames.clone(),
        _ => Vec::new(),
    };
    CallResult {
        ok: error.is_none(),
        error: error.map(ToString::to_string),
        code: error.map(|error| error.code().to_string()),
        result: outcome.ok(),
        frames,
        fuel: trace.fuel,
        memory_bytes: trace.memory,
        host_calls: trace
            .host_calls
            .into_iter()
            .map(|call| HostCallJson {
                function: call.function.name(),
                subject: call.subject,
                arguments: call.arguments,
                result: call.result,
                rows: call.rows,
                fuel: call.fuel,
                sql: call.sql,
                frames: call.frames,
                error: call.error,
            })
            .collect(),
        rows: activity
            .changes
            .iter()
            .map(|change| json!({ "change": change.kind, "entity": change.entity, "row": change.row.to_flat() }))
            .collect(),
        events: activity.events.iter().map(|(_, event)| json!(event)).collect(),
        logs: trace
            .logs
            .iter()
            .map(|record| json!({ "level": record.level.word(), "message": record.message, "fields": record.fields }))
            .collect(),
    }
}

fn shown(result: &CallResult) -> String {
    let mut text = match (&result.result, &result.error) {
        (Some(Value::String(wave)), _) => format!("{}\n", if wave.is_empty() { "()" } else { wave }),
        (_, Some(error)) => format!("failed ({}): {error}\n", result.code.as_deref().unwrap_or("no code")),
        _ => String::new(),
    };
    for frame in &result.frames {
        text.push_str(&format!("  in {frame}\n"));
    }
    let mut calls = Table::new();
    for call in &result.host_calls {
        let outcome = call.error.clone().unwrap_or_else(|| match call.rows {
            0 => String::new(),
            1 => "1 row".to_owned(),
            rows => format!("{rows} rows"),
        });
        calls.row([format!("  {}", call.function), call.subject.clone(), format!("{} fuel", call.fuel), outcome]);
    }
    let list = |title: &str, items: &[Value]| {
        let lines: String = items.iter().map(|item| format!("  {item}\n")).collect();
        if lines.is_empty() { String::new() } else { format!("\n{title}\n{lines}") }
    };
    if !result.host_calls.is_empty() {
        text.push_str(&format!("\nhost calls\n{}", calls.render()));
    }
    text.push_str(&list("rows", &result.rows));
    text.push_str(&list("events", &result.events));
    text.push_str(&list("log", &result.logs));
    text.push_str(&format!("\n{} fuel, {} of memory\n", result.fuel, ByteSize(result.memory_bytes)));
    text
}
