//! Every code has a fixture, whose output must not change.

use std::path::Path;

use crate::support::{Sandbox, expect_file, fixture_component, repository, template_component};

fn codes() -> Vec<String> {
    let (code, explained) = Sandbox::new().json(&["explain"]);
    assert_eq!(code, 0);
    let codes = explained["codes"].as_array().unwrap();
    codes.iter().map(|code| code["code"].as_str().unwrap().to_owned()).collect()
}

fn copy_into(sandbox: &Sandbox, folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            copy_into(sandbox, &path, &format!("{prefix}{name}/"));
        } else if let Some(stem) = name.strip_suffix(".wat") {
            sandbox.write(&format!("{prefix}{stem}.wasm"), wat::parse_file(&path).unwrap());
        } else if !matches!(name, "expected.txt" | "command") {
            sandbox.write(&format!("{prefix}{name}"), std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn every_code_has_a_fixture_that_shows_it() {
    for code in codes() {
        let folder = repository().join("tests/diagnostics").join(&code);
        assert!(folder.is_dir(), "{code} has no fixture in {}", folder.display());
        let sandbox = Sandbox::new();
        copy_into(&sandbox, &folder, "");
        let given = "dist/erp-demo.wasm";
        let usual =
            if sandbox.path(given).is_file() { format!("check --component {given}") } else { "check".to_owned() };
        let command = std::fs::read_to_string(folder.join("command")).unwrap_or(usual);
        let fill = |word: &str| match word.strip_prefix('{').and_then(|word| word.strip_suffix('}')) {
            Some(fixture) if fixture.ends_with("-plugin") => fixture_component(fixture).display().to_string(),
            Some(template) => template_component(template).display().to_string(),
            None => word.to_owned(),
        };
        let arguments: Vec<String> = command.split_whitespace().map(fill).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = sandbox.run(&arguments);
        let shown: String = output
            .stderr
            .lines()
            .filter(|line| !line.contains(" ms, ") && !line.contains(" as it is, sha256 "))
            .map(|line| format!("{}\n", line.trim_end()))
            .collect();
        assert!(shown.contains(&code), "{code} is not among the findings:\n{shown}{}", output.stdout);
        expect_file(&folder.join("expected.txt"), &shown);
        let (_, document) = sandbox.json(&arguments);
        let cases =
            document["cases"].as_array().into_iter().flatten().flat_map(|case| case["findings"].as_array().unwrap());
        let mut findings = document["findings"].as_array().into_iter().flatten().chain(cases);
        assert!(findings.any(|finding| finding["code"] == code.as_str()), "{code} is not in the JSON: {document:#}");
    }
}

#[test]
fn every_fixture_belongs_to_a_code() {
    let codes = codes();
    for area in std::fs::read_dir(repository().join("tests/diagnostics")).unwrap() {
        let area = area.unwrap().path();
        for fixture in std::fs::read_dir(&area).unwrap() {
            let fixture = fixture.unwrap().path();
            let code = format!(
                "{}/{}",
                area.file_name().unwrap().to_str().unwrap(),
                fixture.file_name().unwrap().to_str().unwrap()
            );
            assert!(codes.contains(&code), "{code} is no code");
        }
    }
}

#[test]
fn several_findings_come_in_one_run_in_the_order_of_their_places() {
    let sandbox = Sandbox::with_template("minimal");
    let manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    let broken = manifest
        .replace("version = \"0.1.0\"", "version = \"1\"")
        .replace("title_field = \"title\"", "title_feild = \"title\"")
        .replace("columns = [\"title\"]", "columns = [\"titel\"]");
    sandbox.write("erp-demo/plugin.toml", broken);
    let (code, checked) = sandbox.json(&["-C", "erp-demo", "check"]);
    assert_eq!(code, 1);
    let found: Vec<&str> =
        checked["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert_eq!(found, ["manifest/invalid-value", "toml/unknown-key", "manifest/unknown-field"]);
    let lines: Vec<u64> =
        checked["findings"].as_array().unwrap().iter().map(|finding| finding["line"].as_u64().unwrap()).collect();
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn explain_shows_the_fixture_as_its_example() {
    let sandbox = Sandbox::new();
    let text = sandbox.run(&["explain", "manifest/reserved-name"]).succeeded().stdout;
    assert!(text.contains("What to do:") && text.contains("`version` is a standard column"), "{text}");
    let unknown = sandbox.run(&["explain", "manifest/reserved-nam"]).failed_with(2);
    assert!(unknown.stderr.contains("did you mean `manifest/reserved-name`"), "{}", unknown.stderr);
}

#[test]
fn what_can_be_fixed_is_fixed_once_and_for_all() {
    let mut fixed = 0;
    for code in codes() {
        let folder = repository().join("tests/diagnostics").join(&code);
        if folder.join("command").exists() {
            continue;
        }
        let sandbox = Sandbox::new();
        copy_into(&sandbox, &folder, "");
        let (_, before) = sandbox.json(&["check"]);
        let fixable = |findings: &serde_json::Value| {
            findings["findings"].as_array().into_iter().flatten().filter(|finding| finding["fix"].is_string()).count()
        };
        if fixable(&before) == 0 {
            continue;
        }
        let (_, after) = sandbox.json(&["check", "--fix"]);
        assert!(!after["fixed"].as_array().unwrap().is_empty(), "{code}: {after}");
        assert_eq!(fixable(&after), 0, "{code} still has something to fix: {after}");
        assert!(after["errors"].as_u64() <= before["errors"].as_u64(), "{code} became worse: {after}");
        let text = sandbox.read("plugin.toml");
        let (_, again) = sandbox.json(&["check", "--fix"]);
        assert!(
            again["fixed"].as_array().unwrap().is_empty() && sandbox.read("plugin.toml") == text,
            "{code}: {again}"
        );
        fixed += 1;
    }
    assert!(fixed >= 7, "only {fixed} fixtures have a fix");
}

#[test]
fn check_writes_the_formats_of_other_tools() {
    let folder = repository().join("tests/diagnostics/manifest/unknown-field");
    let sandbox = Sandbox::new().variable("GITHUB_ACTIONS", "true");
    copy_into(&sandbox, &folder, "");
    let annotated = sandbox.run(&["check"]).failed_with(1).stdout;
    assert!(annotated.starts_with("::error file=plugin.toml,line="), "{annotated}");
    let sarif = sandbox.run(&["check", "--format", "sarif"]).failed_with(1).stdout;
    let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "manifest/unknown-field");
    let junit = sandbox.run(&["check", "--format", "junit"]).failed_with(1).stdout;
    assert!(junit.contains("failures=\"1\""), "{junit}");
    sandbox.run(&["explain", "--format", "sarif"]).failed_with(2);
}

#[test]
fn a_project_weighs_its_warnings_and_the_platform_does_not_care() {
    let folder = repository().join("tests/diagnostics/manifest/unused");
    let sandbox = Sandbox::new();
    copy_into(&sandbox, &folder, "");
    let manifest = String::from_utf8(sandbox.read("plugin.toml")).unwrap();
    let warnings = |settings: &str, arguments: &[&str]| {
        sandbox.write("plugin.toml", format!("{manifest}\n[check]\n{settings}\n"));
        let (code, checked) = sandbox.json(arguments);
        (code, checked["warnings"].as_u64().unwrap())
    };
    assert_eq!(warnings("", &["check"]), (0, 1));
    assert_eq!(warnings("ignore = [\"manifest/unused\"]", &["check"]), (0, 0));
    assert_eq!(warnings("ignore = [\"manifest/unused\"]", &["check", "--profile", "platform"]), (0, 1));
    assert_eq!(warnings("severity = { \"manifest/unused\" = \"error\" }", &["check"]), (1, 0));
    assert_eq!(warnings("ignore = [\"manifest/unknown-field\"]", &["check"]).0, 1, "an error cannot be ignored");
    assert_eq!(warnings("ignore = [\"manifest/unusde\"]", &["check"]).0, 1, "a code that is none");
}
