//! Hostile guests: each ends with its own error and stores nothing, and the next call works.

use erp_runtime::{CallOutcome, Compilation, Detail, Runtime};

use crate::support::hostile::{ATTACKS, Attack, HONEST, Host, Survived, survive};

fn by_name(name: &str) -> &'static Attack {
    ATTACKS.iter().find(|attack| attack.name == name).unwrap()
}

#[test]
fn every_attack_is_met_by_its_own_error_and_the_next_call_works() {
    let host = Host::new();
    let honest = host.load(&HONEST.component()).unwrap();
    let mut wrong = Vec::new();
    for attack in ATTACKS {
        let survived = survive(&host, attack);
        if survived.code != attack.code {
            wrong.push(format!("{}: {}, not {}", attack.name, survived.code, attack.code));
        }
        let next = host.call(&honest, &[], Detail::Outline);
        assert!(next.result.is_ok(), "after {}: {:?}", attack.name, next.result);
        assert_eq!(next.trace.changes.len(), 5, "after {}", attack.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_runtime_for_edits_gives_the_same_results_for_the_same_fuel() {
    let (host, edits) = (Host::new(), Host::over(Runtime::for_edits().unwrap()));
    let honest = HONEST.component();
    let before = host.call(&host.load(&honest).unwrap(), &[], Detail::Full);
    // The second time, its compiled functions are known.
    for _ in 0..2 {
        let again = edits.call(&edits.load(&honest).unwrap(), &[], Detail::Full);
        assert_eq!((again.trace.fuel, again.trace.memory), (before.trace.fuel, before.trace.memory));
        assert_eq!(format!("{:?}", again.result), format!("{:?}", before.result));
        let calls = |outcome: &CallOutcome| {
            let calls = outcome.trace.host_calls.iter();
            calls.map(|call| (call.function, call.fuel)).collect::<Vec<_>>()
        };
        assert_eq!(calls(&again), calls(&before));
    }
    for attack in ATTACKS {
        let (one, other) = (survive(&host, attack), survive(&edits, attack));
        assert_eq!(one.code, other.code, "{}", attack.name);
        // How deep a stack can be, and how far a guest gets in a given time, depend on the machine.
        if !matches!(attack.code, "limit.time" | "guest.stack_overflow") {
            let fuel = |survived: &Survived| survived.outcome.as_ref().map(|outcome| outcome.trace.fuel);
            assert_eq!(fuel(&one), fuel(&other), "{}", attack.name);
        }
    }
}

#[test]
fn a_spent_time_ends_the_guest_and_not_the_host() {
    let survived = survive(&Host::new(), by_name("an endless loop with all the fuel of the world"));
    assert!(survived.time >= std::time::Duration::from_millis(40), "{:?}", survived.time);
}

#[test]
fn a_guest_that_fails_keeps_nothing() {
    let host = Host::new();
    let failed = survive(&host, by_name("writes before it gives up")).outcome.unwrap();
    assert_eq!(failed.trace.host_calls.len(), 1);
    assert!(failed.trace.changes.is_empty());
    let mut database = host.database.lock();
    let (_, rows) = database.inspect(Some(&host.manifest), None, "select count(*) from item", 1).unwrap();
    assert_eq!(rows[0][0], 0);
}

#[test]
fn a_guest_cannot_forge_or_flood_the_log() {
    let host = Host::new();
    let forged = survive(&host, by_name("a forged line in the log")).outcome.unwrap();
    assert_eq!(forged.trace.logs[0].message, "line\n\\u{1b}[31mforged\\u{7}");
    let flooded = survive(&host, by_name("a flood of log records")).outcome.unwrap();
    assert_eq!((flooded.trace.logs.len(), flooded.trace.suppressed_logs), (256, 4_744));
}

#[test]
fn what_is_denied_stands_in_the_trace() {
    let host = Host::new();
    let denied = survive(&host, by_name("an event that was not granted")).outcome.unwrap();
    assert_eq!(
        (denied.trace.denials[0].function.name(), denied.trace.denials[0].subject.as_str()),
        ("events.publish", "other.entity")
    );
}

#[test]
fn a_full_trace_holds_arguments_results_statements_and_fuel() {
    let host = Host::new();
    let honest = host.load(&HONEST.component()).unwrap();
    let outline = host.call(&honest, &[], Detail::Outline);
    let full = host.call(&honest, &[], Detail::Full);
    let call = &full.trace.host_calls[1];
    assert_eq!((call.function.name(), call.subject.as_str()), ("db.insert", "item"));
    assert_eq!(call.arguments["row"]["sku"], "A-1");
    assert_eq!(call.result["version"], 1);
    assert!(call.sql[0].starts_with("insert into \"plugin_erp_hostile_item\""), "{:?}", call.sql);
    assert!(call.fuel > full.trace.host_calls[0].fuel && full.trace.fuel > call.fuel);
    // A detailed trace changes nothing for the guest.
    assert_eq!(outline.trace.fuel, full.trace.fuel);
    assert!(outline.trace.host_calls[1].arguments.is_null() && outline.trace.host_calls[1].sql.is_empty());
}

#[test]
fn a_plugin_that_this_version_cannot_read_is_told_and_not_forgotten() {
    use erp_manifest::Moment;
    use erp_platform::{Directory, Platform};
    use erp_runtime::Surroundings;
    use erp_store::{Database, PluginRecord, PluginStatus};

    let mut database = Database::in_memory().unwrap();
    let record = PluginRecord {
        id: "erp-future".to_owned(),
        name: "未来".to_owned(),
        version: "9.0.0".to_owned(),
        status: PluginStatus::Running,
        error: None,
        package_sha256: String::new(),
        manifest: serde_json::json!({ "manifest_version": 1, "metadata": "of another shape" }),
    };
    database.begin().unwrap();
    database.installed().put_plugin(&record, Moment::of_system_clock()).unwrap();
    database.commit().unwrap();
    let runtime = std::sync::Arc::new(Runtime::new(Compilation::default()).unwrap());
    let mut platform = Platform::new(runtime, database, Surroundings::of_this_machine(), Directory::default());
    platform.lifecycle().recover().unwrap();
    let known = platform.plugins();
    assert_eq!((known[0].id.as_str(), known[0].status), ("erp-future", PluginStatus::Error));
    assert!(known[0].error.as_ref().unwrap().contains("cannot read its manifest"), "{known:?}");
}
