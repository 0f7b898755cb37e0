//! Components and packages examined from outside: `wit` and `inspect`.

use serde_json::json;

use crate::support::{Sandbox, fixture_component, template_component};

#[test]
fn components_load_where_they_should_and_the_others_say_why() {
    let sandbox = Sandbox::new();
    let legacy = fixture_component("legacy-plugin");
    let files = [template_component("minimal"), template_component("inventory"), legacy];
    let mut arguments = vec!["wit", "targets"];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    let (code, result) = sandbox.json(&arguments);
    assert_eq!(code, 0, "{result}");
    let best = |index: usize| result["components"][index]["best"].clone();
    assert_eq!(best(0), json!({ "abi": "erp:plugin@1.0.0", "world": "minimal-plugin" }));
    assert_eq!(best(1), json!({ "abi": "erp:plugin@1.0.0", "world": "entity-plugin" }));
    assert_eq!(best(2), json!({ "abi": "legacy", "world": "plugin-world" }));
    let target = |index: usize, world: &str| {
        let targets = result["components"][index]["targets"].as_array().unwrap();
        targets.iter().find(|target| target["world"] == world).unwrap().clone()
    };
    assert_eq!(target(0, "event-plugin")["reasons"][0], "it lacks event-handler");
    assert_eq!(target(2, "minimal-plugin")["reasons"][0], "it exports nothing of this world");
    let text = sandbox.run(&arguments).succeeded().stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80 || line.starts_with('/')), "{text}");
}

#[test]
fn a_change_of_the_wit_says_what_it_asks_and_whom_it_breaks() {
    let sandbox = Sandbox::new();
    sandbox.run(&["wit", "export", "wit"]).succeeded();
    let wit = String::from_utf8(sandbox.read("wit/1.0.0/plugin.wit")).unwrap();
    let inventory = template_component("inventory");
    let inventory = inventory.to_str().unwrap();
    let diff = |text: String| {
        sandbox.write("new.wit", text);
        sandbox.json(&["wit", "diff", "1.0.0", "new.wit", "--component", inventory])
    };
    let (code, same) = diff(wit.clone());
    assert_eq!((code, &same["class"], &same["components"][0]["loads"]), (0, &json!(null), &json!(true)), "{same}");
    let (code, grown) =
        diff(wit.replace("  uuid-v7: func() -> string;", "  uuid-v7: func() -> string;\n  uuid-v4: func() -> string;"));
    assert_eq!((code, &grown["class"]), (0, &json!("minor")), "{grown}");
    assert_eq!((&grown["least_version"], &grown["version_is_enough"]), (&json!("1.1.0"), &json!(false)), "{grown}");
    let (code, moved) = diff(
        wit.replace("package erp:plugin@1.0.0", "package erp:plugin@2.0.0")
            .replace("since(version = 1.0.0)", "since(version = 2.0.0)"),
    );
    assert_eq!(
        (code, &moved["class"], &moved["components"][0]["loads"]),
        (1, &json!("major"), &json!(false)),
        "{moved}"
    );
    let (code, narrowed) = diff(wit.replace("batch: func(ops: list<op>)", "batch: func(steps: list<op>)"));
    assert_eq!((code, &narrowed["class"]), (1, &json!("major")), "{narrowed}");
    assert_eq!(narrowed["components"][0]["reasons"][0], "batch of host-db has another type");
    let broken = sandbox.run(&["wit", "diff", "1.0.0", "none.wit"]).failed_with(3);
    assert!(broken.stderr.contains("name a .wit file"), "{}", broken.stderr);
}

#[test]
fn inspect_shows_what_is_in_a_component_and_in_a_package() {
    let sandbox = Sandbox::with_template("inventory");
    let component = template_component("inventory");
    let (_, shown) = sandbox.json(&["inspect", component.to_str().unwrap()]);
    let module = &shown["component"]["modules"][0];
    let sections: u64 = module["sections"].as_array().unwrap().iter().map(|part| part["bytes"].as_u64().unwrap()).sum();
    assert!(sections <= module["bytes"].as_u64().unwrap() && sections * 10 > module["bytes"].as_u64().unwrap() * 9);
    assert_eq!(shown["component"]["loads_on"], "erp:plugin@1.0.0 entity-plugin");
    let calls = shown["component"]["imports"]["erp:plugin/host-db@1.0.0"].as_array().unwrap();
    assert!(calls.contains(&json!("batch")) || calls.contains(&json!("query")), "{calls:?}");
    let wit = sandbox.run(&["inspect", "--wit", component.to_str().unwrap()]).succeeded().stdout;
    assert!(wit.contains("import erp:plugin/host-db@1.0.0;") && wit.contains("export erp:plugin/base@1.0.0;"), "{wit}");

    sandbox.take_component("erp-demo", component);
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let (_, package) = sandbox.json(&["inspect", "erp-demo/dist/erp-demo-0.1.0.erpx"]);
    assert_eq!(package["package"]["id"], "erp-demo");
    let (_, checked) = sandbox.json(&["-C", "erp-demo", "check"]);
    assert_eq!(
        package["package"]["rule_set"], checked["rule_set"],
        "the package names the rules that it was held against"
    );
    let text = sandbox.run(&["inspect", "erp-demo/dist/erp-demo-0.1.0.erpx"]).succeeded().stdout;
    assert!(text.contains("publishes inventory.*") && text.contains("nobody has signed it"), "{text}");
}
