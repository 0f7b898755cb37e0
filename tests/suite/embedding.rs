//! The runtime as a platform embeds it: calls of many threads over a pool, on both databases; async calls; a platform's
//! own clock, sinks and secrets.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, TenantId};
use erp_runtime::{
    AuditSink, CallContext, CallLimits, Compilation, EmittedEvent, EventSink, FinishedCall, Host, HostCallRequest,
    Invocation, LimitOverrides, LoadedPlugin, Runtime, Surroundings, TimeSource, TraceSink, Trigger,
};
use erp_storage::{EntityRef, ListQuery, RowChange, Scope, StoredEvent};
use erp_store::{Database, Pool};
use serde_json::json;

use crate::support::hostile::{self, GuestText};
use crate::support::{Sandbox, empty_database, template_component};

/// The number of calls that each thread makes.
const CALLS: usize = 40;
const THREADS: usize = 8;

fn tenant(number: usize) -> TenantId {
    TenantId::new(format!("t{number}")).unwrap()
}

fn scope(tenant: &TenantId) -> Scope {
    Scope::of_tenant(tenant, Moment::parse("2026-04-15T08:00:00Z").unwrap())
}

fn context(tenant: &TenantId) -> CallContext {
    CallContext {
        request_id: "r".to_owned(),
        tenant: tenant.clone(),
        caller: None,
        trigger: Trigger::Event,
        locale: "en".to_owned(),
        event_depth: 0,
    }
}

/// The delivery of an event to the inventory plugin: goods were shipped.
fn shipped(tenant: &TenantId, order: &str, quantity: i64) -> HostCallRequest {
    let event = StoredEvent {
        seq: 1,
        id: order.to_owned(),
        tenant: tenant.clone(),
        event_type: "sales.order.shipped".to_owned(),
        source: "platform".to_owned(),
        payload: json!({ "order_id": order, "lines": [{ "sku": "A", "quantity": quantity }] }),
        occurred_at_ms: 0,
        depth: 0,
    };
    HostCallRequest::new(context(tenant), Invocation::Event { event: Arc::new(event), attempt: 1 })
}

/// The inventory plugin over a pool, with an item of 1,000 pieces for each tenant.
struct Shop {
    host: Host<Pool>,
    plugin: LoadedPlugin,
    manifest: Arc<Manifest>,
    _folder: Sandbox,
}

/// The databases of these tests: a file, and a database on a server.
fn databases(folder: &Sandbox) -> [(&'static str, Database); 2] {
    [
        ("sqlite", Database::open(&folder.path("rows.sqlite")).unwrap()),
        ("postgresql", Database::open_postgres(&empty_database().parse().unwrap()).unwrap()),
    ]
}

fn manifest_of(folder: &Sandbox) -> Arc<Manifest> {
    let text = String::from_utf8(folder.read("erp-demo/plugin.toml")).unwrap();
    Arc::new(erp_manifest::parse(&SourceFile::new("plugin.toml", text)).0.unwrap())
}

fn install(database: &mut Database, manifest: &Arc<Manifest>, tenants: usize) {
    database.begin().unwrap();
    database.schema().install_schema(manifest).unwrap();
    database.serve_schema(manifest);
    let item = database.catalog().entity(&manifest.metadata.id, "inventory_item").unwrap();
    let row = json!({ "sku": "A", "name": "件", "quantity": 1_000 });
    let mut number = 0_u32;
    for tenant in (0..tenants).map(tenant) {
        let mut new_id = || {
            number += 1;
            format!("01a22e93-c61f-7000-8614-{number:012x}")
        };
        database.writer().insert(&item, &scope(&tenant), row.as_object().unwrap(), &mut new_id).unwrap();
    }
    database.commit().unwrap();
}

fn shops() -> Vec<(&'static str, Shop)> {
    let component = std::fs::read(template_component("inventory")).unwrap();
    let folder = || Sandbox::with_template("inventory");
    let first = folder();
    let names = databases(&first);
    let mut folders = vec![first, folder()];
    names
        .into_iter()
        .map(|(name, mut database)| {
            let folder = folders.remove(0);
            let manifest = manifest_of(&folder);
            install(&mut database, &manifest, THREADS);
            let runtime = Arc::new(Runtime::new(Compilation::default()).unwrap());
            let plugin = runtime.load(&component, Arc::clone(&manifest)).unwrap();
            let pool = Pool::new(database, THREADS).unwrap();
            let host = Host::builder(runtime, pool).with_threads(THREADS).build().unwrap();
            (name, Shop { host, plugin, manifest, _folder: folder })
        })
        .collect()
}

impl Shop {
    fn entity(&self, name: &str) -> EntityRef {
        let unit = self.host.storage().take().unwrap();
        unit.catalog().entity(&self.manifest.metadata.id, name).unwrap()
    }

    fn quantity(&self, tenant: &TenantId) -> usize {
        let item = self.entity("inventory_item");
        let unit = self.host.storage().take().unwrap();
        let page =
            unit.reader().list(&item, &scope(tenant), &ListQuery { by_plugin: true, ..ListQuery::default() }).unwrap();
        page.rows[0].data["quantity"].as_u64().unwrap() as usize
    }

    fn moves(&self, tenant: &TenantId) -> usize {
        let moves = self.entity("stock_move");
        let unit = self.host.storage().take().unwrap();
        unit.reader().count(&moves, &scope(tenant), &ListQuery { by_plugin: true, ..ListQuery::default() }).unwrap()
            as usize
    }
}

/// Makes calls on eight threads; returns the errors of those that were refused.
fn ship(shop: &Shop, tenant_of: impl Fn(usize) -> TenantId + Sync) -> Vec<String> {
    let refused = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (refused, tenant_of) = (&refused, &tenant_of);
            scope.spawn(move || {
                for call in 0..CALLS {
                    let tenant = tenant_of(thread);
                    let outcome = shop.host.call(&shop.plugin, &shipped(&tenant, &format!("SO-{thread}-{call}"), 1));
                    if let Err(error) = outcome.result {
                        refused.lock().unwrap().push(error.to_string());
                    }
                }
            });
        }
    });
    refused.into_inner().unwrap()
}

#[test]
fn calls_of_eight_tenants_never_refuse_each_other() {
    for (name, shop) in shops() {
        assert_eq!(ship(&shop, tenant), Vec::<String>::new(), "{name}");
        for tenant in (0..THREADS).map(tenant) {
            assert_eq!((shop.moves(&tenant), shop.quantity(&tenant)), (CALLS, 1_000 - CALLS), "{name}");
        }
    }
}

#[test]
fn calls_that_change_one_row_are_made_again_until_each_has_its_effect_once() {
    for (name, shop) in shops() {
        assert_eq!(ship(&shop, |_| tenant(0)), Vec::<String>::new(), "{name}");
        let done = THREADS * CALLS;
        assert_eq!((shop.moves(&tenant(0)), shop.quantity(&tenant(0))), (done, 1_000 - done), "{name}");
    }
}

/// A host over one SQLite file, for guests in text.
fn small_host(folder: &Sandbox, guest: &GuestText, threads: usize) -> (Host<Pool>, LoadedPlugin) {
    let (manifest, _) = erp_manifest::parse(&SourceFile::new("plugin.toml", hostile::MANIFEST));
    let manifest = Arc::new(manifest.unwrap());
    let mut database = Database::open(&folder.path("rows.sqlite")).unwrap();
    database.begin().unwrap();
    database.schema().install_schema(&manifest).unwrap();
    database.commit().unwrap();
    database.serve_schema(&manifest);
    let runtime = Arc::new(Runtime::new(Compilation::default()).unwrap());
    let plugin = runtime.load(&guest.component(), manifest).unwrap();
    (Host::builder(runtime, Pool::new(database, threads).unwrap()).with_threads(threads).build().unwrap(), plugin)
}

fn rows(host: &Host<Pool>, plugin: &LoadedPlugin) -> u64 {
    let item = EntityRef::all(plugin.manifest()).next().unwrap();
    let unit = host.storage().take().unwrap();
    unit.reader().count(&item, &scope(&tenant(0)), &ListQuery { by_plugin: true, ..ListQuery::default() }).unwrap()
}

const INSERT: &str = "(call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032))";

fn leaked(text: String) -> GuestText {
    GuestText::of(Box::leak(text.into_boxed_str()))
}

#[test]
fn an_async_call_that_is_dropped_ends_its_guest_and_leaves_nothing() {
    let folder = Sandbox::new();
    // It writes, and then computes until it is ended; the default time limit is thirty seconds.
    let endless = leaked(format!("{INSERT} (loop $again (br $again)) (unreachable)"));
    let (host, plugin) = small_host(&folder, &endless, 2);
    let executor = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    executor.block_on(async {
        let mut fuel = LimitOverrides::default();
        fuel.add("fuel", "1000000000000").unwrap();
        let limits = CallLimits::of(plugin.manifest()).with(&fuel);
        let request = HostCallRequest { limits: Some(limits), ..shipped(&tenant(0), "SO-1", 1) };
        let call = host.call_async(&plugin, request);
        let mut ticks = 0;
        let ended = tokio::time::timeout(Duration::from_millis(300), async {
            tokio::select! {
                _ = call => {}
                () = async { loop { tokio::time::sleep(Duration::from_millis(5)).await; ticks += 1; } } => {}
            }
        });
        assert!(ended.await.is_err());
        // One thread runs all futures: if the call blocked it, there would be no ticks.
        assert!(ticks > 10, "{ticks}");
    });
    // The guest has freed its thread and its connection: two more calls find both free.
    let (quick, started) = (leaked(format!("{INSERT} (call $ok)")), Instant::now());
    let quick = host.runtime().load(&quick.component(), Arc::clone(plugin.manifest())).unwrap();
    let calls = (0..2).map(|call| host.call_async(&quick, shipped(&tenant(0), &format!("SO-{call}"), 1)));
    let calls: Vec<_> = calls.collect();
    executor.block_on(async {
        for call in calls {
            call.await.result.unwrap();
        }
    });
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(rows(&host, &plugin), 2, "what was dropped left nothing");
}

/// Records events, and counts changes and failed calls.
#[derive(Debug, Default)]
struct Listener {
    events: Mutex<Vec<String>>,
    changes: AtomicUsize,
    failures: AtomicUsize,
}

impl EventSink for Listener {
    fn publish(&self, call: &FinishedCall<'_>, events: &[EmittedEvent]) {
        let told = events.iter().map(|event| format!("{} of {}", event.event_type, call.context.tenant));
        self.events.lock().unwrap().extend(told);
    }
}

impl AuditSink for Listener {
    fn record(&self, _: &FinishedCall<'_>, changes: &[Arc<RowChange>]) {
        self.changes.fetch_add(changes.len(), Ordering::Relaxed);
    }
}

impl TraceSink for Listener {
    fn finished(&self, call: &FinishedCall<'_>) {
        self.failures.fetch_add(usize::from(call.error.is_some()), Ordering::Relaxed);
    }
}

/// A platform's own clock, which always shows the same moment.
#[derive(Debug)]
struct Noon;

impl TimeSource for Noon {
    fn now(&self) -> Moment {
        Moment::parse("2030-01-02T12:00:00Z").unwrap()
    }
}

#[test]
fn a_platform_hears_what_was_committed_and_brings_its_own_clock() {
    let (folder, component) = (Sandbox::with_template("inventory"), template_component("inventory"));
    let manifest = manifest_of(&folder);
    let mut database = Database::open(&folder.path("rows.sqlite")).unwrap();
    install(&mut database, &manifest, 1);
    let runtime = Arc::new(Runtime::new(Compilation::default()).unwrap());
    let plugin = runtime.load(&std::fs::read(component).unwrap(), Arc::clone(&manifest)).unwrap();
    let listener = Arc::new(Listener::default());
    let host = Host::builder(runtime, Pool::new(database, 2).unwrap())
        .with_events(Arc::<Listener>::clone(&listener))
        .with_audit(Arc::<Listener>::clone(&listener))
        .with_traces(Arc::<Listener>::clone(&listener))
        .with_surroundings(Surroundings::of_this_machine().with_clock(Arc::new(Noon)))
        .build()
        .unwrap();
    // More than is in stock: the plugin publishes that the stock is low.
    host.call(&plugin, &shipped(&tenant(0), "SO-1", 2_000)).result.unwrap();
    host.call(&plugin, &shipped(&tenant(0), "SO-2", -1)).result.unwrap_err();
    assert_eq!(*listener.events.lock().unwrap(), ["inventory.low_stock of t0"]);
    assert_eq!(listener.changes.load(Ordering::Relaxed), 2, "a move and an item");
    assert_eq!(listener.failures.load(Ordering::Relaxed), 1);
    let unit = host.storage().take().unwrap();
    let moves = unit.catalog().entity(&manifest.metadata.id, "stock_move").unwrap();
    let page =
        unit.reader().list(&moves, &scope(&tenant(0)), &ListQuery { by_plugin: true, ..ListQuery::default() }).unwrap();
    assert_eq!(page.rows[0].created_at, "2030-01-02T12:00:00.000Z");
}
