//! `erp-plugin node`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use erp_manifest::exit_code::ExitCode;
use erp_manifest::{NodeKind, NodeType, PermissionGrant, PluginId, TenantId};
use erp_platform::{Directory, Gate, Identity, NodeRequest, NodeResult, Platform};
use erp_runtime::{Caller, NodePlace, NodeTask, Surroundings};
use erp_store::Database;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{CommandResult, limits_of};
use crate::command_error::{CommandError, codes};
use crate::commands::present_component::{ComponentArgs, Purpose};
use crate::context::Context;
use crate::dev_host::{FolderOutcome, PluginFolder, SettlingRule};
use crate::network::NetworkTransport;
use crate::ui::Table;

/// Nodes of workflows: the platform's own, and those of this plugin
#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    List(NodeListArgs),
    Run(RunArgs),
    Supply(SupplyArgs),
    Options(OptionsArgs),
}

/// Whose nodes there are.
#[derive(Debug, Args)]
struct Nodes {
    /// A folder of packages whose nodes are there too
    #[arg(long, value_name = "FOLDER")]
    plugins: Option<PathBuf>,
    /// The release component, which is what ships; without it a component for development will do
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    component: ComponentArgs,
}

/// What a node is asked with.
#[derive(Debug, Args)]
struct NodeInputs {
    /// The node, such as `acme.invoice.split`
    kind: String,
    /// The version; the newest if it is absent
    #[arg(long, value_name = "VERSION")]
    node_version: Option<String>,
    /// What its user has set: a JSON object, or @FILE
    #[arg(long, value_name = "JSON", default_value = "{}")]
    parameters: String,
    /// The workflow that it runs in
    #[arg(long, value_name = "ID", default_value = "workflow")]
    workflow: String,
    /// The tenant
    #[arg(long, value_name = "TENANT", default_value = "acme")]
    tenant: String,
    /// A bound instead of the manifest's, such as `fuel=60_000`; several times for several
    #[arg(long, value_name = "NAME=VALUE")]
    limit: Vec<String>,
    #[command(flatten)]
    nodes: Nodes,
}

/// Show the nodes that can be placed, or all about one
#[derive(Debug, Args)]
pub(crate) struct NodeListArgs {
    /// One of them
    kind: Option<String>,
    #[command(flatten)]
    nodes: Nodes,
}

/// Run an executor once
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    asked: NodeInputs,
    /// Items: a JSON array, an object with an array for each port, or @FILE
    #[arg(long, value_name = "JSON", default_value = "[]")]
    input: String,
}

/// Ask a supplier for what it supplies
#[derive(Debug, Args)]
pub(crate) struct SupplyArgs {
    #[command(flatten)]
    asked: NodeInputs,
}

/// Ask a node for the options of a property
#[derive(Debug, Args)]
pub(crate) struct OptionsArgs {
    #[command(flatten)]
    asked: NodeInputs,
    /// The property
    #[arg(long, value_name = "NAME")]
    property: String,
}

/// The nodes that there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NodeListResult {
    ok: bool,
    /// Their definitions, each with the `plugin` that brings it; null for the platform's own.
    nodes: Vec<Value>,
}

/// What a node gave.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct NodeRunResult {
    /// False where items left by the port `error`.
    ok: bool,
    /// The node.
    kind: String,
    /// The version that ran.
    version: String,
    /// The plugin; null for the platform's own nodes.
    plugin: Option<String>,
    /// The items of each port, what was supplied, or the options.
    output: Value,
    /// Why items left by the port `error`.
    error: Option<Value>,
    /// Fuel that was burned.
    fuel: u64,
    /// What was logged.
    logs: Vec<String>,
}

pub(super) fn run(context: &Context, command: &NodeCommand) -> CommandResult {
    match command {
        NodeCommand::List(args) => list(context, args),
        NodeCommand::Run(args) => {
            let input = json_of(context, &args.input, "--input")?;
            ask(context, &args.asked, NodeTask::Execute(input))
        }
        NodeCommand::Supply(args) => ask(context, &args.asked, NodeTask::Supply),
        NodeCommand::Options(args) => ask(context, &args.asked, NodeTask::Options(args.property.clone())),
    }
}

fn list(context: &Context, args: &NodeListArgs) -> CommandResult {
    let mut platform = platform(context, &args.nodes, None)?;
    let mut palette = platform.nodes().palette();
    if let Some(kind) = &args.kind {
        palette.retain(|(_, node)| node.kind.as_str() == kind);
        if palette.is_empty() {
            let error = CommandError::new(codes::USAGE, format!("there is no node `{kind}`"));
            return Err(error.hint("erp-plugin node list"));
        }
    }
    let shown = |(plugin, node): &(Option<PluginId>, NodeKind)| {
        let mut definition = node.definition();
        definition["plugin"] = json!(plugin);
        definition
    };
    let result = NodeListResult { ok: true, nodes: palette.iter().map(shown).collect() };
    context.ui.result(&result, || match (&args.kind, palette.first()) {
        (Some(_), Some((plugin, node))) => about(plugin.as_ref().map(PluginId::as_str), node),
        _ => {
            let mut table = Table::new();
            for (plugin, node) in &palette {
                table.row([
                    node.kind.as_str(),
                    node.newest(),
                    role(node),
                    plugin.as_ref().map_or("-", PluginId::as_str),
                    &node.display_name,
                ]);
            }
            table.render()
        }
    });
    Ok(ExitCode::Ok)
}

fn role(node: &NodeKind) -> &'static str {
    match (*node.r#type, &node.provides) {
        (NodeType::Supplier, Some(provider)) => provider.word(),
        (other, _) => other.word(),
    }
}

/// The complete description of a node.
fn about(plugin: Option<&str>, node: &NodeKind) -> String {
    let ports = |ports: &[erp_manifest::diagnostics::Spanned<String>]| {
        let names: Vec<&str> = ports.iter().map(|port| port.as_str()).collect();
        if names.is_empty() { "-".to_owned() } else { names.join(", ") }
    };
    let versions: Vec<&str> = node.versions.iter().map(|version| version.as_str()).collect();
    let mut head = Table::new();
    head.row(["kind", node.kind.as_str()]);
    head.row(["name", &node.display_name]);
    head.row(["type", role(node)]);
    head.row(["versions", &versions.join(", ")]);
    head.row(["plugin", plugin.unwrap_or("-")]);
    head.row(["inputs", &ports(&node.inputs)]);
    head.row(["outputs", &ports(&node.outputs)]);
    let mut text = head.render();
    if let Some(description) = &node.description {
        text.push_str(&format!("\n{description}\n"));
    }
    if !node.properties.is_empty() {
        let mut table = Table::new();
        for property in &node.properties {
            let mut notes = Vec::new();
            notes.extend(property.required.then(|| "required".to_owned()));
            notes.extend(property.default.as_ref().map(|default| format!("default {}", **default)));
            if !property.options.is_empty() {
                let values: Vec<&str> = property.options.iter().map(|option| option.value.as_str()).collect();
                notes.push(format!("one of {}", values.join(", ")));
            }
            notes.extend(property.dynamic_options.then(|| "options: erp-plugin node options".to_owned()));
            notes.extend(property.show_when.as_ref().map(|condition| format!("when {}", condition.as_str())));
            let label = property.display_name.as_deref().unwrap_or_default();
            table.row([property.name.as_str(), property.kind.word(), label, &notes.join("; ")]);
        }
        text.push_str(&format!("\nproperties\n{}", table.render()));
    }
    text
}

fn ask(context: &Context, asked: &NodeInputs, task: NodeTask) -> CommandResult {
    let usage = |message: String| CommandError::new(codes::USAGE, message);
    let tenant = TenantId::named(&asked.tenant).map_err(usage)?;
    let Value::Object(parameters) = json_of(context, &asked.parameters, "--parameters")? else {
        return Err(usage("--parameters is a JSON object".to_owned()));
    };
    let mut platform = platform(context, &asked.nodes, Some(&tenant))?;
    platform.call_settings.limits = limits_of(&asked.limit)?;
    let caller = Caller {
        id: "00000000-0000-7000-8000-000000000001".to_owned(),
        name: "node".to_owned(),
        permissions: vec![PermissionGrant::ALL],
        department: None,
    };
    let request = NodeRequest {
        kind: asked.kind.clone(),
        version: asked.node_version.clone(),
        parameters,
        place: NodePlace { workflow_id: asked.workflow.clone(), execution_id: "1".to_owned(), ..NodePlace::default() },
        task,
    };
    platform.take_activity();
    let answer = platform.nodes().run_node(&Identity { tenant, caller }, request).map_err(|error| {
        let exit_code = if matches!(error.status(), 400 | 404) { ExitCode::Usage } else { ExitCode::Findings };
        let problems = error.details["problems"].as_array().cloned().unwrap_or_default();
        let retryable = error.details["retryable"] == true;
        let refused = CommandError::caused_by(exit_code, error.code, error.message);
        let refused = if retryable { refused.hint("it may succeed when it is tried again") } else { refused };
        problems.iter().skip(1).fold(refused, |refused, problem| {
            let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
            refused.hint(format!("`{}` {}", text("property"), text("message")))
        })
    })?;
    let calls = platform.take_activity().calls;
    let NodeResult { plugin, version, output, error } = answer;
    let logs = calls.iter().flat_map(|call| &call.trace.logs);
    let result = NodeRunResult {
        ok: error.is_none(),
        kind: asked.kind.clone(),
        version,
        plugin,
        output,
        error: error.map(|error| json!({ "code": error.code, "message": error.message, "retryable": error.retryable })),
        fuel: calls.iter().map(|call| call.trace.fuel).sum(),
        logs: logs.map(|record| format!("{}: {}", record.level, record.message)).collect(),
    };
    for line in &result.logs {
        context.ui.print_foreign(&format!("{line}\n"));
    }
    context.ui.result(&result, || {
        let error = result.error.as_ref().map(|error| {
            let again = if error["retryable"] == true { "; it may succeed when it is tried again" } else { "" };
            format!(
                "\n{}: {}{again}",
                error["code"].as_str().unwrap_or_default(),
                error["message"].as_str().unwrap_or_default()
            )
        });
        format!(
            "{:#}\n{} {}, {} fuel{}",
            result.output,
            result.kind,
            result.version,
            result.fuel,
            error.unwrap_or_default()
        )
    });
    Ok(if result.ok { ExitCode::Ok } else { ExitCode::Findings })
}

/// Parses JSON of the command line, or of a file if the text begins with `@`.
fn json_of(context: &Context, text: &str, flag: &str) -> Result<Value, CommandError> {
    let bytes = match text.strip_prefix('@') {
        Some(file) => context.read(std::path::Path::new(file))?,
        None => text.as_bytes().to_vec(),
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| CommandError::new(codes::USAGE, format!("{flag} is not JSON: {error}")))
}

/// Starts a platform with the plugins of a folder, and the project's plugin if it has nodes. Its database is in memory.
fn platform(context: &Context, nodes: &Nodes, tenant: Option<&TenantId>) -> Result<Platform, CommandError> {
    let failed = |message: String| CommandError::new(codes::NODE, message);
    let runtime = context.runtime()?;
    let database = Database::in_memory().map_err(|error| failed(error.to_string()))?;
    let surroundings = Surroundings::of_this_machine().with_transport(Arc::new(NetworkTransport));
    let mut directory = Directory::default();
    let acme = TenantId::new("acme");
    if let Some(tenant) = tenant.or(acme.as_ref()) {
        directory.add_tenant(tenant.clone());
    }
    let mut platform = Platform::new(Arc::clone(&runtime), database, surroundings, directory);
    if let Some(folder) = &nodes.plugins {
        let mut folder = PluginFolder::new(context.path(folder));
        folder.look(SettlingRule::AtOnce).map_err(|error| failed(error.to_string()))?;
        for event in folder.follow(&mut platform) {
            match event.outcome {
                FolderOutcome::Runs { id, version } => context.ui.detail(format!("{}: {id} {version}", event.file)),
                FolderOutcome::Refused(why) => context.ui.warn(format!("{}: {why}", event.file)),
                FolderOutcome::Gone(_) => {}
            }
        }
    }
    // Outside of a project, the nodes of the platform and of the folder are available.
    if context.project().is_ok() {
        let open = context.open_project()?;
        if !open.manifest.nodes.is_empty() {
            let purpose = if nodes.release { Purpose::Ship } else { Purpose::Trial };
            let component = context.present_component(&open, &nodes.component, purpose)?.bytes;
            let plugin = runtime.load(&component, Arc::new(open.manifest))?;
            platform.set_gate(Gate::of_version(plugin.manifest().dev_platform_version()));
            platform
                .lifecycle()
                .run_loaded(&plugin)
                .map_err(|error| failed(format!("the plugin does not start: {error}")))?;
        }
    }
    Ok(platform)
}
