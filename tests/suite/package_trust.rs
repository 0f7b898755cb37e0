//! Keys and trust as people use them: rotation, revocation, receipts, and a dev host that trusts on first use.

use serde_json::{Value, json};

use crate::support::{Client, DevHost, Sandbox, request, template_component};

const PACKAGE: &str = "erp-demo/dist/erp-demo-0.1.0.erpx";
const TRUST: &str = "trust.toml";

/// Returns a sandbox with a package, and with keys `old` and `new` whose passphrase is known.
fn packed() -> Sandbox {
    let sandbox = Sandbox::with_template("minimal").variable("ERP_PLUGIN_KEY_PASSPHRASE", "correct horse");
    sandbox.take_component("erp-demo", template_component("minimal"));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    for key in ["old", "new"] {
        sandbox.run(&["key", "new", key]).succeeded();
    }
    sandbox
}

fn sign(sandbox: &Sandbox, key: &str) {
    sandbox.run(&["sign", PACKAGE, "--key", key]).succeeded();
}

fn repack(sandbox: &Sandbox, version: &str) -> String {
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    let lines = manifest
        .lines()
        .map(|line| if line.starts_with("version = ") { format!("version = \"{version}\"") } else { line.to_owned() });
    let text: Vec<String> = lines.collect();
    sandbox.write("erp-demo/plugin.toml", text.join("\n"));
    sandbox.repack("erp-demo");
    format!("erp-demo/dist/erp-demo-{version}.erpx")
}

/// Returns the code of the first problem, or `good`.
fn verified(sandbox: &Sandbox, more: &[&str]) -> String {
    let mut arguments = vec!["verify", PACKAGE, "--trust-file", TRUST, "--require-signature"];
    arguments.extend(more);
    let (_, document) = sandbox.json(&arguments);
    let checks = document["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["outcome"] == "no");
    failed.map_or("good".to_owned(), |check| check["problems"][0]["code"].as_str().unwrap().to_owned())
}

fn trust(sandbox: &Sandbox, arguments: &[&str]) {
    let mut all = vec!["key", "trust", "--trust-file", TRUST];
    all.extend(arguments);
    sandbox.run(&all).succeeded();
}

fn client(host: &DevHost) -> Client<'_> {
    Client::new(host, "admin@acme", "erp-demo")
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or("none"))
}

#[test]
fn a_key_goes_to_another_machine_and_openssl_reads_it() {
    let sandbox = packed();
    sandbox.run(&["key", "export", "old", "--secret", "-o", "moved.pem"]).succeeded();
    sandbox.run(&["key", "export", "old", "--secret"]).failed_with(2);
    let public = sandbox.run(&["key", "export", "old"]).succeeded().stdout;
    assert!(public.starts_with("-----BEGIN PUBLIC KEY-----"));
    sandbox.run(&["key", "import", "moved.pem", "--name", "again"]).succeeded();
    assert_eq!(
        sandbox.read("config/erp-plugin/keys/again.pub.pem"),
        sandbox.read("config/erp-plugin/keys/old.pub.pem")
    );
    let wrong = packed().variable("ERP_PLUGIN_KEY_PASSPHRASE", "wrong");
    wrong.write("moved.pem", sandbox.read("moved.pem"));
    wrong.run(&["key", "import", "moved.pem"]).failed_with(7);
    let openssl = std::process::Command::new("openssl")
        .args(["pkey", "-passin", "pass:correct horse", "-pubout", "-in"])
        .arg(sandbox.path("moved.pem"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&openssl.stdout), public, "{}", String::from_utf8_lossy(&openssl.stderr));
}

#[test]
fn a_rotation_moves_trust_to_the_new_key() {
    let sandbox = packed();
    trust(&sandbox, &["old", "--publisher", "甲", "--scope", "erp-*"]);
    sign(&sandbox, "new");
    assert_eq!(verified(&sandbox, &[]), "signature/untrusted");
    let rotate = ["key", "rotate", "old", "new", "--until", "2020-01-01T00:00:00Z", "-o", "rotation.json"];
    sandbox.run(&rotate).succeeded();
    sandbox.run(&["key", "import", "rotation.json", "--trust-file", TRUST]).succeeded();
    assert_eq!(verified(&sandbox, &[]), "good");
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    sign(&sandbox, "old");
    assert_eq!(verified(&sandbox, &[]), "signature/expired");
    // A key whose time is over cannot name a successor.
    sandbox.run(&["key", "new", "late"]).succeeded();
    sandbox.run(&["key", "rotate", "old", "late", "-o", "late.json"]).succeeded();
    sandbox.run(&["key", "import", "late.json", "--trust-file", TRUST]).failed_with(7);
    // A rotation by a key that is not trusted moves no trust.
    sandbox.run(&["key", "new", "stranger"]).succeeded();
    sandbox.run(&["key", "rotate", "stranger", "new", "-o", "stranger.json"]).succeeded();
    sandbox.run(&["key", "import", "stranger.json", "--trust-file", TRUST]).failed_with(7);
}

#[test]
fn a_plugin_may_need_two_signatures() {
    let sandbox = packed();
    trust(&sandbox, &["old", "--publisher", "甲", "--scope", "erp-*", "--threshold", "2"]);
    trust(&sandbox, &["new", "--publisher", "乙", "--scope", "erp-*"]);
    sign(&sandbox, "old");
    assert_eq!(verified(&sandbox, &[]), "signature/too-few");
    sign(&sandbox, "new");
    assert_eq!(verified(&sandbox, &[]), "good");
}

#[test]
fn a_revoked_key_counts_for_what_the_registry_took_before() {
    let sandbox = packed();
    sign(&sandbox, "old");
    let host = sandbox.dev_host(&[]);
    let published = sandbox
        .command(&["publish", PACKAGE, "--to", &host.url()])
        .env("ERP_PLUGIN_TOKEN", host.token("admin@acme"))
        .output()
        .unwrap();
    assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));
    let receipt = format!("{PACKAGE}.receipt.json");
    trust(&sandbox, &["old", "--publisher", "甲", "--scope", "erp-*"]);
    trust(&sandbox, &["state/registry.pub.pem", "--registry", "dev"]);
    let against = ["--against-receipt", receipt.as_str()];
    assert_eq!(verified(&sandbox, &against), "good");

    let (_, keys) = sandbox.json(&["key", "list"]);
    let old = keys["own"].as_array().unwrap().iter().find(|key| key["name"] == "old").unwrap()["id"].clone();
    let body = json!({ "keys": [{ "keyid": old, "reason": "laptop lost" }] });
    let (status, list) = client(&host).ask("POST", "/api/v1/registry/revocations", &body);
    assert_eq!(status, 201, "{list}");
    sandbox.write("list.json", list.to_string());
    sandbox.run(&["key", "import", "list.json", "--trust-file", TRUST]).succeeded();
    assert_eq!(verified(&sandbox, &[]), "signature/revoked");
    assert_eq!(verified(&sandbox, &against), "good", "the registry took it before");
    // The lost key cannot name a successor, neither here nor at the host.
    sandbox.run(&["key", "rotate", "old", "new", "-o", "stolen.json"]).succeeded();
    sandbox.run(&["key", "import", "stolen.json", "--trust-file", TRUST]).failed_with(7);
    let stolen = sandbox.read("stolen.json");
    let token = host.token("admin@acme");
    let answer = request(&host.url(), "POST", "/api/v1/registry/rotations", Some(&token), &stolen, &[]);
    assert_eq!(code(&answer), (422, "registry.bad_rotation"));
    // A version that was signed after the key was lost has a later receipt, or none.
    assert_eq!(code(&client(&host).upload(&sandbox, PACKAGE)), (201, "none"), "what was taken stays");
    let next = repack(&sandbox, "0.2.0");
    sandbox.run(&["sign", &next, "--key", "old"]).succeeded();
    assert_eq!(code(&client(&host).upload(&sandbox, &next)), (403, "signature/revoked"));
    // The next list has a higher version; the older one is then refused.
    let (_, newer) = client(&host).ask(
        "POST",
        "/api/v1/registry/revocations",
        &json!({ "packages": [{ "sha256": "0".repeat(64), "reason": "x" }] }),
    );
    sandbox.write("newer.json", newer.to_string());
    sandbox.run(&["key", "import", "newer.json", "--trust-file", TRUST]).succeeded();
    let rollback = sandbox.run(&["key", "import", "list.json", "--trust-file", TRUST]).failed_with(7);
    assert!(rollback.stderr.contains("version 2 was seen"), "{}", rollback.stderr);
}

#[test]
fn a_withdrawn_package_and_an_old_list_are_told_of() {
    let sandbox = packed();
    sign(&sandbox, "old");
    sandbox.run(&["key", "new", "registry"]).succeeded();
    trust(&sandbox, &["old", "--publisher", "甲", "--scope", "erp-*"]);
    trust(&sandbox, &["registry", "--registry", "登记处"]);
    let revoke =
        ["key", "revoke", PACKAGE, "--reason", "loses rows", "--list", "list.json", "--key", "registry", "--days", "0"];
    sandbox.run(&revoke).succeeded();
    sandbox.run(&["key", "import", "list.json", "--trust-file", TRUST]).succeeded();
    assert_eq!(verified(&sandbox, &[]), "package/withdrawn");
    // Another signature makes another file, but the same package.
    sign(&sandbox, "new");
    assert_eq!(verified(&sandbox, &[]), "package/withdrawn");
    let output = sandbox.run(&["verify", PACKAGE, "--trust-file", TRUST, "--require-fresh"]).failed_with(7);
    assert!(output.stderr.contains("get newer ones"), "{}", output.stderr);
    // A list that no trusted registry has signed does not count.
    sandbox.run(&["key", "revoke", PACKAGE, "--reason", "x", "--list", "other.json", "--key", "new"]).succeeded();
    sandbox.run(&["key", "import", "other.json", "--trust-file", TRUST]).failed_with(7);
}

#[test]
fn a_dev_host_may_trust_on_first_use_and_never_on_second() {
    let sandbox = packed();
    let host = sandbox.dev_host(&["--tofu"]);
    assert_eq!(code(&client(&host).upload(&sandbox, PACKAGE)), (403, "signature/unsigned"));
    sign(&sandbox, "old");
    assert_eq!(client(&host).upload(&sandbox, PACKAGE).0, 201);
    let next = repack(&sandbox, "0.2.0");
    sandbox.run(&["sign", &next, "--key", "new"]).succeeded();
    assert_eq!(code(&client(&host).upload(&sandbox, &next)), (403, "signature/key-changed"));
    sandbox.run(&["key", "rotate", "old", "new", "-o", "rotation.json"]).succeeded();
    let rotation = sandbox.read("rotation.json");
    let token = host.token("admin@acme");
    let (status, body) = request(&host.url(), "POST", "/api/v1/registry/rotations", Some(&token), &rotation, &[]);
    assert_eq!(status, 201, "{body}");
    assert_eq!(client(&host).upload(&sandbox, &next).0, 201);
    // The pins survive a restart of the host.
    drop(host);
    let host = sandbox.dev_host(&["--tofu"]);
    sandbox.run(&["key", "new", "third"]).succeeded();
    let last = repack(&sandbox, "0.3.0");
    sandbox.run(&["sign", &last, "--key", "third"]).succeeded();
    assert_eq!(code(&client(&host).upload(&sandbox, &last)), (403, "signature/key-changed"));
}

#[test]
fn receipts_are_chained_and_the_same_each_time() {
    let sandbox = packed();
    let host = sandbox.dev_host(&[]);
    let (_, first) = client(&host).upload(&sandbox, PACKAGE);
    let (_, again) = client(&host).upload(&sandbox, PACKAGE);
    assert_eq!(first, again);
    let next = repack(&sandbox, "0.2.0");
    let (_, second) = client(&host).upload(&sandbox, &next);
    let statement = |receipt: &Value| {
        use base64::Engine;
        let payload =
            base64::engine::general_purpose::STANDARD.decode(receipt["envelope"]["payload"].as_str().unwrap()).unwrap();
        (erp_manifest::digest::sha256_hex(&payload), serde_json::from_slice::<Value>(&payload).unwrap())
    };
    let ((first_digest, first), (_, second)) = (statement(&first), statement(&second));
    assert_eq!(
        (&first["predicate"]["serial"], &first["predicate"]["previousReceiptSha256"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(second["predicate"]["serial"], 2);
    assert_eq!(second["predicate"]["previousReceiptSha256"], first_digest.as_str());
}

#[test]
fn older_versions_do_not_come_back() {
    let sandbox = packed();
    let host = sandbox.dev_host(&[]);
    let next = repack(&sandbox, "0.2.0");
    assert_eq!(client(&host).upload(&sandbox, &next).0, 201);
    assert_eq!(code(&client(&host).upload(&sandbox, PACKAGE)), (409, "plugin.downgrade"));
    let (exit, _) = sandbox.json(&["verify", PACKAGE, "--installed", "0.2.0"]);
    assert_eq!(exit, 7);
    sandbox.run(&["verify", PACKAGE, "--installed", "v9"]).failed_with(2);
}

#[test]
fn every_stage_explains_itself() {
    let sandbox = packed();
    let (_, document) = sandbox.json(&["verify", PACKAGE, "--explain"]);
    let checks = document["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 11);
    assert!(checks.iter().all(|check| !check["explanation"].as_str().unwrap().is_empty()));
    for code in ["archive/limit", "signature/key-changed", "receipt/another-package"] {
        sandbox.run(&["explain", code]).succeeded();
    }
    let output = sandbox.run(&["verify", PACKAGE, "--limit", "archive_bytes=1KB"]).failed_with(7);
    assert!(output.stderr.contains("--limit archive_bytes="), "{}", output.stderr);
    sandbox.run(&["verify", PACKAGE, "--limit", "archive_byte=1KB"]).failed_with(2);
    let (exit, _) = sandbox.json(&["verify", PACKAGE, "--sha256", &"0".repeat(64)]);
    assert_eq!(exit, 7);
}

/// If the host's own trust file names keys of a plugin, the first use of another key does not count.
#[test]
fn first_use_does_not_count_for_a_plugin_whose_keys_are_known() {
    let sandbox = packed();
    trust(&sandbox, &["old", "--publisher", "甲", "--scope", "erp-*"]);
    let host = sandbox.dev_host(&["--tofu", "--trust-file", TRUST]);
    sign(&sandbox, "new");
    assert_eq!(code(&client(&host).upload(&sandbox, PACKAGE)), (403, "signature/key-changed"));
    sign(&sandbox, "old");
    assert_eq!(client(&host).upload(&sandbox, PACKAGE).0, 201, "one good signature is enough");
}

/// A reviewer works in the folder of an untrusted project: its trust file does not count unless the reviewer names it.
#[test]
fn a_folder_does_not_vouch_for_its_own_package() {
    let sandbox = packed();
    sign(&sandbox, "old");
    sandbox
        .run(&[
            "key",
            "trust",
            "old",
            "--publisher",
            "Known Vendor",
            "--scope",
            "*",
            "--trust-file",
            "erp-demo/erp-trust.toml",
        ])
        .succeeded();
    let output = sandbox.run(&["-C", "erp-demo", "verify", "--require-signature"]).failed_with(7);
    assert!(output.stderr.contains("--trust-file erp-trust.toml"), "{}", output.stderr);
    sandbox.run(&["-C", "erp-demo", "verify", "--require-signature", "--trust-file", "erp-trust.toml"]).succeeded();
}

#[test]
fn a_receipt_that_no_registry_signed_proves_nothing() {
    let sandbox = packed();
    let host = sandbox.dev_host(&[]);
    let (_, receipt) = client(&host).upload(&sandbox, PACKAGE);
    let mut unsigned = receipt["envelope"].clone();
    unsigned["signatures"] = json!([]);
    sandbox.write("unsigned.json", unsigned.to_string());
    sandbox.write("signed.json", receipt.to_string());
    for file in ["unsigned.json", "signed.json"] {
        let (exit, document) = sandbox.json(&["verify", PACKAGE, "--against-receipt", file]);
        let stage = document["checks"].as_array().unwrap().iter().find(|check| check["name"] == "receipt").unwrap();
        assert_eq!((exit, &stage["problems"][0]["code"]), (7, &json!("receipt/untrusted")), "{file}");
    }
}

#[test]
fn a_host_that_knows_a_plugin_does_not_give_it_to_the_first_key_that_comes() {
    let sandbox = packed();
    let host = sandbox.dev_host(&[]);
    assert_eq!(client(&host).upload(&sandbox, PACKAGE).0, 201, "unsigned, while anyone may");
    drop(host);
    let host = sandbox.dev_host(&["--tofu"]);
    let next = repack(&sandbox, "0.2.0");
    sandbox.run(&["sign", &next, "--key", "new"]).succeeded();
    assert_eq!(code(&client(&host).upload(&sandbox, &next)), (403, "signature/key-changed"));
}

#[test]
fn a_ninth_signature_does_not_spoil_a_package() {
    let sandbox = packed();
    for number in 0..9 {
        let name = format!("k{number}");
        sandbox.run(&["key", "new", &name]).succeeded();
        let output = sandbox.run(&["sign", PACKAGE, "--key", &name]);
        assert_eq!(output.code, if number < 8 { 0 } else { 7 }, "{}", output.stderr);
    }
    sandbox.run(&["verify", PACKAGE]).succeeded();
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let sandbox = packed();
    std::fs::create_dir(sandbox.path("folder.erpx")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(sandbox.path("pipe.erpx")).status().unwrap().success());
    std::os::unix::fs::symlink(sandbox.path("loop.erpx"), sandbox.path("loop.erpx")).unwrap();
    for file in ["folder.erpx", "pipe.erpx", "loop.erpx", "/dev/zero"] {
        sandbox.run(&["verify", file]).failed_with(3);
        sandbox.run(&["inspect", file]).failed_with(3);
    }
}
