//! No request waits for another user's call, and a host that is asked to end ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use erp_manifest::outgoing::{HttpRequest, HttpTransport, Network, TransportBounds, TransportError};
use erp_plugin::network::NetworkTransport;
use erp_runtime::Interrupt;
use serde_json::{Value, json};

use crate::support::hostile::{GuestText, MANIFEST};
use crate::support::{Client, DevHost, Sandbox, request};

const PLUGIN: &str = "erp-hostile";
const EVENT: &str = "plugin-api.handle-event(\"x\", [1])";
const LOOP: &str = "(loop $again (br $again)) (unreachable)";
const WRITE_AND_LOOP: &str = "(call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) \
    (loop $again (br $again)) (unreachable)";

/// Returns a sandbox with a packed plugin whose calls may take `seconds` seconds.
fn packed(body: &'static str, seconds: u32) -> Sandbox {
    let sandbox = Sandbox::new();
    let runtime = format!("abi = \"legacy\"\nfuel = 1_000_000_000_000\ntimeout = \"{seconds}s\"");
    sandbox.write("plugin.toml", MANIFEST.replace("abi = \"legacy\"", &runtime));
    sandbox.take_bytes(".", GuestText::of(body).component());
    sandbox.run(&["pack"]).succeeded();
    sandbox
}

fn running(sandbox: &Sandbox) -> DevHost {
    let host = sandbox.dev_host(&[]);
    let admin = Client::new(&host, "admin@acme", PLUGIN);
    assert_eq!(admin.upload(sandbox, "dist/erp-hostile-1.0.0.erpx").0, 201);
    admin.start();
    host
}

fn invoke(host: &DevHost) -> (u16, Value) {
    let acme = Client::new(host, "admin@acme", PLUGIN);
    acme.ask("POST", "/_dev/invoke", &json!({ "plugin": PLUGIN, "call": EVENT }))
}

/// Sends a request and does not wait for the answer.
fn begin(host: &DevHost, method: &str, path: &str, token: &str, headers: &str, body: &str) -> TcpStream {
    let address = host.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n{headers}\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    stream
}

#[test]
fn a_guest_that_computes_holds_nobody_up() {
    let sandbox = packed(LOOP, 8);
    let host = running(&sandbox);
    std::thread::scope(|scope| {
        let long = scope.spawn(|| invoke(&host));
        let globex = Client::new(&host, "admin@globex", PLUGIN);
        let acme = Client::new(&host, "admin@acme", PLUGIN);
        for _ in 0..30 {
            assert_eq!(request(&host.url(), "GET", "/health", None, &[], &[]).0, 200);
            let (status, row) = globex.rows("POST", "/item", &json!({ "sku": "G" }));
            assert_eq!(status, 201, "{row}");
            assert_eq!(globex.rows("GET", &format!("/item/{}", row["id"].as_str().unwrap()), &Value::Null).0, 200);
            assert_eq!(acme.rows("GET", "/item", &Value::Null).0, 200);
            assert_eq!(acme.ask("GET", "/_dev/calls", &Value::Null).0, 200);
            assert_eq!(acme.admin("GET", "").0, 200);
            assert_eq!(globex.ask("POST", "/_dev/sql", &json!({ "sql": "select 1" })).0, 200);
        }
        assert!(!long.is_finished(), "the others waited for the call");
        let (status, answer) = long.join().unwrap();
        assert_eq!((status, &answer["code"]), (500, &json!("limit.time")), "{answer}");
    });
    // All rows were stored: 30 of the one tenant, none of the other.
    let count = |user: &str| Client::new(&host, user, PLUGIN).rows("GET", "/item", &Value::Null).1["total"].clone();
    assert_eq!((count("admin@globex"), count("admin@acme")), (json!(30), json!(0)));
}

#[test]
fn whoever_wants_to_write_beside_a_call_that_has_written_waits_for_a_while_and_is_told() {
    let sandbox = packed(WRITE_AND_LOOP, 8);
    let host = running(&sandbox);
    std::thread::scope(|scope| {
        let long = scope.spawn(|| invoke(&host));
        let globex = Client::new(&host, "admin@globex", PLUGIN);
        // Until the call has written, other writes succeed.
        let refused = std::iter::repeat_with(|| globex.rows("POST", "/item", &json!({ "sku": "G" })))
            .find(|(status, _)| *status != 201)
            .unwrap();
        assert_eq!(refused.0, 503, "{}", refused.1);
        assert_eq!((&refused.1["code"], &refused.1["retryable"]), (&json!("db.busy"), &json!(true)));
        assert_eq!(globex.rows("GET", "/item", &Value::Null).0, 200, "whoever reads waits for nobody");
        // Several requests at once wait together, not one after the other.
        let wait = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| globex.rows("POST", "/item", &json!({ "sku": "G" })));
            }
        });
        assert!(wait.elapsed() < Duration::from_secs(6), "{:?}", wait.elapsed());
        long.join().unwrap();
    });
    let globex = Client::new(&host, "admin@globex", PLUGIN);
    assert_eq!(globex.rows("POST", "/item", &json!({ "sku": "G" })).0, 201);
}

#[test]
fn a_call_that_read_before_somebody_wrote_is_made_again_and_nothing_is_lost() {
    // Reads, waits (a fault), and writes. In between, another tenant writes.
    let body = "(call $query (i32.const 16) (i32.const 4) (i32.const 128) (i32.const 2) (i32.const 128) (i32.const 13) \
        (i32.const 1032)) (call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) \
        (i32.store (i32.const 1024) (i32.load8_u (i32.const 1032))) \
        (i32.store (i32.const 1028) (i32.load (i32.const 1036))) (i32.store (i32.const 1032) (i32.load (i32.const 1040))) \
        (i32.const 1024)";
    let body: &'static str =
        Box::leak(body.replace("(i32.const 128) (i32.const 2)", "(i32.const 48) (i32.const 0)").into());
    let sandbox = packed(body, 20);
    let host = running(&sandbox);
    let acme = Client::new(&host, "admin@acme", PLUGIN);
    let fault = json!({ "at": "db.insert", "delay": "1500ms" });
    assert_eq!(acme.ask("POST", "/_dev/faults", &fault).0, 200);
    std::thread::scope(|scope| {
        let long = scope.spawn(|| invoke(&host));
        let globex = Client::new(&host, "admin@globex", PLUGIN);
        while !long.is_finished() {
            assert_eq!(globex.rows("POST", "/item", &json!({ "sku": "G" })).0, 201);
            std::thread::sleep(Duration::from_millis(20));
        }
        let (status, answer) = long.join().unwrap();
        assert_eq!(status, 200, "{answer}");
    });
    assert_eq!(acme.rows("GET", "/item", &Value::Null).1["total"], 1);
}

#[test]
fn a_call_whose_client_has_left_is_ended_and_one_that_waits_is_not_begun() {
    let sandbox = packed(LOOP, 60);
    let host = running(&sandbox);
    let body = json!({ "plugin": PLUGIN, "call": EVENT }).to_string();
    let length = format!("content-length: {}\r\n", body.len());
    let token = host.token("admin@acme");
    // More calls than may run at the same time for one tenant.
    let left: Vec<TcpStream> = (0..6).map(|_| begin(&host, "POST", "/_dev/invoke", &token, &length, &body)).collect();
    let acme = Client::new(&host, "admin@acme", PLUGIN);
    std::thread::sleep(Duration::from_millis(300));
    drop(left);
    let ended = || {
        let (_, calls) = acme.ask("GET", "/_dev/calls?kind=call&failed=true", &Value::Null);
        let calls = calls["items"].as_array().unwrap().clone();
        calls.into_iter().filter(|call| call["error"]["code"] == "call.interrupted").count()
    };
    let began = Instant::now();
    while ended() < 3 {
        assert!(began.elapsed() < Duration::from_secs(20), "{} calls were ended", ended());
        std::thread::sleep(Duration::from_millis(50));
    }
    // The calls that were waiting never began.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ended(), 3);
}

#[test]
fn nothing_is_read_of_a_stranger() {
    let sandbox = packed("(call $ok)", 5);
    let host = running(&sandbox);
    for (method, path) in
        [("POST", "/api/v1/admin/plugins/upload"), ("POST", "/_dev/sql"), ("GET", "/api/v1/registry/key")]
    {
        let length = "content-length: 60000000\r\n";
        let mut stream = begin(&host, method, path, "nobody", length, "");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401", "{path}");
    }
    // A body that cannot be read gets 400. A second host header, or an origin with a non-ASCII letter, is refused as
    // foreign.
    let token = host.token("admin@acme");
    let refused = |headers: &str, body: &str| {
        let mut stream = begin(&host, "POST", "/_dev/sql", &token, headers, body);
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    };
    assert_eq!(refused("transfer-encoding: chunked\r\n", "zz\r\n"), "HTTP/1.1 400");
    assert_eq!(refused("host: evil.example\r\n", ""), "HTTP/1.1 403");
    assert_eq!(refused("origin: http://127.0.0.1\u{e9}\r\n", ""), "HTTP/1.1 403");
}

#[cfg(unix)]
#[test]
fn a_host_ends_when_it_is_told_whatever_it_is_doing() {
    for signal in ["-TERM", "-INT"] {
        let sandbox = packed(LOOP, 60);
        // After the greeting, this test reads nothing that the host prints.
        let mut command = sandbox.command(&["dev", "--no-watch", "--state-dir", "state", "--port", "0", "--verbose"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = Vec::new();
        let mut stdout = child.stdout.take().unwrap();
        while !String::from_utf8_lossy(&said).contains("publish --to http://") {
            let mut part = [0; 256];
            let count = stdout.read(&mut part).unwrap();
            said.extend_from_slice(&part[..count]);
        }
        let said = String::from_utf8(said).unwrap();
        let word = |name: &str| {
            let line = said.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        let (url, token) = (word("address"), word("admin@acme"));
        let ask = |method: &str, path: &str, body: &[u8]| request(&url, method, path, Some(&token), body, &[]);
        let package = sandbox.read("dist/erp-hostile-1.0.0.erpx");
        assert_eq!(ask("POST", "/api/v1/admin/plugins/upload", &package).0, 201);
        assert_eq!(ask("POST", "/api/v1/admin/plugins/erp-hostile/install", &[]).0, 200);
        assert_eq!(ask("POST", "/api/v1/admin/plugins/erp-hostile/enable", &[]).0, 200);
        // These requests fill the pipes of its output; then a guest runs.
        for _ in 0..2_500 {
            ask("GET", "/api/v1/nothing", &[]);
        }
        let body = json!({ "plugin": PLUGIN, "call": EVENT }).to_string();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| {
                let mut stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
                let host = url.trim_start_matches("http://");
                let head = format!(
                    "POST /_dev/invoke HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                let mut answer = String::new();
                let _ = stream.read_to_string(&mut answer);
            });
            std::thread::sleep(Duration::from_millis(300));
            let told = Instant::now();
            std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
            let status = child.wait().unwrap();
            assert!(told.elapsed() < Duration::from_secs(4), "{signal}: {:?}", told.elapsed());
            assert!(status.success(), "{signal}: {status}");
            running.join().unwrap();
        });
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_acknowledged_into_a_file_that_was_deleted() {
    let sandbox = packed("(call $ok)", 5);
    let host = running(&sandbox);
    let acme = Client::new(&host, "admin@acme", PLUGIN);
    assert_eq!(acme.rows("POST", "/item", &json!({ "sku": "A" })).0, 201);
    std::fs::remove_dir_all(sandbox.path("state")).unwrap();
    for _ in 0..2 {
        let (status, answer) = acme.rows("POST", "/item", &json!({ "sku": "B" }));
        assert_eq!((status, &answer["code"]), (500, &json!("host.database")));
        assert!(answer["message"].as_str().unwrap().contains("deleted or replaced"), "{answer}");
    }
    let (status, answer) = invoke(&host);
    assert_eq!(status, 500, "{answer}");
}

#[cfg(unix)]
#[test]
fn what_a_host_keeps_is_its_users_alone_and_secrets_are_sealed() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    let manifest = MANIFEST.replace("[capabilities]", "[capabilities]\nsecrets = [\"bank\"]");
    sandbox.write("plugin.toml", manifest);
    sandbox.take_bytes(".", GuestText::of("(call $ok)").component());
    sandbox.run(&["pack"]).succeeded();
    let mode = |name: &str| std::fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777;
    // A folder as an earlier version created it.
    std::fs::create_dir(sandbox.path("state")).unwrap();
    std::fs::set_permissions(sandbox.path("state"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let host = running(&sandbox);
    assert_eq!(mode("state"), 0o700);
    for file in ["platform.sqlite", "platform.sqlite-wal", "tokens.json", "secrets.key", "registry.pem"] {
        assert_eq!(mode(&format!("state/{file}")), 0o600, "{file}");
    }
    let acme = Client::new(&host, "admin@acme", PLUGIN);
    let path = "/api/v1/admin/plugins/erp-hostile/secrets";
    let (status, answer) = acme.ask("PUT", path, &json!({ "bank": "geheimes-passwort" }));
    assert!(status < 300, "{answer}");
    let (status, answer) = acme.ask("POST", "/_dev/sql", &json!({ "sql": "select * from erp_secrets" }));
    assert_eq!(status, 400, "{answer}");
    drop(host);
    for file in ["platform.sqlite", "platform.sqlite-wal"] {
        let bytes = std::fs::read(sandbox.path(&format!("state/{file}"))).unwrap_or_default();
        assert!(!bytes.windows(8).any(|part| part == b"geheimes"), "{file}");
    }
}

#[test]
fn a_server_that_drips_bytes_holds_a_call_no_longer_than_its_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 1024]);
                let mut begun = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
                while begun.is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                    begun = stream.write_all(b"x");
                }
            });
        }
    });
    let request = HttpRequest { method: "GET".to_owned(), url, headers: Vec::new(), body: None };
    let interrupt = Interrupt::default();
    let is_interrupted = || interrupt.is_set();
    let bounds = |timeout| TransportBounds { timeout, most_bytes: 1 << 20, is_interrupted: &is_interrupted };
    let began = Instant::now();
    let late = NetworkTransport.send(&request, Network::Any, bounds(Duration::from_millis(600)));
    assert!(matches!(&late, Err(TransportError::Failed(why)) if why.contains("600ms")), "{late:?}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| NetworkTransport.send(&request, Network::Any, bounds(Duration::from_mins(5))));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waiting.is_finished());
        interrupt.set();
        assert!(waiting.join().unwrap().is_err());
    });
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_stranger_is_refused_at_once_and_a_small_body_waits_for_no_large_one() {
    let sandbox = packed(LOOP, 6);
    let host = running(&sandbox);
    std::thread::scope(|scope| {
        let long = scope.spawn(|| invoke(&host));
        // Changes of plugins wait for the call, but callers without a token are refused at once.
        std::thread::sleep(Duration::from_millis(300));
        for path in ["/api/v1/admin/plugins/upload", "/api/v1/admin/plugins/erp-hostile/disable", "/_dev/clock"] {
            let began = Instant::now();
            assert_eq!(request(&host.url(), "POST", path, None, &[], &[]).0, 401, "{path}");
            assert!(began.elapsed() < Duration::from_secs(1), "{path}: {:?}", began.elapsed());
        }
        let acme = Client::new(&host, "admin@acme", PLUGIN);
        let began = Instant::now();
        assert_eq!(acme.ask("POST", "/_dev/clock", &json!({ "advance": "1m" })).0, 200);
        assert!(began.elapsed() < Duration::from_secs(2), "the clock waits for no compiler: {:?}", began.elapsed());
        long.join().unwrap();
    });
    // Uploads whose announced bodies never arrive.
    let token = host.token("admin@acme");
    let large = format!("content-length: {}\r\n", 60 << 20);
    let stalled: Vec<TcpStream> =
        (0..6).map(|_| begin(&host, "POST", "/api/v1/admin/plugins/upload", &token, &large, "x")).collect();
    let acme = Client::new(&host, "admin@acme", PLUGIN);
    let began = Instant::now();
    assert_eq!(acme.rows("POST", "/item", &json!({ "sku": "S" })).0, 201);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(stalled);
}
