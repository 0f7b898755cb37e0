//! Every template, exactly as a user gets it.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{
    Sandbox, expect_file, fixture_project, one_build, postgres_address, repository, template_component,
};

fn tree(folder: &Path) -> String {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let mut names: Vec<String> =
        files.iter().map(|file| file.strip_prefix(folder).unwrap().to_string_lossy().replace('\\', "/")).collect();
    names.sort();
    names.join("\n") + "\n"
}

/// Returns a command's output without what differs from machine to machine: times, fuel, sizes, digests.
fn told(text: &str) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let line = if line.trim_start().starts_with("ok ") { line.split(" (").next().unwrap_or(line) } else { line };
        let words = line.split(' ').map(|word| {
            let digits = word.trim_matches(|mark: char| !mark.is_ascii_alphanumeric());
            let is_digest = digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            if is_digest || (is_number && digits != "0") { word.replace(digits, "N") } else { word.to_owned() }
        });
        kept.push_str(words.collect::<Vec<_>>().join(" ").trim_end());
        kept.push('\n');
    }
    kept
}

/// Goes from `new` to a verified package, as a user does; returns the exports of the component.
fn whole_way(template: &str) -> Vec<String> {
    let component = template_component(template);
    let sandbox = Sandbox::with_template(template).variable("ERP_PLUGIN_KEY_PASSPHRASE", "correct horse");
    let expected = repository().join(format!("tests/snapshots/templates/{template}.txt"));
    expect_file(&expected, &tree(&sandbox.path("erp-demo")));

    sandbox.take_component("erp-demo", component);
    let (code, checked) = sandbox.json(&["-C", "erp-demo", "check"]);
    assert_eq!((code, checked["findings"].as_array().unwrap().len()), (0, 0), "{checked}");
    let (code, tested) = sandbox.json(&["-C", "erp-demo", "test"]);
    assert_eq!((code, &tested["failed"]), (0, &0.into()), "{tested:#}");
    assert!(tested["passed"].as_u64().unwrap() >= 2);

    let mut transcript = String::new();
    for command in ["check", "test", "pack"] {
        let arguments: Vec<&str> = ["-C", "erp-demo"].into_iter().chain(command.split(' ')).collect();
        let output = sandbox.run(&arguments).succeeded();
        transcript.push_str(&format!("$ erp-plugin {command}\n{}", told(&output.stdout)));
    }
    let package = "erp-demo/dist/erp-demo-0.1.0.erpx";
    let first = sandbox.read(package);
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    assert_eq!(first, sandbox.read(package), "packing twice gives the same bytes");
    sandbox.run(&["key", "new", "dev"]).succeeded();
    sandbox.run(&["sign", package, "--key", "dev"]).succeeded();
    let trust = ["key", "trust", "dev", "--trust-file", "trust.toml", "--publisher", "甲", "--scope", "erp-*"];
    sandbox.run(&trust).succeeded();
    let verified = sandbox.run(&["verify", package, "--require-signature", "--trust-file", "trust.toml"]).succeeded();
    transcript.push_str(&format!("$ erp-plugin verify --require-signature\n{}", told(&verified.stdout)));
    expect_file(&repository().join(format!("tests/snapshots/transcripts/{template}.txt")), &transcript);

    let (_, inspected) = sandbox.json(&["inspect", package]);
    let names =
        |key: &str| -> Vec<String> { inspected["component"][key].as_object().unwrap().keys().cloned().collect() };
    for import in names("imports") {
        assert!(import.starts_with("erp:plugin/"), "{template} imports {import}");
    }
    let short = |name: String| name.split(['/', '@']).nth(1).unwrap_or_default().to_owned();
    names("exports").into_iter().map(short).collect()
}

/// A template's tests pass with faults at every host call, and on PostgreSQL.
fn bears_faults_and_postgres(template: &str, least: u64) {
    let component = template_component(template);
    let sandbox = Sandbox::with_template(template);
    sandbox.take_component("erp-demo", component);
    let (code, explored) = sandbox.json(&["-C", "erp-demo", "test", "--explore"]);
    assert_eq!((code, &explored["failed"]), (0, &0.into()), "{explored:#}");
    assert!(explored["faults"].as_u64().unwrap() >= least, "{}", explored["faults"]);
    let (code, on_postgres) = sandbox.json(&["-C", "erp-demo", "test", "--database", &postgres_address()]);
    assert_eq!((code, &on_postgres["failed"]), (0, &0.into()), "{on_postgres:#}");
}

#[test]
fn minimal_goes_the_whole_way() {
    assert_eq!(whole_way("minimal"), ["base"]);
}

#[test]
fn pages_goes_the_whole_way_without_code() {
    assert_eq!(whole_way("pages"), ["base"]);
}

#[test]
fn inventory_goes_the_whole_way() {
    assert_eq!(whole_way("inventory"), ["actions", "base", "event-handler", "tenant-hooks"]);
    bears_faults_and_postgres("inventory", 20);
    let size = std::fs::metadata(template_component("inventory")).unwrap().len();
    assert!(size < 200_000, "the inventory component has {size} bytes");
}

#[test]
fn crud_goes_the_whole_way() {
    assert_eq!(whole_way("crud"), ["base"]);
}

#[test]
fn action_goes_the_whole_way() {
    assert_eq!(whole_way("action"), ["actions", "base"]);
    bears_faults_and_postgres("action", 5);
}

#[test]
fn processor_goes_the_whole_way() {
    assert_eq!(whole_way("processor"), ["base", "processor"]);
}

#[test]
fn event_goes_the_whole_way() {
    assert_eq!(whole_way("event"), ["base", "event-handler"]);
    bears_faults_and_postgres("event", 5);
}

#[test]
fn node_goes_the_whole_way() {
    assert_eq!(whole_way("node"), ["base", "nodes"]);
}

/// An exception that is no error of the host API becomes one, and the log shows its place.
fn an_exception_becomes_an_error(template: &str, file: &str) {
    let component = template_component(template);
    let sandbox = Sandbox::with_template(template);
    let event = r#"{ "event": { "id": "e", "event-type": "sales.order.paid", "source": "sales", "occurred-at-ms": 0, "attempt": 1, "payload": "{" } }"#;
    let call = [
        "-C",
        "erp-demo",
        "call",
        "event-handler.handle-event",
        "--json",
        event,
        "--component",
        component.to_str().unwrap(),
    ];
    let (_, called) = sandbox.json(&call);
    assert!(called["error"].as_str().unwrap().contains("plugin.exception"), "{called}");
    assert!(called["logs"][0]["message"].as_str().unwrap().contains(file), "{called}");
}

#[test]
fn typescript_passes_the_scenarios_of_rust() {
    assert_eq!(whole_way("event-typescript"), ["base", "event-handler"]);
    an_exception_becomes_an_error("event-typescript", "(src/plugin.ts:66)");
    assert_eq!(whole_way("node-typescript"), ["base", "nodes"]);
}

/// The first build of a project begins without types. The types take numbers, which are exact or an error, and never
/// another number.
#[test]
fn typescript_loses_no_digits_and_no_promises() {
    let sandbox = Sandbox::with_template("event-typescript");
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    sandbox.write("erp-demo/plugin.toml", manifest.replacen("[capabilities]\n", "[capabilities]\nkv = true\n", 1));
    sandbox.write(
        "erp-demo/src/plugin.ts",
        r#"import * as kv from "erp:plugin/host-kv@1.0.0";
import type * as Base from "erp:plugin/base@1.0.0";
import type * as EventHandler from "erp:plugin/event-handler@1.0.0";
import type { CallContext } from "erp:plugin/types@1.0.0";
import { guarded } from "./erp/guard.js";

export const base: typeof Base = { init: guarded((_: CallContext) => {}) };

export const eventHandler: typeof EventHandler = {
  handleEvent: guarded((_: CallContext, event: EventHandler.Event): void => {
    const by: unknown = JSON.parse(event.payload);
    if (by === "later") return Promise.resolve() as unknown as void;
    console.log(String(kv.increment("count", Number(by ?? NaN))));
  }),
};
"#,
    );
    {
        let _one = one_build();
        sandbox.run(&["-C", "erp-demo", "build"]).succeeded();
    }
    let call = |payload: &str| {
        let event = json!({ "event": { "id": "e", "event-type": "sales.order.paid", "source": "sales",
            "occurred-at-ms": 0, "attempt": 1, "payload": payload } });
        let call = ["-C", "erp-demo", "call", "--no-build", "event-handler.handle-event", "--json", &event.to_string()];
        sandbox.json(&call).1
    };
    let counted = call("4");
    assert_eq!((&counted["error"], &counted["logs"][0]["message"]), (&Value::Null, &json!("4")), "{counted}");
    for wrong in ["1.5", "null", "9007199254740993"] {
        let refused = call(wrong);
        assert!(refused["error"].as_str().unwrap_or_default().contains("no whole number up to 2^53"), "{refused}");
        assert!(refused["logs"][0]["message"].as_str().unwrap().contains("(src/plugin.ts:13)"), "{refused}");
    }
    assert!(call("\"later\"")["error"].as_str().unwrap_or_default().contains("plugin.async"));
    // Without this check, an export that the entry lacks would be found only when the plugin starts.
    let source = String::from_utf8(sandbox.read("erp-demo/src/plugin.ts")).unwrap();
    sandbox.write("erp-demo/src/plugin.ts", source.replacen("export const base", "export const bases", 1));
    let _one = one_build();
    let refused = sandbox.run(&["-C", "erp-demo", "build"]);
    assert!(
        refused.code != 0 && refused.stderr.contains("does not export base, which the world has"),
        "{}",
        refused.stderr
    );
}

#[test]
fn python_passes_the_scenarios_of_rust() {
    assert_eq!(whole_way("event-python"), ["base", "event-handler"]);
    an_exception_becomes_an_error("event-python", "plugin.py");
    assert_eq!(whole_way("node-python"), ["base", "nodes"]);
}

/// The unit tests of the templates run without WebAssembly, against a mock host.
#[test]
fn unit_tests_of_the_templates_need_no_component() {
    for template in ["inventory", "action", "processor", "event", "node", "odd-plugin"] {
        let sandbox =
            if template == "odd-plugin" { fixture_project(template) } else { Sandbox::with_template(template) };
        let output = std::process::Command::new("cargo")
            .args(["test", "--quiet"])
            .current_dir(sandbox.path("erp-demo"))
            .env("CARGO_TARGET_DIR", repository().join("target/test-guests"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{template}: {said}");
        assert!(!said.contains("warning"), "{template}: {said}");
    }
}

#[test]
fn the_inventory_component_imports_nothing_but_the_host_api() {
    let component = template_component("inventory");
    let sandbox = Sandbox::with_template("inventory");
    let arguments = ["-C", "erp-demo", "build", "--component", component.to_str().unwrap()];
    let (code, built) = sandbox.json(&arguments);
    assert_eq!(code, 0, "{built}");
    let imports = built["imports"].as_array().unwrap();
    assert!(imports.iter().all(|name| name.as_str().unwrap().starts_with("erp:plugin/")), "{imports:?}");
    assert!(imports.iter().any(|name| name == "erp:plugin/host-db@1.0.0"), "{imports:?}");
}

#[test]
fn the_same_template_gives_the_same_results_in_any_order_of_cases() {
    let component = template_component("inventory");
    let sandbox = Sandbox::with_template("inventory");
    let run = |jobs: &str| {
        let arguments = ["-C", "erp-demo", "test", "--component", component.to_str().unwrap(), "--jobs", jobs];
        let (_, result) = sandbox.json(&arguments);
        let cases = result["cases"].as_array().unwrap();
        cases.iter().map(|case| (case["name"].to_string(), case["fuel"].to_string())).collect::<Vec<_>>()
    };
    assert_eq!(run("1"), run("4"), "fuel and results do not depend on who ran before");
}

#[test]
fn new_never_overwrites_and_init_says_what_is_in_the_way() {
    let sandbox = Sandbox::with_template("minimal");
    let again = sandbox.run(&["new", "erp-demo"]).failed_with(3);
    assert!(again.stderr.contains("is there already and is not empty"), "{}", again.stderr);
    sandbox.run(&["-C", "erp-demo", "init"]).succeeded();
    let manifest = sandbox.path("erp-demo/plugin.toml");
    std::fs::write(&manifest, std::fs::read_to_string(&manifest).unwrap() + "# mine\n").unwrap();
    let init = sandbox.run(&["-C", "erp-demo", "init"]).failed_with(3);
    assert!(init.stderr.contains("plugin.toml"), "{}", init.stderr);
}

#[test]
fn reports_tell_every_case_and_parts_make_a_whole() {
    let component = template_component("inventory");
    let sandbox = Sandbox::with_template("inventory");
    let run = |rest: &[&str]| {
        let mut arguments = vec!["-C", "erp-demo", "test", "--component", component.to_str().unwrap()];
        arguments.extend(rest);
        sandbox.run(&arguments)
    };
    let cases = 23;
    let junit = run(&["--format", "junit"]).succeeded().stdout;
    assert_eq!(junit.matches("<testcase ").count(), cases, "{junit}");
    assert!(junit.contains("file=\"tests/items.test.toml\" line=\""), "{junit}");
    let tap = run(&["--format", "tap"]).succeeded().stdout;
    assert!(tap.starts_with(&format!("TAP version 14\n1..{cases}\nok 1 - ")), "{tap}");
    let lines = run(&["--format", "jsonl"]).succeeded().stdout;
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count(), cases + 1);
    let html = run(&["--format", "html"]).succeeded().stdout;
    assert_eq!(html.matches("<tr class=\"ok\">").count(), cases, "{html}");
    run(&["--format", "sarif"]).failed_with(2);

    let mut names = std::collections::BTreeSet::new();
    for part in ["1/3", "2/3", "3/3"] {
        let arguments = [
            "-C",
            "erp-demo",
            "test",
            "--component",
            component.to_str().unwrap(),
            "--partition",
            part,
            "--shuffle",
            "7",
        ];
        let (_, result) = sandbox.json(&arguments);
        for case in result["cases"].as_array().unwrap() {
            assert!(names.insert(case["name"].to_string()), "{} is in two parts", case["name"]);
        }
    }
    assert_eq!(names.len(), cases);
    run(&["--partition", "4/3"]).failed_with(2);

    // Every report shows a failing case with its place.
    let scenario = String::from_utf8(sandbox.read("erp-demo/tests/items.test.toml")).unwrap();
    sandbox.write("erp-demo/tests/items.test.toml", scenario.replace("expect.status = 204", "expect.status = 205"));
    let junit = run(&["--format", "junit"]).failed_with(1).stdout;
    assert!(
        junit.contains("tests/items.test.toml:") && junit.contains("<failure type=\"scenario/mismatch\""),
        "{junit}"
    );
    let tap = run(&["--format", "tap"]).failed_with(1).stdout;
    assert!(tap.contains("not ok") && tap.contains("    - at: \"tests/items.test.toml:"), "{tap}");
    let github = run(&["--format", "github"]).failed_with(1).stdout;
    assert!(github.starts_with("::error file=tests/items.test.toml,line="), "{github}");
}
