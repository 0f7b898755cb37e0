//! Cargo as people set it up: each setup builds for development and for production alike, or is refused by name.

use serde_json::Value;

use crate::support::{Sandbox, buildable, one_build};

fn edit(sandbox: &Sandbox, file: &str, change: impl FnOnce(String) -> String) {
    let text = String::from_utf8(sandbox.read(file)).unwrap();
    sandbox.write(file, change(text));
}

fn built(sandbox: &Sandbox, folder: &str) -> (i32, Value) {
    sandbox.json(&["-C", folder, "build", "--release"])
}

#[test]
fn a_project_reached_through_a_link_builds() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    std::os::unix::fs::symlink(sandbox.path("erp-demo"), sandbox.path("link")).unwrap();
    assert_eq!(built(&sandbox, "link").0, 0);
    assert_eq!(sandbox.run(&["--manifest-path", "link/plugin.toml", "build", "--release"]).code, 0);
    assert_eq!(sandbox.run(&["-C", "link", "pack", "--check-reproducible"]).code, 0);
}

#[test]
fn a_crate_beside_the_plugin_leaves_no_path_and_builds_elsewhere() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    sandbox.write("shared/Cargo.toml", "[package]\nname = \"shared\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    let shared = "pub fn nth(list: &[u8], at: usize) -> u8 { assert!(at < list.len(), \"out\"); list[at] }\n";
    sandbox.write("shared/src/lib.rs", shared);
    edit(&sandbox, "erp-demo/Cargo.toml", |text| {
        text.replacen("[dependencies]\n", "[dependencies]\nshared = { path = \"../shared\" }\n", 1)
    });
    edit(&sandbox, "erp-demo/src/lib.rs", |text| {
        format!(
            "{text}\n#[unsafe(no_mangle)]\npub extern \"C\" fn nth(at: usize) -> u8 {{ shared::nth(&[1, 2], at) }}\n"
        )
    });
    assert_eq!(sandbox.run(&["-C", "erp-demo", "build"]).code, 0);
    assert_eq!(built(&sandbox, "erp-demo").0, 0);
    let component = sandbox.read("erp-demo/dist/erp-demo.wasm");
    let place = sandbox.path("shared").display().to_string();
    assert!(!component.windows(place.len()).any(|part| part == place.as_bytes()), "the component names {place}");
    assert_eq!(sandbox.run(&["-C", "erp-demo", "pack", "--check-reproducible"]).code, 0);
    // The crate is one of the sources: a change to it makes the component stale.
    sandbox.write("shared/src/lib.rs", format!("{shared}// changed\n"));
    let (_, refused) = sandbox.json(&["-C", "erp-demo", "pack", "--no-build"]);
    assert_eq!(refused["error"]["code"], "component/stale");
    assert!(refused["error"]["message"].as_str().unwrap().contains("../shared/src/lib.rs"), "{refused}");
}

#[test]
fn flags_of_the_build_count_in_release_as_in_debug() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    sandbox.write("erp-demo/.cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"special\"]\n");
    edit(&sandbox, "erp-demo/src/lib.rs", |text| {
        format!("#![allow(unexpected_cfgs)]\n{text}\n#[cfg(not(special))]\ncompile_error!(\"the flag is lost\");\n")
    });
    assert_eq!(sandbox.run(&["-C", "erp-demo", "build"]).code, 0);
    assert_eq!(built(&sandbox, "erp-demo").0, 0);
    assert_eq!(sandbox.run(&["-C", "erp-demo", "pack", "--check-reproducible"]).code, 0);
    std::fs::remove_file(sandbox.path("erp-demo/.cargo/config.toml")).unwrap();
    let (_, refused) = sandbox.json(&["-C", "erp-demo", "pack", "--no-build"]);
    assert!(refused["error"]["message"].as_str().unwrap().contains("cargo's flags"), "{refused}");
    let sandbox = sandbox.variable("CARGO_BUILD_RUSTFLAGS", "--cfg special");
    assert_eq!(built(&sandbox, "erp-demo").0, 0);
}

#[test]
fn a_linker_that_makes_no_component_is_refused_by_name() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    sandbox.write("erp-demo/.cargo/config.toml", "[target.wasm32-wasip2]\nlinker = \"rust-lld\"\n");
    for arguments in [&["-C", "erp-demo", "build"][..], &["-C", "erp-demo", "build", "--release"]] {
        let (code, refused) = sandbox.json(arguments);
        assert_eq!((code, refused["error"]["code"].as_str()), (3, Some("build/setup")), "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("rust-lld"));
        assert!(refused["error"]["hints"].to_string().contains("config.toml"), "{refused}");
    }
}

#[test]
fn unsafe_code_may_be_denied_and_not_forbidden() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    let lints = |level: &str| format!("\n[lints.rust]\nunsafe_code = \"{level}\"\n");
    let cargo = String::from_utf8(sandbox.read("erp-demo/Cargo.toml")).unwrap();
    sandbox.write("erp-demo/Cargo.toml", format!("{cargo}{}", lints("deny")));
    assert_eq!(built(&sandbox, "erp-demo").0, 0);
    sandbox.write("erp-demo/Cargo.toml", format!("{cargo}{}", lints("forbid")));
    let (code, refused) = built(&sandbox, "erp-demo");
    assert_eq!((code, refused["error"]["code"].as_str()), (3, Some("build/setup")), "{refused}");
}

#[test]
fn a_package_may_be_named_like_a_crate_that_it_needs() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    edit(&sandbox, "erp-demo/Cargo.toml", |text| text.replacen("name = \"erp-demo\"", "name = \"bitflags\"", 1));
    assert_eq!(sandbox.run(&["-C", "erp-demo", "build"]).code, 0);
    let (code, result) = built(&sandbox, "erp-demo");
    assert_eq!(code, 0, "{result}");
}

#[test]
fn a_workspace_has_one_lock_file_and_it_counts() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    sandbox.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"erp-demo\"]\nresolver = \"3\"\n[profile.tiny]\ninherits = \"release\"\nopt-level = \"z\"\n",
    );
    edit(&sandbox, "erp-demo/Cargo.toml", |text| {
        let profile = text.find("[profile").unwrap_or(text.len());
        text[..profile].replace("[workspace]\n", "")
    });
    assert_eq!(sandbox.run(&["-C", "erp-demo", "build"]).code, 0);
    assert_eq!(built(&sandbox, "erp-demo").0, 0);
    let provenance = String::from_utf8(sandbox.read("erp-demo/dist/erp-demo.provenance.json")).unwrap();
    let statement: Value = serde_json::from_str(&provenance).unwrap();
    let resolved = statement["predicate"]["buildDefinition"]["resolvedDependencies"].to_string();
    assert!(resolved.contains("Cargo.lock"), "{resolved}");
    edit(&sandbox, "erp-demo/Cargo.toml", |text| text.replacen("version = \"0.1.0\"", "version = \"0.1.9\"", 1));
    let before = sandbox.read("Cargo.lock");
    let (code, refused) = built(&sandbox, "erp-demo");
    assert_eq!((code, refused["error"]["code"].as_str()), (3, Some("build/lock-outdated")), "{refused}");
    assert_eq!(sandbox.read("Cargo.lock"), before);
    edit(&sandbox, "erp-demo/Cargo.toml", |text| text.replacen("version = \"0.1.9\"", "version = \"0.1.0\"", 1));
    // A profile that inherits from release counts as release.
    let (code, tiny) = sandbox.json(&["-C", "erp-demo", "build", "--profile", "tiny"]);
    assert_eq!((code, tiny["origin"].as_str()), (0, Some("release")), "{tiny}");
    assert!(sandbox.path("erp-demo/dist/erp-demo.cdx.json").is_file());
}

#[test]
fn a_path_of_any_root_is_found_in_a_component() {
    let _one = one_build();
    let sandbox = buildable("minimal");
    edit(&sandbox, "erp-demo/src/lib.rs", |text| {
        format!(
            "{text}\n#[unsafe(no_mangle)]\npub extern \"C\" fn place(at: usize) -> u8 {{ env!(\"CARGO_MANIFEST_DIR\").as_bytes()[at] }}\n"
        )
    });
    let (code, result) = built(&sandbox, "erp-demo");
    assert_eq!(code, 0, "{result}");
    assert!(result["findings"].to_string().contains("component/local-path"), "{result}");
    let (_, checked) = sandbox.json(&["-C", "erp-demo", "check"]);
    assert!(checked["findings"].to_string().contains("component/local-path"), "{checked}");
}

#[test]
fn a_toolchain_that_is_chosen_and_missing_is_named() {
    let sandbox = Sandbox::with_template("minimal");
    let script = "#!/bin/sh\necho \"error: toolchain 'nightly-2020-01-01' is not installed\" >&2\nexit 1\n";
    for program in ["cargo", "rustc"] {
        let file = format!("bin/{program}");
        sandbox.write(&file, script);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(sandbox.path(&file), mode).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
    let sandbox = sandbox.variable("PATH", &path);
    let (code, refused) = sandbox.json(&["-C", "erp-demo", "build"]);
    assert_eq!((code, refused["error"]["code"].as_str()), (5, Some("toolchain")), "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("nightly-2020-01-01"), "{refused}");
}

#[test]
fn another_folder_is_not_the_one_that_the_way_to_it_begins_in() {
    let sandbox = Sandbox::with_template("minimal");
    std::fs::create_dir(sandbox.path("empty")).unwrap();
    let output = std::process::Command::new(crate::support::erp_plugin())
        .args(["-C", "../empty", "check"])
        .current_dir(sandbox.path("erp-demo"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("empty"));
}
