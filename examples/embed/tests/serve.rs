//! Runs the example as a platform does: eight clients, both databases, and a count of the acknowledged calls.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const CLIENTS: usize = 8;
/// How many seconds the clients send requests; `ERP_EMBED_SECONDS` overrides it.
const SECONDS: u64 = 20;

/// Runs `erp-plugin`, which the same build has put beside the example.
fn erp_plugin(folder: &Path, keys: &Path, arguments: &[&str]) {
    let program = Path::new(env!("CARGO_BIN_EXE_embed")).with_file_name("erp-plugin");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/test-guests");
    let done = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target)
        .env("XDG_CONFIG_HOME", keys)
        .output();
    let done = done.expect("`cargo test` at the root of the repository builds erp-plugin too");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Creates and signs the inventory plugin; returns the paths of its package and of the public key.
fn package(folder: &Path) -> (PathBuf, PathBuf) {
    erp_plugin(folder, folder, &["new", "erp-demo", "--template", "inventory"]);
    let project = folder.join("erp-demo");
    erp_plugin(&project, folder, &["key", "new", "vendor", "--no-passphrase"]);
    erp_plugin(&project, folder, &["pack"]);
    let packed = || std::fs::read_dir(project.join("dist")).unwrap().map(|entry| entry.unwrap().path());
    let package = packed().find(|path| path.extension().is_some_and(|extension| extension == "erpx")).unwrap();
    erp_plugin(&project, folder, &["sign", package.to_str().unwrap(), "--key", "vendor"]);
    (package, folder.join("erp-plugin/keys/vendor.pub.pem"))
}

/// The process of the example, which is killed when this is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(package: &Path, database: &str, key: &Path) -> Server {
        let mut process = Command::new(env!("CARGO_BIN_EXE_embed"))
            .arg(package)
            .args([database, "--key"])
            .arg(key)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        assert!(line.contains("runs on"), "{line}");
        Server { process, address }
    }

    fn client(&self, tenant: usize) -> Client {
        Client { stream: BufReader::new(TcpStream::connect(&self.address).unwrap()), tenant }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One connection of one user.
struct Client {
    stream: BufReader<TcpStream>,
    tenant: usize,
}

impl Client {
    fn ask(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer kim@t{}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.tenant,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status =
            line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        let mut length = 0;
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header).unwrap();
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn total(&mut self, entity: &str) -> u64 {
        let (status, page) = self.ask("GET", &format!("/plugins/erp-demo/{entity}"), &Value::Null);
        assert_eq!(status, 200, "{page}");
        page["total"].as_u64().unwrap()
    }
}

/// Ships goods as fast as the server answers; returns the number of acknowledged shipments, and all other answers.
fn ship(mut client: Client, until: Instant) -> (u64, Vec<String>) {
    let (mut acknowledged, mut refused) = (0, Vec::new());
    let number = client.tenant;
    while Instant::now() < until {
        let payload =
            json!({ "order_id": format!("SO-{number}-{acknowledged}"), "lines": [{ "sku": "A", "quantity": 1 }] });
        let event = json!({ "type": "sales.order.shipped", "payload": payload });
        match client.ask("POST", "/events/erp-demo", &event) {
            (204, _) => acknowledged += 1,
            (status, body) => refused.push(format!("{status} {body}")),
        }
    }
    (acknowledged, refused)
}

fn hold(database: &str, package: &Path, key: &Path) {
    let server = Server::start(package, database, key);
    let row = json!({ "sku": "A", "name": "件", "quantity": 1_000_000 });
    for tenant in 0..CLIENTS {
        let (status, body) = server.client(tenant).ask("POST", "/plugins/erp-demo/inventory_item", &row);
        assert_eq!(status, 200, "{body}");
    }
    let seconds = std::env::var("ERP_EMBED_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let until = Instant::now() + Duration::from_secs(seconds);
    let clients: Vec<_> = (0..CLIENTS).map(|tenant| server.client(tenant)).collect();
    let working: Vec<_> = clients.into_iter().map(|client| std::thread::spawn(move || ship(client, until))).collect();
    let mut all = 0;
    for (tenant, thread) in working.into_iter().enumerate() {
        let (acknowledged, refused) = thread.join().unwrap();
        assert_eq!(refused, Vec::<String>::new(), "tenants refuse each other");
        assert!(acknowledged > 0);
        assert_eq!(server.client(tenant).total("stock_move"), acknowledged, "rows = acknowledged calls");
        all += acknowledged;
    }
    let (status, page) = server.client(0).ask("GET", "/plugins/erp-demo/inventory_item", &Value::Null);
    let moves = server.client(0).total("stock_move");
    assert_eq!((status, page["rows"][0]["data"]["quantity"].as_u64().unwrap()), (200, 1_000_000 - moves));
    eprintln!("{}: {all} calls of {CLIENTS} tenants in {seconds} s, none refused", database.split(':').next().unwrap());
}

#[test]
fn eight_clients_find_every_call_that_was_acknowledged_on_both_databases() {
    let folder = tempfile::tempdir().unwrap();
    let (package, key) = package(folder.path());
    hold(&format!("sqlite:{}", folder.path().join("rows.sqlite").display()), &package, &key);
    let server = std::env::var("ERP_PLUGIN_TEST_POSTGRES").expect("tests/run.sh starts a PostgreSQL");
    // A database of its own, which is removed with the cluster.
    let name = format!("embed_{}", std::process::id());
    let executor = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    executor.block_on(async {
        let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(&format!("create database {name}")).await.unwrap();
        drop(client);
        let _ = connection.await;
    });
    hold(&format!("{}/{name}", server.rsplit_once('/').unwrap().0), &package, &key);
}

#[test]
fn a_package_that_the_key_did_not_sign_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (package, _) = package(folder.path());
    erp_plugin(folder.path(), folder.path(), &["key", "new", "other", "--no-passphrase"]);
    let refused = Command::new(env!("CARGO_BIN_EXE_embed"))
        .arg(package)
        .arg(format!("sqlite:{}", folder.path().join("rows.sqlite").display()))
        .arg("--key")
        .arg(folder.path().join("erp-plugin/keys/other.pub.pem"))
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("refused"), "{refused:?}");
}
