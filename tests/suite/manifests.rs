//! `plugin.toml`: its schemas for editors, the commands that add to it, and how old manifests load.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Sandbox, repository};

fn schema(name: &str) -> Value {
    serde_json::from_str(&Sandbox::new().run(&["schema", name]).succeeded().stdout).unwrap()
}

/// Collects the files below a folder whose paths end with `end`.
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

/// Converts TOML to JSON; dates become strings.
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
    assert!(place("管理供应商") < place("[[schema.entities]]"), "permissions come beside permissions");

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

/// Returns a manifest with 18 lines and 3 findings for each entity.
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

/// Runs a command in a project with this manifest; returns the exit code, the new manifest and standard error.
fn edited(manifest: &str, arguments: &[&str]) -> (i32, String, String) {
    let sandbox = Sandbox::new();
    sandbox.write("plugin.toml", manifest);
    let output = sandbox.run(arguments);
    (output.code, String::from_utf8(sandbox.read("plugin.toml")).unwrap(), output.stderr)
}

const HEAD: &str = "manifest_version = 1\n[metadata]\nid = \"erp-x\"\nname = \"x\"\nversion = \"0.1.0\"\n";

#[test]
fn fixes_never_make_a_manifest_worse() {
    for (manifest, is_changed) in [
        // Two misspellings of one key.
        (format!("{HEAD}descripton = \"a\"\ndescrption = \"b\"\n"), true),
        // A header that is misspelled more than once.
        (
            format!(
                "{HEAD}[[permisions]]\ncode = \"a.b\"\nname = \"x\"\n[[permisions]]\ncode = \"a.c\"\nname = \"y\"\n"
            ),
            false,
        ),
        // Lists that are written inline.
        (
            format!(
                "permissions = [{{ code = \"note.list\", name = \"x\" }}]\n{HEAD}[[schema.entities]]\nname = \"note\"\ndisplay_name = \"n\"\n"
            ),
            false,
        ),
        (format!("{HEAD}[events]\nsubscribe = [\"a.b\",]\n[[events.publishes]]\ntype = \"c.d\"\n"), true),
    ] {
        let (_, text, stderr) = edited(&manifest, &["check", "--fix"]);
        assert!(text.parse::<toml::Table>().is_ok(), "{manifest}\n---\n{text}\n{stderr}");
        assert_eq!(text != manifest, is_changed, "{manifest}\n---\n{text}");
    }
    let windows = format!("{HEAD}[[schema.entities]]\nname = \"note\"\ndisplay_name = \"n\"\n").replace('\n', "\r\n");
    let (_, text, _) = edited(&windows, &["check", "--fix"]);
    assert!(text.contains("note.manage") && !text.replace("\r\n", "").contains('\n'), "{text:?}");
}

#[test]
fn edits_go_where_the_manifest_was_read_from() {
    let sandbox = Sandbox::new();
    sandbox.write("plugin.toml", "# not this one\n");
    sandbox.write("other.toml", format!("{HEAD}descripton = \"a\"\n"));
    sandbox.run(&["--manifest-path", "other.toml", "check", "--fix"]).succeeded();
    sandbox.run(&["--manifest-path", "other.toml", "add", "event", "a.b"]).succeeded();
    assert_eq!(sandbox.read("plugin.toml"), b"# not this one\n");
    let other = String::from_utf8(sandbox.read("other.toml")).unwrap();
    assert!(other.contains("description = ") && other.contains("subscribe = [\"a.b\"]"), "{other}");
}

#[test]
fn a_broken_head_does_not_hide_the_rest() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "plugin.toml",
        "manifest_version = 1\n[metadata]\nid = \"X\"\n[[schema.entities]]\nname = \"a\"\ndisplay_name = \"a\"\ntitle_field = \"b\"\n",
    );
    let (_, checked) = sandbox.json(&["check"]);
    let codes: Vec<&str> =
        checked["findings"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(
        codes,
        [
            "toml/missing-key",
            "toml/missing-key",
            "manifest/invalid-name",
            "manifest/unknown-field",
            "manifest/missing-permission"
        ],
        "{checked}"
    );
}

#[test]
fn a_plugin_cannot_have_the_platform_tell_the_events_of_others() {
    let entity = |rest: &str| {
        format!(
            "{HEAD}{rest}[[permissions]]\ncode = \"n.list\"\nname = \"x\"\n[[permissions]]\ncode = \"n.manage\"\nname = \"y\"\n[[schema.entities]]\nname = \"n\"\ndisplay_name = \"n\"\n"
        )
    };
    let codes = |manifest: String| {
        let sandbox = Sandbox::new();
        sandbox.write("plugin.toml", manifest);
        let (_, checked) = sandbox.json(&["check"]);
        let findings = checked["findings"].as_array().unwrap().clone();
        findings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let trigger = |name: &str| format!("trigger_events = [{{ on = \"create\", name = \"{name}\" }}]\n");
    assert_eq!(codes(entity("") + &trigger("sales.order.shipped")), ["manifest/event-not-granted"]);
    assert_eq!(codes(entity("[capabilities]\npublish = [\"sales.*\"]\n") + &trigger("sales.order.shipped")), [""; 0]);
    assert_eq!(
        codes(
            entity("[capabilities]\npublish = [\"sales.*\"]\ndeny.publish = [\"*\"]\n")
                + &trigger("sales.order.shipped")
        ),
        ["manifest/event-not-granted"]
    );
    assert_eq!(codes(entity("") + &trigger("erp-x.n.made")), [""; 0]);
    assert_eq!(codes(entity("") + &trigger("Bad Name")), ["manifest/event-pattern"]);
}

#[test]
fn long_chains_and_long_lines_cost_no_more_than_their_length() {
    let sandbox = Sandbox::new();
    let fields: String = (0..2_000)
        .map(|n| format!("{{ name = \"f{n}\", field_type = \"integer\", computed = \"f{} + 1\" }}, ", n + 1))
        .collect();
    let end = "{ name = \"f2000\", field_type = \"integer\", title = 1 }";
    sandbox.write(
        "plugin.toml",
        format!("{HEAD}[[schema.entities]]\nname = \"a\"\ndisplay_name = \"a\"\nfields = [{fields}{end}]\n"),
    );
    let (code, checked) = sandbox.json(&["check"]);
    assert_eq!((code, checked["errors"].as_u64()), (1, Some(1)), "{}", checked["findings"]);
    let shown = sandbox.run(&["check"]).failed_with(1).stderr;
    assert!(shown.len() < 3_000, "{}", shown.len());
}
