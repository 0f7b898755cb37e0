//! Packages: a package that differs from what was signed is refused.

use std::process::Command;

use serde_json::Value;

use crate::support::{Sandbox, repository, template_component};

const PACKAGE: &str = "erp-demo/dist/erp-demo-0.1.0.erpx";

/// Returns a sandbox with a package that a key of its own has signed.
fn signed() -> Sandbox {
    let sandbox = Sandbox::with_template("minimal").variable("ERP_PLUGIN_KEY_PASSPHRASE", "correct horse");
    sandbox.take_component("erp-demo", template_component("minimal"));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    sandbox.run(&["key", "new", "own"]).succeeded();
    sandbox.run(&["sign", PACKAGE, "--key", "own"]).succeeded();
    sandbox
}

fn trust(sandbox: &Sandbox, scope: &str) {
    let key = "config/erp-plugin/keys/own.pub.pem";
    sandbox.run(&["key", "trust", key, "--publisher", "甲公司", "--scope", scope]).succeeded();
}

fn verify(sandbox: &Sandbox, package: &str) -> (i32, Value) {
    sandbox.json(&["verify", package, "--require-signature"])
}

/// Returns the code of the first problem, or `nothing`.
fn first_problem(document: &Value) -> &str {
    let checks = document["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["outcome"] == "no");
    failed.and_then(|check| check["problems"][0]["code"].as_str()).unwrap_or("nothing")
}

#[test]
fn a_signature_counts_where_its_key_is_trusted_for_the_plugin() {
    let sandbox = signed();
    let (code, untrusted) = verify(&sandbox, PACKAGE);
    assert_eq!((code, untrusted["status"].as_str()), (7, Some("untrusted")));
    sandbox.run(&["verify", PACKAGE]).succeeded();
    trust(&sandbox, "other-*");
    assert_eq!(verify(&sandbox, PACKAGE).0, 7, "a key outside its scope");
    trust(&sandbox, "erp-*");
    let (code, good) = verify(&sandbox, PACKAGE);
    assert_eq!((code, good["status"].as_str()), (0, Some("good")), "{good}");
}

#[test]
fn the_key_only_opens_with_its_passphrase_which_never_shows() {
    let sandbox = signed().variable("ERP_PLUGIN_KEY_PASSPHRASE", "battery staple");
    let output = sandbox.run(&["sign", PACKAGE, "--key", "own", "-v"]).failed_with(7);
    assert!(output.stderr.contains("the passphrase from ERP_PLUGIN_KEY_PASSPHRASE does not open"), "{}", output.stderr);
    assert!(!output.stderr.contains("staple"));
}

#[test]
fn a_package_cut_anywhere_is_refused() {
    let sandbox = signed();
    let package = sandbox.read(PACKAGE);
    for length in (0..100).chain((100..package.len()).step_by(package.len() / 60)) {
        sandbox.write("cut.erpx", &package[..length]);
        let (code, document) = sandbox.json(&["verify", "cut.erpx"]);
        assert_eq!(code, 7, "{length} bytes");
        assert!(first_problem(&document).starts_with("archive/"), "{document}");
    }
}

#[test]
fn zips_of_other_tools_and_other_files_are_named_for_what_they_are() {
    let sandbox = signed();
    let package = sandbox.read(PACKAGE);
    let mut appended = package.clone();
    appended.push(0);
    let mut prepended = vec![0];
    prepended.extend(&package);
    for (bytes, code) in [
        (appended, "archive/end-not-at-end"),
        (prepended, "archive/directory-range"),
        (b"PK\x03\x04 not really a zip at all".to_vec(), "archive/end-not-at-end"),
        (b"\x00asm\x0d\x00\x01\x00 and then some more bytes".to_vec(), "archive/end-not-at-end"),
        (Vec::new(), "archive/too-short"),
    ] {
        sandbox.write("foreign.erpx", &bytes);
        let (exit, document) = sandbox.json(&["verify", "foreign.erpx"]);
        assert_eq!((exit, first_problem(&document)), (7, code), "{document}");
    }
}

#[test]
fn secrets_and_links_are_not_packed() {
    let sandbox = Sandbox::with_template("minimal");
    sandbox.take_component("erp-demo", template_component("minimal"));
    sandbox.write("erp-demo/assets/key.txt", "-----BEGIN PRIVATE KEY-----\nMC4C\n");
    let output = sandbox.run(&["-C", "erp-demo", "pack"]).failed_with(3);
    assert!(output.stderr.contains("assets/key.txt` (line 1) looks like a private key"), "{}", output.stderr);
    std::fs::remove_file(sandbox.path("erp-demo/assets/key.txt")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", sandbox.path("erp-demo/assets/link")).unwrap();
    sandbox.run(&["-C", "erp-demo", "pack"]).failed_with(3);
}

/// Runs the documented check without this program. A second implementation finds mistakes that the writer and the
/// reader have in common.
#[test]
fn openssl_agrees_about_the_signature() {
    let sandbox = signed();
    let script = repository().join("docs/verify-without-erp-plugin.sh");
    let run = |package: &str| {
        Command::new("sh")
            .arg(&script)
            .arg(sandbox.path(package))
            .arg(sandbox.path("config/erp-plugin/keys/own.pub.pem"))
            .output()
            .unwrap()
    };
    let output = run(PACKAGE);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    sandbox.run(&["key", "new", "other"]).succeeded();
    let other = sandbox.read("config/erp-plugin/keys/other.pub.pem");
    sandbox.write("config/erp-plugin/keys/own.pub.pem", other);
    assert!(!run(PACKAGE).status.success(), "another key must not verify it");
}

/// Signing again with the same key results in the same bytes.
#[test]
fn signed_packages_are_reproducible_too() {
    let sandbox = signed();
    let first = sandbox.read(PACKAGE);
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    sandbox.run(&["sign", PACKAGE, "--key", "own"]).succeeded();
    assert_eq!(first, sandbox.read(PACKAGE));
}
