//! Followed projects: a change takes effect at once; if it is invalid, the last good generation keeps serving.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, DevHost, Sandbox};

const PLUGIN: &str = "erp-demo";

fn admin(host: &DevHost) -> Client<'_> {
    Client::new(host, "admin@acme", PLUGIN)
}

/// Waits until the project is as wanted, for at most two minutes.
#[track_caller]
fn project(host: &DevHost, wanted: impl Fn(&Value) -> bool) -> Value {
    let admin = admin(host);
    let began = Instant::now();
    loop {
        let (_, projects) = admin.ask("GET", "/_dev/projects", &Value::Null);
        if wanted(&projects[0]) {
            return projects[0].clone();
        }
        assert!(began.elapsed() < Duration::from_mins(2), "it never came: {projects:#}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn edit(sandbox: &Sandbox, file: &str, from: &str, to: &str) {
    let text = String::from_utf8(sandbox.read(file)).unwrap();
    assert!(text.contains(from), "{file} does not hold {from}");
    sandbox.write(file, text.replacen(from, to, 1));
}

#[test]
fn a_manifest_is_followed_back_and_forth_with_all_rows() {
    let sandbox = Sandbox::with_template("pages");
    let host = sandbox.serving(&["-C", "erp-demo", "dev"]);
    let admin = admin(&host);
    project(&host, |project| project["live"] == 1);
    let (_, row) = admin.rows("POST", "/customer", &json!({ "name": "甲", "phone": "021" }));
    let path = format!("/customer/{}", row["id"].as_str().unwrap());

    // A file that is written with the same content is no change.
    let text = sandbox.read("erp-demo/plugin.toml");
    sandbox.write("erp-demo/plugin.toml", &text);
    edit(&sandbox, "erp-demo/plugin.toml", "display_name = \"电话\"", "display_name = \"手机\"");
    let second = project(&host, |project| project["live"] == 2);
    assert_eq!((&second["stage"], &second["generations"][0]["why"]), (&json!("live"), &json!("manifest")));

    edit(&sandbox, "erp-demo/plugin.toml", "field_type = \"phone\"", "field_type = \"fone\"");
    let broken = project(&host, |project| project["stage"] == "failed");
    assert_eq!((&broken["trouble"]["stage"], &broken["live"]), (&json!("manifest"), &json!(2)));
    assert!(broken["trouble"]["text"].as_str().unwrap().contains("plugin.toml:"), "{broken:#}");
    assert_eq!(admin.rows("GET", &path, &Value::Null).0, 200, "the last good one serves on");

    edit(&sandbox, "erp-demo/plugin.toml", "field_type = \"fone\"", "field_type = \"date\"");
    let asks = project(&host, |project| project["stage"] == "asks");
    assert_eq!(asks["trouble"]["stage"], "rows");
    assert!(asks["trouble"]["text"].as_str().unwrap().contains("021"), "the row is named: {asks:#}");
    assert_eq!(admin.rows("GET", &path, &Value::Null).1["data"]["phone"], "021");
    edit(&sandbox, "erp-demo/plugin.toml", "field_type = \"date\"", "field_type = \"string\"");
    project(&host, |project| project["live"] == 3);
    assert_eq!(admin.rows("GET", &path, &Value::Null).1["data"]["phone"], "021");

    let generations = format!("/_dev/projects/{PLUGIN}/generations");
    assert_eq!(admin.ask("POST", &format!("{generations}/1/activate"), &Value::Null).0, 200);
    let (_, models) = admin.ask("GET", &format!("/api/v1/plugin-registry/entities?plugin={PLUGIN}"), &Value::Null);
    let customer = models.as_array().unwrap().iter().find(|model| model["entity"] == "customer").unwrap();
    assert!(customer["fields"].as_array().unwrap().iter().any(|field| field["display_name"] == "电话"));
    let (status, refused) = admin.ask("POST", &format!("{generations}/99/activate"), &Value::Null);
    assert_eq!((status, refused["code"].as_str()), (404, Some("dev.no_generation")));
    let (status, shared) = admin.ask("POST", &format!("{generations}/1/canary"), &json!({ "percent": 50 }));
    assert_eq!((status, &shared["percent"]), (200, &json!(50)), "{shared}");
}

#[test]
fn rows_are_given_up_only_where_somebody_says_so() {
    let sandbox = Sandbox::with_template("pages");
    let host = sandbox.serving(&["-C", "erp-demo", "dev"]);
    let admin = admin(&host);
    admin.rows("POST", "/customer", &json!({ "name": "甲", "phone": "021" }));
    let accept = format!("/_dev/projects/{PLUGIN}/accept-loss");
    assert_eq!(admin.ask("POST", &accept, &Value::Null).1["code"], "dev.nothing_asked");
    edit(&sandbox, "erp-demo/plugin.toml", "field_type = \"phone\"", "field_type = \"date\"");
    project(&host, |project| project["stage"] == "asks");
    assert_eq!(admin.ask("POST", &accept, &Value::Null).0, 200);
    project(&host, |project| project["stage"] == "live");
    assert_eq!(admin.rows("GET", "/customer/count", &Value::Null).1["count"], 0);
}

#[test]
fn a_folder_in_use_is_refused_and_a_killed_host_goes_on_where_it_was() {
    let sandbox = Sandbox::with_template("pages");
    let mut host = sandbox.serving(&["-C", "erp-demo", "dev"]);
    let (code, told) = sandbox.json(&["-C", "erp-demo", "dev", "--port", "0"]);
    assert_eq!(code, 3, "{told}");
    assert!(told["error"]["message"].as_str().unwrap().contains("another dev host"), "{told}");
    admin(&host).rows("POST", "/customer", &json!({ "name": "甲" }));
    host.kill();
    edit(&sandbox, "erp-demo/plugin.toml", "display_name = \"电话\"", "display_name = \"手机\"");
    let host = sandbox.serving(&["-C", "erp-demo", "dev"]);
    project(&host, |project| project["live"] == 1);
    assert_eq!(admin(&host).rows("GET", "/customer/count", &Value::Null).1["count"], 1);
}

#[test]
fn a_source_is_built_beside_what_serves_and_a_newer_change_ends_the_build() {
    let sandbox = Sandbox::with_template("action").variable(
        "CARGO_TARGET_DIR",
        crate::support::repository().join("target/test-guests/followed").to_str().unwrap(),
    );
    let host = sandbox.serving(&["-C", "erp-demo", "dev"]);
    let first = project(&host, |project| project["live"] == 1);
    assert_eq!(first["generations"][0]["why"], "build", "nothing was built before");
    edit(&sandbox, "erp-demo/src/lib.rs", "pub struct Plugin;", "pub struct Plugin; const _: u8 = \"no\";");
    let failed = project(&host, |project| project["stage"] == "failed");
    assert_eq!((&failed["trouble"]["stage"], &failed["live"]), (&json!("build"), &json!(1)));
    assert!(failed["trouble"]["text"].as_str().unwrap().contains("mismatched types"), "{failed:#}");
    assert_eq!(admin(&host).admin("GET", "/health").1["status"], "healthy");
    edit(&sandbox, "erp-demo/src/lib.rs", "const _: u8 = \"no\";", "");
    edit(&sandbox, "erp-demo/src/lib.rs", "say why it is rejected", "say first why it is rejected");
    project(&host, |project| project["stage"] == "building");
    edit(&sandbox, "erp-demo/src/lib.rs", "say first why it is rejected", "say second why it is rejected");
    let mended = project(&host, |project| project["stage"] == "live");
    assert_eq!(mended["live"], 2, "the build that was given up brought nothing");
    // A new generation is first compiled fast. Left alone, it is compiled again with optimization, and stays the same
    // generation.
    assert_eq!(mended["generations"][0]["optimized"], false);
    let user = admin(&host);
    let leave = json!({ "data": { "reason": "旅行", "from_day": "2026-05-01", "days": "2" } });
    let (status, row) = user.rows("POST", "/leave_request", &leave);
    assert_eq!(status, 201, "{row}");
    let act = |name: &str| {
        user.rows("POST", &format!("/leave_request/{}/actions/{name}", row["id"].as_str().unwrap()), &json!({})).1
    };
    assert_eq!(act("submit")["status"], "submitted");
    let refused = act("reject");
    assert!(refused["message"].as_str().unwrap().contains("say second why"), "{refused}");
    let left_alone = project(&host, |project| project["generations"][0]["optimized"] == true);
    assert_eq!((&left_alone["live"], act("reject")), (&json!(2), refused));
    // A build with the same result makes no new generation.
    edit(&sandbox, "erp-demo/src/lib.rs", "pub struct Plugin;", "pub struct Plugin; ");
    project(&host, |project| project["stage"] == "building");
    assert_eq!(project(&host, |project| project["stage"] == "live")["live"], 2);
}

#[test]
fn plugins_of_a_workspace_are_followed_in_the_order_of_their_needs() {
    let sandbox = Sandbox::new();
    for id in ["erp-base", "erp-top"] {
        sandbox.run(&["new", id, "--template", "pages"]).succeeded();
    }
    let text = String::from_utf8(sandbox.read("erp-top/plugin.toml")).unwrap();
    sandbox.write(
        "erp-top/plugin.toml",
        text.replace("[runtime]", "[[dependencies.plugins]]\nid = \"erp-base\"\n\n[runtime]"),
    );
    let host = sandbox.serving(&["dev", "--workspace"]);
    assert_eq!(host.hello["follows"], json!(["erp-base", "erp-top"]));
    let admin = Client::new(&host, "admin@acme", "erp-top");
    let (_, projects) = admin.ask("GET", "/_dev/projects", &Value::Null);
    assert!(projects.as_array().unwrap().iter().all(|project| project["stage"] == "live"), "{projects:#}");
    assert_eq!(admin.rows("POST", "/customer", &json!({ "name": "甲" })).0, 201);
}

#[test]
fn scenarios_run_again_when_one_of_them_changes() {
    use std::io::{BufRead, BufReader};
    let sandbox = Sandbox::with_template("pages");
    let mut child = sandbox
        .command(&["-C", "erp-demo", "test", "--watch"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().starts_with("2 passed, 0 failed"));
    edit(&sandbox, "erp-demo/tests/tickets.test.toml", "amount = \"300.00\"", "amount = \"301.00\"");
    assert!(next().starts_with("1 passed, 1 failed"));
    edit(&sandbox, "erp-demo/plugin.toml", "computed = \"hours * rate\"", "computed = \"hours * rate + 1\"");
    assert!(next().starts_with("2 passed, 0 failed"));
    child.kill().unwrap();
    child.wait().unwrap();
}
