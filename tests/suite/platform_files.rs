//! The platform's own files: its upload script, manifests in JSON and in the first spelling, plugins as two loose
//! files. Also a host that is managed from the terminal.

use serde_json::{Value, json};

use crate::support::hostile::GuestText;
use crate::support::{Client, Sandbox, request, template_component};

/// The manifest of the platform's own end-to-end script.
const MANIFEST: &str = r#"
[metadata]
id = "erp-inventory"
name = "进销存"
version = "0.1.0"

[[permissions]]
code = "inventory_item.list"
name = "查看"

[[permissions]]
code = "inventory_item.manage"
name = "管理"

[[schema.entities]]
name = "inventory_item"
display_name = "商品"

[[schema.entities.fields]]
name = "sku"
field_type = "string"
display_name = "编码"

[[schema.entities.fields]]
name = "name"
field_type = "string"
display_name = "名称"

[[schema.entities.fields]]
name = "quantity"
field_type = "integer"
display_name = "数量"
"#;

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in parts {
        body.extend_from_slice(
            format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n")
                .as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--edge--\r\n");
    body
}

#[test]
fn the_platforms_own_script_runs() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let client = Client::new(&host, "admin@acme", "erp-inventory");
    let component = GuestText::of("(call $ok)").component();
    let upload = |parts: &[(&str, &[u8])]| {
        let headers = [("content-type", "multipart/form-data; boundary=edge")];
        let path = "/api/v1/admin/plugins/upload";
        request(&host.url(), "POST", path, Some(&host.token("admin@acme")), &form(parts), &headers)
    };
    let (status, refused) = upload(&[("wasm", &component)]);
    assert_eq!((status, &refused["code"]), (400, &json!("http.bad_form")), "{refused}");
    // Files that the manifest names are sent as further parts.
    let with_page = format!(
        "{MANIFEST}\n[[ui.pages]]\nname = \"map\"\ntype = \"custom\"\nlabel = \"地图\"\nfile = \"pages/map.html\"\n"
    );
    let (status, refused) = upload(&[("wasm", &component), ("manifest", with_page.as_bytes())]);
    assert_eq!(status, 422, "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("pages/map.html"), "{refused}");
    let page = ("pages/map.html", &b"<!doctype html><html lang=\"zh\"><title>x</title></html>"[..]);
    let (status, uploaded) = upload(&[("wasm", &component), ("manifest", with_page.as_bytes()), page]);
    assert_eq!(status, 201, "{uploaded}");
    let changed = MANIFEST.replace("version = \"0.1.0\"", "version = \"0.1.1\"");
    let (status, uploaded) = upload(&[("wasm", &component), ("manifest", changed.as_bytes())]);
    assert_eq!(status, 201, "{uploaded}");
    // `enable` also installs a plugin that was only uploaded.
    let (status, enabled) = client.admin("POST", "/enable");
    assert_eq!(status, 200, "{enabled}");
    let row = json!({ "sku": "ITEM001", "name": "测试商品", "quantity": 100 });
    let (status, created) = client.rows("POST", "/inventory_item", &row);
    assert_eq!(status, 201, "{created}");
    assert_eq!(client.list("inventory_item", &[]).1["total"], 1);
    assert_eq!(client.admin("POST", "/disable").0, 200);
    assert_eq!(client.admin("DELETE", "").0, 200);
    let (_, tables) = client.ask("GET", "/_dev/tables", &Value::Null);
    assert!(tables.to_string().contains("inventory_item"), "the rows stay: {tables}");
}

#[test]
fn a_manifest_may_be_json_and_a_plugin_two_loose_files() {
    let sandbox = Sandbox::new();
    let manifest = json!({
        "manifest_version": 1,
        "metadata": { "id": "erp-json", "name": "示例", "version": "0.1.0" },
        "runtime": { "abi": "erp:plugin@1.0.0", "world": "minimal-plugin" },
    });
    sandbox.write("json/manifest.json", format!("{manifest:#}"));
    let (code, checked) = sandbox.json(&["-C", "json", "check"]);
    assert_eq!(code, 0, "{checked}");
    sandbox.take_component("json", template_component("minimal"));
    sandbox.run(&["-C", "json", "pack"]).succeeded();
    let wrong = json!({ "manifest_version": 1, "metadata": { "id": "erp-json", "nam": "x", "version": "1.0.0" },
        "runtime": { "abi": "erp:plugin@1.0.0" } });
    sandbox.write("wrong/plugin.json", format!("{wrong:#}"));
    let (_, checked) = sandbox.json(&["-C", "wrong", "check"]);
    let finding = checked["findings"].as_array().unwrap().iter().find(|one| one["code"] == "toml/unknown-key").unwrap();
    assert_eq!((&finding["file"], &finding["line"]), (&json!("plugin.json"), &json!(5)), "{checked}");
    // A `manifest.json` that is not a plugin's manifest does not count.
    sandbox.write("other/manifest.json", "{ \"icons\": [] }");
    assert_eq!(sandbox.run(&["-C", "other", "check"]).code, 3);

    let component = sandbox.read("json/dist/erp-json.wasm");
    sandbox.write("plugins/loose/plugin.wasm", component);
    sandbox.write("plugins/loose/manifest.json", format!("{manifest:#}"));
    let folder = sandbox.path("plugins");
    let host = sandbox.dev_host(&["--plugins", folder.to_str().unwrap()]);
    let client = Client::new(&host, "admin@acme", "erp-json");
    assert_eq!(client.admin("GET", "").1["status"], "running");
}

#[test]
fn keys_of_other_manifests_are_named_with_what_they_are_here() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "article/plugin.toml",
        "[plugin]\nname = \"image-processor\"\nversion = \"0.1.0\"\nentrypoint = \"image-processor.wasm\"\n[permissions]\n\
         fs = [\"read:/data\"]\nnet = [\"connect:api.example.com:443\"]\nmemory = \"128MB\"\ncpu-time = \"30s\"\nmax-instances = 5\n\
         [permissions.deny]\nfs = []\nnet = []\n",
    );
    let node = json!({
        "name": "community.deepseek", "version": "0.1.0", "host_api_version": "v1",
        "node_kinds": [{ "kind": "ai.deepseek.model", "versions": ["1.0.0"], "type": "supplier", "provider_type": "llm" }],
        "io_ports": { "inputs": ["main"], "outputs": ["ai_lm", "error"] },
        "properties": [{ "name": "model", "kind": "string", "required": true }],
    });
    sandbox.write("node/manifest.json", node.to_string());
    let keys = |folder: &str| {
        let (code, checked) = sandbox.json(&["-C", folder, "check"]);
        assert_eq!(code, 1, "{checked}");
        let foreign =
            |finding: &&Value| finding["message"].as_str().is_some_and(|text| text.contains("of other manifests"));
        let findings = checked["findings"].as_array().unwrap().clone();
        let named = findings.iter().filter(foreign).map(|finding| {
            assert!(finding["help"].as_str().unwrap().starts_with("here it is "), "{finding}");
            finding["message"].as_str().unwrap().split('`').nth(1).unwrap().to_owned()
        });
        named.collect::<std::collections::BTreeSet<_>>()
    };
    let article = keys("article");
    for key in ["plugin", "entrypoint", "fs", "net", "memory", "cpu-time", "max-instances"] {
        assert!(article.contains(key), "{key}: {article:?}");
    }
    let node = keys("node");
    for key in ["name", "version", "host_api_version", "node_kinds", "io_ports", "properties"] {
        assert!(node.contains(key), "{key}: {node:?}");
    }
}

#[test]
fn manifests_in_the_first_spelling_load_as_they_are() {
    let sandbox = Sandbox::new();
    let manifest = MANIFEST.to_owned()
        + r#"
[[schema.entities.fields]]
name = "stage"
field_type = "string"
display_name = "阶段"
filterable = true
options = [{ value = "new", label = "新" }, { value = "won", label = "赢单" }]

[[ui.pages]]
type = "tabs"
label = "客户"

[[ui.pages.tabs]]
entity = "inventory_item"
label = "列表"

[[ui.pages.tabs]]
type = "kanban"
entity = "inventory_item"
label = "看板"
lane_field = "stage"

[[ui.pages]]
type = "dashboard"
label = "概览"
"#;
    sandbox.write("plugin.toml", manifest);
    let (code, checked) = sandbox.json(&["check"]);
    assert_eq!((code, &checked["errors"]), (0, &json!(0)), "{checked:#}");
    sandbox.take_bytes(".", GuestText::of("(call $ok)").component());
    sandbox.run(&["pack"]).succeeded();
    let host = sandbox.dev_host(&[]);
    let client = Client::new(&host, "admin@acme", "erp-inventory");
    assert_eq!(client.upload(&sandbox, "dist/erp-inventory-0.1.0.erpx").0, 201);
    assert_eq!(client.admin("POST", "/enable").0, 200);
    let (status, refused) = client.rows("POST", "/inventory_item", &json!({ "stage": "alien" }));
    assert_eq!(status, 400, "an enumeration takes its options alone: {refused}");
    let (_, page) = client.rows("GET", "/pages/inventory_item", &Value::Null);
    assert!(page["filters"].to_string().contains("stage"), "{page}");
}

#[test]
fn a_host_is_managed_from_the_terminal() {
    let sandbox = Sandbox::with_template("minimal");
    sandbox.take_component("erp-demo", template_component("minimal"));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let host = sandbox.dev_host(&[]);
    let (url, token) = (host.url(), host.token("admin@acme"));
    let sandbox = sandbox.variable("ERP_PLUGIN_TOKEN", &token).variable("ERP_PLUGIN_PUBLISH_TO", &host.url());
    let ask = |arguments: &[&str]| {
        let (code, result) = sandbox.json(&[&["host"], arguments].concat());
        (code, result["answer"].clone(), result)
    };
    let output = sandbox.run(&["-C", "erp-demo", "publish"]).succeeded();
    assert!(output.stdout.contains("is uploaded; start it: erp-plugin host --to"), "{}", output.stdout);
    assert_eq!(ask(&["list"]).1[0]["status"], "uploaded");
    assert_eq!(ask(&["enable", "erp-demo"]).1["status"], "running");
    let output = sandbox.run(&["-C", "erp-demo", "publish"]).succeeded();
    assert!(output.stdout.contains("erp-demo 0.1.0 is running"), "{}", output.stdout);
    let (code, _, refused) = ask(&["enable", "nobody"]);
    assert_eq!((code, &refused["error"]["code"]), (6, &json!("host/refused")), "{refused}");
    // A tenant is added and removed while the host runs; the plugin's hook is called for it.
    let (code, user, result) = ask(&["tenants", "--add", "umbrella"]);
    assert_eq!((code, &user["user"]), (0, &json!("admin@umbrella")), "{result}");
    assert!(ask(&["tenants"]).1.as_array().unwrap().contains(&json!("umbrella")));
    assert_ne!(ask(&["tenants", "--add", "umbrella"]).0, 0);
    let notes = "/api/v1/plugins/erp-demo/note";
    let own = user["token"].as_str().unwrap();
    let (status, _) = request(&url, "POST", notes, Some(own), json!({ "title": "甲" }).to_string().as_bytes(), &[]);
    assert_eq!(status, 201);
    assert_eq!(ask(&["tenants", "--remove", "umbrella"]).0, 0);
    let (status, _) = request(&url, "GET", notes, Some(own), b"", &[]);
    assert_eq!(status, 401, "its users are gone");
    assert_ne!(ask(&["tenants", "--remove", "acme"]).0, 0, "the one who runs the host stays");
    assert_eq!(ask(&["logs"]).0, 0);
    let calls = sandbox.run(&["host", "calls"]).succeeded().stdout;
    assert!(calls.lines().any(|line| line.contains("erp-demo") && line.contains("tenant")), "{calls}");
    // `--to` may come before or after the subcommand.
    for words in [["--to", &url, "list"], ["list", "--to", &url]] {
        sandbox.run(&[&["host"], &words[..]].concat()).succeeded();
    }
    // A newer version takes over. After a rollback, the upgrade to it is refused, with the reason.
    sandbox.run(&["-C", "erp-demo", "version", "0.1.1"]).succeeded();
    sandbox.repack("erp-demo");
    let (code, plugin, result) = ask(&["upgrade", "erp-demo/dist/erp-demo-0.1.1.erpx"]);
    assert_eq!((code, &plugin["version"], &plugin["status"]), (0, &json!("0.1.1"), &json!("running")), "{result}");
    assert_eq!(ask(&["rollback", "erp-demo"]).1["version"], "0.1.0");
    let (code, _, refused) = ask(&["upgrade", "erp-demo/dist/erp-demo-0.1.1.erpx"]);
    let message = refused["error"]["message"].as_str().unwrap_or_default();
    assert!(code != 0 && message.contains("0.1.1 is there, and 0.1.0 goes on"), "{refused}");
    assert_eq!(ask(&["disable", "erp-demo"]).1["status"], "disabled");
    let (_, health) = request(&url, "GET", "/health", None, b"", &[]);
    assert_eq!((&health["status"], &health["plugins_in_error"]), (&json!("ok"), &json!([])));
    assert_eq!(ask(&["uninstall", "erp-demo", "--purge"]).0, 0);
    assert_eq!(ask(&["list"]).1, json!([]));
}

#[test]
fn a_plugin_for_another_platform_is_refused_everywhere() {
    let sandbox = Sandbox::with_template("minimal");
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    sandbox.write(
        "erp-demo/plugin.toml",
        manifest.replacen("[metadata]\n", "[metadata]\nmin_platform_version = \"99.0.0\"\n", 1),
    );
    let (code, checked) = sandbox.json(&["-C", "erp-demo", "check"]);
    assert_eq!(code, 1);
    assert!(checked["findings"].to_string().contains("manifest/platform-version"), "{checked}");
    let told =
        String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap() + "\n[dev]\nplatform_version = \"99.1.0\"\n";
    sandbox.write("erp-demo/plugin.toml", told);
    assert_eq!(sandbox.run(&["-C", "erp-demo", "check"]).code, 0);
    sandbox.take_component("erp-demo", template_component("minimal"));
    // `test` and `call` run on the platform version that the plugin is developed for.
    sandbox.run(&["-C", "erp-demo", "test"]).succeeded();
    sandbox.run(&["-C", "erp-demo", "call", "base.init", "--json", "{}"]).succeeded();
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let host = sandbox.dev_host(&[]);
    let client = Client::new(&host, "admin@acme", "erp-demo");
    let (status, refused) = client.upload(&sandbox, "erp-demo/dist/erp-demo-0.1.0.erpx");
    assert_eq!((status, &refused["code"]), (409, &json!("plugin.platform_version")), "{refused}");
    drop(host);
    let host = sandbox.dev_host(&["--platform-version", "99.1.0"]);
    let client = Client::new(&host, "admin@acme", "erp-demo");
    assert_eq!(client.upload(&sandbox, "erp-demo/dist/erp-demo-0.1.0.erpx").0, 201);
    assert_eq!(client.admin("POST", "/enable").0, 200);
}
