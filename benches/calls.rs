//! The cost of a call, compared with bare wasmtime and with the platform's engine as it was designed.
//!
//! Run with `cargo bench --bench calls`. All benchmarks of one run do the same inserts in guests of the same kind, on
//! SQLite. `cargo bench --bench calls -- attacks` prints how each hostile guest ends and what it costs. `-- plugins`
//! prints how much memory loaded plugins take, and `-- compile` what compiling costs. `docs/benchmarks.md` has the
//! figures of the last run.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on stops")]
#![expect(clippy::print_stdout, clippy::disallowed_macros, reason = "a table is what this is for")]
#![expect(clippy::disallowed_methods, reason = "it starts the program and is no part of it")]
#![expect(clippy::panic, reason = "a benchmark that cannot go on stops")]

#[path = "../tests/suite/support/hostile.rs"]
#[expect(unreachable_pub, reason = "the tests share it")]
mod hostile;

#[path = "../tests/suite/support/expensive.rs"]
#[expect(unreachable_pub, reason = "the tests share it")]
mod expensive;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use divan::Bencher;
use erp_manifest::{Manifest, Moment, TenantId};
use erp_runtime::{Detail, LoadedPlugin, Runtime};
use erp_storage::Scope;
use erp_store::SharedDatabase;
use serde_json::Value;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, PoolingAllocationConfig, Store};

use expensive::FAMILIES;
use hostile::{ATTACKS, GuestText, HONEST, Host, survive};

/// A guest that inserts one row.
const ONE_ROW: GuestText = GuestText::of(
    "(call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032)) (call $ok)",
);

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("attacks") => attacks(),
        Some("plugins") => plugins(),
        Some("compile") => compile(),
        _ => divan::main(),
    }
}

// ---- ours ----

fn ours(bencher: Bencher<'_, '_>, guest: &GuestText, detail: Detail) {
    let host = Host::new();
    let plugin = host.load(&guest.component()).unwrap();
    bencher.bench_local(|| host.call(&plugin, &[], detail).result.unwrap());
}

#[divan::bench]
fn one_row_our_runtime(bencher: Bencher<'_, '_>) {
    ours(bencher, &ONE_ROW, Detail::Outline);
}

#[divan::bench]
fn five_rows_our_runtime(bencher: Bencher<'_, '_>) {
    ours(bencher, &HONEST, Detail::Outline);
}

/// Sleeps 200 µs before each call: real requests have pauses, in which the processor's caches go cold.
#[divan::bench]
fn one_row_with_pauses(bencher: Bencher<'_, '_>) {
    let host = Host::new();
    let plugin = host.load(&ONE_ROW.component()).unwrap();
    bencher
        .with_inputs(|| std::thread::sleep(Duration::from_micros(200)))
        .bench_local_values(|()| host.call(&plugin, &[], Detail::Outline).result.unwrap());
}

#[divan::bench]
fn five_rows_our_runtime_with_all_details(bencher: Bencher<'_, '_>) {
    ours(bencher, &HONEST, Detail::Full);
}

// ---- bare wasmtime: pooled, pre-instantiated, the same host work ----

struct Bare {
    database: SharedDatabase,
    manifest: Arc<Manifest>,
    ids: u128,
    /// Writes that are applied after the call, as in the platform's design.
    pending: Vec<Vec<u8>>,
    waits: bool,
}

type Bytes = Result<Vec<u8>, String>;

impl Bare {
    fn insert(&mut self, data: &[u8]) -> Bytes {
        let mut database = self.database.lock();
        let entity = database.catalog().entity(&self.manifest.metadata.id, "item").unwrap();
        let Ok(Value::Object(row)) = serde_json::from_slice(data) else { return Err("no object".to_owned()) };
        let ids = &mut self.ids;
        let mut new_id = || {
            *ids += 1;
            format!("{:032x}", *ids)
        };
        let row = database.writer().insert(&entity, &scope(), &row, &mut new_id).map_err(|error| error.to_string())?;
        Ok(row.to_flat().to_string().into_bytes())
    }
}

fn scope() -> Scope {
    Scope::of_tenant(&TenantId::new("acme").unwrap(), Moment::parse("2026-04-15T08:00:00Z").unwrap())
}

fn linker(engine: &Engine) -> Linker<Bare> {
    let mut linker = Linker::new(engine);
    let mut api = linker.instance("erp:plugin/host-api").unwrap();
    api.func_wrap("db-insert", |mut store, (_, data): (String, Vec<u8>)| {
        let bare: &mut Bare = store.data_mut();
        if bare.waits {
            bare.pending.push(data);
            return Ok((Bytes::Ok(Vec::new()),));
        }
        Ok((bare.insert(&data),))
    })
    .unwrap();
    api.func_wrap("db-query", |_, (_, _, _): (String, Vec<u8>, Vec<u8>)| Ok((Bytes::Ok(Vec::new()),))).unwrap();
    api.func_wrap("event-publish", |_, (_, _): (String, Vec<u8>)| Ok((Result::<(), String>::Ok(()),))).unwrap();
    api.func_wrap("config-get", |_, (_,): (String,)| Ok((Bytes::Ok(Vec::new()),))).unwrap();
    api.func_wrap("log-write", |_, (_, _): (String, String)| Ok(())).unwrap();
    linker
}

fn bare_engine() -> Engine {
    let mut config = Config::new();
    let mut pool = PoolingAllocationConfig::new();
    pool.max_memory_size(512 << 20);
    config.consume_fuel(true).epoch_interruption(true).memory_reservation(512 << 20).allocation_strategy(pool);
    Engine::new(&config).unwrap()
}

fn bare_call(
    engine: &Engine,
    instances: &InstancePre<Bare>,
    function: wasmtime::component::ComponentExportIndex,
    host: &Host,
    ids: &mut u128,
) {
    host.database.lock().begin().unwrap();
    let bare = Bare {
        database: host.database.clone(),
        manifest: Arc::clone(&host.manifest),
        ids: *ids,
        pending: Vec::new(),
        waits: false,
    };
    let mut store = Store::new(engine, bare);
    store.set_fuel(10_000_000).unwrap();
    store.set_epoch_deadline(1_000_000);
    let instance = instances.instantiate(&mut store).unwrap();
    let handle = instance.get_typed_func::<(String, Vec<u8>), (Result<(), String>,)>(&mut store, function).unwrap();
    handle.call(&mut store, ("hostile.event".to_owned(), b"{}".to_vec())).unwrap().0.unwrap();
    *ids = store.into_data().ids;
    host.database.lock().commit().unwrap();
}

fn bare(bencher: Bencher<'_, '_>, guest: &GuestText) {
    let host = Host::new();
    let engine = bare_engine();
    let component = Component::new(&engine, guest.component()).unwrap();
    let instances = linker(&engine).instantiate_pre(&component).unwrap();
    let api = component.get_export_index(None, "erp:plugin/plugin-api").unwrap();
    let function = component.get_export_index(Some(&api), "handle-event").unwrap();
    let mut ids = 1;
    bencher.bench_local(|| bare_call(&engine, &instances, function, &host, &mut ids));
}

#[divan::bench]
fn one_row_bare_wasmtime(bencher: Bencher<'_, '_>) {
    bare(bencher, &ONE_ROW);
}

#[divan::bench]
fn five_rows_bare_wasmtime(bencher: Bencher<'_, '_>) {
    bare(bencher, &HONEST);
}

// ---- the platform's engine as designed: instantiate_async in each call, spawn_blocking, timeout, writes afterwards ----

fn designed(bencher: Bencher<'_, '_>, guest: &GuestText) {
    let host = Host::new();
    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::new(&engine, guest.component()).unwrap();
    let linker = linker(&engine);
    let api = component.get_export_index(None, "erp:plugin/plugin-api").unwrap();
    let function = component.get_export_index(Some(&api), "handle-event").unwrap();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut ids = 1;
    bencher.bench_local(|| {
        let bare = Bare {
            database: host.database.clone(),
            manifest: Arc::clone(&host.manifest),
            ids,
            pending: Vec::new(),
            waits: true,
        };
        let mut store = Store::new(&engine, bare);
        store.set_fuel(10_000_000).unwrap();
        let mut bare = tokio.block_on(async {
            let instance = linker.instantiate_async(&mut store, &component).await.unwrap();
            let work = tokio::task::spawn_blocking(move || {
                let handle =
                    instance.get_typed_func::<(String, Vec<u8>), (Result<(), String>,)>(&mut store, function).unwrap();
                handle.call(&mut store, ("hostile.event".to_owned(), b"{}".to_vec())).unwrap().0.unwrap();
                store.into_data()
            });
            tokio::time::timeout(Duration::from_secs(30), work).await.unwrap().unwrap()
        });
        host.database.lock().begin().unwrap();
        for data in std::mem::take(&mut bare.pending) {
            bare.insert(&data).unwrap();
        }
        host.database.lock().commit().unwrap();
        ids = bare.ids;
    });
}

#[divan::bench]
fn one_row_platform_design(bencher: Bencher<'_, '_>) {
    designed(bencher, &ONE_ROW);
}

#[divan::bench]
fn five_rows_platform_design(bencher: Bencher<'_, '_>) {
    designed(bencher, &HONEST);
}

// ---- tables ----

/// Returns the resident memory of this process, in bytes; 0 where `/proc` is missing.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}

fn attacks() {
    let host = Host::new();
    let honest = host.load(&HONEST.component()).unwrap();
    host.call(&honest, &[], Detail::Outline).result.unwrap();
    println!("| attack | met by | time | memory grew by | next call |\n|---|---|---|---|---|");
    for attack in ATTACKS {
        let before = resident();
        let survived = survive(&host, attack);
        let grown = resident().saturating_sub(before);
        let next = host.call(&honest, &[], Detail::Outline).result.is_ok();
        println!(
            "| {} | `{}` | {:.2} ms | {:.1} MB | {} |",
            attack.name,
            survived.code,
            survived.time.as_secs_f64() * 1e3,
            grown as f64 / f64::from(1 << 20),
            if next { "works" } else { "FAILS" }
        );
        // A table of attacks that were not stopped would be worse than none.
        assert_eq!(survived.code, attack.code, "{}", attack.name);
        let kept = survived.outcome.filter(|outcome| outcome.result.is_err());
        assert!(kept.is_none_or(|outcome| outcome.trace.changes.is_empty()), "{}", attack.name);
    }
}

/// Measures compiling the components that are within the bounds, and refusing those that are not. The components of a
/// family cost more to compile than their size suggests, and grow until they are refused. `-- compile NAME` takes the
/// families with NAME in their names; `-- compile FILE` takes a file.
fn compile() {
    let wanted = argument().unwrap_or_default();
    println!("| component | bytes | verdict | time | memory of the compiler |\n|---|---|---|---|---|");
    if let Ok(bytes) = fs_err::read(&wanted) {
        return compile_one(&wanted, &bytes);
    }
    for family in FAMILIES.iter().filter(|family| family.name.contains(&wanted)) {
        for size in family.sizes {
            compile_one(&family.name.replace("{}", &size.to_string()), &(family.component)(*size));
        }
    }
}

/// Returns the argument after the name of the table. Cargo's own flag `--bench` does not count.
fn argument() -> Option<String> {
    std::env::args().nth(2).filter(|argument| argument != "--bench")
}

fn compile_one(name: &str, bytes: &[u8]) {
    let started = Instant::now();
    let excess = erp_component::excess(bytes);
    let counting = started.elapsed();
    // `ERP_BENCH_ANYWAY=1` also compiles refused components, to show why they are refused.
    let is_forced = std::env::var_os("ERP_BENCH_ANYWAY").is_some();
    let (verdict, time, peak) = match &excess {
        Some(excess) if !is_forced => (excess.to_string(), Duration::ZERO, 0),
        _ => compile_apart(bytes),
    };
    let refused = excess.filter(|_| is_forced).map_or_else(String::new, |excess| format!(" (refused: {excess})"));
    println!(
        "| {name} | {} | {verdict}{refused} | {:.3} s, of which counting {:.3} | {} MB |",
        bytes.len(),
        (time + counting).as_secs_f64(),
        counting.as_secs_f64(),
        peak >> 20
    );
}

/// Compiles in a separate process, as the runtime does; returns the verdict, the time and the peak memory in bytes.
fn compile_apart(bytes: &[u8]) -> (String, Duration, u64) {
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_erp-plugin"))
        .args(["compile-component", "calls", "300", &(12_u64 << 30).to_string()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let status = format!("/proc/{}/status", child.id());
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes));
        let code = scope.spawn(move || {
            let mut code = Vec::new();
            std::io::Read::read_to_end(&mut stdout, &mut code).map(|_| code.len())
        });
        let mut peak = 0;
        while !code.is_finished() {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0);
            peak = peak.max(kib << 10);
            std::thread::sleep(Duration::from_millis(2));
        }
        let ended = child.wait().unwrap();
        let verdict = if ended.success() { "compiled".to_owned() } else { ended.to_string() };
        (verdict, started.elapsed(), peak)
    })
}

fn plugins() {
    let host = Host::new();
    // A component file named in the arguments replaces the small guest.
    let bytes = argument().map_or_else(|| HONEST.component(), |file| fs_err::read(file).unwrap());
    let runtime: &Runtime = &host.runtime;
    let before = resident();
    let started = Instant::now();
    let loaded: Vec<LoadedPlugin> =
        (0..1_000).map(|_| runtime.load(&bytes, Arc::clone(&host.manifest)).unwrap()).collect();
    println!(
        "1,000 plugins of {} bytes loaded in {:.2} s, {:.0} KB each",
        bytes.len(),
        started.elapsed().as_secs_f64(),
        (resident() - before) as f64 / 1024.0 / loaded.len() as f64
    );
}
