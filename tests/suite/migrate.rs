//! `erp-plugin migrate` and `seed`, as a developer uses them: the inventory plugin's second version.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::storage::{entity, field};
use crate::support::{
    Client, Sandbox, empty_database, fixture_component, postgres_address, repository, template_component,
};

/// The changes of the second version to the manifest of the template.
const CHANGES: [(&str, &str); 4] = [
    ("version = \"0.1.0\"", "version = \"0.2.0\""),
    ("schema_version = 1", "schema_version = 2"),
    (", { value = \"box\", label = \"箱\" }", ""),
    (
        "[[schema.entities.fields]]\nname = \"note\"\nfield_type = \"text\"\ndisplay_name = \"备注\"\n",
        "[[schema.entities.fields]]\nname = \"urgent\"\nfield_type = \"boolean\"\ndisplay_name = \"加急\"\n",
    ),
];

/// How the second version migrates rows.
const STEPS: &str = r#"
[[migrations]]
from = 1
to = 2
steps = [
  { do = "backfill", entity = "inventory_item", field = "unit", value = "'piece'", when = "unit == 'box'" },
  { do = "drop_field", entity = "purchase_order", field = "note" },
]

[[migrations]]
from = 1
to = 2
phase = "post"
steps = [{ do = "backfill", entity = "purchase_order", field = "urgent", value = "status == 'draft'" }]
"#;

/// Returns a sandbox with the first version as a package, and the project of the second version beside it.
fn two_versions(steps: &str) -> Sandbox {
    let sandbox = Sandbox::with_template("inventory");
    sandbox.take_component("erp-demo", template_component("inventory"));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    std::fs::copy(sandbox.path("erp-demo/dist/erp-demo-0.1.0.erpx"), sandbox.path("old.erpx")).unwrap();
    let mut manifest = String::from_utf8(sandbox.read("erp-demo/plugin.toml")).unwrap();
    for (from, to) in CHANGES {
        assert!(manifest.contains(from), "the template has no {from}");
        manifest = manifest.replace(from, to);
    }
    sandbox.write("erp-demo/plugin.toml", manifest + steps);
    sandbox.take_component("erp-demo", template_component("inventory"));
    sandbox
}

#[test]
fn what_changed_and_what_is_at_stake_is_told() {
    let sandbox = two_versions("");
    let (code, diff) = sandbox.json(&["-C", "erp-demo", "migrate", "diff", "../old.erpx"]);
    assert_eq!(code, 1, "{diff}");
    let told: Vec<(&str, &str)> = diff["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["place"].as_str().unwrap(), change["effect"].as_str().unwrap()))
        .collect();
    let expected =
        [("inventory_item.unit", "narrows"), ("purchase_order.urgent", "none"), ("purchase_order.note", "loses")];
    assert_eq!(told, expected);
    let (code, check) = sandbox.json(&["-C", "erp-demo", "check", "--previous", "../old.erpx"]);
    assert_eq!(code, 1);
    let codes = check["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "migration/at-stake");
    assert_eq!(codes.count(), 2, "{check}");

    let sandbox = two_versions(STEPS);
    let (code, diff) = sandbox.json(&["-C", "erp-demo", "migrate", "diff", "../old.erpx"]);
    assert_eq!((code, &diff["moves_rows"]), (0, &json!(true)), "{diff}");
    let (code, semver) = sandbox.json(&["-C", "erp-demo", "migrate", "semver", "../old.erpx"]);
    assert_eq!((code, &semver["least"], &semver["bump"]), (0, &json!("0.2.0"), &json!("major")), "{semver}");
    let (code, plan) = sandbox.json(&["-C", "erp-demo", "migrate", "plan", "../old.erpx", "--dialect", "postgres"]);
    assert_eq!(code, 0);
    assert!(plan["plans"][0]["steps"].as_array().unwrap().len() > 4, "{plan}");
}

#[test]
fn a_revision_of_git_is_a_version() {
    let sandbox = two_versions(STEPS);
    let git = |arguments: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(arguments)
            .current_dir(sandbox.path("erp-demo"))
            .stdout(Stdio::null())
            .status();
        assert!(done.unwrap().success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "plugin.toml"]);
    git(&["commit", "-qm", "second"]);
    let (code, diff) = sandbox.json(&["-C", "erp-demo", "migrate", "diff", "../old.erpx", "HEAD"]);
    assert_eq!((code, diff["changes"].as_array().unwrap().len()), (0, 3), "{diff}");
    let output = sandbox.run(&["-C", "erp-demo", "migrate", "diff", "nothing"]).failed_with(2);
    assert!(output.stderr.contains("no file, no folder, and no revision of git"), "{}", output.stderr);
}

#[test]
fn a_rehearsal_shows_what_becomes_of_every_value_on_both_databases() {
    let sandbox = two_versions("");
    let rehearse = |sandbox: &Sandbox, more: &[&str]| {
        let mut arguments = vec!["-C", "erp-demo", "migrate", "rehearse", "--from", "../old.erpx", "--rows", "300"];
        arguments.extend(more);
        sandbox.json(&arguments)
    };
    let (code, refused) = rehearse(&sandbox, &[]);
    assert_eq!((code, &refused["refused"]["code"]), (1, &json!("migration.rows_at_stake")), "{refused}");

    let sandbox = two_versions(STEPS);
    let address = postgres_address();
    for database in [&[][..], &["--database", &address]] {
        let (code, result) = rehearse(&sandbox, database);
        assert_eq!(code, 0, "{result:#}");
        let fate = |place: &str| {
            let all = result["values"].as_array().unwrap();
            all.iter().find(|fate| fate["place"] == place).unwrap_or_else(|| panic!("{place}: {result:#}")).clone()
        };
        assert!(fate("inventory_item.unit")["changed"].as_u64().unwrap() > 5);
        assert_eq!(fate("inventory_item.unit")["gone"], 0);
        let note = fate("purchase_order.note");
        assert!(note["gone"].as_u64().unwrap() > 5 && note["is_meant"] == true, "{note}");
        for table in result["tables"].as_array().unwrap() {
            assert_eq!(table["before"], table["after"]);
        }
        let scenarios = result["scenarios"].as_array().unwrap();
        assert!(scenarios.len() > 10 && scenarios.iter().all(|scenario| scenario["passed"] == true), "{result:#}");
        assert!(result["steps"].as_array().unwrap().iter().any(|step| step["rows"].as_u64() > Some(0)));
    }
}

/// Lists the data of an entity's rows over HTTP.
fn listed(client: &Client<'_>, entity: &str) -> Value {
    let (status, list) = client.rows("GET", &format!("/{entity}?page_size=200"), &Value::Null);
    assert_eq!(status, 200, "{list}");
    list["items"].as_array().unwrap().iter().map(|row| row["data"].clone()).collect()
}

#[test]
fn an_upgrade_of_a_dev_host_is_applied_told_and_taken_back() {
    let sandbox = two_versions(STEPS);
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let upgraded = |database: &[&str]| {
        let with = |arguments: &[&str]| {
            let mut all: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
            all.extend(database.iter().map(|text| (*text).to_owned()));
            all
        };
        let state = format!("state-{}", database.len());
        let run = |arguments: &[&str]| {
            let mut all = vec!["--state-dir".to_owned(), sandbox.path(&state).display().to_string()];
            let mut given = with(arguments);
            given.append(&mut all);
            let given: Vec<&str> = given.iter().map(String::as_str).collect();
            sandbox.json(&given)
        };
        {
            std::fs::remove_dir_all(sandbox.path("state")).ok();
            let host = sandbox.dev_host(database);
            let client = Client::new(&host, "admin@acme", "erp-demo");
            let (status, body) = client.upload(&sandbox, "old.erpx");
            assert_eq!(status, 201, "{body}");
            client.start();
            let row = json!({ "sku": "A-1", "name": "螺丝", "unit": "box", "threshold": 7 });
            assert_eq!(client.rows("POST", "/inventory_item", &row).0, 201);
        }
        std::fs::rename(sandbox.path("state"), sandbox.path(&state)).unwrap();
        let (code, seeded) = run(&["-C", "erp-demo", "seed", "--rows", "400"]);
        // The project is already the second version; rows are made for the installed one.
        assert_eq!((code, &seeded["total"]), (0, &json!(400)), "{seeded}");
        let (code, applied) = run(&["-C", "erp-demo", "migrate", "apply"]);
        assert_eq!((code, &applied["version"]), (0, &json!("0.2.0")), "{applied}");
        let (code, status) = run(&["-C", "erp-demo", "migrate", "status"]);
        assert_eq!((code, &status["upgrades"][0]["from_version"]), (0, &json!("0.1.0")), "{status}");
        std::fs::rename(sandbox.path(&state), sandbox.path("state")).unwrap();
        {
            let host = sandbox.dev_host(database);
            let client = Client::new(&host, "admin@acme", "erp-demo");
            let items = listed(&client, "inventory_item");
            let item = items.as_array().unwrap().iter().find(|item| item["sku"] == "A-1").unwrap();
            assert_eq!((&item["unit"], &item["threshold"]), (&json!("piece"), &json!(7)));
        }
        std::fs::rename(sandbox.path("state"), sandbox.path(&state)).unwrap();
        let (code, back) = run(&["-C", "erp-demo", "migrate", "rollback"]);
        assert_eq!((code, &back["version"]), (0, &json!("0.1.0")), "{back}");
        let (code, again) = run(&["-C", "erp-demo", "migrate", "rollback"]);
        assert_eq!((code, &again["error"]["code"]), (1, &json!("migration.no_rollback")), "{again}");
        std::fs::rename(sandbox.path(&state), sandbox.path("state")).unwrap();
        let host = sandbox.dev_host(database);
        let client = Client::new(&host, "admin@acme", "erp-demo");
        let items = listed(&client, "inventory_item");
        let item = items.as_array().unwrap().iter().find(|item| item["sku"] == "A-1").unwrap();
        assert_eq!((&item["unit"], &item["threshold"]), (&json!("box"), &json!(7)));
    };
    upgraded(&[]);
    let address = empty_database();
    upgraded(&["--database", &address]);
}

#[test]
fn whoever_is_killed_while_an_upgrade_is_applied_leaves_the_old_version_or_the_new_one() {
    let sandbox = two_versions(STEPS);
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    for database in [None, Some(empty_database())] {
        let database: Vec<&str> = database.iter().flat_map(|address| ["--database", address.as_str()]).collect();
        std::fs::remove_dir_all(sandbox.path("state")).ok();
        {
            let host = sandbox.dev_host(&database);
            let client = Client::new(&host, "admin@acme", "erp-demo");
            assert_eq!(client.upload(&sandbox, "old.erpx").0, 201);
            client.start();
            for index in 0..60 {
                let row = json!({ "sku": format!("A-{index}"), "name": "螺丝", "unit": "box", "threshold": index });
                assert_eq!(client.rows("POST", "/inventory_item", &row).0, 201);
            }
        }
        let state = sandbox.path("state").display().to_string();
        let with = |arguments: &[&str]| {
            let mut all = vec!["-C", "erp-demo"];
            all.extend(arguments);
            all.extend(["--state-dir", &state]);
            all.extend(&database);
            all.into_iter().map(str::to_owned).collect::<Vec<String>>()
        };
        let run = |arguments: &[&str]| {
            let arguments = with(arguments);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            sandbox.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let units = || -> Vec<String> {
            let host = sandbox.dev_host(&database);
            let items = listed(&Client::new(&host, "admin@acme", "erp-demo"), "inventory_item");
            items.as_array().unwrap().iter().map(|item| item["unit"].as_str().unwrap().to_owned()).collect()
        };
        // How long an upgrade takes on this machine at present.
        let started = std::time::Instant::now();
        assert!(run(&["migrate", "apply"]).wait().unwrap().success());
        let whole = started.elapsed();
        assert!(run(&["migrate", "rollback"]).wait().unwrap().success());
        let mut killed = 0;
        for kill in 0..20 {
            let mut child = run(&["migrate", "apply"]);
            // Later each time, from before the first statement until after the last one.
            std::thread::sleep(whole * kill / 18);
            let was_done = child.try_wait().unwrap().is_some();
            child.kill().unwrap();
            child.wait().unwrap();
            killed += u32::from(!was_done);
            let units = units();
            assert_eq!(units.len(), 60);
            let is_new = units.iter().all(|unit| unit == "piece");
            assert!(is_new || units.iter().all(|unit| unit == "box"), "half an upgrade after kill {kill}: {units:?}");
            if is_new {
                assert!(run(&["migrate", "rollback"]).wait().unwrap().success());
            }
        }
        assert!(killed >= 5, "only {killed} of 20 were killed in time");
        assert!(run(&["migrate", "apply"]).wait().unwrap().success());
        assert!(units().iter().all(|unit| unit == "piece"));
    }
}

#[test]
fn the_same_seed_makes_the_same_rows_and_lines_add_up() {
    let sandbox = Sandbox::new();
    let tables = entity(
        "customer",
        &(field("name", "field_type = \"string\"\nrequired = true\nunique = true")
            + &field("phone", "field_type = \"phone\"")),
    ) + &entity(
        "order",
        &(field("customer", "field_type = \"ref\"\nref_entity = \"customer\"\nrequired = true")
            + &field("total", "field_type = \"currency\"")
            + &field("due", "field_type = \"date\"\nsortable = true")),
    ) + &entity(
        "line",
        &(field("order", "field_type = \"ref\"\nref_entity = \"order\"\nrequired = true")
            + &field("quantity", "field_type = \"integer\"\nvalidation = { min = 1, max = 9 }")
            + &field("price", "field_type = \"currency\"\nrequired = true")
            + &field("amount", "field_type = \"currency\"\ncomputed = \"quantity * price\"")),
    ) + &entity(
        "place",
        &("tree_parent = \"parent\"\n".to_owned()
            + &field("name", "field_type = \"string\"\nrequired = true")
            + &field("parent", "field_type = \"ref\"\nref_entity = \"place\"\nno_cycle = true")),
    );
    let head = "manifest_version = 1\n[metadata]\nid = \"erp-seed\"\nname = \"种子\"\nversion = \"0.1.0\"\n\
                [runtime]\nabi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n";
    sandbox.write("erp-seed/plugin.toml", format!("{head}{tables}"));
    let seed = |file: &str, number: &str| {
        let arguments = [
            "-C",
            "erp-seed",
            "seed",
            "--rows",
            "3000",
            "--file",
            file,
            "--seed",
            number,
            "--now",
            "2026-04-15T08:00:00Z",
        ];
        let (code, result) = sandbox.json(&arguments);
        assert_eq!((code, &result["total"]), (0, &json!(3000)), "{result}");
    };
    seed("a.sqlite", "7");
    seed("b.sqlite", "7");
    seed("c.sqlite", "8");
    let ask = |file: &str, sql: &str| {
        let (code, result) = sandbox.json(&["-C", "erp-seed", "sql", file, sql]);
        assert_eq!(code, 0, "{result}");
        result["rows"].clone()
    };
    let all = "select * from line order by id limit 100";
    assert_eq!(ask("a.sqlite", all), ask("b.sqlite", all));
    assert_ne!(ask("a.sqlite", all), ask("c.sqlite", all));
    let wrong = "select o.id, o.total, sum(l.amount) as lines from \"order\" o join line l on l.\"order\" = o.id \
                 group by o.id having abs(o.total - lines) > 0.001";
    assert_eq!(ask("a.sqlite", wrong), json!([]));
    assert!(ask("a.sqlite", "select count(*) from \"order\" where total > 0")[0][0].as_u64() > Some(100));
    let lost = "select count(*) from \"order\" where customer not in (select id from customer)";
    assert_eq!(ask("a.sqlite", lost), json!([[0]]));
    assert!(ask("a.sqlite", "select count(*) from place where parent is not null")[0][0].as_u64() > Some(10));
    let near = "select count(*) from \"order\" where due between '2025-04-01' and '2026-08-01' or due is null";
    assert_eq!(ask("a.sqlite", near), ask("a.sqlite", "select count(*) from \"order\""));
    assert!(ask("a.sqlite", "select count(*) from customer where name like '%公司%'")[0][0].as_u64() > Some(10));
    // An existing file is not overwritten.
    sandbox.run(&["-C", "erp-seed", "seed", "--file", "a.sqlite"]).failed_with(2);
}

#[test]
fn rows_that_come_with_a_plugin_come_once_follow_and_go() {
    let sandbox = Sandbox::new();
    let tables = |version: u32, mode: &str, rows: &str| {
        "[[schema.entities]]\nname = \"unit\"\ndisplay_name = \"单位\"\ntitle_field = \"name\"\n".to_owned()
            + &field("code", "field_type = \"string\"\nrequired = true\nunique = true")
            + &field("name", "field_type = \"string\"")
            + &entity(
                "thing",
                &(field("name", "field_type = \"string\"")
                    + &field("unit", "field_type = \"ref\"\nref_entity = \"unit\"")),
            )
            + &format!(
                "[[fixtures]]\nentity = \"unit\"\nmode = \"{mode}\"\nkey = [\"code\"]\nfile = \"fixtures/units.csv\"\n"
            )
            + &format!(
                "[[demo]]\nentity = \"thing\"\nkey = [\"name\"]\nrows = [{{ name = \"样品 {version}\", unit = \"件\" }}]\n{rows}"
            )
    };
    let pack = |version: u32, tables: &str, units: &str| {
        let manifest = format!(
            "manifest_version = 1\n[metadata]\nid = \"erp-fix\"\nname = \"固定\"\nversion = \"0.{version}.0\"\n\
             [runtime]\nabi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n{tables}"
        );
        sandbox.write("erp-fix/plugin.toml", manifest);
        sandbox.write("erp-fix/fixtures/units.csv", units);
        sandbox.take_component("erp-fix", template_component("minimal"));
        sandbox.run(&["-C", "erp-fix", "pack"]).succeeded();
        format!("erp-fix/dist/erp-fix-0.{version}.0.erpx")
    };
    let host = sandbox.dev_host(&[]);
    let client = Client::new(&host, "admin@acme", "erp-fix");
    let names = |client: &Client<'_>| -> Vec<String> {
        let mut names: Vec<String> = listed(client, "unit")
            .as_array()
            .unwrap()
            .iter()
            .map(|unit| unit["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let first = pack(1, &tables(1, "once", ""), "code,name\npc,件\nbox,箱\n");
    assert_eq!(client.upload(&sandbox, &first).0, 201);
    client.start();
    assert_eq!(names(&client), ["件", "箱"]);
    // Every tenant has the rows, and a user may change and delete them.
    assert_eq!(names(&Client::new(&host, "admin@globex", "erp-fix")), ["件", "箱"]);
    let (_, list) = client.rows("GET", "/unit?filter=%7B%22code%22%3A%22box%22%7D", &Value::Null);
    let id = list["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(client.rows("DELETE", &format!("/unit/{id}"), &Value::Null).0, 204);
    let second = pack(2, &tables(2, "once", ""), "code,name\npc,个\nbox,箱\nkg,公斤\n");
    assert_eq!(client.upload(&sandbox, &second).0, 201);
    assert_eq!(names(&client), ["件", "公斤"], "what came once does not come again");
    let third = pack(3, &tables(3, "upsert", ""), "code,name\npc,个\nbox,箱\n");
    assert_eq!(client.upload(&sandbox, &third).0, 201);
    assert_eq!(names(&client), ["个", "公斤", "箱"]);
    let fourth = pack(4, &tables(4, "overwrite", ""), "code,name\npc,件\n");
    assert_eq!(client.upload(&sandbox, &fourth).0, 201);
    assert_eq!(names(&client), ["件"]);
    // Demonstration rows are inserted on request, and refer to rows by their titles.
    assert_eq!(listed(&client, "thing"), json!([]));
    let (status, brought) = client.admin("POST", "/demo");
    assert_eq!((status, &brought["rows"]), (200, &json!(1)), "{brought}");
    assert_eq!(listed(&client, "thing")[0]["name"], "样品 4");
    assert_eq!(listed(&Client::new(&host, "admin@globex", "erp-fix"), "thing"), json!([]));
}

#[test]
fn a_migration_may_call_the_plugin_for_each_tenant() {
    let sandbox = Sandbox::new();
    let component = std::fs::read(fixture_component("host-plugin")).unwrap();
    let manifest = std::fs::read_to_string(repository().join("tests/fixtures/host-plugin/plugin.toml")).unwrap();
    let pack = |version: u64, handler: Option<&str>| {
        let steps = handler.map_or_else(String::new, |handler| {
            format!("\n[[migrations]]\nfrom = 1\nto = 2\nhandler = \"{handler}\"\n")
        });
        let schema = format!("[schema]\nschema_version = {version}\n\n[[schema.entities]]\nname = \"visit\"");
        let manifest = manifest
            .replace("version = \"0.1.0\"", &format!("version = \"0.{version}.0\""))
            .replace("[[schema.entities]]\nname = \"visit\"", &schema);
        sandbox.write("host-plugin/plugin.toml", manifest + &steps);
        sandbox.take_bytes("host-plugin", &component);
        sandbox.run(&["-C", "host-plugin", "pack"]).succeeded();
        format!("host-plugin/dist/host-plugin-0.{version}.0.erpx")
    };
    let host = sandbox.dev_host(&[]);
    let client = Client::new(&host, "admin@acme", "host-plugin");
    assert_eq!(client.upload(&sandbox, &pack(1, None)).0, 201);
    client.start();
    let places = |user: &str| {
        let visits = listed(&Client::new(&host, user, "host-plugin"), "visit");
        visits.as_array().unwrap().iter().map(|visit| visit["place"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = places("admin@acme");
    let (status, refused) = client.upload(&sandbox, &pack(2, Some("refuse-upgrade")));
    assert_eq!((status, &refused["details"]["code"]), (422, &json!("host.not_yet")), "{refused}");
    assert_eq!(client.admin("GET", "").1["version"], "0.1.0", "the old version goes on");
    assert_eq!(client.upload(&sandbox, &pack(2, Some("after-upgrade"))).0, 201);
    for (user, tenant) in [("admin@acme", "acme"), ("admin@globex", "globex")] {
        let new: Vec<String> = places(user).into_iter().filter(|place| !before.contains(place)).collect();
        assert_eq!(new, [format!("{tenant} {{'from':1,'to':2}}")]);
    }
}
