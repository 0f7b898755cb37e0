//! `plugin.toml`: what editors are told about it, how it is added to, how old ones load.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Sandbox, repository};

fn schema(name: &str) -> Value {
    serde_json::from_str(&Sandbox::new().run(&["schema", name]).succeeded().stdout).unwrap()
}

/// Every file of a name below a folder.
fn files(folder: &Path, end: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, end, found);
        } else if path.to_string_lossy().ends_with(end) {
            found.push(path);
        }
    }
}

fn as_json(text: &str) -> Option<Value> {
    text.parse::<toml::Table>().ok().map(|table| value(toml::Value::Table(table)))
}

/// TOML as JSON; dates are their texts.
fn value(toml: toml::Value) -> Value {
    match toml {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(value).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, item)| (key, value(item))).collect(),
    }
}

#[test]
fn the_schemas_accept_what_the_tool_accepts_and_refuse_what_it_refuses() {
    for (name, end) in [("manifest", "plugin.toml"), ("scenario", ".test.toml")] {
        let schema = schema(name);
        let validator = jsonschema::validator_for(&schema).unwrap();
        for template in ["minimal", "inventory"] {
            let sandbox = Sandbox::with_template(template);
            let mut found = Vec::new();
            files(&sandbox.path("erp-demo"), end, &mut found);
            assert!(!found.is_empty());
            for file in found {
                let document = as_json(&std::fs::read_to_string(&file).unwrap()).unwrap();
                let errors: Vec<String> = validator
                    .iter_errors(&document)
                    .map(|error| format!("{error} at {}", error.instance_path))
                    .collect();
                assert!(errors.is_empty(), "{}: {errors:?}", file.display());
            }
        }
        for project in ["legacy-plugin", "std-plugin"] {
            let mut found = Vec::new();
            files(&repository().join("tests/fixtures").join(project), end, &mut found);
            for file in found {
                let document = as_json(&std::fs::read_to_string(&file).unwrap()).unwrap();
                assert!(validator.is_valid(&document), "{}", file.display());
            }
        }
    }
    let schema = schema("manifest");
    let manifest = jsonschema::validator_for(&schema).unwrap();
    for code in ["toml/unknown-key", "toml/missing-key", "toml/wrong-type", "toml/unknown-word"] {
        let file = repository().join("tests/diagnostics").join(code).join("plugin.toml");
        let document = as_json(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert!(!manifest.is_valid(&document), "{code} passes the schema");
    }
}

#[test]
fn every_key_of_the_schemas_is_described() {
    fn walk(schema: &Value, path: &str, found: &mut usize) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{key}");
            assert!(value["description"].as_str().is_some_and(|text| text.ends_with('.')), "{path} has no sentence");
            *found += 1;
            walk(value, &path, found);
            walk(&value["items"], &path, found);
            walk(&value["additionalProperties"], &path, found);
        }
    }
    let mut found = 0;
    walk(&schema("manifest"), "manifest", &mut found);
    walk(&schema("scenario"), "scenario", &mut found);
    assert!(found > 200, "{found} keys");
}

#[test]
fn add_writes_what_check_accepts_and_leaves_the_rest_alone() {
    let sandbox = Sandbox::with_template("minimal");
    let run = |arguments: &[&str]| {
        let mut all = vec!["-C", "erp-demo", "add"];
        all.extend(arguments);
        sandbox.run(&all)
    };
    let before = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    sandbox.write("erp-demo/plugin.toml", format!("# 我的插件\n{before}\n# the end\n"));
    run(&["entity", "supplier", "--display-name", "供应商", "--field", "name:string", "--field", "rating:rating"])
        .succeeded();
    run(&[
        "field",
        "note",
        "supplier_id",
        "ref",
        "--ref-entity",
        "supplier",
        "--display-name",
        "供应商",
        "--filterable",
    ])
    .succeeded();
    run(&["field", "supplier", "grade", "select", "--option", "a=甲", "--option", "b=乙"]).succeeded();
    run(&["permission", "supplier.rate", "--name", "评级"]).succeeded();
    run(&["page", "kanban", "supplier"]).failed_with(3);
    run(&["event", "supplier.rated", "--publish"]).succeeded();
    let (code, checked) = sandbox.json(&["-C", "erp-demo", "check"]);
    assert_eq!((code, &checked["warnings"]), (0, &serde_json::json!(0)), "{checked}");
    let after = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    assert!(after.starts_with("# 我的插件\n"));
    let kept: Vec<&str> = after.lines().filter(|line| before.lines().any(|old| old == *line)).collect();
    assert!(before.lines().filter(|line| !line.is_empty()).all(|line| kept.contains(&line)), "{after}");
    let place = |text: &str| after.find(text).unwrap_or_else(|| panic!("{text} is not in\n{after}"));
    assert!(place("supplier_id") < place("name = \"supplier\""), "a field comes beside the fields of its entity");
    assert!(place("供应商 manage") < place("[[schema.entities]]"), "permissions come beside permissions");

    for (arguments, word) in [
        (vec!["field", "notee", "x", "string"], "did you mean `note`?"),
        (vec!["field", "note", "x", "strng"], "did you mean `string`?"),
        (vec!["field", "note", "title", "string"], "already"),
        (vec!["entity", "Note"], "the rule is"),
        (vec!["field", "note", "version", "string"], "standard column"),
    ] {
        let output = run(&arguments);
        assert!(output.code != 0 && output.stderr.contains(word), "{arguments:?}: {}", output.stderr);
        assert_eq!(sandbox.read("erp-demo/plugin.toml"), after.as_bytes(), "{arguments:?} wrote something");
    }
}

#[test]
fn a_manifest_of_the_first_version_loads_with_its_own_spellings() {
    let sandbox = Sandbox::new();
    sandbox.write("plugin.toml", include_str!("../fixtures/first-version.toml"));
    let (code, checked) = sandbox.json(&["check"]);
    let codes: Vec<&str> =
        checked["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!((code, codes), (0, vec!["manifest/legacy"]), "{checked}");
}

#[test]
fn three_hundred_findings_come_in_one_run() {
    let sandbox = Sandbox::new();
    sandbox.write("plugin.toml", big_manifest(100));
    let (code, checked) = sandbox.json(&["check"]);
    let findings = checked["findings"].as_array().unwrap();
    assert_eq!((code, findings.len()), (1, 300), "{}", findings.len());
}

/// A manifest of 20 lines and 3 findings for each entity.
pub fn big_manifest(entities: usize) -> String {
    let mut text =
        "manifest_version = 1\n\n[metadata]\nid = \"erp-big\"\nname = \"大\"\nversion = \"0.1.0\"\n".to_owned();
    for n in 0..entities {
        text.push_str(&format!(
            "\n[[permissions]]\ncode = \"item{n}.list\"\nname = \"查看\"\n\n[[permissions]]\ncode = \"item{n}.manage\"\nname = \"管理\"\n\n\
             [[schema.entities]]\nname = \"item{n}\"\ndisplay_name = \"商品 {n}\"\ntitle_field = \"nam\"\n\n\
             [[schema.entities.fields]]\nname = \"name\"\nfield_type = \"strin\"\nvisible_when = \"naem == 'x'\"\n"
        ));
    }
    text
}
