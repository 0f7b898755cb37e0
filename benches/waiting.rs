//! How long requests wait while a guest computes: requests of another tenant to a dev host on SQLite, one after the
//! other, while calls of a plugin run. `cargo bench --bench waiting` prints a table for docs/sandbox.md.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_macros,
    reason = "a program for people who measure"
)]

#[path = "../tests/suite/support/hostile.rs"]
#[expect(unreachable_pub, dead_code, reason = "the tests share it")]
mod hostile;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use hostile::{GuestText, MANIFEST};

const PROGRAM: &str = env!("CARGO_BIN_EXE_erp-plugin");
const PLUGIN: &str = "erp-hostile";
/// How long requests are sent for each row of the table.
const TIME: Duration = Duration::from_secs(10);
const LOOP: &str = "(loop $again (br $again)) (unreachable)";
const WRITE_AND_LOOP: &str = "(call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) \
    (loop $again (br $again)) (unreachable)";

/// Reads a key of the configuration; an injected delay makes the guest wait, as it would wait for another server.
const ASK: &str = "(call $config (i32.const 16) (i32.const 4) (i32.const 1032)) (call $ok)";

fn main() {
    println!("| meanwhile | `/health` | a row | a list | a new row | the console's calls |\n|---|---|---|---|---|---|");
    for (name, guest, calls, fault) in [
        ("nothing", "(call $ok)", 0, None),
        ("a guest computes for 30 s", LOOP, 1, None),
        ("three guests of one tenant do", LOOP, 3, None),
        ("a guest waits for 30 s in a call of the host", ASK, 1, Some(r#"{"at":"config.get","delay":"30s"}"#)),
        ("a guest has written, and computes", WRITE_AND_LOOP, 1, None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::start(folder.path(), guest);
        if let Some(fault) = fault {
            host.ask("POST", "/_dev/faults", Some(&host.token("admin@acme")), fault.as_bytes());
        }
        std::thread::scope(|scope| {
            for _ in 0..calls {
                scope.spawn(|| host.invoke());
            }
            std::thread::sleep(Duration::from_millis(300));
            let cells: Vec<String> = host.ask_others().into_iter().map(figures).collect();
            println!("| {name} | {} |", cells.join(" | "));
            host.end();
        });
    }
}

/// Formats the median and the 99th percentile, in milliseconds.
fn figures(mut times: Vec<Duration>) -> String {
    times.sort();
    let of = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    format!("{:.1}, {:.1}", of(50), of(99))
}

struct Host {
    child: std::sync::Mutex<Child>,
    address: String,
    users: Value,
}

impl Host {
    /// Starts a dev host with the plugin enabled. A call of the plugin may take 30 seconds.
    fn start(folder: &Path, guest: &'static str) -> Host {
        let runtime = "abi = \"legacy\"\nfuel = 1_000_000_000_000\ntimeout = \"30s\"";
        std::fs::create_dir_all(folder.join("dist")).unwrap();
        std::fs::write(folder.join("plugin.toml"), MANIFEST.replace("abi = \"legacy\"", runtime)).unwrap();
        std::fs::write(folder.join("dist/erp-hostile.wasm"), GuestText::of(guest).component()).unwrap();
        let program = |arguments: &[&str]| {
            let mut command = Command::new(PROGRAM);
            command.current_dir(folder).args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
            command.env("XDG_CACHE_HOME", folder).env("XDG_CONFIG_HOME", folder);
            command
        };
        assert!(program(&["pack", "-q"]).stdout(Stdio::null()).status().unwrap().success());
        let dev = ["dev", "--no-watch", "--state-dir", "state", "--port", "0", "--format", "json"];
        let mut child = program(&dev).stdout(Stdio::piped()).spawn().unwrap();
        let mut hello = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while hello.lines().last() != Some("}") {
            assert!(lines.read_line(&mut hello).unwrap() > 0, "the dev host ended: {hello}");
        }
        let hello: Value = serde_json::from_str(&hello).unwrap();
        let address = hello["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let host = Host { child: child.into(), address, users: hello["users"].clone() };
        let package = std::fs::read(folder.join("dist/erp-hostile-1.0.0.erpx")).unwrap();
        let admin = host.token("admin@acme");
        host.ask("POST", "/api/v1/admin/plugins/upload", Some(&admin), &package);
        for step in ["install", "enable"] {
            host.ask("POST", &format!("/api/v1/admin/plugins/{PLUGIN}/{step}"), Some(&admin), b"");
        }
        host
    }

    fn token(&self, user: &str) -> String {
        let users = self.users.as_array().unwrap();
        users.iter().find(|known| known["user"] == user).unwrap()["token"].as_str().unwrap().to_owned()
    }

    fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &[u8]) -> Duration {
        let started = Instant::now();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let token = token.map_or_else(String::new, |token| format!("authorization: Bearer {token}\r\n"));
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{token}content-length: {}\r\n", self.address, body.len());
        stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        // A call that is running when the host is killed gets no answer.
        let _ = stream.read_to_end(&mut answer);
        started.elapsed()
    }

    fn invoke(&self) {
        let body = json!({ "plugin": PLUGIN, "call": "plugin-api.handle-event(\"x\", [1])" }).to_string();
        self.ask("POST", "/_dev/invoke", Some(&self.token("admin@acme")), body.as_bytes());
    }

    /// Measures requests while the calls run; returns the times of each column of the table.
    fn ask_others(&self) -> [Vec<Duration>; 5] {
        let (globex, acme) = (self.token("admin@globex"), self.token("admin@acme"));
        let list = format!("/api/v1/plugins/{PLUGIN}/item");
        let row = format!("{list}/00000000-0000-0000-0000-000000000000");
        let mut times = [const { Vec::new() }; 5];
        let started = Instant::now();
        while started.elapsed() < TIME {
            times[0].push(self.ask("GET", "/health", None, b""));
            times[1].push(self.ask("GET", &row, Some(&globex), b""));
            times[2].push(self.ask("GET", &list, Some(&globex), b""));
            times[3].push(self.ask("POST", &list, Some(&globex), br#"{"sku":"G"}"#));
            times[4].push(self.ask("GET", "/_dev/calls", Some(&acme), b""));
            std::thread::sleep(Duration::from_millis(20));
        }
        times
    }

    /// Kills the dev host, and the running calls with it.
    fn end(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
