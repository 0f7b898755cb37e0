//! Guests: the platform's first contract, and a guest that uses all of std.

use std::collections::{BTreeMap, BTreeSet};

use erp_manifest::contract::HostFunction;
use serde_json::{Value, json};

use crate::support::{Sandbox, fixture_component, fixture_project, repository, template_component};

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

/// `cargo test` runs the cases of `tests/fixtures/conformance-plugin` on the mock host, and a component runs them on
/// the real one. The results must be equal.
#[test]
fn the_mock_host_of_unit_tests_answers_as_the_real_host() {
    let sandbox = fixture_project("conformance-plugin");
    let output = std::process::Command::new("cargo")
        .args(["test", "--quiet", "--", "--nocapture"])
        .current_dir(sandbox.path("erp-demo"))
        .env("CARGO_TARGET_DIR", repository().join("target/test-guests"))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = printed.lines().find_map(|line| line.strip_prefix("CASES "));
    let line = line.unwrap_or_else(|| panic!("{printed}{}", String::from_utf8_lossy(&output.stderr)));
    let mock: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();

    let component = fixture_component("conformance-plugin");
    let input = json!({ "id": "00000000-0000-7000-8000-000000000001" }).to_string();
    let arguments = json!({ "action": "run", "input": input }).to_string();
    let component = component.to_str().unwrap();
    let call = ["-C", "erp-demo", "call", "actions.invoke", "--json", &arguments, "--component", component];
    let (code, called) = sandbox.json(&call);
    assert_eq!(code, 0, "{called:#}");
    // WAVE: `ok("…")`, a JSON text inside a JSON string.
    let text = called["result"].as_str().unwrap().trim_start_matches("ok(").trim_end_matches(')');
    let text: String = serde_json::from_str(text).unwrap();
    let real: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();

    assert!(real.len() > 90, "the cases were not run: {}", real.len());
    let differing: Vec<String> = real
        .iter()
        .filter(|(name, value)| mock.get(*name) != Some(value))
        .map(|(name, value)| format!("{name}: real {value}, mock {}", mock.get(name).unwrap_or(&Value::Null)))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(mock.len(), real.len());

    // Every host function is called by a case, except those that the mock host does not have or that need users,
    // requests or expressions.
    let gaps = [
        "context.current-user",
        "context.check-permission",
        "context.data-scope",
        "db.restore",
        "db.aggregate",
        "db.resolve-labels",
        "expr.eval",
        "expr.render",
        "http.send",
    ];
    let used: BTreeSet<&str> =
        called["host_calls"].as_array().unwrap().iter().map(|call| call["function"].as_str().unwrap()).collect();
    let missing: Vec<&str> = HostFunction::traced()
        .map(HostFunction::name)
        .filter(|name| !used.contains(name) && !gaps.contains(name))
        .collect();
    assert!(missing.is_empty(), "no case calls {missing:?}");
}
