//! What is tested and packed is what was built: a component records what it was made from.

use serde_json::Value;

use crate::support::{Sandbox, buildable, one_build, template_component};

fn code_of(result: &(i32, Value)) -> String {
    result.1["error"]["code"].as_str().unwrap_or_default().to_owned()
}

fn message_of(result: &(i32, Value)) -> String {
    result.1["error"]["message"].as_str().unwrap_or_default().to_owned()
}

fn stale_findings(sandbox: &Sandbox) -> Vec<String> {
    let (_, checked) = sandbox.json(&["-C", "erp-demo", "check"]);
    let findings = checked["findings"].as_array().cloned().unwrap_or_default();
    let stale = findings.iter().filter(|finding| finding["code"] == "component/stale");
    stale.map(|finding| finding["message"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_stale_component_is_told_refused_or_built() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    let run = |arguments: &[&str]| sandbox.json(&[&["-C", "erp-demo"], arguments].concat());
    assert_eq!(code_of(&run(&["call", "--no-build", "base.init", "--json", "{}"])), "component/missing");
    sandbox.run(&["-C", "erp-demo", "build", "--release"]).succeeded();
    let shipped = sandbox.read("erp-demo/dist/erp-demo.wasm");
    assert_eq!(stale_findings(&sandbox), [""; 0]);
    assert_eq!(run(&["call", "--no-build", "base.init", "--json", "{}"]).0, 0, "what ships can be tried too");

    // A comment in the manifest changes nothing; a label does.
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    sandbox.write("erp-demo/plugin.toml", format!("# a comment\n{manifest}"));
    assert_eq!(stale_findings(&sandbox), [""; 0]);
    sandbox.write("erp-demo/plugin.toml", manifest.replace("name = \"", "name = \"新 "));
    let stale = stale_findings(&sandbox);
    assert_eq!(stale, ["dist/erp-demo.wasm is not made of the present sources: plugin.toml changed"]);
    sandbox.write("erp-demo/plugin.toml", &manifest);

    let source = String::from_utf8(sandbox.read("erp-demo/src/lib.rs")).unwrap();
    sandbox.write("erp-demo/src/lib.rs", format!("{source}\n// changed\n"));
    assert!(stale_findings(&sandbox)[0].ends_with("src/lib.rs changed"));
    for command in [&["call", "--no-build", "base.init", "--json", "{}"][..], &["pack", "--no-build"]] {
        let refused = run(command);
        assert_eq!((refused.0, code_of(&refused).as_str()), (1, "component/stale"), "{command:?}");
        assert!(message_of(&refused).contains("src/lib.rs"), "{command:?}");
    }
    // `call` builds for development, and does not touch the component that ships.
    sandbox.run(&["-C", "erp-demo", "call", "base.init", "--json", "{}"]).succeeded();
    assert!(sandbox.path("erp-demo/dist/debug/erp-demo.wasm").is_file());
    assert_eq!(sandbox.read("erp-demo/dist/erp-demo.wasm"), shipped);
    assert_eq!(stale_findings(&sandbox), [""; 0], "the one for development is of the present sources");
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    assert_ne!(sandbox.read("erp-demo/dist/erp-demo.wasm"), shipped);
    let provenance = String::from_utf8(sandbox.read("erp-demo/dist/erp-demo.provenance.json")).unwrap();
    assert!(provenance.contains("plugin.toml"));

    // A source that does not compile ends the command, and the last good component stays.
    let good = sandbox.read("erp-demo/dist/erp-demo.wasm");
    sandbox.write("erp-demo/src/lib.rs", format!("{source}\nfn broken( {{\n"));
    let failed = run(&["pack"]);
    assert_eq!((failed.0, code_of(&failed).as_str()), (101, "build"));
    assert_eq!(sandbox.read("erp-demo/dist/erp-demo.wasm"), good);
}

#[test]
fn a_package_is_published_as_the_sources_are() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let packed = sandbox.read("erp-demo/dist/erp-demo-0.1.0.erpx");
    let publish = |more: &[&str]| {
        sandbox.json(&[&["-C", "erp-demo", "publish", "--to", "http://127.0.0.1:1", "--offline"], more].concat())
    };
    assert_eq!(code_of(&publish(&[])), "offline");
    assert_eq!(sandbox.read("erp-demo/dist/erp-demo-0.1.0.erpx"), packed, "it was of the present sources");
    let readme = sandbox.read("erp-demo/README.md");
    sandbox.write("erp-demo/README.md", [readme.as_slice(), b"\nmore\n"].concat());
    assert_eq!(code_of(&publish(&["--no-build"])), "package/stale");
    assert_eq!(code_of(&publish(&[])), "offline");
    assert_ne!(sandbox.read("erp-demo/dist/erp-demo-0.1.0.erpx"), packed, "it was packed again");
    // A signed package is not replaced.
    let sandbox = sandbox.variable("ERP_PLUGIN_KEY_PASSPHRASE", "pass");
    sandbox.run(&["key", "new", "k"]).succeeded();
    sandbox.run(&["-C", "erp-demo", "sign", "--key", "k"]).succeeded();
    let signed = sandbox.read("erp-demo/dist/erp-demo-0.1.0.erpx");
    let publish = |more: &[&str]| {
        sandbox.json(&[&["-C", "erp-demo", "publish", "--to", "http://127.0.0.1:1", "--offline"], more].concat())
    };
    assert_eq!(code_of(&publish(&[])), "offline", "a signature changes no content");
    sandbox.write("erp-demo/README.md", &readme);
    assert_eq!(code_of(&publish(&[])), "package/stale");
    assert_eq!(sandbox.read("erp-demo/dist/erp-demo-0.1.0.erpx"), signed);
}

#[test]
fn a_component_from_elsewhere_is_what_every_command_takes() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "plugin.toml",
        "manifest_version = 1\n[metadata]\nid = \"erp-none\"\nname = \"n\"\nversion = \"0.1.0\"\ndescription = \"\"\n\
         author = \"\"\n[runtime]\nabi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n[build]\nlanguage = \"none\"\n",
    );
    let fuel = |sandbox: &Sandbox| sandbox.json(&["call", "base.init", "--json", "{}"]).1["fuel"].as_u64().unwrap();
    let idle = fuel(&sandbox);
    sandbox.take_component(".", template_component("minimal"));
    assert_ne!(fuel(&sandbox), idle, "the component that was put there is called");
    let (_, packed) = sandbox.json(&["pack"]);
    let packed = packed["files"].as_array().unwrap().iter().find(|file| file["name"] == "component.wasm").unwrap();
    assert_eq!(packed["bytes"].as_u64().unwrap(), sandbox.read("dist/erp-none.wasm").len() as u64);
    // Only the tool that made the component can make it again.
    let manifest = String::from_utf8(sandbox.read("plugin.toml")).unwrap();
    sandbox.write("plugin.toml", manifest.replace("0.1.0\"\nd", "0.2.0\"\nd"));
    let refused = sandbox.json(&["pack"]);
    assert_eq!(code_of(&refused), "component/stale");
    sandbox.write("plugin.toml", &manifest);
    // A file that is named is used as it is, and its digest is printed.
    let named = template_component("minimal");
    let output = sandbox.run(&["call", "base.init", "--json", "{}", "--component", named.to_str().unwrap()]);
    assert!(output.stderr.contains("as it is, sha256 "), "{}", output.stderr);
}

#[test]
fn a_lock_of_fuel_is_of_the_component_that_ships() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    sandbox.write(
        "erp-demo/tests/start.test.toml",
        "schema = 1\nsuite = \"start\"\n[world]\nusers = { admin = { tenant = \"acme\", grants = [\"*\"] } }\n[[test]]\nname = \"it starts\"\n[[test.step]]\ncall = \"base.init\"\nas = \"admin\"\nexpect.ok = true\n",
    );
    let locked = sandbox.json(&["-C", "erp-demo", "test", "--lock-budget"]);
    assert_eq!(locked.0, 0, "{}", locked.1);
    let lock = String::from_utf8(sandbox.read("erp-demo/tests/budget.lock.toml")).unwrap();
    assert!(lock.contains("profile = \"release\"") && lock.contains("compiler = \"rustc "), "{lock}");
    sandbox.run(&["-C", "erp-demo", "build"]).succeeded();
    for flags in [&["test"][..], &["test", "--accept"]] {
        let output = sandbox.run(&[&["-C", "erp-demo"], flags].concat()).succeeded();
        assert!(output.stderr.contains("does not apply: it is of a release build, and this is a debug build"));
    }
    assert_eq!(String::from_utf8(sandbox.read("erp-demo/tests/budget.lock.toml")).unwrap(), lock);
    // The component that ships is compared with the figure, which is too low.
    let lowered: String = lock
        .lines()
        .map(
            |line| {
                if line.starts_with("\"it starts\"") { "\"it starts\" = 1\n".to_owned() } else { format!("{line}\n") }
            },
        )
        .collect();
    sandbox.write("erp-demo/tests/budget.lock.toml", lowered);
    assert_eq!(sandbox.run(&["-C", "erp-demo", "test", "--release"]).code, 1);
}

#[test]
fn a_version_is_raised_in_all_files_at_once() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let (code, raised) = sandbox.json(&["-C", "erp-demo", "version", "patch"]);
    assert_eq!((code, raised["version"].as_str()), (0, Some("0.1.1")), "{raised}");
    let files: Vec<&str> =
        raised["files"].as_array().unwrap().iter().filter_map(|file| file["file"].as_str()).collect();
    assert_eq!(files, ["plugin.toml", "Cargo.toml", "Cargo.lock"]);
    // The lock file is up to date: `--locked` succeeds.
    sandbox.run(&["-C", "erp-demo", "build", "--release", "--locked"]).succeeded();
    let (code, shown) = sandbox.json(&["-C", "erp-demo", "version"]);
    assert_eq!((code, &shown["ok"]), (0, &Value::Bool(true)));
    // A change of one file alone is detected.
    let cargo = String::from_utf8(sandbox.read("erp-demo/Cargo.toml")).unwrap();
    sandbox.write("erp-demo/Cargo.toml", cargo.replacen("0.1.1", "0.1.2", 1));
    assert_eq!(sandbox.run(&["-C", "erp-demo", "version"]).code, 1);
    let (code, refused) = sandbox.json(&["-C", "erp-demo", "build", "--release"]);
    assert_eq!((code, refused["error"]["code"].as_str()), (3, Some("build/lock-outdated")));
    let output = sandbox.run(&["-C", "erp-demo", "build", "--release"]);
    assert!(!output.stderr.contains("was passed") && !output.stderr.contains("remove the"), "{}", output.stderr);
    sandbox.run(&["-C", "erp-demo", "version", "0.1.1"]).succeeded();
    assert_eq!(sandbox.run(&["-C", "erp-demo", "version"]).code, 0);
}

#[test]
fn a_version_that_is_too_low_for_what_changed_is_refused() {
    let sandbox = Sandbox::with_template("pages");
    sandbox.run(&["-C", "erp-demo", "version", "1.0.0"]).succeeded();
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    sandbox.write(
        "erp-demo/plugin.toml",
        format!("{manifest}\n[[permissions]]\ncode = \"customer.print\"\nname = \"打印\"\n"),
    );
    let (code, refused) = sandbox.json(&["-C", "erp-demo", "version", "patch"]);
    assert_eq!((code, refused["error"]["code"].as_str()), (1, Some("version/too-low")), "{refused}");
    assert!(String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap().contains("1.0.0"), "nothing was written");
    sandbox.run(&["-C", "erp-demo", "version", "minor", "--dry-run"]).succeeded();
    assert!(String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap().contains("1.0.0"), "nothing was written");
    sandbox.run(&["-C", "erp-demo", "version", "minor"]).succeeded();
    assert!(String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap().contains("version = \"1.1.0\""));
    for lower in ["0.1.0", "next", "1.1"] {
        assert_eq!(sandbox.run(&["-C", "erp-demo", "version", lower]).code, 2, "{lower}");
    }
    // The last package decides, however often the version was raised since.
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    let broken = manifest.replacen("field_type = \"string\"", "field_type = \"integer\"", 1);
    assert_ne!(broken, manifest);
    sandbox.write("erp-demo/plugin.toml", broken);
    let (code, refused) = sandbox.json(&["-C", "erp-demo", "version", "minor"]);
    assert_eq!((code, refused["error"]["code"].as_str()), (1, Some("version/too-low")), "{refused}");
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("erp-demo-1.0.0.erpx: it must be 2.0.0"),
        "{refused}"
    );
}

#[test]
fn a_version_that_packages_of_a_workspace_share_is_raised_for_all_of_them() {
    let sandbox = Sandbox::new();
    let cargo = |name: &str| format!("[package]\nname = \"{name}\"\nversion.workspace = true\nedition = \"2024\"\n");
    let manifest = |id: &str| {
        format!("[metadata]\nid = \"{id}\"\nname = \"x\"\nversion = \"0.1.0\"\n[runtime]\nabi = \"erp:plugin@1.0.0\"\n")
    };
    sandbox.write(
        "w/Cargo.toml",
        "[workspace]\nmembers = [\"plugins/*\"]\nresolver = \"3\"\n[workspace.package]\nversion = \"0.1.0\"\n",
    );
    let entry = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n\n");
    sandbox.write("w/Cargo.lock", format!("version = 4\n\n{}{}{}", entry("erp-a1"), entry("erp-b1"), entry("other")));
    for id in ["erp-a1", "erp-b1"] {
        sandbox.write(&format!("w/plugins/{id}/Cargo.toml"), cargo(id));
        sandbox.write(&format!("w/plugins/{id}/plugin.toml"), manifest(id));
        sandbox.write(&format!("w/plugins/{id}/src/lib.rs"), "");
    }
    sandbox.run(&["-C", "w/plugins/erp-a1", "version", "minor"]).succeeded();
    let lock = String::from_utf8(sandbox.read("w/Cargo.lock")).unwrap();
    assert_eq!((lock.matches("0.2.0").count(), lock.matches("0.1.0").count()), (2, 1), "{lock}");
    // The check of the neighbour reports the shared version, and cannot set it back.
    let behind = sandbox.run(&["-C", "w/plugins/erp-b1", "version"]);
    assert_eq!(behind.code, 1);
    assert!(behind.stdout.contains("erp-plugin version 0.2.0"), "{}", behind.stdout);
    assert_eq!(sandbox.run(&["-C", "w/plugins/erp-b1", "version", "0.1.1"]).code, 2);
    sandbox.run(&["-C", "w/plugins/erp-b1", "version", "0.2.0"]).succeeded();
    assert_eq!(sandbox.run(&["-C", "w/plugins/erp-b1", "version"]).code, 0);
}

#[test]
fn a_variable_that_the_source_reads_is_part_of_what_it_was_made_of() {
    let _one = one_build();
    let sandbox = buildable("minimal").variable("REGION", "north");
    let source = String::from_utf8(sandbox.read("erp-demo/src/lib.rs")).unwrap();
    sandbox
        .write("erp-demo/src/lib.rs", format!("{source}\npub const REGION: Option<&str> = option_env!(\"REGION\");\n"));
    sandbox.run(&["-C", "erp-demo", "build"]).succeeded();
    let bytes = sandbox.read("erp-demo/dist/debug/erp-demo.wasm");
    assert!(!bytes.windows(5).any(|five| five == b"north"), "the value is not told, where nothing uses it");
    assert_eq!(stale_findings(&sandbox), [""; 0]);
    let sandbox = sandbox.variable("REGION", "south");
    assert_eq!(
        stale_findings(&sandbox),
        ["dist/debug/erp-demo.wasm is not made of the present sources: the variable REGION changed"]
    );
}
