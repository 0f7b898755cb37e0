//! Calls per second on one thread and on two: calls of different tenants that compute, that write a row to a SQLite
//! file, and that write a row to PostgreSQL.
//!
//! `cargo bench --bench parallel [-- postgres://…]` prints a table for docs/benchmarks.md. One and two threads are
//! measured in turn, so that both see the same load of the machine. It leaves tables behind: name a database that has
//! no other use.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, clippy::disallowed_macros, reason = "a table is what this is for")]

#[path = "../tests/suite/support/hostile.rs"]
#[expect(unreachable_pub, dead_code, reason = "the tests share it")]
mod hostile;

use std::sync::Arc;
use std::time::{Duration, Instant};

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, TenantId};
use erp_runtime::{CallContext, Compilation, Host, HostCallRequest, Invocation, LoadedPlugin, Runtime, Trigger};
use erp_storage::{NoStorage, Storage, StoredEvent};
use erp_store::{Database, Pool, PostgresUrl};
use serde_json::json;

use hostile::{GuestText, MANIFEST};

const TIME: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
/// Adds numbers for about a tenth of a millisecond.
const COMPUTE: &str = "(local.set $n (i32.const 100000)) \
    (loop $again (local.set $m (i32.add (local.get $m) (local.get $n))) \
      (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $again (local.get $n))) (call $ok)";
const ONE_ROW: &str =
    "(call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) (call $ok)";

fn manifest() -> Arc<Manifest> {
    Arc::new(erp_manifest::parse(&SourceFile::new("plugin.toml", MANIFEST)).0.unwrap())
}

fn request(tenant: usize) -> HostCallRequest {
    let tenant = TenantId::new(format!("t{tenant}")).unwrap();
    let context = CallContext {
        request_id: "r".to_owned(),
        tenant: tenant.clone(),
        caller: None,
        trigger: Trigger::Event,
        locale: "zh-CN".to_owned(),
        event_depth: 0,
    };
    let event = StoredEvent {
        seq: 1,
        id: "e".to_owned(),
        tenant,
        event_type: "hostile.event".to_owned(),
        source: "platform".to_owned(),
        payload: json!({}),
        occurred_at_ms: 0,
        depth: 0,
    };
    HostCallRequest::new(context, Invocation::Event { event: Arc::new(event), attempt: 1 })
}

/// Returns the calls per second of `threads` threads, each with a tenant of its own.
fn rate<S: Storage + 'static>(host: &Host<S>, plugin: &LoadedPlugin, threads: usize) -> f64 {
    let calls: usize = std::thread::scope(|scope| {
        let work = |tenant| {
            scope.spawn(move || {
                let (request, started) = (request(tenant), Instant::now());
                let mut calls = 0;
                while started.elapsed() < TIME {
                    host.call(plugin, &request).result.unwrap();
                    calls += 1;
                }
                calls
            })
        };
        let threads: Vec<_> = (0..threads).map(work).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    calls as f64 / TIME.as_secs_f64()
}

fn measure<S: Storage + 'static>(name: &str, guest: &'static str, storage: S) {
    let runtime = Arc::new(Runtime::new(Compilation::default()).unwrap());
    let plugin = runtime.load(&GuestText::of(guest).component(), manifest()).unwrap();
    let host = Host::builder(runtime, storage).with_threads(2).build().unwrap();
    let mut pairs: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (rate(&host, &plugin, 1), rate(&host, &plugin, 2))).collect();
    pairs.sort_by(|left, right| (left.1 / left.0).total_cmp(&(right.1 / right.0)));
    let (one, two) = pairs[ROUNDS / 2];
    println!("| {name} | {one:.0} | {two:.0} | {:.2} |", two / one);
}

fn pool(mut database: Database) -> Pool {
    let manifest = manifest();
    database.begin().unwrap();
    database.schema().install_schema(&manifest).unwrap();
    database.commit().unwrap();
    database.serve_schema(&manifest);
    Pool::new(database, 2).unwrap()
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("| calls that | one thread, a second | two threads | times |\n|---|---|---|---|");
    measure("compute for 0.1 ms", COMPUTE, NoStorage);
    let folder = tempfile::tempdir().unwrap();
    let file = Database::open(&folder.path().join("rows.sqlite")).unwrap();
    measure("write a row, SQLite", ONE_ROW, pool(file));
    if let Some(address) = std::env::args().find(|argument| argument.starts_with("postgres")) {
        let address: PostgresUrl = address.parse().unwrap();
        measure("write a row, PostgreSQL", ONE_ROW, pool(Database::open_postgres(&address).unwrap()));
    }
}
