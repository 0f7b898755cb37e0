//! `erp-plugin demo`.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::CommandResult;
use crate::command_error::CommandError;
use crate::context::Context;
use crate::exit_code::ExitCode;
use crate::registry::Client;

/// The plugin that the demo makes.
const PLUGIN: &str = "erp-inventory";
/// How long a request may take.
const REQUEST_TIME: Duration = Duration::from_secs(50);
/// How long the dev host may take to stop.
const STOP_TIME: Duration = Duration::from_secs(10);

/// Go the whole way once: scaffold, build, test, pack, sign, publish to a dev host, use, uninstall
///
/// Everything happens in a temporary folder, with a key made for the demo and a dev host on a free
/// port of this machine; nothing of it is left behind.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {}

/// A demo that went through.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DemoResult {
    ok: bool,
    /// The steps, in order.
    steps: Vec<DemoStep>,
}

/// A step of the demo.
#[derive(Debug, Serialize, JsonSchema)]
struct DemoStep {
    /// What was done.
    name: String,
    /// What came of it.
    detail: String,
    /// How long it took, in milliseconds.
    milliseconds: u64,
}

pub(super) fn run(context: &Context, _: &DemoArgs) -> CommandResult {
    let failed = |error: std::io::Error| CommandError::new(ExitCode::Configuration, "io", error.to_string());
    let folder = tempfile::Builder::new().prefix("erp-plugin-demo-").tempdir().map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut demo = Demo { context, program, root: folder.path().to_path_buf(), steps: Vec::new() };
    let result = demo.on_this_machine().and_then(|()| demo.on_a_dev_host());
    let steps = demo.steps;
    // The folder goes also where a step failed.
    folder.close().map_err(failed)?;
    result?;
    let count = steps.len();
    let seconds: f64 = steps.iter().map(|step| step.milliseconds as f64 / 1e3).sum();
    context.ui.result(&DemoResult { ok: true, steps }, || {
        format!("the whole way: {count} steps in {seconds:.1} s, nothing left behind")
    });
    Ok(ExitCode::Ok)
}

struct Demo<'c> {
    context: &'c Context,
    program: PathBuf,
    root: PathBuf,
    steps: Vec<DemoStep>,
}

impl Demo<'_> {
    /// new → build → check → test → pack → sign → verify.
    fn on_this_machine(&mut self) -> Result<(), CommandError> {
        let arguments = ["new", PLUGIN, "--template", "inventory", "--display-name", "进销存"];
        self.command("scaffold", &arguments, |result| {
            format!("{} files from the template inventory", count(&result["files"]))
        })?;
        self.command("build", &["build", "--release"], |result| {
            let imports: Vec<&str> =
                result["imports"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            format!("{} bytes; imports {}", result["bytes"], imports.join(", "))
        })?;
        self.command("check", &["check"], |result| {
            format!("{} errors, {} warnings", result["errors"], result["warnings"])
        })?;
        self.command("test", &["test"], |result| format!("{} passed, {} failed", result["passed"], result["failed"]))?;
        self.command("pack", &["pack"], |result| {
            format!("{} files, {} bytes", count(&result["files"]), result["bytes"])
        })?;
        self.command("key", &["key", "new", "demo"], |result| text(&result["id"]))?;
        self.command("sign", &["sign", "--key", "demo"], |result| format!("content {}", text(&result["content_id"])))?;
        let public = self.root.join("config/erp-plugin/keys/demo.pub.pem");
        let public = public.to_string_lossy().into_owned();
        let arguments = ["key", "trust", &public, "--publisher", "the demo", "--scope", PLUGIN];
        self.command("trust", &arguments, |_| format!("the demo's key may sign {PLUGIN}"))?;
        self.command("verify", &["verify", "--require-signature"], |result| {
            format!("signature {}", text(&result["status"]))
        })
    }

    /// dev → publish → install → enable → rows of two tenants → an event → disable → uninstall.
    fn on_a_dev_host(&mut self) -> Result<(), CommandError> {
        let started = Instant::now();
        let mut host = self.start_dev_host()?;
        let url = text(&host.hello["url"]);
        self.done("dev host", format!("on {url}, two tenants"), started);
        let client = |user: &str| {
            let users = host.hello["users"].as_array().into_iter().flatten();
            let token =
                users.filter(|known| known["user"] == user).map(|known| Zeroizing::new(text(&known["token"]))).next();
            Client::new(&url, token, REQUEST_TIME)
        };
        let (acme, globex) = (client("admin@acme")?, client("admin@globex")?);
        let token = text(&host.hello["users"][0]["token"]);
        let token_file = self.root.join("token");
        crate::files::write(&token_file, token.as_bytes(), crate::files::Access::Private)?;
        let token_file = token_file.to_string_lossy().into_owned();
        self.command("publish", &["publish", "--to", &url, "--token-file", &token_file], |result| {
            format!("receipt for {}", text(&result["receipt"]["sha256"]))
        })?;

        let admin = format!("/api/v1/admin/plugins/{PLUGIN}");
        let items = format!("/api/v1/plugins/{PLUGIN}/inventory_item");
        self.ask("install", &acme, ("POST", &format!("{admin}/install"), None), 200, |body| text(&body["status"]))?;
        self.ask("enable", &acme, ("POST", &format!("{admin}/enable"), None), 200, |body| text(&body["status"]))?;
        self.ask("tables", &acme, ("GET", "/_dev/tables", None), 200, |body| {
            let tables = body.as_array().into_iter().flatten();
            tables.map(|table| text(&table["table"])).collect::<Vec<_>>().join(", ")
        })?;
        let bolt = json!({ "data": { "sku": "A-001", "name": "螺丝", "unit_price": "0.35" } });
        let created = self.ask("create", &acme, ("POST", &items, Some(&bolt)), 201, |body| text(&body["id"]))?;
        let row = format!("{items}/{}", text(&created["id"]));
        self.ask("read", &acme, ("GET", &row, None), 200, |body| body["data"].to_string())?;
        let patch = json!({ "data": { "threshold": 5 }, "version": 1 });
        self.ask("update", &acme, ("PATCH", &row, Some(&patch)), 200, |body| format!("version {}", body["version"]))?;
        self.ask("stale update", &acme, ("PATCH", &row, Some(&patch)), 409, |body| text(&body["code"]))?;
        let search = format!("{items}?search=%E8%9E%BA");
        self.ask("search", &acme, ("GET", &search, None), 200, |body| format!("{} found", body["total"]))?;
        self.ask("other tenant", &globex, ("GET", &row, None), 404, |body| text(&body["code"]))?;
        self.ask("its own row", &globex, ("POST", &items, Some(&bolt)), 201, |_| {
            "the same code, another tenant".to_owned()
        })?;
        let lines = json!([{ "sku": "A-001", "quantity": 3 }]);
        let event = json!({ "type": "sales.order.shipped", "payload": { "order_id": "SO-1", "lines": lines } });
        self.ask("event", &acme, ("POST", "/_dev/events", Some(&event)), 200, |body| {
            format!("{} rows changed by the plugin", body["delivered"][0]["rows_changed"])
        })?;
        self.ask("effect", &acme, ("GET", &row, None), 200, |body| format!("stock is {}", body["data"]["quantity"]))?;
        let spare = json!({ "data": { "sku": "A-002", "name": "螺母" } });
        let spare = self.ask("another row", &acme, ("POST", &items, Some(&spare)), 201, |body| text(&body["id"]))?;
        let spare = format!("{items}/{}", text(&spare["id"]));
        self.ask("delete", &acme, ("DELETE", &spare, None), 204, |_| "deleted softly".to_owned())?;
        self.ask("disable", &acme, ("POST", &format!("{admin}/disable"), None), 200, |body| text(&body["status"]))?;
        self.ask("uninstall", &acme, ("DELETE", &admin, None), 200, |body| text(&body["status"]))?;
        self.ask("data stays", &acme, ("GET", "/_dev/tables", None), 200, |body| {
            let rows = |table: &Value| table["rows"].as_u64().unwrap_or(0);
            format!("{} rows", body.as_array().into_iter().flatten().map(rows).sum::<u64>())
        })?;
        let started = Instant::now();
        host.stop();
        self.done("stop", "the dev host has ended".to_owned(), started);
        Ok(())
    }

    /// Runs a command of this program in the demo's folders.
    fn command(
        &mut self,
        name: &str,
        arguments: &[&str],
        detail: impl FnOnce(&Value) -> String,
    ) -> Result<(), CommandError> {
        let started = Instant::now();
        let output = self
            .program_with(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| CommandError::new(ExitCode::Configuration, "io", error.to_string()))?;
        let result: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let message = format!("the step `{name}` failed: erp-plugin {}\n{words}", arguments.join(" "));
            let exit_code =
                ExitCode::ALL.into_iter().find(|code| output.status.code() == Some(i32::from(code.number())));
            return Err(CommandError::new(exit_code.unwrap_or(ExitCode::Bug), "demo", message));
        }
        self.done(name, detail(&result), started);
        Ok(())
    }

    fn program_with(&self, arguments: &[&str]) -> Command {
        let project = self.root.join(PLUGIN);
        let folder: &Path = if project.is_dir() { &project } else { &self.root };
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder)
            .args(arguments)
            .args(["--format", "json"])
            // The user's keys and trust are not the demo's business.
            .env("XDG_CONFIG_HOME", self.root.join("config"))
            .env("ERP_PLUGIN_KEY_PASSPHRASE", "only for the demo");
        if self.context.offline {
            command.env("ERP_PLUGIN_OFFLINE", "1");
        }
        command
    }

    fn ask(
        &mut self,
        name: &str,
        client: &Client,
        (method, path, body): (&str, &str, Option<&Value>),
        status: u16,
        detail: impl FnOnce(&Value) -> String,
    ) -> Result<Value, CommandError> {
        let started = Instant::now();
        let (found, answer) = client.ask(method, path, body)?;
        if found != status {
            let message = format!("the step `{name}` failed: {method} {path} gave {found} and not {status}: {answer}");
            return Err(CommandError::new(ExitCode::Network, "demo", message));
        }
        self.done(name, detail(&answer), started);
        Ok(answer)
    }

    fn done(&mut self, name: &str, detail: String, started: Instant) {
        let elapsed = started.elapsed();
        self.context.ui.status(name, format!("{:>7.3} s  {detail}", elapsed.as_secs_f64()));
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.steps.push(DemoStep { name: name.to_owned(), detail, milliseconds });
    }

    fn start_dev_host(&self) -> Result<DevHostProcess, CommandError> {
        let failed = |what: &str| {
            CommandError::new(ExitCode::Configuration, "demo", format!("the dev host does not start: {what}"))
        };
        let state = self.root.join("state").to_string_lossy().into_owned();
        let trust = self.root.join("config/erp-plugin/trust.toml").to_string_lossy().into_owned();
        let arguments = ["dev", "--no-watch", "--port", "0", "--state-dir", &state, "--trust-file", &trust];
        let mut child = self
            .program_with(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let Some(stdout) = child.stdout.take() else { return Err(failed("it has no standard output")) };
        let mut host = DevHostProcess { child, hello: Value::Null };
        // It says where it listens in one document that ends with a brace at the line's beginning.
        let mut document = String::new();
        let mut reader = BufReader::new(stdout.take(1 << 20));
        while document.lines().last() != Some("}") {
            match reader.read_line(&mut document) {
                Ok(0) | Err(_) => return Err(failed("it ended")),
                Ok(_) => {}
            }
        }
        host.hello = serde_json::from_str(&document).map_err(|error| failed(&error.to_string()))?;
        Ok(host)
    }
}

/// A dev host that ends with the demo, however that ends.
struct DevHostProcess {
    child: Child,
    hello: Value,
}

impl DevHostProcess {
    fn stop(&mut self) {
        #[cfg(unix)]
        {
            // A child of ours that was not waited for yet: the id is its.
            let _ = Command::new("kill").arg(self.child.id().to_string()).status();
            let started = Instant::now();
            while started.elapsed() < STOP_TIME {
                if matches!(self.child.try_wait(), Ok(Some(_))) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for DevHostProcess {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.stop();
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}
