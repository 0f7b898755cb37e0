//! What a package records about its build: the bill of materials, the provenance, the same bytes in another place.

use cyclonedx_bom::prelude::{Bom, Validate};
use serde_json::Value;

use crate::support::{Sandbox, repository};

/// Returns a sandbox with a packed release build of the inventory template.
fn packed() -> Sandbox {
    let sandbox = Sandbox::with_template("inventory");
    let target = repository().join("target/test-guests");
    let arguments = ["-C", "erp-demo", "build", "--release", "--target-dir", target.to_str().unwrap()];
    sandbox.run(&arguments).succeeded();
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    sandbox
}

const PACKAGE: &str = "erp-demo/dist/erp-demo-0.1.0.erpx";

#[test]
fn a_package_tells_what_it_is_made_of_and_how() {
    let sandbox = packed();
    let text = sandbox.read("erp-demo/dist/erp-demo.cdx.json");
    let bom = Bom::parse_from_json_v1_5(text.as_slice()).unwrap();
    let validation = bom.validate_version(cyclonedx_bom::models::bom::SpecVersion::V1_5);
    assert!(validation.passed(), "{:?}", validation.errors().collect::<Vec<_>>());
    let bill: Value = serde_json::from_slice(&text).unwrap();
    let lock = String::from_utf8(sandbox.read("erp-demo/Cargo.lock")).unwrap();
    for component in bill["components"].as_array().unwrap() {
        let name = component["name"].as_str().unwrap();
        assert!(lock.contains(&format!("name = \"{name}\"")), "{name} is not locked");
        assert!(lock.contains(component["hashes"][0]["content"].as_str().unwrap()), "{name} has another checksum");
    }
    let (_, verified) = sandbox.json(&["verify", PACKAGE]);
    let stage = verified["checks"].as_array().unwrap().iter().find(|check| check["name"] == "supply chain").unwrap();
    assert_eq!(stage["outcome"], "ok", "{stage}");
    let (_, inspected) = sandbox.json(&["inspect", PACKAGE]);
    assert!(
        inspected["package"]["libraries"]
            .as_array()
            .unwrap()
            .iter()
            .any(|library| library.as_str().unwrap().starts_with("wit-bindgen "))
    );
    assert!(inspected["package"]["build"]["compiler"].as_str().unwrap().starts_with("rustc "));
    // No path of this machine is in the component.
    let component = sandbox.read("erp-demo/dist/erp-demo.wasm");
    for folder in
        [sandbox.path(""), repository().to_path_buf(), std::path::PathBuf::from(std::env::var("HOME").unwrap())]
    {
        let folder = folder.display().to_string();
        let folder = folder.trim_end_matches('/').as_bytes();
        assert!(!component.windows(folder.len()).any(|window| window == folder), "{}", String::from_utf8_lossy(folder));
    }
    let producers = inspected["component"]["producers"].as_array().unwrap();
    assert!(producers.iter().any(|producer| producer["name"] == "erp-plugin"), "{producers:?}");
}

#[test]
fn the_same_source_builds_into_the_same_bytes_in_another_place() {
    let sandbox = packed();
    let (code, packed) = sandbox.json(&["-C", "erp-demo", "pack", "--check-reproducible"]);
    assert_eq!((code, packed["reproducible"].as_bool()), (0, Some(true)), "{packed}");
    let (code, verified) = sandbox.json(&["verify", PACKAGE, "--rebuild", "erp-demo"]);
    assert_eq!((code, verified["rebuilt"].as_bool()), (0, Some(true)), "{verified}");
    let source = String::from_utf8(sandbox.read("erp-demo/src/lib.rs")).unwrap();
    sandbox.write(
        "erp-demo/src/lib.rs",
        format!("{source}\n#[unsafe(no_mangle)]\npub static CHANGED: [u8; 7] = *b\"changed\";\n"),
    );
    let (code, changed) = sandbox.json(&["verify", PACKAGE, "--rebuild", "erp-demo"]);
    assert_eq!((code, changed["rebuilt"].as_bool()), (7, Some(false)), "{changed}");
}

#[test]
fn what_stays_behind_and_what_may_go_along_is_said() {
    let sandbox = Sandbox::with_template("minimal");
    sandbox.take_component("erp-demo", crate::support::template_component("minimal"));
    sandbox.write("erp-demo/assets/notes/draft.md", "x");
    sandbox.write("erp-demo/assets/logo.svg", "<svg/>");
    sandbox.write("erp-demo/assets/example.txt", "-----BEGIN PRIVATE KEY-----\nnot a real one\n");
    sandbox.write("erp-demo/assets/.env.local", "PASSWORD=x");
    let output = sandbox.run(&["-C", "erp-demo", "pack"]).failed_with(3);
    for told in [
        "assets/example.txt` (line 1) looks like a private key",
        "assets/.env.local` looks like settings",
        ".erpxignore",
        "--allow-secret",
    ] {
        assert!(output.stderr.contains(told), "{told}: {}", output.stderr);
    }
    sandbox.write("erp-demo/.erpxignore", "# drafts and settings\nnotes/\n.env*\n");
    let (code, listed) = sandbox.json(&["-C", "erp-demo", "pack", "--list", "--allow-secret", "assets/example.txt"]);
    assert_eq!(code, 0, "{listed}");
    let names: Vec<&str> =
        listed["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"assets/logo.svg") && names.contains(&"assets/example.txt"), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("draft") || name.contains(".env")), "{names:?}");
    assert!(!sandbox.path("erp-demo/dist/erp-demo-0.1.0.erpx").exists(), "--list writes nothing");
    let tree =
        sandbox.run(&["-C", "erp-demo", "pack", "--list", "--allow-secret", "assets/example.txt"]).succeeded().stdout;
    assert!(tree.contains("assets/\n") || tree.lines().any(|line| line.trim_end() == "assets/"), "{tree}");
}
