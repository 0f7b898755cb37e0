//! `erp-plugin host`: a dev host or a platform, from the terminal.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};
use std::time::Duration;

use clap::{Args, Subcommand};
use erp_manifest::codes::errors;
use erp_manifest::diagnostics::printable;
use erp_manifest::exit_code::ExitCode;
use erp_package::strict_zip::Limits;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::CommandResult;
use super::credentials::ConnectionArgs;
use super::package_file::{open_package, read_bounded};
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::registry::Client;
use crate::ui::{Format, Table};

/// Maximum size of a secret on standard input, in bytes.
const MAX_SECRET_BYTES: u64 = 64 << 10;
/// The path of the routes that administer plugins.
const PLUGINS: &str = "/api/v1/admin/plugins";

/// Manage the plugins of a dev host or a platform
///
/// The address is that of `publish --to`, and so is the token. What a platform does not offer (tenants, logs, calls: only a dev
/// host has them) is answered with its own words.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  erp-plugin host list --to http://127.0.0.1:7171
  erp-plugin host enable erp-demo --to http://127.0.0.1:7171
  erp-plugin host logs --follow --to http://127.0.0.1:7171")]
pub(crate) struct HostCommandArgs {
    /// The host's address, such as <http://127.0.0.1:7171>
    #[arg(long, value_name = "URL", env = "ERP_PLUGIN_PUBLISH_TO", hide_env_values = true, global = true)]
    to: Option<String>,
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: HostCommand,
}

/// What is done there.
#[derive(Debug, Subcommand)]
enum HostCommand {
    /// List the plugins with their versions and states
    List,
    /// Make the tables of a plugin that was uploaded
    Install(PluginArgs),
    /// Start a plugin; one that was only uploaded is installed first
    Enable(PluginArgs),
    /// Stop a plugin; its rows stay
    Disable(PluginArgs),
    /// Take a plugin out of service; its rows stay
    Uninstall(UninstallArgs),
    /// Upload a package and see that its plugin runs
    Upgrade(UpgradeArgs),
    /// Take the latest upgrade of a plugin's tables back
    Rollback(RollbackArgs),
    /// Show the settings of a plugin, or change some
    Settings(SettingsArgs),
    /// Set a secret of a plugin; its value is asked for, or read from standard input with --stdin
    Secret(SecretArgs),
    /// List, create or remove tenants
    Tenants(TenantsArgs),
    /// Show what plugins log
    Logs(LogsArgs),
    /// List recent requests and calls
    Calls(CallsArgs),
}

/// A plugin.
#[derive(Debug, Args)]
struct PluginArgs {
    /// The plugin's id
    id: String,
}

/// What is taken out of service.
#[derive(Debug, Args)]
struct UninstallArgs {
    /// The plugin's id
    id: String,
    /// Delete its tables too, with the rows of all tenants
    #[arg(long)]
    purge: bool,
}

/// What is uploaded.
#[derive(Debug, Args)]
struct UpgradeArgs {
    /// The package
    package: std::path::PathBuf,
}

/// What is taken back.
#[derive(Debug, Args)]
struct RollbackArgs {
    /// The plugin's id
    id: String,
    /// Also discard what was written since
    #[arg(long)]
    discard_changes: bool,
}

/// Settings of a plugin.
#[derive(Debug, Args)]
struct SettingsArgs {
    /// The plugin's id
    id: String,
    /// What to change; values are JSON, or text where they are none
    #[arg(value_name = "KEY=VALUE")]
    change: Vec<String>,
}

/// A secret of a plugin.
#[derive(Debug, Args)]
struct SecretArgs {
    /// The plugin's id
    id: String,
    /// The secret's key
    key: String,
    /// Read the value from standard input
    #[arg(long)]
    stdin: bool,
}

/// Tenants of a dev host.
#[derive(Debug, Args)]
struct TenantsArgs {
    /// Create this tenant, with a user `admin@<tenant>`; the plugins' hooks for tenants run
    #[arg(long, value_name = "TENANT", conflicts_with = "remove")]
    add: Option<String>,
    /// Remove this tenant and its users; its rows stay
    #[arg(long, value_name = "TENANT")]
    remove: Option<String>,
}

/// What is logged.
#[derive(Debug, Args)]
struct LogsArgs {
    /// Only what this plugin logs
    plugin: Option<String>,
    /// Go on until Ctrl-C
    #[arg(short, long)]
    follow: bool,
}

/// What was called.
#[derive(Debug, Args)]
struct CallsArgs {
    /// Only calls of this plugin
    plugin: Option<String>,
    /// Only those that failed
    #[arg(long)]
    failed: bool,
}

/// What a host answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HostAnswer {
    ok: bool,
    /// The host's address.
    host: String,
    /// What it answered, as `docs/http-api.md` describes it.
    #[schemars(with = "Value")]
    answer: Value,
}

/// The host that receives the requests.
struct RemoteHost<'c> {
    context: &'c Context,
    client: Client,
    address: String,
}

pub(super) fn run(context: &Context, args: &HostCommandArgs) -> CommandResult {
    let address = args.to.as_deref().ok_or_else(|| {
        let hint = "name its address: --to http://127.0.0.1:7171, or ERP_PLUGIN_PUBLISH_TO";
        CommandError::new(codes::USAGE, "which host is asked?").hint(hint)
    })?;
    let client = Client::new(address, args.connection.to(context, address)?)?;
    let host = RemoteHost { context, client, address: address.to_owned() };
    match &args.command {
        HostCommand::List => host.list(),
        HostCommand::Install(plugin) => host.act(&plugin.id, "install", &Value::Null),
        HostCommand::Enable(plugin) => host.act(&plugin.id, "enable", &Value::Null),
        HostCommand::Disable(plugin) => host.act(&plugin.id, "disable", &Value::Null),
        HostCommand::Uninstall(args) => host.uninstall(args),
        HostCommand::Upgrade(args) => host.upgrade(args),
        HostCommand::Rollback(args) => {
            host.act(&args.id, "rollback", &json!({ "discard_changes": args.discard_changes }))
        }
        HostCommand::Settings(args) => host.settings(args),
        HostCommand::Secret(args) => host.secret(args),
        HostCommand::Tenants(args) => host.tenants(args),
        HostCommand::Logs(args) => host.logs(args),
        HostCommand::Calls(args) => host.calls(args),
    }
}

impl RemoteHost<'_> {
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, CommandError> {
        let (status, answer) = self.client.ask(method, path, body)?;
        if status < 400 {
            return Ok(answer);
        }
        let text = |key: &str| answer[key].as_str().map(printable);
        let code = text("code").unwrap_or_else(|| status.to_string());
        let message = text("message").unwrap_or_else(|| "it gave no reason".to_owned());
        let error = CommandError::new(codes::HOST_REFUSED, format!("{}: {message} ({code})", self.address));
        Err(match status {
            401 => error.hint("erp-plugin login keeps a token; or set ERP_PLUGIN_TOKEN, or pass --token-file"),
            _ if code == errors::PLUGIN_INVALID_STATE.name() => {
                error.hint("erp-plugin host list shows its state; where it is uninstalled: erp-plugin host install ID")
            }
            _ if code.contains('.') => error.hint(format!("erp-plugin explain {code}")),
            _ => error,
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "what every command ends with")]
    fn show(&self, answer: Value, text: impl FnOnce(&Value) -> String) -> CommandResult {
        let result = HostAnswer { ok: true, host: self.address.clone(), answer };
        self.context.ui.result(&result, || text(&result.answer));
        Ok(ExitCode::Ok)
    }

    fn list(&self) -> CommandResult {
        let plugins = self.ask("GET", PLUGINS, None)?;
        self.show(plugins, |plugins| {
            let list = plugins.as_array().cloned().unwrap_or_default();
            if list.is_empty() {
                return "there are no plugins yet: erp-plugin publish --to …".to_owned();
            }
            let mut table = Table::new();
            for plugin in &list {
                table.row(["id", "version", "status", "error"].map(|key| cell(&plugin[key])));
            }
            table.render()
        })
    }

    fn plugin(&self, id: &str) -> Result<Value, CommandError> {
        self.ask("GET", &format!("{PLUGINS}/{}", segment(id)), None)
    }

    /// Sends an action of a plugin to the host, and shows the plugin's new state.
    fn act(&self, id: &str, verb: &str, body: &Value) -> CommandResult {
        let path = format!("{PLUGINS}/{}/{verb}", segment(id));
        self.ask("POST", &path, Some(body).filter(|body| !body.is_null()))?;
        let plugin = self.plugin(id)?;
        self.show(plugin, |plugin| self.state(plugin))
    }

    /// The state of a plugin in one sentence, with the next step.
    fn state(&self, plugin: &Value) -> String {
        let text = |key: &str| cell(&plugin[key]);
        let (id, status) = (text("id"), text("status"));
        let next = match status.as_str() {
            "uploaded" | "installed" | "disabled" => {
                format!("\nstart it: erp-plugin host --to {} enable {id}", self.address)
            }
            "error" => format!("\n{}", text("error")),
            _ => String::new(),
        };
        format!("{id} {} is {status}{next}", text("version"))
    }

    fn uninstall(&self, args: &UninstallArgs) -> CommandResult {
        let path = format!("{PLUGINS}/{}", segment(&args.id));
        self.ask("DELETE", &path, None)?;
        if !args.purge {
            return self
                .show(Value::Null, |_| format!("{} is uninstalled; its rows stay (--purge deletes them)", args.id));
        }
        self.ask("POST", &format!("{path}/purge"), None)?;
        self.show(Value::Null, |_| format!("{} is uninstalled, and its tables are deleted", args.id))
    }

    fn upgrade(&self, args: &UpgradeArgs) -> CommandResult {
        let bytes = read_bounded(self.context, &args.package, &Limits::default())?;
        let package = open_package(&bytes, &Limits::default())?;
        let metadata = &package.manifest.metadata;
        let (id, version) = (metadata.id.as_str(), metadata.version.as_str());
        self.client.publish(id, version, &bytes, |_| (), |why, _| self.context.ui.warn(why))?;
        if self.plugin(id)?["status"] != "running" {
            self.ask("POST", &format!("{PLUGINS}/{id}/enable"), None)?;
        }
        let plugin = self.plugin(id)?;
        if plugin["version"] != version {
            let message = format!("{id} {version} is there, and {} goes on", cell(&plugin["version"]));
            let error = CommandError::new(codes::HOST_REFUSED, message);
            return Err(
                error.hint("its upgrade was taken back: a higher version goes forward, erp-plugin version patch")
            );
        }
        self.show(plugin, |plugin| self.state(plugin))
    }

    fn settings(&self, args: &SettingsArgs) -> CommandResult {
        let path = format!("{PLUGINS}/{}/config", segment(&args.id));
        if !args.change.is_empty() {
            let mut change = Map::new();
            for pair in &args.change {
                let (key, value) = pair.split_once('=').ok_or_else(|| {
                    CommandError::new(codes::USAGE, format!("`{pair}` is no setting: write KEY=VALUE"))
                })?;
                let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
                change.insert(key.to_owned(), value);
            }
            self.ask("PUT", &path, Some(&Value::Object(change)))?;
        }
        let settings = self.ask("GET", &path, None)?;
        self.show(settings, |settings| {
            let mut table = Table::new();
            for (key, value) in settings.as_object().into_iter().flatten() {
                table.row([printable(key), cell(value)]);
            }
            table.render()
        })
    }

    fn secret(&self, args: &SecretArgs) -> CommandResult {
        let value = if args.stdin {
            let mut text = Zeroizing::new(String::new());
            let read = std::io::stdin().take(MAX_SECRET_BYTES).read_to_string(&mut text);
            read.map_err(|error| CommandError::new(codes::IO, error.to_string()))?;
            Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        } else {
            self.context.ui.ask_secret(&format!("{}:", args.key)).map(Zeroizing::new)
        };
        let value = value
            .filter(|value| !value.is_empty())
            .ok_or_else(|| CommandError::new(codes::USAGE, "there is no value").hint("pipe it in with --stdin"))?;
        let path = format!("{PLUGINS}/{}/secrets", segment(&args.id));
        self.ask("PUT", &path, Some(&json!({ &args.key: value.as_str() })))?;
        self.show(Value::Null, |_| format!("{} of {} is set", args.key, args.id))
    }

    fn tenants(&self, args: &TenantsArgs) -> CommandResult {
        if let Some(tenant) = &args.add {
            let user = self.ask("POST", "/_dev/tenants", Some(&json!({ "tenant": tenant })))?;
            return self.show(user, |user| {
                format!("{tenant} is there; its user {} has the token {}", cell(&user["user"]), cell(&user["token"]))
            });
        }
        if let Some(tenant) = &args.remove {
            self.ask("DELETE", &format!("/_dev/tenants/{}", segment(tenant)), None)?;
            return self.show(Value::Null, |_| format!("{tenant} and its users are gone; its rows stay"));
        }
        let tenants = self.ask("GET", "/_dev/tenants", None)?;
        self.show(tenants, |tenants| tenants.as_array().into_iter().flatten().map(cell).collect::<Vec<_>>().join("\n"))
    }

    fn calls(&self, args: &CallsArgs) -> CommandResult {
        let mut asked: BTreeMap<&str, String> = BTreeMap::new();
        if let Some(plugin) = &args.plugin {
            asked.insert("plugin", segment(plugin));
        }
        if args.failed {
            asked.insert("failed", "true".to_owned());
        }
        let query: Vec<String> = asked.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let calls = self.ask("GET", &format!("/_dev/calls?{}", query.join("&")), None)?;
        self.show(calls, |calls| {
            let mut table = Table::new();
            for call in calls["items"].as_array().into_iter().flatten() {
                let [id, kind, plugin, label] = ["id", "kind", "plugin", "label"].map(|key| cell(&call[key]));
                table.row([id, kind, plugin, label, cell(&call["error"]["code"])]);
            }
            table.render()
        })
    }

    /// Prints log lines as they arrive. Without --follow, prints only those that the host still has.
    fn logs(&self, args: &LogsArgs) -> CommandResult {
        let wait = if args.follow { None } else { Some(LOG_PAUSE) };
        let stream = self.client.stream("/_dev/stream?kinds=log&after=0", wait)?;
        let is_json = self.context.ui.format() == Format::Json;
        let mut lines = Vec::new();
        for line in std::io::BufReader::new(stream).lines() {
            // Without --follow, the pause after the last line ends the stream.
            let Ok(line) = line else { break };
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            let log = event.get("data").unwrap_or(&event);
            if event["kind"].as_str().is_some_and(|kind| kind != "log")
                || args.plugin.as_ref().is_some_and(|plugin| log["plugin"] != plugin.as_str())
            {
                continue;
            }
            let shown = format!("{} {} {}", cell(&log["plugin"]), cell(&log["level"]), cell(&log["message"]));
            if args.follow {
                self.context.ui.print_foreign(&if is_json { format!("{log}\n") } else { format!("{shown}\n") });
            } else {
                lines.push((log.clone(), shown));
            }
        }
        let all: Value = lines.iter().map(|(log, _)| log.clone()).collect();
        self.show(all, |_| lines.iter().map(|(_, shown)| format!("{shown}\n")).collect())
    }
}

/// How long the host must be silent before its lines count as complete.
const LOG_PAUSE: Duration = Duration::from_millis(400);

/// A value of an answer, as the cell of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

/// A name as one percent-encoded segment of a path.
fn segment(name: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
