//! Uploading over a bad network, to a server that refuses.

use serde_json::{Value, json};

use crate::support::{Answer, FaultServer, Sandbox, template_component};

fn packed() -> (Sandbox, String) {
    let sandbox = Sandbox::with_template("minimal").variable("ERP_PLUGIN_TOKEN", "tok_secret");
    sandbox.write("erp-demo/dist/erp-demo.wasm", std::fs::read(template_component("minimal")).unwrap());
    let (_, packed) = sandbox.json(&["-C", "erp-demo", "pack"]);
    let sha256 = packed["sha256"].as_str().unwrap().to_owned();
    (sandbox, sha256)
}

fn status(status: u16, body: impl Into<Value>) -> Answer {
    let body = match body.into() {
        Value::String(text) => text,
        json => json.to_string(),
    };
    Answer::Status(status, "", body)
}

fn publish(sandbox: &Sandbox, server: &FaultServer) -> (i32, Value) {
    sandbox.json(&["-C", "erp-demo", "publish", "--to", &server.url])
}

#[test]
fn a_flapping_server_gets_the_package_once() {
    let (sandbox, sha256) = packed();
    let server = FaultServer::start(vec![
        Answer::Hangup,
        status(404, "{}"),
        status(503, "{}"),
        status(404, "{}"),
        Answer::Hangup,
        status(404, "{}"),
        status(201, json!({ "sha256": sha256 })),
    ]);
    let (code, published) = publish(&sandbox, &server);
    assert_eq!((code, &published["attempts"]), (0, &json!(3)), "{published}");
}

#[test]
fn after_an_answer_that_was_lost_the_server_is_asked_and_nothing_is_sent_twice() {
    let (sandbox, sha256) = packed();
    let server = FaultServer::start(vec![status(404, "{}"), Answer::Hangup, status(200, json!({ "sha256": sha256 }))]);
    let (code, published) = publish(&sandbox, &server);
    assert_eq!(code, 0, "{published}");
    let requests = server.requests.lock().unwrap();
    assert_eq!(requests.iter().filter(|request| request.starts_with("POST")).count(), 1, "{requests:?}");
}

#[test]
fn refusals_have_their_own_words_and_codes() {
    for (answer, exit, code) in [
        (status(401, json!({ "code": "auth.missing", "message": "who are you" })), 6, "publish/unauthorized"),
        (status(403, json!({ "code": "auth.denied", "message": "no" })), 6, "publish/forbidden"),
        (status(403, json!({ "code": "signature/untrusted", "message": "no" })), 7, "signature/untrusted"),
        (status(409, json!({ "code": "plugin.version_taken", "message": "taken" })), 6, "publish/conflict"),
        (status(422, json!({ "code": "plugin.invalid", "message": "bad" })), 6, "plugin.invalid"),
        (Answer::Status(302, "location: http://127.0.0.1:1/\r\n", String::new()), 6, "publish/protocol"),
        (status(201, "<html>a captive portal</html>"), 6, "publish/protocol"),
        (status(201, json!({ "sha256": "another" })), 6, "publish/protocol"),
    ] {
        let (sandbox, _) = packed();
        let server = FaultServer::start(vec![status(404, "{}"), answer]);
        let (found, document) = publish(&sandbox, &server);
        assert_eq!((found, document["error"]["code"].as_str()), (exit, Some(code)), "{document}");
        assert!(!document.to_string().contains("tok_secret"));
    }
}

#[test]
fn a_version_with_another_content_is_a_conflict_before_anything_is_sent() {
    let (sandbox, _) = packed();
    let server = FaultServer::start(vec![status(200, json!({ "sha256": "another" }))]);
    let (code, document) = publish(&sandbox, &server);
    assert_eq!((code, document["error"]["code"].as_str()), (6, Some("publish/conflict")));
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}

#[test]
fn a_token_is_only_sent_where_it_is_safe() {
    let (sandbox, _) = packed();
    for address in ["http://erp.example.com", "https://user:pass@erp.example.com", "ftp://x", "erp.example.com"] {
        let (code, document) = sandbox.json(&["-C", "erp-demo", "publish", "--to", address]);
        assert_eq!(code, 2, "{address}: {document}");
    }
    let (code, document) = sandbox.json(&["-C", "erp-demo", "publish", "--to", "http://127.0.0.1:9", "--offline"]);
    assert_eq!((code, document["error"]["code"].as_str()), (6, Some("offline")));
}

#[test]
fn a_dry_run_sends_no_package() {
    let (sandbox, _) = packed();
    let server = FaultServer::start(vec![status(404, "{}")]);
    let (code, document) = sandbox.json(&["-C", "erp-demo", "publish", "--to", &server.url, "--dry-run"]);
    assert_eq!((code, &document["dry_run"]), (0, &json!(true)));
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}
