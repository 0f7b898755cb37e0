//! Calls of several threads over one database: each has a unit of work of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use erp_manifest::Moment;
use erp_runtime::Detail;
use erp_storage::{EntityRef, ListQuery, Scope};

use crate::support::hostile::{GuestText, Host};

const INSERT: &str = "(call $insert (i32.const 16) (i32.const 4) (i32.const 32) (i32.const 13) (i32.const 1032))";

fn guest(end: &str) -> GuestText {
    GuestText::of(Box::leak(format!("{INSERT} {INSERT} {INSERT} {end}").into_boxed_str()))
}

fn rows(host: &Host) -> u64 {
    let entity = EntityRef::all(&host.manifest).next().unwrap();
    let tenant = erp_manifest::TenantId::new("acme").unwrap();
    let scope = Scope::of_tenant(&tenant, Moment::parse("2026-04-15T08:00:00Z").unwrap());
    host.database
        .lock()
        .reader()
        .count(&entity, &scope, &ListQuery { by_plugin: true, ..ListQuery::default() })
        .unwrap()
}

#[test]
fn calls_of_many_threads_never_share_a_unit_of_work() {
    let host = Host::new();
    let keeps = host.load(&guest("(call $ok)").component()).unwrap();
    let traps = host.load(&guest("(unreachable)").component()).unwrap();
    let acknowledged = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (host, keeps, traps, acknowledged) = (&host, &keeps, &traps, &acknowledged);
            scope.spawn(move || {
                for call in 0..40 {
                    let plugin = if (thread + call) % 2 == 0 { keeps } else { traps };
                    let outcome = host.call(plugin, &[], Detail::Outline);
                    let is_kept = outcome.result.is_ok();
                    assert_eq!(is_kept, std::ptr::eq(plugin, keeps), "{:?}", outcome.result);
                    assert_eq!(outcome.trace.changes.len(), if is_kept { 3 } else { 0 }, "its own rows, and no others");
                    acknowledged.fetch_add(usize::from(is_kept), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(rows(&host), 3 * acknowledged.load(Ordering::Relaxed) as u64);
    assert_eq!(rows(&host), 3 * 160);
}

#[test]
fn a_unit_of_work_that_is_dropped_leaves_nothing_and_lets_the_next_one_in() {
    let host = Host::new();
    let keeps = host.load(&guest("(call $ok)").component()).unwrap();
    let entity = EntityRef::all(&host.manifest).next().unwrap();
    let tenant = erp_manifest::TenantId::new("acme").unwrap();
    let scope = Scope::of_tenant(&tenant, Moment::parse("2026-04-15T08:00:00Z").unwrap());
    let mut number = 0_u32;
    let mut new_id = || {
        number += 1;
        format!("01a22e93-c61f-7000-8614-{number:012x}")
    };
    let data = serde_json::json!({ "sku": "A-1" });
    let row = data.as_object().unwrap();
    let mut unit = host.database.begin_to_write().unwrap();
    unit.writer().insert(&entity, &scope, row, &mut new_id).unwrap();
    // A call on another thread waits until this unit has ended, and sees nothing of it.
    std::thread::scope(|threads| {
        let call = threads.spawn(|| host.call(&keeps, &[], Detail::Outline));
        std::thread::sleep(Duration::from_millis(100));
        assert!(!call.is_finished(), "the database is the first one's");
        drop(unit);
        assert_eq!(call.join().unwrap().trace.changes.len(), 3);
    });
    assert_eq!(rows(&host), 3);
    let mut unit = host.database.begin_to_write().unwrap();
    unit.writer().insert(&entity, &scope, row, &mut new_id).unwrap();
    assert_eq!(unit.commit().unwrap().len(), 1);
    assert_eq!(rows(&host), 4);
    // A panic drops the unit, like any other end.
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut unit = host.database.begin_to_write().unwrap();
        unit.writer().insert(&entity, &scope, row, &mut new_id).unwrap();
        panic!("in the middle");
    }));
    assert!(broken.is_err());
    assert_eq!(rows(&host), 4);
}
