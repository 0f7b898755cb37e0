//! What the dev host adds to rows: import and export, forms, histories, base modules, faults, the clock, any export.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Client, DevHost, Sandbox, repository, request};

const PLUGIN: &str = "erp-demo";

/// Starts a dev host that follows a project made from the template without code.
fn desk() -> (Sandbox, DevHost) {
    let sandbox = Sandbox::with_template("pages");
    let host = sandbox.serving(&["-C", "erp-demo", "dev"]);
    (sandbox, host)
}

fn admin(host: &DevHost) -> Client<'_> {
    Client::new(host, "admin@acme", PLUGIN)
}

fn codes(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default())
}

#[test]
fn rows_come_in_from_files_each_judged_alone_and_go_out_as_they_came() {
    let (_sandbox, host) = desk();
    let admin = admin(&host);
    let rows = json!({ "rows": [
        { "name": "海天机械", "level": "a", "manager": "李娜" },
        { "name": "远方贸易" },
        { "name": "没有经理", "level": "a" },
        { "name": "海天机械" },
        { "name": "编号", "code": "C1" },
        7,
    ] });
    let (status, tried) = admin.rows("POST", "/customer/import?dry_run=true", &rows);
    assert_eq!((status, &tried["accepted"], &tried["imported"]), (200, &json!(2), &json!(0)), "{tried}");
    assert_eq!(admin.rows("GET", "/customer/count", &Value::Null).1["count"], 0, "a dry run keeps nothing");
    let (_, done) = admin.rows("POST", "/customer/import", &rows);
    assert_eq!((&done["imported"], &done["refused"]), (&json!(2), &json!(4)), "{done}");
    let refused: Vec<(u64, &str)> = done["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["row"].as_u64().unwrap(), error["code"].as_str().unwrap()))
        .collect();
    assert_eq!(
        refused,
        [(3, "db.validation"), (4, "db.unique"), (5, "db.validation"), (6, "http.bad_query")],
        "each row is judged alone"
    );
    // Refused rows gave their numbers back.
    let (_, list) = admin.list("customer", &[("sort_by", "code")]);
    let numbers: Vec<&str> =
        list["items"].as_array().unwrap().iter().map(|row| row["data"]["code"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["C00001", "C00002"]);

    let csv = |path: &str, body: &str| {
        let path = format!("/api/v1/plugins/{PLUGIN}{path}");
        let token = host.token("admin@acme");
        request(&host.url(), "POST", &path, Some(&token), body.as_bytes(), &[("content-type", "text/csv")])
    };
    let (status, told) = csv("/customer/import", "\u{feff}名称,级别,有效\n\"甲, 乙\",潜在,是\n丙,潜在,maybe\n");
    assert_eq!((status, &told["imported"], &told["errors"][0]["row"]), (200, &json!(1), &json!(2)), "{told}");
    let (status, told) = csv("/customer/import", "nmae\nx\n");
    assert_eq!((status, told["code"].as_str()), (400, Some("import.bad_csv")));
    assert!(told["message"].as_str().unwrap().contains("did you mean `name`"), "{told}");
    assert_eq!(codes(&csv("/ticket/import", "title\nx\n")), (403, "entity.closed"));
    // A body that cannot be read to its end imports nothing, whatever comes before the error.
    let many = format!("name\n{}", "x\n".repeat(10_001));
    assert_eq!(codes(&csv("/customer/import", &many)), (422, "import.too_large"));
    assert_eq!(codes(&csv("/customer/import", "name\nx\n\"a\",b\n")), (400, "import.bad_csv"));
    let json = |body: &str| {
        let path = format!("/api/v1/plugins/{PLUGIN}/customer/import");
        request(&host.url(), "POST", &path, Some(&host.token("admin@acme")), body.as_bytes(), &[])
    };
    for (body, code) in [
        (r#"{"rows": [{"name": "x"}, {"name": "y", "name": "z"}]}"#, (400, "http.bad_json")),
        (r#"{"rows": [{"name": "x"}], "rows": []}"#, (400, "http.bad_json")),
        (r#"{"rows": [{"name": "x"}], "row": 1}"#, (400, "http.bad_json")),
        (r#"{"rows": [{"name": "x"}], "dry_run": "no"}"#, (400, "http.bad_json")),
        (r#"{"rows": [{"name": "x"}]"#, (400, "http.bad_json")),
        ("[]", (400, "http.bad_json")),
        (&format!(r#"{{"rows": [{}{{}}]}}"#, r#"{"name": "x"},"#.repeat(10_000)), (422, "import.too_large")),
        (&format!(r#"{{"rows": [{}1]}}"#, "1,".repeat(3_000_000)), (422, "import.too_large")),
    ] {
        assert_eq!(codes(&json(body)), code, "{}", &body[..body.len().min(80)]);
    }
    let (status, rest) = json(r#"{"rows": [1, {}], "dry_run": true}"#);
    assert_eq!((status, &rest["refused"], &rest["dry_run"]), (200, &json!(2), &json!(true)), "{rest}");
    assert_eq!(admin.rows("GET", "/customer/count", &Value::Null).1["count"], 3, "nothing of it was kept");

    let (status, all) = admin.rows("GET", "/customer/export?format=json&search=甲", &Value::Null);
    assert_eq!((status, all[0]["name"].as_str()), (200, Some("甲, 乙")), "{all}");
    assert_eq!(codes(&admin.rows("GET", "/customer/export?format=xml", &Value::Null)), (400, "http.bad_query"));
    assert_eq!(codes(&admin.rows("GET", "/ticket/export", &Value::Null)), (403, "entity.closed"));
    let viewer = Client::new(&host, "viewer@acme", PLUGIN);
    assert_eq!(codes(&viewer.rows("GET", "/customer/export", &Value::Null)), (403, "auth.denied"));
    assert_eq!(codes(&viewer.rows("POST", "/customer/import", &json!({ "rows": [] }))), (403, "auth.denied"));
}

#[test]
fn a_form_is_judged_by_the_engine_that_saves_it() {
    let (_sandbox, host) = desk();
    let admin = admin(&host);
    let form = |data: Value, is_new: bool| {
        admin.rows("POST", "/customer/preview", &json!({ "data": data, "is_new": is_new })).1
    };
    let fresh = form(json!({}), true);
    assert_eq!((&fresh["data"]["level"], &fresh["hidden"]), (&json!("b"), &json!(["manager"])), "{fresh}");
    let key = form(json!({ "level": "a" }), false);
    assert_eq!(key["hidden"], json!([]), "{key}");
    assert!(key["required"].as_array().unwrap().contains(&json!("manager")));
    assert_eq!(key["problems"][0], json!({ "field": "manager", "message": "is required here" }));
    let (_, ticket) = admin.rows("POST", "/ticket/preview", &json!({ "data": { "hours": "2", "rate": "1.5" } }));
    assert_eq!(ticket["data"]["amount"], "3.00", "{ticket}");
    assert_eq!(admin.rows("GET", "/ticket/count", &Value::Null).1["count"], 0, "nothing was written");
}

#[test]
fn a_row_has_its_history_and_each_change_its_writer() {
    let (_sandbox, host) = desk();
    let admin = admin(&host);
    let (_, row) = admin.rows("POST", "/customer", &json!({ "name": "甲" }));
    let id = row["id"].as_str().unwrap();
    let path = format!("/customer/{id}");
    assert_eq!(admin.rows("PATCH", &path, &json!({ "data": { "phone": "1" }, "version": 1 })).0, 200);
    assert_eq!(admin.rows("DELETE", &path, &Value::Null).0, 204);
    let (_, history) = admin.ask("GET", &format!("/_dev/history/{PLUGIN}{path}"), &Value::Null);
    let actions: Vec<&str> =
        history.as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "update", "insert"]);
    let (_, writers) = admin.ask("GET", &format!("/_dev/writers/{PLUGIN}.customer/{id}"), &Value::Null);
    let call = writers["2"].as_u64().unwrap();
    let (_, call) = admin.ask("GET", &format!("/_dev/calls/{call}"), &Value::Null);
    assert_eq!(call["method"], "PATCH");
    let change = &call["changes"][0];
    assert_eq!((&change["before"]["phone"], &change["after"]["phone"]), (&Value::Null, &json!("1")), "{call}");
    let (_, rows) = admin.ask("GET", &format!("/_dev/rows/{PLUGIN}/customer?deleted=true"), &Value::Null);
    assert_eq!(rows[0]["version"], 3);
    assert_eq!(
        codes(&admin.ask("GET", &format!("/_dev/rows/{PLUGIN}/customer?tenant=a%27b"), &Value::Null)),
        (400, "http.bad_query")
    );
}

#[test]
fn base_modules_faults_clock_and_exports_answer() {
    let (_sandbox, host) = desk();
    let admin = admin(&host);
    let (_, users) = admin.ask("GET", "/api/v1/users", &Value::Null);
    let names: Vec<&str> =
        users["items"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["admin@acme", "viewer@acme"], "those of the own tenant alone");
    let (status, made) = admin.ask(
        "PUT",
        "/_dev/users/clerk@acme",
        &json!({ "permissions": ["ticket.manage:department"], "department": "sales" }),
    );
    assert_eq!((status, made["tenant"].as_str()), (201, Some("acme")), "{made}");
    let (_, events) = admin.ask("GET", "/_dev/events", &Value::Null);
    assert_eq!(events[0]["type"], "user.created");
    for wrong in ["ticket", "ticket.list:everyone", "*.list", ""] {
        let asked = admin.ask("PUT", "/_dev/users/clerk@acme", &json!({ "permissions": [wrong] }));
        assert_eq!(codes(&asked), (400, "http.bad_query"), "{wrong}: {asked:?}");
    }
    let mine = |grants: &[&str]| admin.ask("PUT", "/_dev/users/admin@acme", &json!({ "permissions": grants }));
    assert_eq!(mine(&["ticket.*", "customer.*"]).0, 400, "the first user runs the host");
    assert_eq!(mine(&["plugin.*", "ticket.*"]).0, 200, "all of `plugin` is `plugin.admin` too");
    assert_eq!(mine(&["*"]).0, 200);
    let (_, departments) = admin.ask("GET", "/api/v1/departments", &Value::Null);
    assert!(departments["items"].as_array().unwrap().iter().any(|one| one["id"] == "sales" && one["users"] == 1));

    assert_eq!(admin.ask("POST", "/_dev/clock", &json!({ "advance": "3d" })).0, 200);
    let (_, row) = admin.rows("POST", "/customer", &json!({ "name": "后天" }));
    let (_, clock) = admin.ask("GET", "/_dev/clock", &Value::Null);
    assert_eq!(clock["ahead_ms"].as_i64().unwrap() / 1000, 3 * 86_400);
    assert_eq!(row["created_at"].as_str().unwrap()[..10], clock["now"].as_str().unwrap()[..10]);
    assert_eq!(admin.ask("POST", "/_dev/clock", &json!({ "reset": true })).1["ahead_ms"], 0);
    assert_eq!(codes(&admin.ask("POST", "/_dev/clock", &json!({ "advance": "soon" }))), (400, "http.bad_query"));

    let (status, faults) =
        admin.ask("POST", "/_dev/faults", &json!({ "at": "commit", "error": "disk", "always": true }));
    assert_eq!((status, &faults["faults"][0]["at"]), (200, &json!("commit")));
    let call = json!({ "plugin": PLUGIN, "function": "base.init", "arguments": {} });
    assert_eq!(codes(&admin.ask("POST", "/_dev/invoke", &call)).1, "host.database");
    assert_eq!(codes(&admin.ask("POST", "/_dev/invoke", &call)).1, "host.database", "it happens every time");
    admin.ask("DELETE", "/_dev/faults", &Value::Null);
    assert_eq!(admin.ask("POST", "/_dev/invoke", &call).0, 200);
    for wrong in ["nowhere", "db", "db.inserts", "clock.now"] {
        assert_eq!(codes(&admin.ask("POST", "/_dev/faults", &json!({ "at": wrong }))), (400, "http.bad_query"));
    }
    let (_, exports) = admin.ask("GET", &format!("/_dev/exports/{PLUGIN}"), &Value::Null);
    assert_eq!(exports[0]["function"], "base.init");
    let viewer = Client::new(&host, "viewer@acme", PLUGIN);
    for path in ["/_dev/faults", "/_dev/calls", "/_dev/stream", "/_dev/users", "/_dev/projects"] {
        assert_eq!(codes(&viewer.ask("GET", path, &Value::Null)), (403, "auth.denied"), "{path}");
    }
}

#[test]
fn the_stream_goes_on_where_it_was() {
    use std::io::{BufRead, BufReader, Write};
    let (_sandbox, host) = desk();
    let admin = admin(&host);
    admin.rows("POST", "/customer", &json!({ "name": "甲" }));
    let token = host.token("admin@acme");
    let address = host.url().trim_start_matches("http://").to_owned();
    let listen = |after: &str, accept: &str| {
        let mut socket = std::net::TcpStream::connect(&address).unwrap();
        let head = format!(
            "GET /_dev/stream?kinds=change{after} HTTP/1.1\r\nhost: {address}\r\naccept: {accept}\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        BufReader::new(socket)
    };
    let until = |reader: &mut BufReader<std::net::TcpStream>, wanted: &str| {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended before {wanted}");
            if line.contains(wanted) {
                return line.clone();
            }
        }
    };
    let mut lines = listen("&after=0", "application/x-ndjson");
    let first: Value = serde_json::from_str(&until(&mut lines, "\"kind\"")).unwrap();
    assert_eq!((&first["kind"], &first["data"]["after"]["name"]), (&json!("change"), &json!("甲")), "{first}");
    let mut events = listen(&format!("&after={}", first["id"]), "text/event-stream");
    until(&mut events, "text/event-stream");
    admin.rows("POST", "/customer", &json!({ "name": "乙" }));
    let next = until(&mut events, "data: {");
    assert!(next.contains("乙"), "what was there already does not come again: {next}");
    assert!(until(&mut lines, "\"kind\"").contains("乙"));
}

#[test]
fn openapi_of_what_is_loaded_is_valid_for_a_public_validator_and_names_what_answers() {
    let (sandbox, host) = desk();
    let admin = admin(&host);
    let (status, document) = admin.ask("GET", "/api/v1/openapi.json", &Value::Null);
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.1.0")));
    sandbox.write("openapi.json", document.to_string());
    let output = sandbox.run(&["-C", "erp-demo", "generate", "openapi", "-o", "../own.json"]).succeeded();
    assert!(output.stdout.is_empty());
    let validator = repository().join("target/test-tools/openapi/bin/openapi-spec-validator");
    for file in ["openapi.json", "own.json"] {
        let checked = Command::new(&validator).arg(sandbox.path(file)).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }
    // Every path without a parameter has a route.
    for (path, methods) in document["paths"].as_object().unwrap() {
        // A stream does not end.
        if path.contains('{') || path == "/_dev/stream" {
            continue;
        }
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "parameters") {
            let (_, body) = admin.ask(&method.to_uppercase(), path, &Value::Null);
            assert_ne!(body["code"], "http.no_route", "{method} {path}");
        }
    }
}

#[test]
fn the_typescript_client_compiles_strictly_and_talks_to_the_host() {
    let (sandbox, host) = desk();
    sandbox.run(&["-C", "erp-demo", "generate", "ts", "-o", "../client.ts"]).succeeded();
    sandbox.run(&["-C", "erp-demo", "generate", "ts", "-o", "../client.ts", "--check"]).succeeded();
    sandbox.write(
        "use.ts",
        r#"import { Client, PlatformError, type Ticket } from "./client.js";
declare const process: { env: Record<string, string | undefined>; exit(code: number): never };
const client = new Client({ url: process.env["URL_OF_HOST"] ?? "", token: process.env["TOKEN"] ?? "" });
const customer = await client.customer.create({ name: "甲", level: "a", manager: "李娜" });
const ticket = await client.ticket.create({ title: "t", customer_id: customer.id, hours: "2", rate: "3" });
const amount: Ticket["amount"] = ticket.data.amount;
if (amount !== "6.00") throw new Error(`amount ${amount}`);
const changed = await client.ticket.update(ticket, { status: "doing" });
if (changed.version !== 2) throw new Error("version");
try {
  await client.ticket.update(ticket, { status: "done" });
  throw new Error("a stale change went through");
} catch (error) {
  if (!(error instanceof PlatformError) || error.status !== 409) throw error;
}
let seen = 0;
for await (const row of client.customer.each({ filter: { level: "a" } })) seen += row.data.name.length;
const brought = await client.customer.import([{ name: "乙" }, { name: "甲" }], true);
if (brought.accepted !== 1 || seen !== 1) throw new Error("import");
// @ts-expect-error a field that is not there
await client.customer.list({ filter: {} }).then((page) => page.items[0]?.data.nmae);
// @ts-expect-error what the host computes is set by nobody
void (() => client.ticket.create({ title: "t", customer_id: "", amount: "1" }));
console.log("done");
"#,
    );
    sandbox.write("package.json", r#"{ "type": "module" }"#);
    sandbox.write(
        "tsconfig.json",
        r#"{ "compilerOptions": { "strict": true, "target": "es2022", "module": "nodenext", "lib": ["es2022", "dom", "dom.iterable"],
  "types": [], "noUncheckedIndexedAccess": true, "outDir": "out" }, "files": ["use.ts"] }"#,
    );
    let tsc = repository().join("tests/console/node_modules/.bin/tsc");
    let compiled = Command::new(tsc).arg("-p").arg(sandbox.path("tsconfig.json")).output().unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stdout));
    let ran = Command::new("node")
        .arg(sandbox.path("out/use.js"))
        .env("URL_OF_HOST", host.url())
        .env("TOKEN", host.token("admin@acme"))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn a_statement_of_a_stranger_reads_and_does_nothing_else() {
    let (sandbox, host) = desk();
    let admin = admin(&host);
    let outside = sandbox.path("outside.sqlite");
    for sql in [
        "pragma query_only = 1".to_owned(),
        "pragma synchronous = off".to_owned(),
        "begin".to_owned(),
        "delete from erp_audit".to_owned(),
        format!("attach database '{}' as other", outside.display()),
    ] {
        assert_eq!(codes(&admin.ask("POST", "/_dev/sql", &json!({ "sql": sql }))), (400, "db.bad_query"), "{sql}");
    }
    assert!(!outside.exists());
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    assert_eq!(
        codes(&admin.ask("POST", "/_dev/sql", &json!({ "sql": endless }))),
        (400, "db.bad_query"),
        "it has an end"
    );
    // Memory is limited too: for one value, and for all rows.
    for large in [
        "select hex(zeroblob(100000000))",
        "select printf('%.*c', 900000000, 'x')",
        "select instr(hex(zeroblob(1900000)), hex(zeroblob(900000)) || '1')",
        "select replace(hex(zeroblob(1900000)), hex(zeroblob(900000)) || '1', '')",
        "select trim(hex(zeroblob(1900000)), hex(zeroblob(900000)))",
        "select hex(zeroblob(1900000)) like '%' || hex(zeroblob(10000)) || '1'",
        "with recursive n(i) as (select 1 union all select i + 1 from n limit 900) select hex(zeroblob(1000000)) from n",
    ] {
        let (status, answer) = admin.ask("POST", "/_dev/sql", &json!({ "sql": large }));
        assert!((400..500).contains(&status), "{large}: {status} {answer}");
    }
    let secrets = admin.ask("POST", "/_dev/sql", &json!({ "sql": "select * from erp_secrets" }));
    assert_eq!(codes(&secrets), (400, "db.bad_query"), "secrets are nobody's");
    assert_eq!(admin.rows("POST", "/customer", &json!({ "name": "甲" })).0, 201, "the host goes on");
}

#[test]
fn a_row_of_a_million_keys_is_refused_before_it_is_one() {
    let (_sandbox, host) = desk();
    let admin = admin(&host);
    let keys: serde_json::Map<String, Value> = (0..1_000_000).map(|n| (format!("k{n}"), Value::Bool(true))).collect();
    for body in [Value::Object(keys.clone()), json!({ "data": { "name": keys } })] {
        assert_eq!(admin.rows("POST", "/customer", &body).0, 413);
    }
    let some: serde_json::Map<String, Value> = (0..1_000).map(|n| (format!("k{n}"), Value::Bool(true))).collect();
    let (status, answer) = admin.rows("POST", "/customer", &Value::Object(some));
    assert!((400..500).contains(&status) && answer.to_string().len() < 20_000, "{status}: its size is bounded too");
    let text = format!("{{\"name\": {}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let path = "/api/v1/plugins/erp-demo/customer";
    let deep = request(&host.url(), "POST", path, Some(&host.token("admin@acme")), text.as_bytes(), &[]);
    assert_eq!(codes(&deep), (400, "http.bad_json"));
}

#[test]
fn what_many_ask_at_once_is_answered_each_alone() {
    let (_sandbox, host) = desk();
    let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..40)
            .map(|number| {
                let host = &host;
                // Every fourth customer has the same name.
                let name = if number % 4 == 0 { "同名".to_owned() } else { format!("客户{number}") };
                scope.spawn(move || admin(host).rows("POST", "/customer", &json!({ "name": name })))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let with = |status: u16| answers.iter().filter(|answer| answer.0 == status).count();
    assert_eq!((with(201), with(409)), (31, 9), "a refused row undoes itself alone");
    let admin = admin(&host);
    assert_eq!(admin.rows("GET", "/customer/count", &Value::Null).1["count"], 31);
    let (_, last) = admin.list("customer", &[("sort_by", "code"), ("sort_order", "desc"), ("page_size", "1")]);
    assert_eq!(last["items"][0]["data"]["code"], "C00031", "and gives its number back");
}

#[test]
fn the_source_is_shown_and_nothing_beside_it() {
    let (_sandbox, host) = desk();
    let admin = admin(&host);
    for file in [".erp-plugin/dev/registry.pem", "src/../.erp-plugin/dev/tokens.json", "plugin.toml", "/etc/passwd"] {
        let path = format!("/_dev/source?plugin={PLUGIN}&file={file}&line=1");
        assert_eq!(codes(&admin.ask("GET", &path, &Value::Null)), (404, "http.no_route"), "{file}");
    }
    let strange = admin.rows("POST", "/customer/import", &json!({ "rows": [{ "name": "甲" }], "dry_run": "true" }));
    assert_eq!(codes(&strange), (400, "http.bad_json"), "what is no boolean writes nothing");
}
