//! What projects are made from: data, parameters, folders, Git repositories. Also several projects in one workspace.

use std::process::Command;

use crate::support::{Sandbox, repository, template_component};

fn git(sandbox: &Sandbox, folder: &str, arguments: &[&str]) {
    let output = Command::new("git")
        .current_dir(sandbox.path(folder))
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Writes a template into the folder `own`.
fn own_template(sandbox: &Sandbox) {
    sandbox.write(
        "own/template.toml",
        r#"description = "mine"

[[parameters]]
name = "noun"
description = "what it is about"
pattern = "[a-z_]+"

[[parameters]]
name = "count"
kind = "integer"
description = "how many"
default = 3

[files]
"extra.md" = "count > 5"
"#,
    );
    let manifest = r#"manifest_version = 1

[metadata]
id = "{= id =}"
name = {= display_name | toml =}
version = "0.1.0"
description = "{= noun =} {= count =}"

[runtime]
abi = "erp:plugin@1.0.0"
world = "minimal-plugin"
"#;
    sandbox.write("own/content/plugin.toml", manifest);
    sandbox.write("own/content/{= noun =}.md", "# {= noun =}\n");
    sandbox.write("own/content/extra.md", "many\n");
    sandbox.write("own/content/picture.bin", [0xff, 0xfe, 0x00]);
}

#[test]
fn parameters_come_from_the_line_and_from_files_and_are_checked_all_at_once() {
    let sandbox = Sandbox::new();
    own_template(&sandbox);
    sandbox.write("values.toml", "noun = \"cats\"\ncount = 7\n");
    sandbox.run(&["new", "erp-a", "-t", "own", "--values-file", "values.toml", "--define", "noun=dogs"]).succeeded();
    let manifest = String::from_utf8(sandbox.read("erp-a/plugin.toml")).unwrap();
    assert!(manifest.contains("description = \"dogs 7\""), "the line counts more: {manifest}");
    assert_eq!(sandbox.read("erp-a/dogs.md"), b"# dogs\n");
    assert_eq!(sandbox.read("erp-a/picture.bin"), [0xff, 0xfe, 0x00]);
    assert!(sandbox.path("erp-a/extra.md").is_file());
    let refused =
        sandbox.run(&["new", "erp-b", "-t", "own", "--define", "count=many", "--define", "non=x"]).failed_with(2);
    for part in ["`noun`", "`count`", "`non`", "--define noun=…"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    assert!(!sandbox.path("erp-b").exists());
}

#[test]
fn a_repository_is_fetched_at_a_revision_and_nothing_of_it_runs_or_leads_out() {
    let sandbox = Sandbox::new();
    own_template(&sandbox);
    std::fs::create_dir_all(sandbox.path("repo/deep")).unwrap();
    std::fs::rename(sandbox.path("own"), sandbox.path("repo/deep/own")).unwrap();
    git(&sandbox, "repo", &["init", "-q"]);
    git(&sandbox, "repo", &["add", "-A"]);
    git(&sandbox, "repo", &["commit", "-qm", "one"]);
    git(&sandbox, "repo", &["tag", "v1"]);
    std::os::unix::fs::symlink("/etc/passwd", sandbox.path("repo/deep/own/content/link")).unwrap();
    sandbox.write("repo/.git/hooks/post-checkout", "#!/bin/sh\ntouch /tmp/erp-plugin-hook-ran\n");
    git(&sandbox, "repo", &["add", "-A"]);
    git(&sandbox, "repo", &["commit", "-qm", "two"]);
    let url = format!("file://{}", sandbox.path("repo").display());
    let new = |id: &str, revision: &str, path: &str| {
        let arguments = ["new", id, "-t", &url, "--revision", revision, "--template-path", path, "--define", "noun=x"];
        sandbox.run(&arguments)
    };
    let made = new("erp-a", "v1", "deep/own").succeeded();
    assert!(made.stderr.contains("Created erp-a from") && made.stderr.contains(" at "), "{}", made.stderr);
    assert_eq!(sandbox.read("erp-a/x.md"), b"# x\n");
    // A link in the newest commit becomes a plain file that contains the link's target.
    new("erp-b", "HEAD", "deep/own").succeeded();
    assert!(!sandbox.path("erp-b/link").is_symlink());
    assert_eq!(sandbox.read("erp-b/link"), b"/etc/passwd");
    assert!(new("erp-c", "nowhere", "deep/own").failed_with(6).stderr.contains("nowhere"));
    new("erp-d", "v1", "../own").failed_with(2);
    new("erp-e", "v1", "deep").failed_with(3);
}

#[test]
fn entities_come_from_data_of_every_kind() {
    let component = std::fs::read(template_component("minimal")).unwrap();
    for (file, entities, rows) in [
        ("customers.csv", vec!["customer"], 2),
        ("shop.json", vec!["customer", "order"], 2),
        ("shop.sql", vec!["customer", "order", "order_line"], 2),
        ("shop.xlsx", vec!["product", "customer"], 2),
    ] {
        let sandbox = Sandbox::new();
        let data = repository().join("tests/fixtures/data").join(file);
        sandbox.run(&["new", "erp-demo", "-t", "crud", "--from", data.to_str().unwrap()]).succeeded();
        let manifest: toml::Table = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap().parse().unwrap();
        let names: Vec<&str> = manifest["schema"]["entities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, entities, "{file}");
        sandbox.take_bytes("erp-demo", &component);
        let (code, checked) = sandbox.json(&["-C", "erp-demo", "check"]);
        assert_eq!((code, &checked["errors"]), (0, &0.into()), "{file}: {checked:#}");
        let (code, tested) = sandbox.json(&["-C", "erp-demo", "test"]);
        assert_eq!((code, &tested["passed"]), (0, &rows.into()), "{file}: {tested:#}");
    }
    let sandbox = Sandbox::new();
    sandbox.write("x.csv", "a\n");
    let refused = sandbox.run(&["new", "erp-demo", "-t", "crud", "--from", "x.csv"]).failed_with(2);
    assert!(refused.stderr.contains("holds no table"), "{}", refused.stderr);
    sandbox.run(&["new", "erp-demo", "-t", "minimal", "--from", "x.csv"]).failed_with(2);
}

#[test]
fn the_plugins_of_a_workspace_are_worked_on_in_the_order_of_their_needs() {
    let sandbox = Sandbox::new();
    sandbox.write("Cargo.toml", "[workspace]\nmembers = [\"plugins/*\"]\n");
    sandbox.run(&["new", "plugins/erp-b"]).succeeded();
    sandbox.run(&["new", "plugins/erp-a"]).succeeded();
    let cargo = String::from_utf8(sandbox.read("plugins/erp-a/Cargo.toml")).unwrap();
    assert!(!cargo.contains("[workspace]") && !cargo.contains("[profile"), "the workspace has them: {cargo}");
    let manifest = String::from_utf8(sandbox.read("plugins/erp-a/plugin.toml")).unwrap();
    sandbox.write("plugins/erp-a/plugin.toml", manifest + "\n[[dependencies.plugins]]\nid = \"erp-b\"\n");
    let component = std::fs::read(template_component("minimal")).unwrap();
    sandbox.take_bytes("plugins/erp-a", &component);
    let missing = sandbox.run(&["-C", "plugins/erp-a", "test", "--no-build"]).failed_with(3);
    assert!(missing.stderr.contains("there is no component at"), "{}", missing.stderr);
    sandbox.take_bytes("plugins/erp-b", &component);

    let (code, tested) = sandbox.json(&["test", "--workspace"]);
    let ids: Vec<&str> = tested["plugins"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!((code, ids), (0, vec!["erp-b", "erp-a"]), "{tested:#}");
    assert!(tested["plugins"][1]["result"]["passed"].as_u64().unwrap() > 0);
    sandbox.run(&["-C", "plugins", "-p", "erp-a", "check"]).succeeded();
    let unknown = sandbox.run(&["-p", "erp-c", "check"]).failed_with(3);
    assert!(unknown.stderr.contains("there are erp-b, erp-a"), "{}", unknown.stderr);
    sandbox.run(&["sql", "select 1", "--workspace"]).failed_with(2);
    // Results that are text in every format become strings in the one document.
    let (code, inspected) = sandbox.json(&["inspect", "--wit", "--workspace"]);
    assert_eq!(code, 0, "{inspected:#}");
    assert!(inspected["plugins"][0]["result"].as_str().is_some_and(|wit| wit.contains("world")), "{inspected:#}");
    let github = sandbox.run(&["check", "--workspace", "--format", "github"]).succeeded();
    assert!(github.stderr.contains("erp-a") && github.stderr.contains("erp-b"), "{}", github.stderr);
    sandbox.write("plugins/erp-a/tests/notes.test.toml", "schema = 1\n[[test]]\nname = \"x\"\nstep = []\n");
    let (code, tested) = sandbox.json(&["test", "--workspace"]);
    assert_ne!(code, 0);
    assert_eq!(tested["plugins"][0]["exit_code"], 0, "the others are worked on all the same");

    let circle = String::from_utf8(sandbox.read("plugins/erp-b/plugin.toml")).unwrap();
    sandbox.write("plugins/erp-b/plugin.toml", circle + "\n[[dependencies.plugins]]\nid = \"erp-a\"\n");
    let refused = sandbox.run(&["check", "--workspace"]).failed_with(3);
    assert!(refused.stderr.contains("in a circle"), "{}", refused.stderr);
}

#[test]
fn a_fresh_project_is_formatted_as_everybody_formats() {
    for template in ["action", "crud", "event", "inventory", "minimal", "node", "processor"] {
        let sandbox = Sandbox::with_template(template);
        sandbox.run(&["-C", "erp-demo", "generate"]).succeeded();
        let formatted = std::process::Command::new("cargo")
            .args(["fmt", "--check"])
            .current_dir(sandbox.path("erp-demo"))
            .output()
            .unwrap();
        assert!(formatted.status.success(), "{template}: {}", String::from_utf8_lossy(&formatted.stdout));
    }
}
