//! The test bench: what `test`, `bench`, `replay` and `sql` do with a real component.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Client, Sandbox, debug_component, repository, template_component};

/// Returns the inventory template and its release component.
fn inventory() -> (Sandbox, String) {
    let component = template_component("inventory").display().to_string();
    (Sandbox::with_template("inventory"), component)
}

fn stock_file(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("erp-demo/tests/stock.test.toml")
}

/// Replaces a text that must occur exactly once in the file.
fn change(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn accept_writes_what_was_found_and_nothing_else() {
    let (sandbox, component) = inventory();
    let file = stock_file(&sandbox);
    let good = std::fs::read_to_string(&file).unwrap();
    change(&file, "| A-001 | 50       | 2       |", "| A-001 | 51       | 2       |");
    change(
        &file,
        "expect.json = { status = \"approved\", code = \"PO20260415-0001\", version = 2 }",
        "expect.json = { status = \"open\", code = \"PO20260415-0001\", version = 2 }",
    );
    let test = |rest: &[&str]| {
        let mut arguments = vec!["-C", "erp-demo", "test", "--component", component.as_str()];
        arguments.extend(rest);
        sandbox.json(&arguments)
    };
    let (code, failed) = test(&[]);
    assert_eq!((code, &failed["failed"]), (1, &serde_json::json!(1)), "{failed}");
    // The first failing step ends the case: accepting its result reveals the next one.
    test(&["--accept"]);
    let (code, passed) = test(&["--accept"]);
    assert_eq!((code, &passed["ok"]), (0, &serde_json::json!(true)), "{passed}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), good, "comments, order and tables stay as they were");
}

#[test]
fn a_failing_case_says_who_wrote_the_row_and_keeps_its_database() {
    let (sandbox, component) = inventory();
    change(&stock_file(&sandbox), "| A-001 | 50       | 2       |", "| A-001 | 51       | 2       |");
    let run = sandbox.run(&["-C", "erp-demo", "test", "--component", &component]);
    assert!(run.stderr.contains("--keep-databases"), "{}", run.stderr);
    assert!(!sandbox.path("erp-demo/target/failed").exists(), "nothing is written that was not asked for");
    let run = sandbox.run(&["-C", "erp-demo", "test", "--component", &component, "--keep-databases"]);
    let told = &run.stderr;
    assert!(told.contains("expected 51, found 50"), "{told}");
    assert!(told.contains("written by host call") && told.contains("db.batch"), "{told}");
    let kept = sandbox.path("erp-demo/target/failed");
    let file = std::fs::read_dir(kept).unwrap().next().unwrap().unwrap().path();
    let query =
        ["-C", "erp-demo", "sql", file.to_str().unwrap(), "select sku, quantity from inventory_item order by sku"];
    let (code, rows) = sandbox.json(&query);
    assert_eq!((code, rows["rows"][0].to_string()), (0, r#"["A-001",50]"#.to_owned()), "{rows}");
    let writes = ["-C", "erp-demo", "sql", file.to_str().unwrap(), "delete from plugins"];
    assert_eq!(sandbox.json(&writes).0, 2);
}

#[test]
fn the_lock_of_budgets_holds_fuel_to_what_it_was() {
    let (sandbox, component) = inventory();
    let test = |rest: &[&str]| {
        let mut arguments = vec!["-C", "erp-demo", "test", "--component", component.as_str()];
        arguments.extend(rest);
        sandbox.json(&arguments)
    };
    assert_eq!(test(&["--lock-budget"]).0, 0);
    let lock = sandbox.path("erp-demo/tests/budget.lock.toml");
    let text = std::fs::read_to_string(&lock).unwrap();
    assert_eq!(test(&[]).0, 0);
    // Fuel is exact: the same component uses the same fuel in any order of the cases.
    assert_eq!(test(&["--lock-budget", "--shuffle", "5"]).0, 0);
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), text);
    let (name, fuel) = text
        .lines()
        .find_map(|line| {
            line.split_once(" = ")?
                .1
                .parse::<u64>()
                .ok()
                .filter(|fuel| *fuel > 1_000)
                .map(|fuel| (line.to_owned(), fuel))
        })
        .unwrap();
    change(&lock, &name, &name.replace(&fuel.to_string(), &(fuel / 2).to_string()));
    let (code, failed) = test(&[]);
    assert_eq!(code, 1);
    assert!(failed.to_string().contains("scenario/over-budget"), "{failed}");
    assert_eq!(test(&["--ratchet", "150"]).0, 0);
}

#[test]
fn tenants_do_not_see_one_another_whatever_fails() {
    let (sandbox, component) = inventory();
    let (code, tested) = sandbox.json(&[
        "-C",
        "erp-demo",
        "test",
        "--component",
        &component,
        "--isolation",
        "--explore",
        "--scale",
        "1,10",
    ]);
    assert_eq!(code, 0, "{tested}");
    assert!(tested["faults"].as_u64().unwrap() > 20, "{tested}");
    let growth = &tested["growth"][0];
    assert!(growth["costs"][1]["fuel"].as_u64() >= growth["costs"][0]["fuel"].as_u64(), "{growth}");
}

#[test]
fn a_recording_is_replayed_and_becomes_a_scenario() {
    let (sandbox, component) = inventory();
    let event = r#"{ "event": { "id": "e1", "event-type": "sales.order.shipped", "source": "platform", "occurred-at-ms": 0, "attempt": 1,
        "payload": "{\"order_id\":\"SO-1\",\"lines\":[{\"sku\":\"A-1\",\"quantity\":1}]}" } }"#;
    let call = [
        "-C",
        "erp-demo",
        "call",
        "--component",
        &component,
        "event-handler.handle-event",
        "--json",
        event,
        "--record",
        "call.ndjson",
        "--otlp",
        "trace.json",
    ];
    assert_eq!(sandbox.json(&call).0, 0);
    let (code, replayed) = sandbox.json(&["-C", "erp-demo", "replay", "--component", &component, "call.ndjson"]);
    assert_eq!((code, &replayed["same"]), (0, &serde_json::json!(1)), "{replayed}");
    let file = sandbox.path("erp-demo/call.ndjson");
    change(&file, "which is no item of ours", "which is somebody's");
    let (code, differs) = sandbox.json(&["-C", "erp-demo", "replay", "--component", &component, "call.ndjson"]);
    assert_eq!(code, 1);
    assert!(differs["calls"][0]["differences"][0].as_str().unwrap().starts_with("log:"), "{differs}");
    change(&file, "\"limit\":", "\"limit_\":");
    let (_, diverges) = sandbox.json(&["-C", "erp-demo", "replay", "--component", &component, "call.ndjson"]);
    assert!(
        diverges["calls"][0]["differences"][0].as_str().unwrap().starts_with("host call 1: `db.query"),
        "{diverges}"
    );
    let trace: serde_json::Value =
        serde_json::from_slice(&std::fs::read(sandbox.path("erp-demo/trace.json")).unwrap()).unwrap();
    let spans = trace["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!((spans[1]["name"].as_str(), &spans[1]["parentSpanId"]), (Some("db.query"), &spans[0]["spanId"]));
}

#[test]
fn a_recorded_event_becomes_a_scenario_that_passes() {
    let (sandbox, component) = inventory();
    // The recording that a dev host would have written for an event that read one row.
    let line = serde_json::json!({
        "schema": 1, "plugin": "erp-demo", "version": "0.1.0", "began_ms": 1_776_240_000_000_i64,
        "invocation": { "event": { "id": "e", "type": "sales.order.shipped", "source": "platform", "occurred_at_ms": 0,
            "attempt": 1, "payload": { "order_id": "SO-9", "lines": [{ "sku": "A-9", "quantity": 1 }] } } },
        "context": { "tenant": "acme", "request_id": "r", "trigger": "event", "locale": "zh-CN", "event_depth": 0, "user": null },
        "host_calls": [{ "function": "db.query", "subject": "inventory_item", "arguments": {}, "error": null,
            "result": { "rows": [{ "id": "019d8e70-0800-7003-b6d7-6cec99e07585", "sku": "A-8", "name": "螺丝", "quantity": 5, "version": 1 }] } }],
        "entropy": [], "result": { "ok": null }, "logs": [], "events": [], "fuel": 1,
    });
    std::fs::write(sandbox.path("erp-demo/shipped.ndjson"), format!("{line}\n")).unwrap();
    let made = sandbox.run(&["-C", "erp-demo", "test", "--from-recording", "shipped.ndjson"]);
    let text = &made.stdout;
    assert!(text.contains("rows.inventory_item = '''") && text.contains("| A-8 | 螺丝 |"), "{text}");
    std::fs::write(sandbox.path("erp-demo/tests/shipped.test.toml"), text).unwrap();
    let (code, tested) = sandbox.json(&["-C", "erp-demo", "test", "--component", &component, "shipped"]);
    assert_eq!(code, 0, "{tested}\n{text}");
}

#[test]
fn a_recorded_button_becomes_a_scenario_that_passes_with_what_its_events_led_to() {
    let (sandbox, component) = inventory();
    sandbox.take_component("erp-demo", &component);
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let file = sandbox.path("erp-demo/button.ndjson");
    {
        let host = sandbox.dev_host(&["--record", file.to_str().unwrap()]);
        let client = Client::new(&host, "admin@acme", "erp-demo");
        assert_eq!(client.upload(&sandbox, "erp-demo/dist/erp-demo-0.1.0.erpx").0, 201);
        client.start();
        let created = |path: &str, data: Value| client.rows("POST", path, &json!({ "data": data })).1["id"].clone();
        let item = created("/inventory_item", json!({ "sku": "A-1", "name": "螺丝" }));
        let order = created("/purchase_order", json!({ "supplier": "东方五金" }));
        created("/purchase_line", json!({ "order_id": order, "item_id": item, "quantity": 3, "unit_price": "1.20" }));
        let path = format!("/purchase_order/{}/actions/approve", order.as_str().unwrap());
        assert_eq!(client.rows("POST", &path, &json!({})).0, 200);
    }
    let scenario = || {
        let made = sandbox.run(&["-C", "erp-demo", "test", "--from-recording", "button.ndjson"]).succeeded().stdout;
        sandbox.write("erp-demo/tests/button.test.toml", &made);
        let (code, tested) = sandbox.json(&["-C", "erp-demo", "test", "--component", &component, "button"]);
        (made, code, tested)
    };
    let (made, code, tested) = scenario();
    assert_eq!(code, 0, "{tested}\n{made}");
    assert!(made.contains("quantity = 3") && !made.contains("# no step"), "{made}");
    // No call read the item: the scenario makes one up for the line that refers to it.
    let lines = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = lines.lines().filter(|line| !line.contains("\"invocation\":{\"event\"")).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let (made, _, tested) = scenario();
    assert!(made.contains("rows.inventory_item = '''") && !made.contains("| A-1 |"), "{made}");
    let findings = tested["findings"].as_array().unwrap();
    assert!(findings.iter().all(|one| one["code"] == "scenario/mismatch"), "every row is there: {tested}");
}

#[test]
fn coverage_is_that_of_the_component_as_it_is_and_tells_what_a_change_affects() {
    let (sandbox, component) = debug_component("inventory");
    let test = |rest: &[&str]| {
        let mut arguments = vec!["-C", "erp-demo", "test", "--component", component.as_str()];
        arguments.extend(rest);
        sandbox.json(&arguments)
    };
    let (code, tested) = test(&["--coverage", "--lcov", "lcov.info"]);
    assert_eq!(code, 0, "{tested}");
    let coverage = &tested["coverage"];
    let (lines, covered) = (coverage["lines"].as_u64().unwrap(), coverage["covered"].as_u64().unwrap());
    assert!(lines > 50 && covered * 100 > lines * 85 && covered <= lines, "{coverage}");
    let lcov = std::fs::read_to_string(sandbox.path("erp-demo/lcov.info")).unwrap();
    assert!(
        lcov.contains("src/stock.rs\n") && lcov.contains(&format!("LF:{}\n", coverage["files"][0]["lines"])),
        "{lcov}"
    );
    assert_eq!(test(&["--affected"]).0, 0);
    let file = sandbox.path("erp-demo/src/stock.rs");
    change(&file, "which is no item of ours", "which is nobody's");
    let (_, affected) = test(&["--affected"]);
    let (passed, skipped) = (affected["passed"].as_u64().unwrap(), affected["skipped"].as_u64().unwrap());
    assert!(passed >= 1 && skipped > passed, "{affected}");
    // A component from elsewhere has no lines of this folder, and the command says so.
    let release = template_component("inventory").display().to_string();
    let (code, refused) = sandbox.json(&["-C", "erp-demo", "test", "--component", &release, "--coverage"]);
    assert_eq!((code, refused["error"]["code"].as_str()), (3, Some("coverage")), "{refused}");
    // A release build keeps its lines beside the component that ships; coverage is measured on that component.
    let target = repository().join("target/test-guests");
    sandbox.run(&["-C", "erp-demo", "build", "--release", "--target-dir", target.to_str().unwrap()]).succeeded();
    let shipped = sandbox.read("erp-demo/dist/erp-demo.wasm");
    assert!(!shipped.windows(11).any(|window| window == b".debug_line"), "lines are shipped");
    let (code, tested) = sandbox.json(&["-C", "erp-demo", "test", "--coverage"]);
    let (lines, covered) = (&tested["coverage"]["lines"], &tested["coverage"]["covered"]);
    let (lines, covered) = (lines.as_u64().unwrap(), covered.as_u64().unwrap());
    assert!(code == 0 && lines > 40 && covered * 100 > lines * 80 && covered <= lines, "{}", tested["coverage"]);
}

#[test]
fn bench_measures_each_call_and_draws_where_the_fuel_goes() {
    let (sandbox, component) = inventory();
    let arguments = [
        "-C",
        "erp-demo",
        "bench",
        "--component",
        &component,
        "--rounds",
        "2",
        "--flamegraph",
        "fuel.svg",
        "shipping 10",
    ];
    let (code, bench) = sandbox.json(&arguments);
    assert_eq!(code, 0, "{bench}");
    let call = &bench["calls"][0];
    assert_eq!(
        (call["call"].as_str(), call["samples"].as_u64()),
        (Some("event sales.order.shipped"), Some(4)),
        "{bench}"
    );
    assert!(call["fuel_max"].as_u64().unwrap() > 10_000 && call["host_calls"].as_u64().unwrap() >= 2);
    let picture = std::fs::read_to_string(sandbox.path("erp-demo/fuel.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("fuel by function"), "{}", &picture[..200]);
}
