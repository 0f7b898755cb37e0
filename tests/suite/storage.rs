//! Tables, queries and dependencies, with plugins that are made for these tests.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, DevHost, Sandbox, template_component};

/// Packs a plugin: its manifest is a head and the given tables, its component is that of the template.
fn pack(sandbox: &Sandbox, id: &str, tables: &str) -> String {
    let manifest = format!(
        "manifest_version = 1\n[metadata]\nid = \"{id}\"\nname = \"{id}\"\nversion = \"0.1.0\"\n\
         [runtime]\nabi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n{tables}"
    );
    sandbox.write(&format!("{id}/plugin.toml"), manifest);
    sandbox.take_component(id, template_component("minimal"));
    sandbox.run(&["-C", id, "pack"]).succeeded();
    format!("{id}/dist/{id}-0.1.0.erpx")
}

pub fn entity(name: &str, rest: &str) -> String {
    format!("[[schema.entities]]\nname = \"{name}\"\ndisplay_name = \"{name}\"\n{rest}")
}

pub fn field(name: &str, rest: &str) -> String {
    format!("[[schema.entities.fields]]\nname = \"{name}\"\ndisplay_name = \"{name}\"\n{rest}\n")
}

pub fn running<'h>(sandbox: &Sandbox, host: &'h DevHost, id: &str, tables: &str) -> Client<'h> {
    let client = Client::new(host, "admin@acme", id);
    let package = pack(sandbox, id, tables);
    let (status, body) = client.upload(sandbox, &package);
    assert_eq!(status, 201, "{body}");
    client.start();
    client
}

/// One field of each kind of value that lists can be sorted by.
fn things() -> String {
    let fields = [
        ("word", "string"),
        ("count", "integer"),
        ("weight", "float"),
        ("price", "decimal"),
        ("flag", "boolean"),
        ("day", "date"),
        ("moment", "datetime"),
        ("clock", "time"),
    ];
    let fields =
        fields.map(|(name, kind)| field(name, &format!("field_type = \"{kind}\"\nsortable = true\nfilterable = true")));
    entity("thing", &fields.concat())
}

#[test]
fn cursors_visit_every_row_once_in_any_order() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let client = running(&sandbox, &host, "erp-things", &things());
    for n in 0_u32..12 {
        // Every third row has no values, some values are equal, and the floats have no exact decimal form.
        let row = match n % 3 {
            0 => json!({}),
            _ => json!({
                "word": format!("w{}", n % 4), "count": n * 7 % 5, "weight": f64::from(n) / 3.0, "price": (n * 9).to_string(),
                "flag": n % 2 == 0, "day": format!("2026-04-{:02}", n + 1), "moment": format!("2026-04-01T08:{n:02}:00+08:00"),
                "clock": format!("{:02}:30", n),
            }),
        };
        let (status, body) = client.rows("POST", "/thing", &row);
        assert_eq!(status, 201, "{body}");
    }
    for sort in ["word", "count", "weight", "price", "flag", "day", "moment", "clock", "created_at"] {
        for order in ["asc", "desc"] {
            let mut seen = BTreeSet::new();
            let mut values = Vec::new();
            let mut cursor = String::new();
            for page in 0.. {
                assert!(page < 12, "{sort} {order} does not end");
                let (status, body) = client.list(
                    "thing",
                    &[("page_size", "5"), ("sort_by", sort), ("sort_order", order), ("cursor", &cursor)],
                );
                assert_eq!(status, 200, "{body}");
                for row in body["items"].as_array().unwrap() {
                    assert!(seen.insert(row["id"].to_string()), "{sort} {order} gives a row twice");
                    values.push(row["data"][sort].clone());
                }
                match body["next_cursor"].as_str() {
                    Some(next) => next.clone_into(&mut cursor),
                    None => break,
                }
            }
            assert_eq!(seen.len(), 12, "{sort} {order}");
            if sort == "price" {
                let numbers: Vec<u64> = values.iter().filter_map(|value| value.as_str()?.parse().ok()).collect();
                let mut sorted = numbers.clone();
                sorted.sort_unstable();
                if order == "desc" {
                    sorted.reverse();
                }
                assert_eq!(numbers, sorted, "decimals are ordered by value");
            }
        }
    }
    let (_, first) = client.list("thing", &[("page_size", "2"), ("sort_by", "word")]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let (status, body) = client.list("thing", &[("sort_by", "count"), ("cursor", cursor)]);
    assert_eq!((status, body["code"].as_str()), (400, Some("db.bad_query")), "{body}");
}

#[test]
fn filters_compare_values_and_not_spellings() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let client = running(&sandbox, &host, "erp-things", &things());
    let row = json!({
        "word": "螺丝", "count": 3, "weight": 0.5, "price": "3.00", "flag": true, "day": "2026-04-15",
        "moment": "2026-04-15T08:00:00+08:00", "clock": "08:30",
    });
    assert_eq!(client.rows("POST", "/thing", &row).0, 201);
    for filter in [
        json!({ "word": { "contains": "螺" } }),
        json!({ "count": { "gte": 3 } }),
        json!({ "weight": 0.5 }),
        json!({ "price": 3 }),
        json!({ "price": { "in": ["3.0", "4"] } }),
        json!({ "flag": true }),
        json!({ "day": { "lt": "2026-04-16" } }),
        json!({ "moment": "2026-04-15T00:00:00Z" }),
        json!({ "moment": { "lte": "2026-04-15T02:00:00+02:00" } }),
        json!({ "clock": "08:30:00" }),
        json!({ "created_at": { "gte": "2020-01-01T00:00:00+08:00" } }),
    ] {
        let (status, body) = client.list("thing", &[("filter", &filter.to_string())]);
        assert_eq!((status, &body["total"]), (200, &json!(1)), "{filter}: {body}");
    }
    for filter in [
        json!({ "count": "three" }),
        json!({ "flag": 1 }),
        json!({ "day": "tomorrow" }),
        json!({ "moment": "2026-04-15" }),
        json!({ "clock": "late" }),
        json!({ "price": "a lot" }),
        json!({ "count": { "contains": "3" } }),
        json!({ "word": 5 }),
        json!({ "wrod": "x" }),
        json!(["word"]),
    ] {
        let (status, body) = client.list("thing", &[("filter", &filter.to_string())]);
        assert_eq!(status, 400, "{filter}: {body}");
    }
    for parameters in [
        [("page", "0")],
        [("page", "99999999999")],
        [("page_size", "201")],
        [("sort_order", "sideways")],
        [("fliter", "{}")],
        [("search", "x")],
        [("cursor", "nonsense")],
    ] {
        assert_eq!(client.list("thing", &parameters).0, 400, "{parameters:?}");
    }
    let (_, body) = client.rows("POST", "/thing/aggregate", &json!({ "group_by": ["flag"] }));
    assert_eq!(body[0]["flag"], true, "{body}");
    let many: Vec<Value> = (0..60).map(|n| json!({ "func": "sum", "field": "count", "as": format!("m{n}") })).collect();
    assert_eq!(client.rows("POST", "/thing/aggregate", &json!({ "metrics": many })).0, 400);
}

#[test]
fn a_row_goes_with_all_that_hangs_on_it_however_deep() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let relation = "[[schema.entities.relations]]\nname = \"children\"\ntarget_entity = \"node\"\nforeign_key = \"parent\"\n\
                    on_delete = \"cascade\"\n";
    let tables = entity("node", &(field("parent", "field_type = \"ref\"\nref_entity = \"node\"") + relation));
    let client = running(&sandbox, &host, "erp-tree", &tables);
    let mut parent = Value::Null;
    let mut root = String::new();
    for _ in 0..1_500 {
        let (status, row) = client.rows("POST", "/node", &json!({ "parent": parent }));
        assert_eq!(status, 201, "{row}");
        parent = row["id"].clone();
        if root.is_empty() {
            parent.as_str().unwrap().clone_into(&mut root);
        }
    }
    assert_eq!(client.rows("DELETE", &format!("/node/{root}?version=2"), &Value::Null).0, 409);
    assert_eq!(client.rows("DELETE", &format!("/node/{root}?version=one"), &Value::Null).0, 400);
    assert_eq!(client.rows("DELETE", &format!("/node/{root}?version=1"), &Value::Null).0, 204);
    assert_eq!(client.list("node", &[]).1["total"], 0);
}

#[test]
fn two_plugins_never_share_a_table() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let word = field("word", "field_type = \"string\"");
    let first = running(&sandbox, &host, "erp-a", &entity("b_c", &word));
    let package = pack(&sandbox, "erp-a-b", &entity("c", &word));
    let second = Client::new(&host, "admin@acme", "erp-a-b");
    let refused = second.upload(&sandbox, &package);
    assert_eq!((refused.0, refused.1["code"].as_str()), (409, Some("plugin.table_taken")));
    // The tables of an uninstalled plugin are still its own; those of a purged plugin are free.
    assert_eq!(first.admin("DELETE", "").0, 200);
    assert_eq!(second.upload(&sandbox, &package).0, 409);
    assert_eq!(first.admin("POST", "/purge").0, 204);
    assert_eq!(second.upload(&sandbox, &package).0, 201);
    second.start();
}

#[test]
fn a_purge_takes_what_earlier_versions_left() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let word = field("word", "field_type = \"string\"");
    let tables = entity("kept", &word) + &entity("gone", &word);
    let client = running(&sandbox, &host, "erp-less", &tables);
    assert_eq!(client.rows("POST", "/gone", &json!({ "word": "x" })).0, 201);
    let first = String::from_utf8(sandbox.read("erp-less/plugin.toml")).unwrap();
    let second = first.replace("version = \"0.1.0\"\n", "version = \"0.2.0\"\n");
    assert!(second.contains(&tables), "{second}");
    let steps = "[[migrations]]\nfrom = 1\nto = 2\n\
                 steps = [{ do = \"drop_entity\", entity = \"gone\" }]\n";
    let less = second.replace(&tables, &format!("[schema]\nschema_version = 2\n{}", entity("kept", &word)));
    sandbox.write("erp-less/plugin.toml", &less);
    sandbox.repack("erp-less");
    let (status, body) = client.upload(&sandbox, "erp-less/dist/erp-less-0.2.0.erpx");
    assert_eq!((status, &body["code"]), (409, &json!("migration.rows_at_stake")), "{body}");
    assert_eq!(client.list("gone", &[]).1["total"], 1, "the old version goes on");
    sandbox.write("erp-less/plugin.toml", less + steps);
    sandbox.repack("erp-less");
    assert_eq!(client.upload(&sandbox, "erp-less/dist/erp-less-0.2.0.erpx").0, 201);
    assert_eq!(client.rows("GET", "/gone", &Value::Null).0, 404);
    assert_eq!(client.admin("DELETE", "").0, 200);
    assert_eq!(client.admin("POST", "/purge").0, 204);
    assert_eq!(client.upload(&sandbox, "erp-less/dist/erp-less-0.1.0.erpx").0, 201);
    client.start();
    assert_eq!(client.list("gone", &[]).1["total"], 0, "nothing of the purged rows came back");
}

#[test]
fn indexes_never_share_a_name() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let unique = |name: &str| field(name, "field_type = \"string\"\nunique = true");
    let tables = [
        entity("item", &unique("line_code")),
        entity("item_line", &unique("code")),
        entity("note", &unique("tenant")),
        entity("note_tenant", &unique("word")),
    ];
    let client = running(&sandbox, &host, "erp-names", &tables.concat());
    for (path, name) in [("/item", "line_code"), ("/item_line", "code"), ("/note", "tenant"), ("/note_tenant", "word")]
    {
        assert_eq!(client.rows("POST", path, &json!({ name: "x" })).0, 201, "{path}");
        let (status, body) = client.rows("POST", path, &json!({ name: "x" }));
        assert_eq!((status, &body["details"]["fields"]), (409, &json!([name])), "{path}: {body}");
    }
}

#[test]
fn a_plugin_is_not_taken_away_from_those_that_need_it() {
    let sandbox = Sandbox::new();
    let mut host = sandbox.dev_host(&[]);
    let word = field("word", "field_type = \"string\"");
    let needs = |range: &str| {
        let link = field(
            "base_id",
            "field_type = \"ref\"\nref_plugin = \"erp-base\"\nref_entity = \"secret\"\nref_fallback_label = \"?\"",
        );
        format!("[[dependencies.plugins]]\nid = \"erp-base\"\nversion = \"{range}\"\n{}", entity("top", &link))
    };
    let top = Client::new(&host, "admin@acme", "erp-top");
    let package = pack(&sandbox, "erp-top", &needs(">=0.2"));
    assert_eq!(top.upload(&sandbox, &package).0, 201);
    assert_eq!(top.admin("POST", "/install").1["code"], "plugin.dependency");
    let base = running(&sandbox, &host, "erp-base", &entity("secret", &word));
    let (status, body) = top.admin("POST", "/install");
    assert_eq!(status, 409, "0.1.0 is not >=0.2: {body}");
    assert_eq!(top.admin("DELETE", "").0, 200);
    assert_eq!(top.admin("POST", "/purge").0, 204);

    let lower = Client::new(&host, "admin@acme", "erp-upper");
    let package = pack(&sandbox, "erp-upper", &needs("^0.1"));
    assert_eq!(lower.upload(&sandbox, &package).0, 201);
    lower.start();
    assert_eq!(base.admin("POST", "/disable").1["code"], "plugin.dependents");
    assert_eq!(base.admin("DELETE", "").1["code"], "plugin.dependents");
    let manifest = String::from_utf8(sandbox.read("erp-base/plugin.toml")).unwrap();
    let raise = |version: &str| {
        sandbox.write("erp-base/plugin.toml", manifest.replace("\"0.1.0\"", &format!("\"{version}\"")));
        sandbox.repack("erp-base");
        base.upload(&sandbox, &format!("erp-base/dist/erp-base-{version}.erpx"))
    };
    assert_eq!(raise("0.1.5").0, 201);
    assert_eq!(raise("0.2.0").1["code"], "plugin.dependents");
    // A new version of an installed plugin is installed: the plugin that depends on it does not lose it.
    assert_eq!(lower.admin("POST", "/disable").0, 200);
    assert_eq!(base.admin("POST", "/disable").0, 200);
    assert_eq!(raise("0.1.6").0, 201);
    assert_eq!(base.admin("GET", "").1["status"], "installed");
    base.admin("POST", "/enable");
    lower.admin("POST", "/enable");

    // An entity that is not public stays closed to references: neither its labels nor its ids can be found out.
    let (_, secret) = base.rows("POST", "/secret", &json!({ "word": "salary" }));
    let id = secret["id"].as_str().unwrap();
    let (_, labels) = lower.rows("POST", "/top/resolve-labels", &json!({ "fields": { "base_id": [id] } }));
    assert_eq!(labels["base_id"][id], "?");
    assert_eq!(lower.rows("POST", "/top", &json!({ "base_id": "00000000-0000-7000-8000-000000000000" })).0, 201);

    // After a restart both run again; the plugin that the other one needs starts first.
    host.kill();
    let host = sandbox.dev_host(&[]);
    let admin = Client::new(&host, "admin@acme", "erp-upper");
    assert_eq!(admin.admin("GET", "").1["status"], "running");
}

#[test]
fn rows_are_computed_and_held_against_the_rules_of_their_entity() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let tables = entity(
        "line",
        &[
            field("quantity", "field_type = \"integer\""),
            field("price", "field_type = \"currency\""),
            field("net", "field_type = \"currency\"\ncomputed = \"quantity * price\""),
            field("gross", "field_type = \"currency\"\ncomputed = \"round(net * 1.13, 2)\""),
            field("status", "field_type = \"select\"\ndefault = \"open\"\noptions = [{ value = \"open\", label = \"o\" }, { value = \"closed\", label = \"c\" }]"),
            field("reason", "field_type = \"string\"\nrequired_when = \"status == 'closed'\""),
            field("above", "field_type = \"ref\"\nref_entity = \"line\"\nno_cycle = true"),
            field("weight", "field_type = \"float\"\nvalidation = { min = 0, max = 100 }"),
            "[[schema.entities.constraints]]\nname = \"not_too_much\"\nexpr = \"quantity <= 100\"\nmessage = \"at most 100\"\n".to_owned(),
            "[[schema.entities.trigger_events]]\non = \"update\"\nwhen = \"status == 'closed'\"\nname = \"erp-rules.closed\"\n".to_owned(),
        ]
        .concat(),
    );
    let client = running(&sandbox, &host, "erp-rules", &tables);
    let (status, row) = client.rows("POST", "/line", &json!({ "quantity": 3, "price": "0.35" }));
    assert_eq!(status, 201, "{row}");
    assert_eq!((&row["data"]["net"], &row["data"]["gross"]), (&json!("1.05"), &json!("1.19")));
    let path = format!("/line/{}", row["id"].as_str().unwrap());
    for (patch, field, message) in [
        (json!({ "quantity": 101 }), "not_too_much", "at most 100"),
        (json!({ "status": "closed" }), "reason", "is required here"),
        (json!({ "net": "5" }), "net", "is computed"),
        (json!({ "above": row["id"] }), "above", "leads back to the row itself"),
        (json!({ "weight": 1e30 }), "weight", "must be at most 100"),
        (json!({ "weight": -1e-7 }), "weight", "must be at least 0"),
    ] {
        let (status, body) = client.rows("PATCH", &path, &json!({ "data": patch, "version": 1 }));
        let problem = &body["details"]["problems"][0];
        assert_eq!((status, &problem["field"], &problem["message"]), (400, &json!(field), &json!(message)), "{body}");
    }
    let (_, body) = client.rows("PATCH", &path, &json!({ "data": { "quantity": 4 }, "version": 1 }));
    assert_eq!(body["data"]["gross"], "1.58", "computed anew: {body}");
    let (_, below) = client.rows("POST", "/line", &json!({ "above": row["id"] }));
    let (status, _) = client.rows("PATCH", &path, &json!({ "data": { "above": below["id"] }, "version": 2 }));
    assert_eq!(status, 400, "a circle of two");

    // An event is published only for the change that fulfils its condition.
    let patch = json!({ "data": { "status": "closed", "reason": "sold" }, "version": 2 });
    assert_eq!(client.rows("PATCH", &path, &patch).0, 200);
    let (_, events) = client.ask("GET", "/_dev/events", &Value::Null);
    let events = events.as_array().unwrap();
    assert_eq!((events.len(), &events[0]["type"]), (1, &json!("erp-rules.closed")));
    assert_eq!(events[0]["payload"]["data"]["reason"], "sold");
}

#[test]
fn a_version_that_does_not_start_leaves_the_old_one_running() {
    let sandbox = Sandbox::new();
    let mut host = sandbox.dev_host(&[]);
    let word = field("word", "field_type = \"string\"");
    let client = running(&sandbox, &host, "erp-up", &entity("note", &word));
    assert_eq!(client.rows("POST", "/note", &json!({ "word": "x" })).0, 201);
    let raise = |from: &str, to: &str, rest: &str| {
        let manifest = String::from_utf8(sandbox.read("erp-up/plugin.toml")).unwrap();
        let manifest = manifest.replace(&format!("version = \"{from}\"\n"), &format!("version = \"{to}\"\n"));
        sandbox.write(
            "erp-up/plugin.toml",
            manifest.replace("world = \"minimal-plugin\"\n", &format!("world = \"minimal-plugin\"\n{rest}")),
        );
        sandbox.repack("erp-up");
    };
    // Its `init` cannot run with so little fuel.
    raise("0.1.0", "0.2.0", "fuel = 1\n");
    let (status, body) = client.upload(&sandbox, "erp-up/dist/erp-up-0.2.0.erpx");
    assert_eq!((status, body["code"].as_str()), (422, Some("plugin.start")), "{body}");
    assert_eq!(client.admin("GET", "").1["version"], "0.1.0");
    assert_eq!(client.list("note", &[]).1["total"], 1);
    assert_eq!(client.admin("GET", "/versions/0.2.0").0, 404, "what was refused was not accepted");

    let manifest = String::from_utf8(sandbox.read("erp-up/plugin.toml")).unwrap();
    sandbox.write("erp-up/plugin.toml", manifest.replace("fuel = 1\n", "") + &field("more", "field_type = \"string\""));
    sandbox.repack("erp-up");
    assert_eq!(client.upload(&sandbox, "erp-up/dist/erp-up-0.2.0.erpx").0, 201);
    assert_eq!(client.rows("POST", "/note", &json!({ "word": "y", "more": "z" })).0, 201);
    host.kill();
    let host = sandbox.dev_host(&[]);
    let client = Client::new(&host, "admin@acme", "erp-up");
    let (_, detail) = client.admin("GET", "");
    assert_eq!((&detail["version"], &detail["status"]), (&json!("0.2.0"), &json!("running")));
}

#[test]
fn scenarios_see_the_events_that_the_platform_tells_for_a_plugin() {
    let sandbox = Sandbox::new();
    let tables = entity(
        "note",
        &(field("word", "field_type = \"string\"") + "[[schema.entities.trigger_events]]\non = \"create\"\n"),
    );
    pack(&sandbox, "erp-told", &tables);
    let scenario = |expected: &str| {
        format!(
            "schema = 1\n[world.users]\nann = {{ tenant = \"acme\", grants = [\"*\"] }}\n[[test]]\nname = \"a note is told\"\n[[test.step]]\nas = \"ann\"\n\
             http = \"POST /note\"\njson = {{ word = \"x\" }}\nexpect.status = 201\n{expected}"
        )
    };
    sandbox.write("erp-told/tests/note.test.toml", scenario(""));
    let (code, tested) = sandbox.json(&["-C", "erp-told", "test"]);
    assert_eq!(
        (code, &tested["cases"][0]["findings"][0]["code"]),
        (1, &json!("scenario/unexpected-effect")),
        "{tested}"
    );
    let expected = "expect.events = [{ type = \"erp-told.note.create\", payload = { entity = \"note\", data = { word = \"x\" } } }]\n";
    sandbox.write("erp-told/tests/note.test.toml", scenario(expected));
    sandbox.run(&["-C", "erp-told", "test"]).succeeded();
}
