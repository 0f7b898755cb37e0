//! `erp-plugin demo`.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use erp_manifest::exit_code::ExitCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::CommandResult;
use crate::command_error::{CommandError, codes};
use crate::context::Context;
use crate::registry::{Client, ServerConnection};
use crate::settings::command;

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
    let failed = |error: std::io::Error| CommandError::new(codes::IO, error.to_string());
    let folder = tempfile::Builder::new().prefix("erp-plugin-demo-").tempdir().map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(failed)?;
    }
    let mut demo = Demo { context, program, root: folder.path().to_path_buf(), interrupted, steps: Vec::new() };
    let result = demo.on_this_machine().and_then(|()| demo.on_a_dev_host());
    let steps = demo.steps;
    // The folder is removed even if a step failed.
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
    interrupted: Arc<AtomicBool>,
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
            format!("{} bytes; imports {}", result["bytes"], imports.join(", ").replace("erp:plugin/", ""))
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
            Client::new(&url, ServerConnection { token, timeout: REQUEST_TIME, ..ServerConnection::default() })
        };
        let (acme, globex) = (client("admin@acme")?, client("admin@globex")?);
        let token = text(&host.hello["users"][0]["token"]);
        let token_file = self.root.join("token");
        erp_files::write(&token_file, token.as_bytes(), erp_files::FileAccess::Private)?;
        let token_file = token_file.to_string_lossy().into_owned();
        self.command("publish", &["publish", "--to", &url, "--token-file", &token_file], |result| {
            format!("receipt for {}", text(&result["receipt"]["sha256"]))
        })?;

        let admin = format!("/api/v1/admin/plugins/{PLUGIN}");
        let rows = format!("/api/v1/plugins/{PLUGIN}");
        let items = format!("{rows}/inventory_item");
        self.ask("install", &acme, ("POST", &format!("{admin}/install"), None), 200, |body| text(&body["status"]))?;
        self.ask("enable", &acme, ("POST", &format!("{admin}/enable"), None), 200, |body| text(&body["status"]))?;
        self.ask("tables", &acme, ("GET", "/_dev/tables", None), 200, |body| {
            let tables = body.as_array().into_iter().flatten();
            tables.map(|table| text(&table["entity"])).collect::<Vec<_>>().join(", ")
        })?;
        // Each tenant has a row with the same code, and sees only its own.
        let bolt = json!({ "data": { "sku": "A-001", "name": "螺丝", "unit_price": "0.35" } });
        let mut own = Vec::new();
        for (tenant, client) in [("acme", &acme), ("globex", &globex)] {
            let told = |what: String| format!("{tenant}: {what}");
            let created =
                self.ask("create", client, ("POST", &items, Some(&bolt)), 201, |body| told(text(&body["id"])))?;
            let row = format!("{items}/{}", text(&created["id"]));
            self.ask("read", client, ("GET", &row, None), 200, |body| told(body["data"].to_string()))?;
            let patch = json!({ "data": { "threshold": 5 }, "version": 1 });
            self.ask("update", client, ("PATCH", &row, Some(&patch)), 200, |body| {
                told(format!("version {}", body["version"]))
            })?;
            self.ask("stale update", client, ("PATCH", &row, Some(&patch)), 409, |body| told(text(&body["code"])))?;
            let spare = json!({ "data": { "sku": "A-002", "name": "螺母" } });
            let spare =
                self.ask("another row", client, ("POST", &items, Some(&spare)), 201, |body| told(text(&body["id"])))?;
            let spare = format!("{items}/{}", text(&spare["id"]));
            self.ask("delete", client, ("DELETE", &spare, None), 204, |_| told("softly".to_owned()))?;
            let search = ("GET", &*format!("{items}?search=%E8%9E%BA"), None);
            let found = self.ask("search", client, search, 200, |body| told(format!("{} found", body["total"])))?;
            expect("rows that the search finds", &found["total"], &json!(1))?;
            own.push(row);
        }
        self.ask("tenants", &globex, ("GET", &own[0], None), 404, |_| "globex cannot see acme's row".to_owned())?;

        // An approved order adds to the stock, once; a shipment takes from it.
        let item = own[0].rsplit('/').next().unwrap_or_default().to_owned();
        let orders = format!("{rows}/purchase_order");
        let supplier = json!({ "data": { "supplier": "五金公司" } });
        let order =
            self.ask("order", &acme, ("POST", &orders, Some(&supplier)), 201, |body| text(&body["data"]["code"]))?;
        let order_id = text(&order["id"]);
        let line = json!({ "data": { "order_id": order_id, "item_id": item, "quantity": 30 } });
        let lines = format!("{rows}/purchase_line");
        self.ask("line", &acme, ("POST", &lines, Some(&line)), 201, |_| "30 pieces".to_owned())?;
        let approve = format!("{orders}/{order_id}/actions/approve");
        self.ask("approve", &acme, ("POST", &approve, None), 200, |body| text(&body["status"]))?;
        let again = json!({ "type": "inventory.purchase_order.approved", "payload": { "order_id": order_id } });
        self.ask("same event", &acme, ("POST", "/_dev/events", Some(&again)), 200, |body| {
            format!("{} rows changed", body["delivered"][0]["rows_changed"])
        })?;
        let stock = |body: &Value| format!("stock is {}", body["data"]["quantity"]);
        let received = self.ask("stock", &acme, ("GET", &own[0], None), 200, stock)?;
        expect("stock after the order", &received["data"]["quantity"], &json!(30))?;
        let shipped = json!([{ "sku": "A-001", "quantity": 3 }]);
        let event = json!({ "type": "sales.order.shipped", "payload": { "order_id": "SO-1", "lines": shipped } });
        self.ask("shipment", &acme, ("POST", "/_dev/events", Some(&event)), 200, |body| {
            format!("{} rows changed", body["delivered"][0]["rows_changed"])
        })?;
        let left = self.ask("stock", &acme, ("GET", &own[0], None), 200, stock)?;
        expect("stock after the shipment", &left["data"]["quantity"], &json!(27))?;

        self.ask("disable", &acme, ("POST", &format!("{admin}/disable"), None), 200, |body| text(&body["status"]))?;
        self.ask("uninstall", &acme, ("DELETE", &admin, None), 200, |body| text(&body["status"]))?;
        let count_rows = |body: &Value| -> u64 {
            body.as_array().into_iter().flatten().filter_map(|table| table["rows"].as_u64()).sum()
        };
        let kept = self.ask("data stays", &acme, ("GET", "/_dev/tables", None), 200, |body| {
            format!("{} rows", count_rows(body))
        })?;
        expect("rows that stay", &json!(count_rows(&kept)), &json!(6))?;
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
        let output = self.run_to_end(self.program_with(arguments))?;
        let result: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let message = format!("the step `{name}` failed: erp-plugin {}\n{words}", arguments.join(" "));
            let exit_code =
                ExitCode::ALL.into_iter().find(|code| output.status.code() == Some(i32::from(code.number())));
            return Err(CommandError::new(codes::DEMO, message).exiting_with(exit_code.unwrap_or(ExitCode::Bug)));
        }
        self.done(name, detail(&result), started);
        Ok(())
    }

    /// Runs a command in its own process group. The group is terminated if the demo is interrupted.
    fn run_to_end(&self, mut command: Command) -> Result<Output, CommandError> {
        let failed = |error: std::io::Error| CommandError::new(codes::IO, error.to_string());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        let group = child.id();
        let waiting = std::thread::spawn(move || child.wait_with_output());
        while !waiting.is_finished() {
            if self.is_interrupted() {
                end(&format!("-{group}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = waiting.join().unwrap_or_else(|_| Err(std::io::Error::other("waiting for a command broke off")));
        if self.is_interrupted() { Err(interrupted()) } else { output.map_err(failed) }
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn program_with(&self, arguments: &[&str]) -> Command {
        let project = self.root.join(PLUGIN);
        let folder: &Path = if project.is_dir() { &project } else { &self.root };
        let mut command = command(&self.program);
        command
            .current_dir(folder)
            .args(arguments)
            .args(["--format", "json"])
            // The demo does not use the user's keys and trust file.
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
        if self.is_interrupted() {
            return Err(interrupted());
        }
        let started = Instant::now();
        let (found, answer) = client.ask(method, path, body)?;
        if found != status {
            let message = format!("the step `{name}` failed: {method} {path} gave {found} and not {status}: {answer}");
            return Err(CommandError::new(codes::DEMO, message).exiting_with(ExitCode::Network));
        }
        self.done(name, detail(&answer), started);
        Ok(answer)
    }

    fn done(&mut self, name: &str, detail: String, started: Instant) {
        let elapsed = started.elapsed();
        let shown: String =
            if detail.chars().count() > 58 { detail.chars().take(57).chain(['…']).collect() } else { detail.clone() };
        self.context.ui.status(name, format!("{:>6.3} s  {shown}", elapsed.as_secs_f64()));
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.steps.push(DemoStep { name: name.to_owned(), detail, milliseconds });
    }

    fn start_dev_host(&self) -> Result<DevHostProcess, CommandError> {
        let failed = |what: &str| {
            CommandError::new(codes::DEMO, format!("the dev host does not start: {what}"))
                .exiting_with(ExitCode::Configuration)
        };
        let state = self.root.join("state").to_string_lossy().into_owned();
        let trust = self.root.join("config/erp-plugin/trust.toml").to_string_lossy().into_owned();
        let arguments = ["dev", "--no-watch", "--port", "0", "--state-dir", &state, "--trust-file", &trust];
        let mut command = self.program_with(&arguments);
        // Ctrl-C reaches only this process, which then ends the dev host.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let Some(stdout) = child.stdout.take() else { return Err(failed("it has no standard output")) };
        let mut host = DevHostProcess { child, hello: Value::Null };
        // The dev host prints its address in one JSON document, whose last line is a single `}`.
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

/// A dev host process, which is stopped on drop.
struct DevHostProcess {
    child: Child,
    hello: Value,
}

impl DevHostProcess {
    fn stop(&mut self) {
        #[cfg(unix)]
        {
            // The child was not waited for yet, so its process id is still valid.
            end(&self.child.id().to_string());
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

/// Sends SIGTERM. `target` is the id of a child that was not waited for yet, or the id of its group with a minus in
/// front.
#[cfg(unix)]
fn end(target: &str) {
    // If the process has ended by itself, there is nothing to do.
    let _ = command("kill").args(["-TERM", "--", target]).stderr(Stdio::null()).status();
}

fn interrupted() -> CommandError {
    CommandError::new(codes::INTERRUPTED, "interrupted; everything that was started has ended")
}

fn expect(what: &str, found: &Value, expected: &Value) -> Result<(), CommandError> {
    if found == expected {
        return Ok(());
    }
    let message = format!("{what}: expected {expected}, found {found}");
    Err(CommandError::new(codes::DEMO, message).hint("please report this"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn count(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}
