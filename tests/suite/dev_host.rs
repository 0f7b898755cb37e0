//! The dev host over its socket.

use serde_json::{Value, json};

use crate::support::{Client, DevHost, Sandbox, request, template_component};

const PLUGIN: &str = "erp-demo";

fn client<'h>(host: &'h DevHost, user: &str) -> Client<'h> {
    Client::new(host, user, PLUGIN)
}

/// Returns a sandbox with a packed inventory plugin.
fn packed() -> Sandbox {
    let sandbox = Sandbox::with_template("inventory");
    sandbox.take_component("erp-demo", template_component("inventory"));
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    sandbox
}

fn upload(sandbox: &Sandbox, host: &DevHost) -> (u16, Value) {
    client(host, "admin@acme").upload(sandbox, "erp-demo/dist/erp-demo-0.1.0.erpx")
}

fn running(sandbox: &Sandbox) -> DevHost {
    let host = sandbox.dev_host(&[]);
    assert_eq!(upload(sandbox, &host).0, 201);
    client(&host, "admin@acme").start();
    host
}

#[test]
fn a_plugin_lives_from_upload_to_purge_and_its_data_stay_until_then() {
    let sandbox = packed();
    let host = running(&sandbox);
    let admin = client(&host, "admin@acme");
    let (_, detail) = admin.admin("GET", "");
    assert_eq!(detail["status"], "running");
    assert_eq!(admin.admin("GET", "/health").1["status"], "healthy");
    assert_eq!(admin.rows("POST", "/inventory_item", &json!({ "sku": "A-1", "name": "x" })).0, 201);

    assert_eq!(admin.admin("POST", "/purge").0, 409, "a running plugin is not purged");
    assert_eq!(admin.admin("POST", "/disable").1["status"], "disabled");
    assert_eq!(admin.rows("GET", "/inventory_item", &Value::Null).0, 409, "a disabled plugin serves no rows");
    assert_eq!(admin.admin("DELETE", "").1["status"], "uninstalled");
    let rows =
        |tables: &Value| tables.as_array().unwrap().iter().map(|table| table["rows"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(rows(&admin.ask("GET", "/_dev/tables", &Value::Null).1), 1);
    assert_eq!(admin.admin("POST", "/purge").0, 204);
    assert_eq!(rows(&admin.ask("GET", "/_dev/tables", &Value::Null).1), 0);
    assert_eq!(admin.admin("GET", "").0, 404);
}

#[test]
fn the_same_package_gives_the_same_receipt_and_another_content_is_refused() {
    let sandbox = packed();
    let host = sandbox.dev_host(&[]);
    let (first, receipt) = upload(&sandbox, &host);
    let (second, again) = upload(&sandbox, &host);
    assert_eq!((first, second), (201, 201));
    assert_eq!(receipt, again);
    sandbox.write("erp-demo/README.md", "changed");
    sandbox.run(&["-C", "erp-demo", "pack"]).succeeded();
    let (status, body) = upload(&sandbox, &host);
    assert_eq!((status, body["code"].as_str()), (409, Some("plugin.version_taken")));
}

#[test]
fn tenants_and_permissions_hold_over_http() {
    let sandbox = packed();
    let host = running(&sandbox);
    let (acme, globex, viewer) =
        (client(&host, "admin@acme"), client(&host, "admin@globex"), client(&host, "viewer@acme"));
    let (status, created) = acme.rows("POST", "/inventory_item", &json!({ "data": { "sku": "A-1", "name": "螺丝" } }));
    assert_eq!(status, 201);
    let row = format!("/inventory_item/{}", created["id"].as_str().unwrap());
    assert_eq!(acme.rows("GET", &row, &Value::Null).0, 200);
    for (method, body) in
        [("GET", Value::Null), ("PATCH", json!({ "data": { "name": "y" }, "version": 1 })), ("DELETE", Value::Null)]
    {
        assert_eq!(globex.rows(method, &row, &body).0, 404, "{method}");
        assert_eq!(viewer.rows(method, &row, &body).0, 403, "{method}");
    }
    let escape = "/inventory_item?filter=%7B%22tenant_id%22%3A%22acme%22%7D";
    assert_eq!(globex.rows("GET", escape, &Value::Null).0, 400, "the tenant is no field");
    assert_eq!(viewer.ask("GET", "/api/v1/admin/plugins", &Value::Null).0, 403);
    assert_eq!(request(&host.url(), "GET", "/api/v1/admin/plugins", None, b"", &[]).0, 401);
    assert_eq!(request(&host.url(), "GET", "/health", None, b"", &[]).0, 200);
}

#[test]
fn pages_of_other_sites_are_refused() {
    let sandbox = Sandbox::new();
    let host = sandbox.dev_host(&[]);
    let token = host.token("admin@acme");
    let ask = |headers: &[(&str, &str)]| request(&host.url(), "GET", "/_dev/tenants", Some(&token), b"", headers).0;
    assert_eq!(ask(&[]), 200);
    assert_eq!(ask(&[("host", "evil.example")]), 403);
    assert_eq!(ask(&[("origin", "https://evil.example")]), 403);
    let own = host.url();
    assert_eq!(ask(&[("origin", own.as_str())]), 200);
}

#[test]
fn lists_have_pages_that_do_not_overlap() {
    let sandbox = packed();
    let host = running(&sandbox);
    let admin = client(&host, "admin@acme");
    for n in 0..7 {
        let row = json!({ "sku": format!("A-{n}"), "name": if n % 2 == 0 { "even" } else { "odd" } });
        assert_eq!(admin.rows("POST", "/inventory_item", &row).0, 201);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = admin.rows(
            "GET",
            &format!("/inventory_item?page_size=3&sort_by=name&sort_order=desc{cursor}"),
            &Value::Null,
        );
        assert_eq!((status, &page["total"]), (200, &json!(7)), "{page}");
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["data"]["sku"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["A-5", "A-3", "A-1", "A-6", "A-4", "A-2", "A-0"]);
    let (_, groups) = admin.rows("GET", "/inventory_item/aggregate?group_by=unit", &Value::Null);
    assert_eq!(groups, json!([{ "unit": "piece", "count": 7 }]));
    assert_eq!(admin.rows("GET", "/inventory_item/count", &Value::Null).1, json!({ "count": 7 }));
    let (status, series) = admin.rows("GET", "/inventory_item/timeseries?field=created_at&per=year", &Value::Null);
    let counted: u64 = series.as_array().unwrap().iter().map(|year| year["value"].as_u64().unwrap()).sum();
    assert_eq!((status, counted), (200, 7), "{series}");
    let (status, refused) = admin.rows("GET", "/inventory_item/timeseries?field=unit", &Value::Null);
    assert_eq!((status, &refused["code"]), (400, &json!("db.bad_query")), "{refused}");
    let (status, body) = admin.rows("GET", "/inventory_item?sort_by=threshold", &Value::Null);
    assert_eq!((status, body["code"].as_str()), (400, Some("db.unknown_field")));
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_moment() {
    let sandbox = packed();
    let mut host = running(&sandbox);
    let mut acknowledged = 0_u64;
    for round in 0..5_u32 {
        // Several writers at once, so that requests that wait together are committed together.
        let writers = (0..8).map(|writer| {
            let (url, token) = (host.url(), host.token("admin@acme"));
            std::thread::spawn(move || {
                let mut done = 0_u64;
                loop {
                    let row = json!({ "sku": format!("R{round}-{writer}-{done}"), "name": "x" }).to_string();
                    let path = format!("/api/v1/plugins/{PLUGIN}/inventory_item");
                    let answer =
                        std::panic::catch_unwind(|| request(&url, "POST", &path, Some(&token), row.as_bytes(), &[]));
                    match answer {
                        Ok((201, _)) => done += 1,
                        _ => return done,
                    }
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        std::thread::sleep(std::time::Duration::from_millis(u64::from(20 + round * 37)));
        host.kill();
        acknowledged += writers.into_iter().map(|writer| writer.join().unwrap()).sum::<u64>();
        host = sandbox.dev_host(&[]);
        let (_, count) = client(&host, "admin@acme").rows("GET", "/inventory_item/count", &Value::Null);
        let count = count["count"].as_u64().unwrap();
        // The last rows may have been stored although their requests got no answer.
        assert!(count >= acknowledged, "{acknowledged} were acknowledged, {count} are there");
        acknowledged = count;
    }
    assert!(acknowledged > 5, "the writer wrote {acknowledged} rows");
}

#[test]
fn a_state_folder_has_one_dev_host_and_a_signature_can_be_demanded() {
    let sandbox = packed();
    let host = sandbox.dev_host(&[]);
    let second = sandbox.run(&["dev", "--no-watch", "--port", "0", "--state-dir", "state"]).failed_with(3);
    assert!(second.stderr.contains("another dev host uses"), "{}", second.stderr);
    drop(host);

    sandbox.write("trust.toml", "version = 1\n");
    let strict = sandbox.dev_host(&["--trust-file", "trust.toml"]);
    let (status, body) = upload(&sandbox, &strict);
    assert_eq!((status, body["code"].as_str()), (403, Some("signature/unsigned")));
}

#[test]
fn a_failed_event_is_kept_and_the_host_goes_on() {
    let sandbox = packed();
    let host = running(&sandbox);
    let admin = client(&host, "admin@acme");
    let event =
        json!({ "type": "inventory.purchase_order.approved", "payload": { "order_id": "nonsense", "code": "PO-1" } });
    let (status, told) = admin.ask("POST", "/_dev/events", &event);
    assert_eq!(status, 200);
    assert!(told["delivered"][0]["error"].as_str().unwrap().contains("there is no purchase_order"), "{told}");
    let (_, events) = admin.ask("GET", "/_dev/events", &Value::Null);
    assert_eq!(events[0]["type"], "inventory.purchase_order.approved");
    let delivery = &events[0]["deliveries"][0];
    assert_eq!((delivery["state"].as_str(), &delivery["attempts"]), (Some("failed"), &json!(1)), "{events}");

    // A failed event can be delivered again, as its second attempt.
    let path = format!("/_dev/events/{}/redeliver", events[0]["id"].as_str().unwrap());
    assert_eq!(admin.ask("POST", &path, &Value::Null).0, 200);
    let (_, events) = admin.ask("GET", "/_dev/events", &Value::Null);
    assert_eq!(events[0]["deliveries"][0]["attempts"], 2);
    assert_eq!(admin.ask("POST", "/_dev/events/nobody/redeliver", &Value::Null).0, 404);

    // The call replays from its recording alone, and shows where in its code it called the host.
    let (_, calls) = admin.ask("GET", "/_dev/calls?kind=call&failed=true", &Value::Null);
    let path = format!("/_dev/calls/{}/replay", calls["items"][0]["id"]);
    let (status, replayed) = admin.ask("POST", &path, &json!({}));
    assert_eq!((status, &replayed["differences"]), (200, &json!([])), "{replayed}");
    let frames = replayed["frames"].as_array().unwrap();
    assert!(!frames.is_empty() && frames.iter().all(|frames| !frames.as_array().unwrap().is_empty()), "{replayed}");
}

#[test]
fn a_purged_plugin_comes_back_from_the_same_package() {
    let sandbox = packed();
    let host = running(&sandbox);
    let admin = client(&host, "admin@acme");
    assert_eq!(admin.admin("DELETE", "").0, 200);
    assert_eq!(admin.admin("POST", "/purge").0, 204);
    assert_eq!(upload(&sandbox, &host).0, 201);
    admin.start();
    assert_eq!(admin.rows("GET", "/inventory_item", &Value::Null).1["total"], 0);
}

#[test]
fn a_refused_row_gives_its_number_back() {
    let sandbox = packed();
    let host = running(&sandbox);
    let admin = client(&host, "admin@acme");
    let (_, first) = admin.rows("POST", "/purchase_order", &json!({ "supplier": "甲" }));
    assert_eq!(admin.rows("POST", "/purchase_order", &json!({ "supplier": "" })).0, 400);
    let (_, second) = admin.rows("POST", "/purchase_order", &json!({ "supplier": "乙" }));
    let number = |row: &Value| row["data"]["code"].as_str().unwrap()[10..].to_owned();
    let digits = |row: &Value| number(row).trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap();
    assert_eq!(digits(&second), digits(&first) + 1, "{first} {second}");
}

#[test]
fn labels_come_in_the_language_of_the_request() {
    let sandbox = packed();
    let host = running(&sandbox);
    let token = host.token("admin@acme");
    let label = |language: &str| {
        let path = format!("/api/v1/plugins/{PLUGIN}/pages");
        let (_, pages) = request(&host.url(), "GET", &path, Some(&token), b"", &[("accept-language", language)]);
        pages[0]["label"].as_str().unwrap().to_owned()
    };
    assert_eq!((label("zh-CN"), label("en-GB, zh;q=0.5")), ("商品".to_owned(), "Items".to_owned()));
    let (status, body) = request(&host.url(), "GET", "/_dev/tenants", Some("dev_wrong"), b"", &[]);
    assert_eq!((status, body["code"].as_str()), (401, Some("auth.invalid")));
}
