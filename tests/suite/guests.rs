//! Guests: the platform's first contract, and a guest that uses all of std.

use crate::support::{Sandbox, fixture_component, repository, template_component};

fn test_fixture(name: &str) {
    let component = fixture_component(name);
    let project = repository().join("tests/fixtures").join(name);
    let sandbox = Sandbox::new();
    let arguments = ["-C", project.to_str().unwrap(), "test", "--component", component.to_str().unwrap()];
    sandbox.run(&arguments).succeeded();
}

#[test]
fn a_component_for_the_first_contract_runs_unchanged() {
    test_fixture("legacy-plugin");
}

#[test]
fn std_works_without_wasi_or_says_what_does_not() {
    test_fixture("std-plugin");
}

#[test]
fn the_host_does_what_it_promises_and_no_more() {
    test_fixture("host-plugin");
}

#[test]
fn names_that_clash_and_every_type_are_written_in_rust() {
    test_fixture("odd-plugin");
}

#[test]
fn a_part_is_built_and_composed_and_what_it_prints_is_heard() {
    test_fixture("linked-plugin");
}

#[test]
fn a_call_shows_everything_that_it_did() {
    let component = template_component("inventory");
    let sandbox = Sandbox::with_template("inventory");
    let call = |rest: &[&str]| {
        let mut arguments = vec!["-C", "erp-demo", "call", "--component", component.to_str().unwrap()];
        arguments.extend(rest);
        sandbox.json(&arguments)
    };
    let event = r#"{ "event": { "id": "e1", "event-type": "sales.order.shipped", "source": "sales", "occurred-at-ms": 0, "attempt": 1,
        "payload": "{\"order_id\":\"SO-1\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":1}]}" } }"#;
    let (code, called) = call(&["event-handler.handle-event", "--json", event]);
    assert_eq!(
        (code, &called["ok"], &called["result"]),
        (0, &serde_json::json!(true), &serde_json::json!("ok")),
        "{called}"
    );
    assert_eq!(called["host_calls"][0]["function"], "db.query", "{called}");
    assert!(called["fuel"].as_u64().unwrap() > 1_000);
    let (code, refused) = call(&["event-handler.handle-event", "--json", r#"{ "evnt": {} }"#]);
    assert_eq!(code, 2);
    assert!(refused["error"]["message"].as_str().unwrap().contains("has no `evnt`; it has ctx, event"), "{refused}");
    let (code, _) = call(&["base.nothing()"]);
    assert_eq!(code, 2);
    let fixed = ["event-handler.handle-event", "--json", event, "--now", "2026-04-15T08:00:00Z"];
    assert_eq!(call(&fixed), call(&fixed), "with a clock that stands, a call can be repeated to the byte");
}

#[test]
fn a_missing_toolchain_has_a_code_and_a_next_step() {
    let sandbox = Sandbox::with_template("minimal").variable("ERP_PLUGIN_RUST_TOOLCHAIN", "no-such-toolchain");
    let (code, failed) = sandbox.json(&["-C", "erp-demo", "build"]);
    assert_eq!((code, failed["error"]["code"].as_str()), (5, Some("toolchain/missing-target")), "{failed}");
    assert_eq!(failed["error"]["hints"][0], "erp-plugin doctor --fix");
}
