//! Compares searches in a SQLite file, which has an index of parts of texts, with a database in memory, which has none:
//! after each kind of write, upgrade and rollback.

use std::sync::Arc;

use erp_manifest::diagnostics::SourceFile;
use erp_manifest::{Manifest, Moment, TenantId, parse};
use erp_storage::{EntityRef, ListQuery, Scope};
use erp_store::Database;
use serde_json::{Map, Value, json};

use crate::support::Sandbox;

fn manifest(schema: u32, entity: &str, fields: &str) -> Arc<Manifest> {
    let text = format!(
        "manifest_version = 1\n[metadata]\nid = \"erp-found\"\nname = \"查\"\nversion = \"0.{schema}.0\"\n\
         [runtime]\nabi = \"erp:plugin@1.0.0\"\nworld = \"minimal-plugin\"\n[schema]\nschema_version = {schema}\n\
         [[schema.entities]]\nname = \"{entity}\"\ndisplay_name = \"客户\"\n{fields}"
    );
    let (manifest, report) = parse(&SourceFile::new("plugin.toml", text));
    assert!(!report.has_errors(), "{:?}", report.diagnostics());
    Arc::new(manifest.unwrap())
}

fn field(name: &str, field_type: &str, rest: &str) -> String {
    format!(
        "[[schema.entities.fields]]\nname = \"{name}\"\ndisplay_name = \"{name}\"\nfield_type = \"{field_type}\"\n{rest}\n"
    )
}

fn now() -> Moment {
    Moment::parse("2026-04-15T08:00:00Z").unwrap()
}

fn scope(tenant: &str) -> Scope {
    Scope::of_tenant(&TenantId::new(tenant).unwrap(), now())
}

/// Two databases that get the same work and the same queries, and must give equal results.
struct Both {
    databases: [Database; 2],
    ids: u32,
}

impl Both {
    fn new(folder: &Sandbox) -> Both {
        Both {
            databases: [Database::open(&folder.path("rows.sqlite")).unwrap(), Database::in_memory().unwrap()],
            ids: 0,
        }
    }

    fn each<T: PartialEq + std::fmt::Debug>(&mut self, mut work: impl FnMut(&mut Database, u32) -> T) -> T {
        self.ids += 1;
        let [file, memory] = &mut self.databases;
        let (of_file, of_memory) = (work(file, self.ids), work(memory, self.ids));
        assert_eq!(of_file, of_memory);
        of_file
    }

    fn insert(&mut self, entity: &EntityRef, tenant: &str, row: &Value) -> String {
        self.each(|database, number| {
            let mut new_id = || format!("01a22e93-c61f-7000-8614-{number:012x}");
            database.writer().insert(entity, &scope(tenant), row.as_object().unwrap(), &mut new_id).unwrap().id
        })
    }

    fn found_ids(&mut self, entity: &EntityRef, tenant: &str, text: &str) -> Vec<String> {
        let query = ListQuery { search: Some(text.to_owned()), ..ListQuery::default() };
        self.each(|database, _| {
            let page = database.reader().list(entity, &scope(tenant), &query).unwrap();
            page.rows.into_iter().map(|row| row.id).collect()
        })
    }

    /// Searches both databases for each text; returns how many rows each search finds.
    fn found(&mut self, entity: &EntityRef, tenant: &str, texts: &[&str]) -> Vec<u64> {
        let ask = |text: &&str| {
            let query = ListQuery {
                search: Some((*text).to_owned()),
                with_total: true,
                limit: Some(5),
                ..ListQuery::default()
            };
            self.each(|database, _| {
                let page = database.reader().list(entity, &scope(tenant), &query).unwrap();
                let ids: Vec<String> = page.rows.into_iter().map(|row| row.id).collect();
                let count = database
                    .reader()
                    .count(entity, &scope(tenant), &ListQuery { limit: None, ..query.clone() })
                    .unwrap();
                assert_eq!(page.total, Some(count), "{text}");
                (ids, count)
            })
            .1
        };
        texts.iter().map(ask).collect()
    }
}

/// Returns the statements that SQLite executes for a search.
fn statements(database: &mut Database, entity: &EntityRef, text: &str) -> String {
    database.note_statements(true);
    let query = ListQuery { search: Some(text.to_owned()), ..ListQuery::default() };
    database.reader().list(entity, &scope("acme"), &query).unwrap();
    let statements = database.take_statements().join("\n");
    database.note_statements(false);
    statements
}

#[test]
fn a_file_finds_by_its_index_what_memory_finds_by_reading() {
    let folder = Sandbox::new();
    let mut both = Both::new(&folder);
    let fields = field("name", "string", "searchable = true")
        + &field("tags", "tags", "searchable = true")
        + &field("remark", "text", "");
    let first = manifest(1, "customer", &fields);
    both.each(|database, _| {
        database.begin().unwrap();
        database.upgrades().upgrade(None, &first, now(), |_| Ok(())).unwrap();
        database.commit().unwrap();
        database.serve_schema(&first);
    });
    let customer = both.databases[0].catalog().entity(&first.metadata.id, "customer").unwrap();
    let row = |name: &str, tags: &[&str], remark: &str| json!({ "name": name, "tags": tags, "remark": remark });
    let one = both.insert(&customer, "acme", &row("深圳市华强电子有限公司", &["华南", "Top \"A\""], "广州"));
    let two = both.insert(&customer, "acme", &row("Shenzhen Trading (华南)", &[], "深圳"));
    both.insert(&customer, "globex", &row("深圳分公司", &["华南"], ""));
    let texts = [
        "深圳",
        "深",
        "华南",
        "SHENZHEN",
        "zh",
        "z",
        "ng (华",
        "op \"a\"",
        "广州",
        "公司",
        "%",
        "圳市华强电子有限公司!",
    ];
    let expected = [1, 1, 2, 1, 1, 1, 1, 1, 0, 1, 0, 0];
    assert_eq!(both.found(&customer, "acme", &texts), expected);
    assert_eq!(both.found(&customer, "globex", &["深圳", "华南", "强电"]), [1, 1, 0]);
    let asked = statements(&mut both.databases[0], &customer, "深圳");
    assert!(asked.contains(" match ?"), "{asked}");
    assert!(!statements(&mut both.databases[0], &customer, "深").contains(" match ?"));

    // Rows that are updated, deleted, restored, and changed in a unit that is rolled back.
    both.each(|database, _| {
        let patch: Map<String, Value> = json!({ "name": "上海分公司" }).as_object().unwrap().clone();
        database.writer().update(&customer, &scope("acme"), &one, &patch, None).unwrap().version
    });
    assert_eq!(both.found(&customer, "acme", &["深圳", "上海", "华南"]), [0, 1, 2]);
    both.each(|database, _| database.writer().delete(&customer, &scope("acme"), &two, None).unwrap());
    assert_eq!(both.found(&customer, "acme", &["shenzhen", "华南"]), [0, 1]);
    both.each(|database, _| database.writer().restore(&customer, &scope("acme"), &two).unwrap().version);
    assert_eq!(both.found(&customer, "acme", &["shenzhen"]), [1]);
    both.each(|database, _| {
        database.begin().unwrap();
        let patch: Map<String, Value> = json!({ "name": "北京" }).as_object().unwrap().clone();
        database.writer().update(&customer, &scope("acme"), &two, &patch, None).unwrap();
        database.rollback();
    });
    assert_eq!(both.found(&customer, "acme", &["shenzhen", "北京"]), [1, 0]);

    // The entity gets another name, and another searchable field.
    let renamed = fields.replace("field_type = \"text\"", "field_type = \"text\"\nsearchable = true");
    let second = manifest(2, "client", &format!("renamed_from = \"customer\"\n{renamed}"));
    let report = both.each(|database, _| {
        database.begin().unwrap();
        database.serve_schema(&second);
        let done = database.upgrades().upgrade(Some(&first), &second, now(), |_| Ok(())).map(|_| ());
        database.commit().unwrap();
        done.map_err(|error| error.to_string())
    });
    report.unwrap();
    let client = both.databases[0].catalog().entity(&second.metadata.id, "client").unwrap();
    assert_eq!(both.found(&client, "acme", &["shenzhen", "深圳", "广州"]), [1, 1, 1]);
    both.each(|database, _| {
        database.begin().unwrap();
        let done = database.upgrades().roll_back(1, (&first, &second), true, now()).map(|_| ());
        database.commit().unwrap();
        database.serve_schema(&first);
        done.map_err(|error| error.to_string())
    })
    .unwrap();
    assert_eq!(both.found(&customer, "acme", &["shenzhen", "深圳", "广州"]), [1, 0, 0]);
}

#[test]
fn texts_that_very_many_rows_hold_are_found_all_the_same() {
    let folder = Sandbox::new();
    let mut both = Both::new(&folder);
    let manifest = manifest(1, "customer", &field("name", "string", "searchable = true"));
    both.each(|database, _| {
        database.begin().unwrap();
        database.upgrades().upgrade(None, &manifest, now(), |_| Ok(())).unwrap();
        database.serve_schema(&manifest);
    });
    let customer = both.databases[0].catalog().entity(&manifest.metadata.id, "customer").unwrap();
    // More rows than a search reads one by one, so that the index takes them up.
    for number in 0..3_500 {
        both.insert(&customer, "acme", &json!({ "name": format!("贸易公司 {number}") }));
    }
    both.insert(&customer, "globex", &json!({ "name": "贸易公司 7" }));
    both.each(|database, _| database.commit().unwrap().len());
    let rows = |database: &mut Database, table: &str| {
        let sql = format!("select count(*) from \"parts:plugin_erp_found_customer:name{table}\"");
        database.inspect(None, None, &sql, 1).unwrap().1[0][0].as_u64().unwrap()
    };
    assert_eq!([rows(&mut both.databases[0], "_docsize"), rows(&mut both.databases[0], "::new")], [3_501, 0]);
    // One text with too many hits for the index, and two with few. Rows of another tenant are never found.
    assert_eq!(both.found(&customer, "acme", &["贸易", "司 1199", "公司 119"]), [3_500, 1, 11]);
    let patch: Map<String, Value> = json!({ "name": "新名" }).as_object().unwrap().clone();
    let seven = both.found_ids(&customer, "acme", "公司 777");
    both.each(|database, _| {
        database.writer().update(&customer, &scope("acme"), &seven[0], &patch, None).unwrap().version
    });
    assert_eq!(both.found(&customer, "acme", &["公司 777", "新名"]), [0, 1]);
    assert_eq!(rows(&mut both.databases[0], "::new"), 1);
    assert_eq!(both.found(&customer, "globex", &["贸易", "易公司 7"]), [1, 1]);

    // The tables are dropped, installed once more, and dropped again.
    both.each(|database, _| {
        database.begin().unwrap();
        database.schema().drop_schema(&manifest.metadata.id).unwrap();
        database.commit().unwrap();
        database.begin().unwrap();
        database.upgrades().upgrade(None, &manifest, now(), |_| Ok(())).unwrap();
        database.schema().drop_schema(&manifest.metadata.id).unwrap();
        database.commit().unwrap();
    });
}

#[test]
fn a_file_of_an_earlier_version_gets_its_indexes_with_the_next_upgrade() {
    let folder = Sandbox::new();
    let file = folder.path("rows.sqlite");
    let name = field("name", "string", "searchable = true");
    let code = field("code", "string", "unique = true");
    let first = manifest(1, "customer", &(name.clone() + &code));
    let mut database = Database::open(&file).unwrap();
    database.begin().unwrap();
    database.upgrades().upgrade(None, &first, now(), |_| Ok(())).unwrap();
    database.serve_schema(&first);
    let customer = database.catalog().entity(&first.metadata.id, "customer").unwrap();
    for (number, name) in ["深圳贸易", "上海贸易"].into_iter().enumerate() {
        let row = json!({ "name": name, "code": number.to_string() });
        let mut new_id = || format!("01a22e93-c61f-7000-8614-{number:012x}");
        database.writer().insert(&customer, &scope("acme"), row.as_object().unwrap(), &mut new_id).unwrap();
    }
    database.commit().unwrap();
    drop(database);
    // As an earlier version left it: no index of texts, and indexes with other names.
    let table = "plugin_erp_found_customer";
    let texts = format!("parts:{table}:name");
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch(&format!(
            "drop trigger \"{texts}\"; drop trigger \"{texts}::update\"; drop trigger \"{texts}::delete\"; \
             drop table \"{texts}::new\"; drop table \"{texts}\"; drop index \"unique:{table}:code\"; \
             create unique index \"unique index:{table}:code\" on \"{table}\" (tenant_id, json_extract(data, '$.code'))"
        ))
        .unwrap();
    let mut database = Database::open(&file).unwrap();
    database.serve_schema(&first);
    let second = manifest(2, "customer", &(name + &code.replace("unique = true", "")));
    database.begin().unwrap();
    database.serve_schema(&second);
    database.upgrades().upgrade(Some(&first), &second, now(), |_| Ok(())).unwrap();
    database.commit().unwrap();
    assert!(statements(&mut database, &customer, "深圳").contains(" match ?"));
    let query = ListQuery { search: Some("贸易".to_owned()), ..ListQuery::default() };
    assert_eq!(database.reader().count(&customer, &scope("acme"), &query).unwrap(), 2);
    // The code no longer has to be unique.
    let row = json!({ "name": "北京", "code": "0" });
    let mut new_id = || "01a22e93-c61f-7000-8614-00000000000f".to_owned();
    database.writer().insert(&customer, &scope("acme"), row.as_object().unwrap(), &mut new_id).unwrap();
}
