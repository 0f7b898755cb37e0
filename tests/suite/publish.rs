//! Uploads over a bad network, and to a server that refuses them.

use serde_json::{Value, json};

use crate::support::{Answer, FaultServer, Sandbox, template_component};

fn packed() -> (Sandbox, String) {
    let sandbox = Sandbox::with_template("minimal").variable("ERP_PLUGIN_TOKEN", "tok_secret");
    sandbox.take_component("erp-demo", template_component("minimal"));
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
        // The server is gone when the client asks whether the package was stored.
        (status(201, "<html>a captive portal</html>"), 6, "publish/unknown"),
        (status(201, json!({ "sha256": "another" })), 6, "publish/unknown"),
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

#[test]
fn statuses_have_their_meaning_and_servers_cannot_take_over_the_terminal() {
    let evil = "\u{1b}[2J\u{1b}[31mforged\nerror: all is well tok_secret";
    for (status_code, exit) in [(404, 6), (413, 6), (415, 6), (422, 6), (426, 6), (418, 6)] {
        let (sandbox, _) = packed();
        let answer = status(status_code, json!({ "code": "x.y", "message": evil }));
        let server = FaultServer::start(vec![status(404, "{}"), answer]);
        let output = sandbox.run(&["-C", "erp-demo", "publish", "--to", &server.url]).failed_with(exit);
        assert!(!output.stderr.contains('\x1b') && !output.stderr.contains("tok_secret"), "{:?}", output.stderr);
        assert!(!output.stderr.lines().any(|line| line == "error: all is well"), "{}", output.stderr);
    }
}

#[test]
fn answers_that_never_end_are_cut() {
    let (sandbox, _) = packed();
    let huge = format!("{{\"message\": \"{}\"}}", "x".repeat(3 << 20));
    let server = FaultServer::start(vec![status(404, "{}"), status(422, huge)]);
    let (code, document) = publish(&sandbox, &server);
    assert_eq!(code, 6);
    assert!(document.to_string().len() < 10_000, "{} bytes of a stranger's text", document.to_string().len());
}

#[test]
fn every_redirect_is_refused_and_no_token_follows_it() {
    for status_code in [301, 302, 303, 307, 308] {
        let (sandbox, _) = packed();
        let other = FaultServer::start(vec![status(200, "{}")]);
        let location: &'static str = format!("location: {}/\r\n", other.url).leak();
        let server = FaultServer::start(vec![Answer::Status(status_code, location, String::new())]);
        let (code, document) = publish(&sandbox, &server);
        assert_eq!((code, document["error"]["code"].as_str()), (6, Some("publish/protocol")), "{document}");
        assert!(other.requests.lock().unwrap().is_empty(), "the redirect was followed");
    }
}

#[test]
fn bad_tokens_and_addresses_are_refused_before_anything_is_sent() {
    for token in ["two words", "tab\there", "\u{7f}x"] {
        let (sandbox, _) = packed();
        let sandbox = sandbox.variable("ERP_PLUGIN_TOKEN", token);
        let (code, document) = sandbox.json(&["-C", "erp-demo", "publish", "--to", "http://127.0.0.1:9"]);
        assert_eq!(code, 2, "{token:?}: {document}");
    }
    let (sandbox, _) = packed();
    let file = ["-C", "erp-demo", "publish", "--to", "http://127.0.0.1:9", "--token-file", "token"];
    sandbox.write("erp-demo/token", "line\nanother line");
    assert_eq!(sandbox.json(&file).0, 2);
}

/// A server with TLS, whose certificate authority the system does not trust.
#[test]
fn a_certificate_counts_where_its_authority_is_named() {
    let (sandbox, _) = packed();
    let openssl = |arguments: &str, more: &[&str]| {
        let mut command = std::process::Command::new("openssl");
        command.current_dir(sandbox.path("")).args(arguments.split(' ')).args(more);
        command.args("-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '));
        let made = command.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    openssl("req -x509 -subj /CN=authority -keyout ca.key -out ca.pem", &[]);
    let leaf = "req -x509 -CA ca.pem -CAkey ca.key -subj /CN=localhost -keyout tls.key -out tls.pem";
    openssl(leaf, &["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"]);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut server = std::process::Command::new("openssl")
        .args(["s_server", "-quiet", "-www", "-accept", &format!("127.0.0.1:{port}"), "-cert"])
        .arg(sandbox.path("tls.pem"))
        .arg("-key")
        .arg(sandbox.path("tls.key"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ask = |address: &str, more: &[&str]| {
        let mut arguments = vec!["-C", "erp-demo", "publish", "--status", "--timeout", "5", "--to", address];
        arguments.extend(more);
        sandbox.json(&arguments)
    };
    let address = format!("https://localhost:{port}");
    let (code, unknown) = ask(&address, &[]);
    let trusted = ask(&address, &["--ca-file", "../ca.pem"]);
    let (_, wrong_name) = ask(&format!("https://127.0.0.1:{port}"), &["--ca-file", "../ca.pem"]);
    let none = ask(&address, &["--ca-file", "plugin.toml"]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!((code, &unknown["error"]["code"]), (6, &json!("publish/certificate")), "{unknown}");
    // With the authority named, the certificate is accepted; the page behind it is no platform's.
    assert_eq!(trusted.1["error"]["code"], "publish/protocol", "{}", trusted.1);
    assert_eq!(wrong_name["error"]["code"], "publish/certificate", "{wrong_name}");
    assert_eq!(none.0, 2, "{}", none.1);
}

#[test]
fn a_token_that_is_kept_is_used_for_its_server_alone() {
    let (sandbox, sha256) = packed();
    let sandbox = sandbox.variable("ERP_PLUGIN_TOKEN", "");
    let server = FaultServer::start(vec![status(404, "{}"), status(201, json!({ "sha256": sha256 }))]);
    sandbox.write("token", "tok_kept");
    sandbox.run(&["login", &server.url, "--token-file", "token"]).succeeded();
    let kept = std::fs::read_dir(sandbox.path("config/erp-plugin/credentials")).unwrap().next().unwrap().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&kept.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(publish(&sandbox, &server).0, 0);
    assert!(server.heads.lock().unwrap().iter().all(|head| head.contains("authorization: Bearer tok_kept")));
    let other = FaultServer::start(vec![status(404, "{}"), status(201, json!({ "sha256": sha256 }))]);
    assert_eq!(publish(&sandbox, &other).0, 0);
    assert!(other.heads.lock().unwrap().iter().all(|head| !head.contains("tok_kept")));
    sandbox.run(&["login", &server.url, "--remove"]).succeeded();
    assert_eq!(std::fs::read_dir(sandbox.path("config/erp-plugin/credentials")).unwrap().count(), 0);
}

/// Ctrl-C while the server keeps the client waiting for its answer.
#[test]
fn an_interrupted_upload_says_what_is_known() {
    let (sandbox, _) = packed();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut client = sandbox.command(&["-C", "erp-demo", "publish", "--to", &url]);
    let client = client.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The client waits for the answer to its first request.
    let (_held, _) = listener.accept().unwrap();
    assert!(std::process::Command::new("kill").args(["-INT", &client.id().to_string()]).status().unwrap().success());
    let ended = client.wait_with_output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{told}");
    assert!(told.contains("before anything was sent") && told.contains("--status"), "{told}");
}

/// A proxy sees the address that the client connects to, and never the token.
#[test]
fn a_proxy_that_refuses_is_told_of_and_gets_no_token() {
    let (sandbox, _) = packed();
    let proxy = FaultServer::start(vec![Answer::Status(407, "proxy-authenticate: Basic\r\n", String::new()); 8]);
    let arguments = ["-C", "erp-demo", "publish", "--to", "https://erp.example.com", "--proxy", &proxy.url];
    let (code, document) = sandbox.json(&arguments);
    assert_eq!((code, document["error"]["code"].as_str()), (6, Some("publish/unreachable")), "{document}");
    let heads = proxy.heads.lock().unwrap();
    assert!(heads.iter().all(|head| head.starts_with("CONNECT erp.example.com:443")), "{heads:?}");
    assert!(!heads.iter().any(|head| head.contains("tok_secret")), "{heads:?}");
}
