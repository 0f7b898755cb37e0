//! Nodes and processors on a dev host, and a folder of packages that the host follows.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Sandbox, request, template_component};

/// Returns a package made from a template, with this version and a changed manifest.
fn package(template: &str, version: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let sandbox = Sandbox::with_template(template);
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    let manifest = manifest.replacen("version = \"0.1.0\"", &format!("version = \"{version}\""), 1);
    sandbox.write("erp-demo/plugin.toml", change(manifest));
    sandbox.take_component("erp-demo", template_component(template));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    sandbox.read(&format!("erp-demo/dist/erp-demo-{version}.erpx"))
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_folder_of_packages_is_followed_and_nodes_come_and_go_with_it() {
    let sandbox = Sandbox::new();
    sandbox.write("plugins/nodes.erpx", package("node", "0.1.0", |manifest| manifest));
    sandbox.write("plugins/notes.txt", "no package");
    let host = sandbox.dev_host(&["--plugins", "plugins"]);
    let admin = Client::new(&host, "admin@acme", "erp-demo");
    let ask = |method: &str, path: &str, body: Value| admin.ask(method, &format!("/api/v1/nodes{path}"), &body);

    let (status, palette) = ask("GET", "", Value::Null);
    let kinds: Vec<&str> = palette.as_array().unwrap().iter().map(|node| node["kind"].as_str().unwrap()).collect();
    assert_eq!(status, 200);
    let expected = ["core.set", "core.filter", "core.memory", "erp-demo.group", "erp-demo.rate", "erp-demo.notes"];
    assert_eq!(kinds, expected, "the platform's own come first");

    let group = json!({ "parameters": { "group_by": "city" }, "input": [{ "city": "上海" }] });
    let (status, answer) = ask("POST", "/erp-demo.group/execute", group.clone());
    assert_eq!((status, &answer["outputs"]["main"][0]["count"]), (200, &json!(1)), "{answer}");
    let (status, answer) = ask(
        "POST",
        "/core.filter/execute",
        json!({ "parameters": { "condition": "n > 1" }, "input": [{ "n": 1 }, { "n": 2 }] }),
    );
    assert_eq!(
        (status, &answer["outputs"]),
        (200, &json!({ "main": [{ "n": 2 }], "rest": [{ "n": 1 }], "error": [] }))
    );
    for (path, body, status, code) in [
        ("/erp-demo.grup/execute", json!({}), 404, "node.not_found"),
        ("/erp-demo.group/execute", json!({ "version": "9.0.0" }), 404, "node.not_found"),
        ("/erp-demo.group/execute", json!({ "input": [1], "parameter": {} }), 400, "node.bad_request"),
        (
            "/erp-demo.group/execute",
            json!({ "parameters": { "group_by": "x" }, "input": { "side": [] } }),
            400,
            "node.bad_request",
        ),
        ("/erp-demo.group/supply", json!({}), 400, "node.bad_request"),
        ("/erp-demo.group/options", json!({ "property": "mode" }), 400, "node.bad_request"),
        ("/erp-demo.notes/execute", json!({}), 400, "node.bad_request"),
    ] {
        let (found, answer) = ask("POST", path, body);
        assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{path}: {answer}");
    }

    // A new version replaces the old one, a broken file changes nothing, and a removed file removes its nodes.
    let version = || admin.admin("GET", "").1["version"].clone();
    sandbox.write("plugins/nodes.erpx", package("node", "0.2.0", |manifest| manifest.replace("分组汇总", "汇总")));
    until("the new version runs", || version() == "0.2.0");
    assert_eq!(ask("GET", "/erp-demo.group", Value::Null).1["display_name"], "汇总");
    sandbox.write("plugins/nodes.erpx", "broken");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(ask("POST", "/erp-demo.group/execute", group.clone()).0, 200);
    std::fs::remove_file(sandbox.path("plugins/nodes.erpx")).unwrap();
    until("the nodes are gone", || ask("GET", "/erp-demo.group", Value::Null).0 == 404);
    let (status, answer) = ask("POST", "/erp-demo.group/execute", group);
    assert_eq!(status, 404);
    assert!(
        answer["message"].as_str().unwrap().contains("the plugin `erp-demo` brings it, and is disabled"),
        "{answer}"
    );
}

#[test]
fn a_component_that_defines_other_nodes_than_its_manifest_does_not_start() {
    let sandbox = Sandbox::new();
    let other = package("node", "0.1.0", |manifest| manifest);
    let host = sandbox.dev_host(&[]);
    let admin = Client::new(&host, "admin@acme", "erp-demo");
    // The statement covers the manifest of a package, so the manifest is changed before packing, and `pack` refuses it.
    let project = Sandbox::with_template("node");
    let manifest = String::from_utf8(project.read("erp-demo/plugin.toml")).unwrap();
    project.write(
        "erp-demo/plugin.toml",
        manifest.replace("name = \"mode\"", "name = \"way\"").replace("mode ==", "way =="),
    );
    project.take_component("erp-demo", template_component("node"));
    let refused = project.run(&["-C", "erp-demo", "pack"]).failed_with(1);
    assert!(refused.stderr.contains("node/other-definition"), "{}", refused.stderr);
    let (status, _) =
        request(&host.url(), "POST", "/api/v1/admin/plugins/upload", Some(&host.token("admin@acme")), &other, &[]);
    assert_eq!(status, 201);
    admin.start();
}

#[test]
fn a_call_that_runs_ends_on_the_version_that_it_began_with() {
    let sandbox = Sandbox::new();
    sandbox.write("plugins/nodes.erpx", package("node", "0.1.0", |manifest| manifest));
    let host = sandbox.dev_host(&["--plugins", "plugins"]);
    let (url, token) = (host.url(), host.token("admin@acme"));
    let items: Vec<Value> = (0..100).map(|n| json!({ "city": format!("c{n}") })).collect();
    let body = json!({ "parameters": { "group_by": "city" }, "input": items }).to_string().into_bytes();
    // Requests continue while the package is replaced: none fails, and each is answered by one version alone.
    let running = {
        let (url, token) = (url.clone(), token.clone());
        std::thread::spawn(move || {
            for _ in 0..40 {
                let path = "/api/v1/nodes/erp-demo.group/execute";
                let (status, answer) = request(&url, "POST", path, Some(&token), &body, &[]);
                assert_eq!(status, 200, "{answer}");
                assert_eq!(answer["outputs"]["main"].as_array().unwrap().len(), 100);
            }
        })
    };
    for version in ["0.2.0", "0.3.0"] {
        sandbox.write("plugins/nodes.erpx", package("node", version, |manifest| manifest));
    }
    running.join().unwrap();
    let seen =
        || request(&url, "GET", "/api/v1/admin/plugins/erp-demo", Some(&token), b"", &[]).1["version"] == "0.3.0";
    until("the last version runs", seen);
}

#[test]
fn a_processor_gives_bytes_of_the_type_that_it_names() {
    let sandbox = Sandbox::with_template("processor");
    sandbox.take_component("erp-demo", template_component("processor"));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let host = sandbox.dev_host(&[]);
    let admin = Client::new(&host, "admin@acme", "erp-demo");
    assert_eq!(admin.upload(&sandbox, "erp-demo/dist/erp-demo-0.1.0.erpx").0, 201);
    admin.start();
    let small = sandbox.path("small.jpg");
    let output = std::process::Command::new("curl")
        .args(["-s", "-D", "-", "-o", small.to_str().unwrap(), "-X", "POST", "--data-binary"])
        .arg(format!("@{}", sandbox.path("erp-demo/tests/data/stripes.png").display()))
        .args(["-H", "content-type: image/png", "-H", &format!("authorization: Bearer {}", host.token("admin@acme"))])
        .arg(format!(
            "{}/api/v1/processors/erp-demo?options=%7B%22width%22%3A8%2C%22format%22%3A%22jpeg%22%7D",
            host.url()
        ))
        .output()
        .unwrap();
    let head = String::from_utf8_lossy(&output.stdout).to_lowercase();
    for expected in ["200 ok", "content-type: image/jpeg", "content-disposition: attachment", "x-items-processed: 1"] {
        assert!(head.contains(expected), "{head}");
    }
    assert!(sandbox.read("small.jpg").starts_with(&[0xff, 0xd8]), "a JPEG");
    let (status, answer) = admin.ask("POST", "/api/v1/processors/erp-demo", &Value::Null);
    assert_eq!((status, answer["code"].as_str()), (400, Some("http.missing_content_type")));
}

#[test]
fn a_node_is_run_from_the_command_line() {
    let sandbox = Sandbox::with_template("node");
    sandbox.take_component("erp-demo", template_component("node"));
    let (code, listed) = sandbox.json(&["-C", "erp-demo", "node", "list", "erp-demo.group"]);
    assert_eq!((code, &listed["nodes"][0]["plugin"]), (0, &json!("erp-demo")));
    sandbox.write("items.json", r#"{ "main": [{ "city": "上海", "n": "0.1" }, { "city": "上海", "n": "0.2" }] }"#);
    let parameters = r#"{ "group_by": "city", "mode": "sum", "value": "n" }"#;
    let run =
        ["-C", "erp-demo", "node", "run", "erp-demo.group", "--parameters", parameters, "--input", "@../items.json"];
    let (code, ran) = sandbox.json(&run);
    assert_eq!((code, &ran["output"]["main"][0]["sum"]), (0, &json!("0.3")), "{ran}");
    let (code, refused) = sandbox.json(&["-C", "erp-demo", "node", "run", "erp-demo.group"]);
    assert_eq!((code, refused["error"]["code"].as_str()), (2, Some("node.bad_request")));
    let (code, refused) = sandbox.json(&["-C", "erp-demo", "node", "supply", "erp-demo.group"]);
    assert_eq!((code, refused["error"]["code"].as_str()), (2, Some("node.bad_request")));
    // A folder of packages can be used instead of a project.
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let run = ["node", "run", "erp-demo.group", "--plugins", "erp-demo/dist", "--parameters", r#"{"group_by":"x"}"#];
    assert_eq!(sandbox.json(&run).0, 0);
}
